package preview

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// maxLinks is how many symbolic links one path may go through, as on Linux.
const maxLinks = 40

// linkReader looks at single elements of a tree. It is never asked for a path that goes through a link.
type linkReader interface {
	// kind returns the type bits of what is at the path.
	kind(path string) (fs.FileMode, error)
	// target returns where the link at the path leads, with slashes.
	target(path string) (string, error)
}

// locate returns the path without symbolic links that name leads to, as follow does, or an fs.PathError.
func locate(tree linkReader, op, name string, followLast bool) (string, error) {
	if !fs.ValidPath(name) {
		err := fs.ErrInvalid
		if clean := path.Clean(name); clean == ".." || strings.HasPrefix(clean, "../") {
			err = fmt.Errorf("%w: it %w", fs.ErrInvalid, ErrOutside)
		}
		return "", &fs.PathError{Op: op, Path: name, Err: err}
	}
	at, err := follow(tree, name, followLast)
	if err != nil {
		return "", pathError(op, name, err)
	}
	return at, nil
}

// follow returns the path without symbolic links that name leads to. The last element stays a link if followLast is
// false.
func follow(tree linkReader, name string, followLast bool) (string, error) {
	at, links := ".", 0
	var link, target string
	for pending := strings.Split(name, "/"); len(pending) > 0; {
		part := pending[0]
		pending = pending[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if at == "." {
				return "", fmt.Errorf("symbolic link %s -> %s %w", link, target, ErrOutside)
			}
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		kind, err := tree.kind(next)
		if err != nil {
			return "", err
		}
		if kind&fs.ModeSymlink == 0 {
			if len(pending) > 0 && !kind.IsDir() {
				return "", fs.ErrNotExist
			}
			at = next
			continue
		}
		if len(pending) == 0 && !followLast {
			return next, nil
		}
		if links++; links > maxLinks {
			return "", ErrLoop
		}
		link = next
		if target, err = tree.target(link); err != nil {
			return "", err
		}
		if path.IsAbs(target) {
			return "", fmt.Errorf("symbolic link %s -> %s %w", link, target, ErrOutside)
		}
		pending = append(strings.Split(target, "/"), pending...)
	}
	return at, nil
}

// pathError says which path an error is about, once.
func pathError(op, name string, err error) error {
	if inner := new(fs.PathError); errors.As(err, &inner) {
		err = inner.Err
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}
