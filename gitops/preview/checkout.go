package preview

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
)

// Checkout returns the content of a local folder as it lies there: for the working tree of a git repository, every
// file but those of .git, whether committed, changed, new or ignored.
//
// Nothing outside of the folder can be read: a path that leads out of it through a symbolic link is refused with
// [ErrOutside]; so is a link to an absolute path, even to one in the folder, as Argo CD does. A link to nothing or into
// .git is refused with [fs.ErrNotExist], one that goes in a circle with [ErrLoop].
//
// It returns an [fs.PathError] if there is no such folder. The folder stays open as long as the result is in use.
func Checkout(dir string) (fs.FS, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("open checkout: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("open checkout: %w",
			&fs.PathError{Op: "open", Path: dir, Err: errors.New("is a file; name the folder that holds it")})
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open checkout: %w", err)
	}
	return &checkout{folder: &folder{root: root}}, nil
}

// checkout is a folder whose links are followed here rather than by the operating system, so that an error tells which
// link is at fault, and no link leads into .git, whose configuration may hold a password.
type checkout struct {
	folder *folder
}

var _ interface {
	fs.ReadDirFS
	fs.ReadFileFS
	fs.ReadLinkFS
	fs.StatFS
} = (*checkout)(nil)

// Open implements fs.FS.
func (c *checkout) Open(name string) (fs.File, error) {
	at, err := locate(c.folder, "open", name, true)
	if err != nil {
		return nil, err
	}
	kind, err := c.folder.kind(at)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	// Opening a pipe would wait for its writer.
	if !kind.IsDir() && !kind.IsRegular() {
		return nil, pathError("open", name, errors.New("is neither a file nor a folder"))
	}
	file, err := c.folder.root.Open(filepath.FromSlash(at))
	if err != nil {
		return nil, pathError("open", name, err)
	}
	opened := openFile{File: file, name: path.Base(name)}
	if kind.IsDir() {
		return &openFolder{opened}, nil
	}
	return opened, nil
}

// ReadFile implements fs.ReadFileFS.
func (c *checkout) ReadFile(name string) ([]byte, error) {
	file, err := c.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, pathError("read", name, err)
	}
	return data, nil
}

// ReadDir implements fs.ReadDirFS.
func (c *checkout) ReadDir(name string) ([]fs.DirEntry, error) {
	at, err := locate(c.folder, "readdir", name, true)
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(c.folder.root.FS(), at)
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	entries = withoutGit(entries)
	for _, entry := range entries {
		if entry.IsDir() {
			c.folder.known.Store(path.Join(at, entry.Name()), struct{}{})
		}
	}
	return entries, nil
}

// Stat implements fs.StatFS.
func (c *checkout) Stat(name string) (fs.FileInfo, error) {
	at, err := locate(c.folder, "stat", name, true)
	if err != nil {
		return nil, err
	}
	info, err := c.folder.root.Lstat(filepath.FromSlash(at))
	if err != nil {
		return nil, pathError("stat", name, err)
	}
	return renamed{FileInfo: info, name: path.Base(name)}, nil
}

// Lstat implements fs.ReadLinkFS.
func (c *checkout) Lstat(name string) (fs.FileInfo, error) {
	at, err := locate(c.folder, "lstat", name, false)
	if err != nil {
		return nil, err
	}
	info, err := c.folder.root.Lstat(filepath.FromSlash(at))
	if err != nil {
		return nil, pathError("lstat", name, err)
	}
	return info, nil
}

// ReadLink implements fs.ReadLinkFS.
func (c *checkout) ReadLink(name string) (string, error) {
	at, err := locate(c.folder, "readlink", name, false)
	if err != nil {
		return "", err
	}
	target, err := c.folder.target(at)
	if err != nil {
		return "", pathError("readlink", name, err)
	}
	return target, nil
}

// folder looks at single elements of a folder.
type folder struct {
	root *os.Root
	// known are folders that were listed as such, which spares looking at every one on the way to a file again.
	known sync.Map
}

func (f *folder) kind(name string) (fs.FileMode, error) {
	if _, known := f.known.Load(name); known || name == "." {
		return fs.ModeDir, nil
	}
	if isGit(path.Base(name)) {
		return 0, fs.ErrNotExist
	}
	info, err := f.root.Lstat(filepath.FromSlash(name))
	if err != nil {
		return 0, err
	}
	return info.Mode().Type(), nil
}

func (f *folder) target(name string) (string, error) {
	target, err := f.root.Readlink(filepath.FromSlash(name))
	return filepath.ToSlash(target), err
}

// renamed is a file by the name that it was asked for, which is a link's if it was reached through one.
type renamed struct {
	fs.FileInfo
	name string
}

func (r renamed) Name() string { return r.name }

// openFile is a file by the name that it was asked for.
type openFile struct {
	*os.File
	name string
}

// Stat implements fs.File.
func (f openFile) Stat() (fs.FileInfo, error) {
	info, err := f.File.Stat()
	if err != nil {
		return nil, err
	}
	return renamed{FileInfo: info, name: f.name}, nil
}

// openFolder lists a folder without its .git.
type openFolder struct{ openFile }

// ReadDir implements fs.ReadDirFile.
func (f *openFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	for {
		entries, err := f.File.ReadDir(n)
		found := len(entries)
		entries = withoutGit(entries)
		if n <= 0 || err != nil || len(entries) > 0 || found == 0 {
			return entries, err
		}
	}
}

func withoutGit(entries []fs.DirEntry) []fs.DirEntry {
	kept := entries[:0]
	for _, entry := range entries {
		if !isGit(entry.Name()) {
			kept = append(kept, entry)
		}
	}
	return kept
}

// isGit tells whether an element of a path is what git keeps for itself, in any case: file systems may ignore it.
func isGit(element string) bool { return strings.EqualFold(element, ".git") }
