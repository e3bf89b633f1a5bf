package preview

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// kustomizeRoot is where a repository lies for kustomize, so that a path that leaves the repository can be told from
// one that does not.
const kustomizeRoot = "/repository"

// kustomizeFiles lets kustomize read a repository. What it writes stays in memory. A file is refused that would make
// kustomize ask the network.
type kustomizeFiles struct {
	fsys    fs.FS
	written map[string][]byte
	// plugins are the files that configure generators, transformers and validators.
	plugins map[string]bool
	// refusal is the first error that kustomize must not get around.
	refusal error
}

var _ filesys.FileSystem = (*kustomizeFiles)(nil)

func newKustomizeFiles(fsys fs.FS) *kustomizeFiles {
	return &kustomizeFiles{fsys: fsys, written: map[string][]byte{}, plugins: map[string]bool{}}
}

func (k *kustomizeFiles) refused() error { return k.refusal }

func (k *kustomizeFiles) refuse(err error) error {
	if k.refusal == nil {
		k.refusal = err
	}
	return err
}

// absolute is kustomize's path of a path in the repository.
func (k *kustomizeFiles) absolute(name string) string { return path.Join(kustomizeRoot, name) }

// inside is the path in the repository, without symbolic links.
func (k *kustomizeFiles) inside(name string) (string, error) {
	clean := path.Clean(name)
	relative, ok := strings.CutPrefix(clean, kustomizeRoot)
	if !ok || relative != "" && relative[0] != '/' {
		return "", k.refuse(fmt.Errorf("%s %w", strings.TrimPrefix(name, kustomizeRoot+"/"), ErrOutside))
	}
	if relative = strings.TrimPrefix(relative, "/"); relative == "" {
		return ".", nil
	}
	if links, ok := k.fsys.(fs.ReadLinkFS); ok {
		target, err := follow(linksOf{links}, relative, true)
		if err != nil {
			return "", contentError(relative, err)
		}
		return target, nil
	}
	return relative, nil
}

// linksOf reads the links of a file system.
type linksOf struct{ fs.ReadLinkFS }

func (l linksOf) kind(name string) (fs.FileMode, error) {
	info, err := l.Lstat(name)
	if err != nil {
		return 0, err
	}
	return info.Mode().Type(), nil
}

func (l linksOf) target(name string) (string, error) { return l.ReadLink(name) }

// ReadFile checks what it returns: see check.
func (k *kustomizeFiles) ReadFile(name string) ([]byte, error) {
	file, err := k.inside(name)
	if err != nil {
		return nil, err
	}
	data, ok := k.written[file]
	if !ok {
		if data, err = readFile(k.fsys, file); err != nil {
			return nil, err
		}
	}
	if err := k.check(file, data); err != nil {
		if content := new(ContentError); !errors.As(err, &content) {
			err = contentError(file, err)
		}
		return nil, k.refuse(err)
	}
	return data, nil
}

func (k *kustomizeFiles) WriteFile(name string, data []byte) error {
	file, err := k.inside(name)
	if err == nil {
		k.written[file] = data
	}
	return err
}

func (k *kustomizeFiles) stat(name string) (fs.FileInfo, error) {
	file, err := k.inside(name)
	if err != nil {
		return nil, err
	}
	return fs.Stat(k.fsys, file)
}

func (k *kustomizeFiles) Exists(name string) bool {
	_, err := k.stat(name)
	return err == nil
}

func (k *kustomizeFiles) IsDir(name string) bool {
	info, err := k.stat(name)
	return err == nil && info.IsDir()
}

func (k *kustomizeFiles) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	file, err := k.inside(name)
	if err != nil {
		return "", "", err
	}
	info, err := fs.Stat(k.fsys, file)
	if err != nil {
		return "", "", contentError(file, err)
	}
	if info.IsDir() {
		return filesys.ConfirmedDir(k.absolute(file)), "", nil
	}
	return filesys.ConfirmedDir(k.absolute(path.Dir(file))), path.Base(file), nil
}

func (k *kustomizeFiles) ReadDir(name string) ([]string, error) {
	dir, err := k.inside(name)
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(k.fsys, dir)
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names, err
}

func (k *kustomizeFiles) Glob(pattern string) ([]string, error) {
	file, err := k.inside(pattern)
	if err != nil {
		return nil, err
	}
	found, err := fs.Glob(k.fsys, file)
	for i := range found {
		found[i] = k.absolute(found[i])
	}
	return found, err
}

func (k *kustomizeFiles) Walk(name string, visit filepath.WalkFunc) error {
	dir, err := k.inside(name)
	if err != nil {
		return err
	}
	return fs.WalkDir(k.fsys, dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return visit(k.absolute(file), nil, err)
		}
		info, err := entry.Info()
		return visit(k.absolute(file), info, err)
	})
}

func (k *kustomizeFiles) Open(name string) (filesys.File, error)   { return nil, readOnly(name) }
func (k *kustomizeFiles) Create(name string) (filesys.File, error) { return nil, readOnly(name) }
func (k *kustomizeFiles) Mkdir(name string) error                  { return readOnly(name) }
func (k *kustomizeFiles) MkdirAll(name string) error               { return readOnly(name) }
func (k *kustomizeFiles) RemoveAll(name string) error              { return readOnly(name) }

func readOnly(name string) error {
	return &fs.PathError{Op: "write", Path: name, Err: fs.ErrPermission}
}
