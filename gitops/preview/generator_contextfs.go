package preview

import (
	"context"
	"io/fs"
)

// withContext is a file system that refuses to go on when the context is done.
type withContext struct {
	ctx  context.Context
	fsys fs.FS
}

var _ interface {
	fs.ReadDirFS
	fs.ReadFileFS
	fs.StatFS
	fs.ReadLinkFS
} = withContext{}

// Open implements fs.FS.
func (c withContext) Open(name string) (fs.File, error) {
	if err := c.ctx.Err(); err != nil {
		return nil, err
	}
	return c.fsys.Open(name)
}

// ReadDir implements fs.ReadDirFS.
func (c withContext) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := c.ctx.Err(); err != nil {
		return nil, err
	}
	return fs.ReadDir(c.fsys, name)
}

// ReadFile implements fs.ReadFileFS.
func (c withContext) ReadFile(name string) ([]byte, error) {
	if err := c.ctx.Err(); err != nil {
		return nil, err
	}
	return fs.ReadFile(c.fsys, name)
}

// Stat implements fs.StatFS.
func (c withContext) Stat(name string) (fs.FileInfo, error) { return fs.Stat(c.fsys, name) }

// Lstat implements fs.ReadLinkFS.
func (c withContext) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(c.fsys, name) }

// ReadLink implements fs.ReadLinkFS.
func (c withContext) ReadLink(name string) (string, error) { return fs.ReadLink(c.fsys, name) }
