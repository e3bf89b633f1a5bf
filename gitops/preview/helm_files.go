package preview

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/ignore"
)

// chartFiles are the files of a chart's folder.
type chartFiles struct {
	fsys  fs.FS
	root  string
	rules *ignore.Rules
	found []*loader.BufferedFile
	size  int
}

// add reads a folder, through symbolic links too.
func (c *chartFiles) add(dir string, depth int) error {
	if depth > maxLinks {
		return &ContentError{Path: dir, Err: ErrLoop}
	}
	entries, err := fs.ReadDir(c.fsys, dir)
	if err != nil {
		return contentError(dir, err)
	}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		info, err := fs.Stat(c.fsys, name)
		if err != nil {
			return contentError(name, err)
		}
		relative := strings.TrimPrefix(name, c.root+"/")
		switch {
		case c.rules.Ignore(relative, info), entry.Name() == ".git":
		case info.IsDir():
			err = c.add(name, depth+1)
		default:
			err = c.read(name, relative)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *chartFiles) read(name, relative string) error {
	data, err := readFile(c.fsys, name)
	if err != nil {
		return err
	}
	if c.size += len(data); c.size > MaxAnswerSize {
		return &ContentError{Path: c.root, Err: fmt.Errorf("%w: the chart has more than %d bytes", ErrTooLarge, MaxAnswerSize)}
	}
	c.found = append(c.found, &loader.BufferedFile{Name: relative, Data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))})
	return nil
}

// unpackChart returns the content of a packaged chart. Helm bounds how large it may become.
func unpackChart(fsys fs.FS, name string) (fs.FS, error) {
	data, err := readFile(fsys, name)
	if err != nil {
		return nil, err
	}
	files, err := loader.LoadArchiveFiles(bytes.NewReader(data))
	if err != nil {
		return nil, contentError(name, err)
	}
	// The standard library reads a zip archive as a file system.
	var archive bytes.Buffer
	writer := zip.NewWriter(&archive)
	for _, file := range files {
		if !fs.ValidPath(file.Name) {
			return nil, &ContentError{Path: name, Err: fmt.Errorf("%s %w", file.Name, ErrOutside)}
		}
		entry, err := writer.CreateHeader(&zip.FileHeader{Name: file.Name, Method: zip.Store})
		if err != nil {
			return nil, contentError(name, err)
		}
		if _, err := entry.Write(file.Data); err != nil {
			return nil, contentError(name, err)
		}
	}
	if err := writer.Close(); err != nil {
		return nil, contentError(name, err)
	}
	return zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
}
