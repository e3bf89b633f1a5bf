package preview

import (
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// treeEntry is a file, folder, link or submodule in a tree.
type treeEntry struct {
	tree *tree
	name string
	mode filemode.FileMode
	hash plumbing.Hash
}

// Name implements fs.DirEntry.
func (e *treeEntry) Name() string { return e.name }

// IsDir implements fs.DirEntry.
func (e *treeEntry) IsDir() bool { return e.Type().IsDir() }

// Type implements fs.DirEntry.
func (e *treeEntry) Type() fs.FileMode { return e.fileMode().Type() }

// Info implements fs.DirEntry.
func (e *treeEntry) Info() (fs.FileInfo, error) { return e.info(e.name) }

func (e *treeEntry) fileMode() fs.FileMode {
	switch e.mode {
	case filemode.Dir:
		return fs.ModeDir | 0o555
	case filemode.Submodule:
		return fs.ModeDir | fs.ModeIrregular | 0o555
	case filemode.Symlink:
		return fs.ModeSymlink | 0o777
	case filemode.Executable:
		return 0o555
	default:
		return 0o444
	}
}

// info describes the entry by the name that it was asked for, which is a link's if it was reached through one.
func (e *treeEntry) info(name string) (fs.FileInfo, error) {
	info := entryInfo{name: name, mode: e.fileMode(), time: e.tree.time}
	if e.IsDir() {
		return info, nil
	}
	size, err := e.tree.objects.size(e.hash)
	info.size = size
	return info, err
}

type entryInfo struct {
	name string
	mode fs.FileMode
	size int64
	time time.Time
}

func (i entryInfo) Name() string       { return i.name }
func (i entryInfo) Size() int64        { return i.size }
func (i entryInfo) Mode() fs.FileMode  { return i.mode }
func (i entryInfo) ModTime() time.Time { return i.time }
func (i entryInfo) IsDir() bool        { return i.mode.IsDir() }
func (i entryInfo) Sys() any           { return nil }

// openEntry is what an open file and an open folder have in common.
type openEntry struct {
	entry *treeEntry
	name  string
}

// Stat implements fs.File.
func (o openEntry) Stat() (fs.FileInfo, error) { return o.entry.info(o.name) }

// openBlob is an open file.
type openBlob struct {
	openEntry
	io.ReadCloser
}

// openTree is an open folder.
type openTree struct {
	openEntry
	entries treeFolder
}

// Close implements fs.File.
func (*openTree) Close() error { return nil }

// Read implements fs.File.
func (o *openTree) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: o.name, Err: errors.New("is a folder")}
}

// ReadDir implements fs.ReadDirFile.
func (o *openTree) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(o.entries)
	} else if len(o.entries) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(o.entries))
	entries := o.entries[:n:n]
	o.entries = o.entries[n:]
	return entries, nil
}
