package preview

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// tree is the content of a commit.
type tree struct {
	objects *objectStore
	root    *treeEntry
	time    time.Time

	mutex sync.Mutex
	// folders that were read, as one folder may be in many places.
	folders map[plumbing.Hash]treeFolder
}

// treeFolder is the entries of a folder by name.
type treeFolder []fs.DirEntry

var _ interface {
	fs.ReadDirFS
	fs.ReadFileFS
	fs.ReadLinkFS
	fs.StatFS
} = (*tree)(nil)

func newTree(objects *objectStore, commit *object.Commit) (*tree, error) {
	t := &tree{objects: objects, time: commit.Committer.When, folders: map[plumbing.Hash]treeFolder{}}
	t.root = &treeEntry{tree: t, name: ".", mode: filemode.Dir, hash: commit.TreeHash}
	_, err := t.folder(t.root)
	return t, err
}

// folder returns the entries of a folder. A submodule has none.
func (t *tree) folder(entry *treeEntry) (treeFolder, error) {
	if entry.mode == filemode.Submodule {
		return nil, nil
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if entries, ok := t.folders[entry.hash]; ok {
		return entries, nil
	}
	encoded, err := t.objects.object(plumbing.TreeObject, entry.hash)
	if err != nil {
		return nil, err
	}
	var decoded object.Tree
	if err := decoded.Decode(encoded); err != nil {
		return nil, fmt.Errorf("tree %s: %w", entry.hash, err)
	}
	all := make([]treeEntry, len(decoded.Entries))
	entries := make(treeFolder, len(decoded.Entries))
	for i, found := range decoded.Entries {
		// What git would not check out (git: read-cache.c, verify_path).
		if !fs.ValidPath(found.Name) || found.Name == "." || strings.Contains(found.Name, "/") || isGit(found.Name) {
			return nil, fmt.Errorf("tree %s: %q is no name that a file can have", entry.hash, found.Name)
		}
		all[i] = treeEntry{tree: t, name: found.Name, mode: found.Mode, hash: found.Hash}
		entries[i] = &all[i]
	}
	// git orders a folder as if its name ended in a slash.
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	t.folders[entry.hash] = entries
	return entries, nil
}

// entry returns what is at a path without links in it.
func (t *tree) entry(name string) (*treeEntry, error) {
	at := t.root
	if name == "." {
		return at, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if !at.IsDir() {
			return nil, fs.ErrNotExist
		}
		entries, err := t.folder(at)
		if err != nil {
			return nil, err
		}
		i, found := slices.BinarySearchFunc(entries, part, func(entry fs.DirEntry, name string) int {
			return cmp.Compare(entry.Name(), name)
		})
		if !found {
			return nil, fs.ErrNotExist
		}
		at = entries[i].(*treeEntry)
	}
	return at, nil
}

// content returns what is in a file or link, to be read as it comes.
func (t *tree) content(entry *treeEntry) (io.ReadCloser, error) {
	if entry.IsDir() {
		return nil, errors.New("is a folder")
	}
	encoded, err := t.objects.object(plumbing.BlobObject, entry.hash)
	if err != nil {
		return nil, err
	}
	return encoded.Reader()
}

func (t *tree) read(entry *treeEntry) ([]byte, error) {
	reader, err := t.content(entry)
	if err != nil {
		return nil, err
	}
	defer func() { _ = reader.Close() }()
	return io.ReadAll(reader)
}

// find returns what is at a path, once its links are followed.
func (t *tree) find(op, name string, followLast bool) (*treeEntry, error) {
	at, err := locate(t, op, name, followLast)
	if err != nil {
		return nil, err
	}
	entry, err := t.entry(at)
	if err != nil {
		return nil, pathError(op, name, err)
	}
	return entry, nil
}

// Open implements fs.FS.
func (t *tree) Open(name string) (fs.File, error) {
	entry, err := t.find("open", name, true)
	if err != nil {
		return nil, err
	}
	file := openEntry{entry: entry, name: path.Base(name)}
	if entry.IsDir() {
		entries, err := t.folder(entry)
		if err != nil {
			return nil, pathError("open", name, err)
		}
		return &openTree{openEntry: file, entries: entries}, nil
	}
	reader, err := t.content(entry)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return &openBlob{openEntry: file, ReadCloser: reader}, nil
}

// ReadFile implements fs.ReadFileFS.
func (t *tree) ReadFile(name string) ([]byte, error) {
	entry, err := t.find("read", name, true)
	if err != nil {
		return nil, err
	}
	data, err := t.read(entry)
	if err != nil {
		return nil, pathError("read", name, err)
	}
	return data, nil
}

// ReadDir implements fs.ReadDirFS.
func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	entry, err := t.find("readdir", name, true)
	if err != nil {
		return nil, err
	}
	if !entry.IsDir() {
		return nil, pathError("readdir", name, errors.New("is not a folder"))
	}
	entries, err := t.folder(entry)
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	return slices.Clone(entries), nil
}

// Stat implements fs.StatFS.
func (t *tree) Stat(name string) (fs.FileInfo, error) {
	entry, err := t.find("stat", name, true)
	if err != nil {
		return nil, err
	}
	info, err := entry.info(path.Base(name))
	if err != nil {
		return nil, pathError("stat", name, err)
	}
	return info, nil
}

// Lstat implements fs.ReadLinkFS.
func (t *tree) Lstat(name string) (fs.FileInfo, error) {
	entry, err := t.find("lstat", name, false)
	if err != nil {
		return nil, err
	}
	info, err := entry.info(path.Base(name))
	if err != nil {
		return nil, pathError("lstat", name, err)
	}
	return info, nil
}

// ReadLink implements fs.ReadLinkFS.
func (t *tree) ReadLink(name string) (string, error) {
	at, err := locate(t, "readlink", name, false)
	if err != nil {
		return "", err
	}
	target, err := t.target(at)
	if err != nil {
		return "", pathError("readlink", name, err)
	}
	return target, nil
}

func (t *tree) kind(name string) (fs.FileMode, error) {
	entry, err := t.entry(name)
	if err != nil {
		return 0, err
	}
	return entry.Type(), nil
}

func (t *tree) target(name string) (string, error) {
	entry, err := t.entry(name)
	if err != nil {
		return "", err
	}
	if entry.mode != filemode.Symlink {
		return "", fs.ErrInvalid
	}
	size, err := t.objects.size(entry.hash)
	if err != nil {
		return "", err
	}
	if size > MaxPathLength {
		return "", fmt.Errorf("%w: a symbolic link has %d bytes", ErrTooLarge, size)
	}
	data, err := t.read(entry)
	return string(data), err
}
