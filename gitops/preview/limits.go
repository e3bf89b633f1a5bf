package preview

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Limits on what is read from a repository and made of it, so that a hostile one ends in an error instead of in a machine without
// memory. They are far above what repositories of manifests hold.
const (
	// MaxFileSize is the most bytes that one file may have: what Argo CD takes for all manifests of a folder together
	// (argo-cd: --max-combined-directory-manifests-size of the repo-server, 10M).
	MaxFileSize = 10 << 20
	// MaxAnswerSize is the most bytes that the files of one pattern, or the paths of all folders, may have together:
	// Argo CD passes them on in one message of that size (argo-cd: ARGOCD_GRPC_MAX_SIZE_MB, 100).
	MaxAnswerSize = 100 << 20
	// MaxEntries is the most files and folders that a repository may have. A tree of a few hundred bytes can name
	// billions of them, as git stores equal folders once.
	MaxEntries = 1_000_000
	// MaxParameterSets is the most sets of parameters that a generator may yield. A matrix of matrices of short lists can
	// yield billions.
	MaxParameterSets = 300_000
	// MaxPathLength is the most bytes that a path may have: longer ones cannot be checked out on Linux.
	MaxPathLength = 4096
)

var (
	// ErrTooLarge is what a file or repository beyond a limit of this package is refused with.
	ErrTooLarge = errors.New("too large")
	// ErrOutside is what a path is refused with that leads out of the repository, by .. or through a symbolic link.
	ErrOutside = errors.New("leads out of the repository")
	// ErrLoop is what a path is refused with that goes through too many symbolic links, as those in a circle do.
	ErrLoop = errors.New("symbolic links lead in a circle")
)

// ContentError says which file of a repository cannot be used, and why.
type ContentError struct {
	// Path of the file in the repository, with slashes.
	Path string
	// Line of the file that is at fault, from 1. Zero when it is not one line.
	Line int
	// Err is the reason: [ErrTooLarge], [ErrOutside], an error of package io/fs, or one that only its text tells.
	Err error
}

func (e *ContentError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s, line %d: %v", e.Path, e.Line, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.Path, e.Err)
}

// Unwrap returns the reason.
func (e *ContentError) Unwrap() error { return e.Err }

// contentError names the path in an error of a file system once: a PathError repeats it.
func contentError(path string, err error) error {
	if inner := new(fs.PathError); errors.As(err, &inner) {
		err = inner.Err
	}
	return &ContentError{Path: path, Err: err}
}

// readFile returns the content of a regular file of at most MaxFileSize bytes. Every error is a ContentError.
func readFile(fsys fs.FS, path string) ([]byte, error) {
	info, err := fs.Stat(fsys, path)
	if err != nil {
		return nil, contentError(path, err)
	}
	if info.IsDir() {
		return nil, &ContentError{Path: path, Err: errors.New("is a folder, not a file")}
	}
	if !info.Mode().IsRegular() {
		return nil, &ContentError{Path: path, Err: errors.New("is a device, pipe or socket, not a file")}
	}
	if info.Size() > MaxFileSize {
		return nil, tooLarge(path, info.Size())
	}
	file, err := fsys.Open(path)
	if err != nil {
		return nil, contentError(path, err)
	}
	defer func() { _ = file.Close() }()
	// A file may grow while it is read, and a file system may not know the size.
	data := make([]byte, 0, info.Size()+512)
	for {
		n, err := file.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case len(data) > MaxFileSize:
			return nil, tooLarge(path, int64(len(data)))
		case errors.Is(err, io.EOF):
			return data, nil
		case err != nil:
			return nil, contentError(path, err)
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
}

func tooLarge(path string, size int64) error {
	return &ContentError{Path: path, Err: fmt.Errorf("%w: it has %d bytes or more, at most %d are read",
		ErrTooLarge, size, MaxFileSize)}
}
