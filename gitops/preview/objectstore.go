package preview

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/osfs"
	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// objectCacheSize is how many bytes of objects are kept, as git stores similar objects as differences of one another.
const objectCacheSize = 32 << 20

// objectStore is a repository to read from. It is safe for concurrent use, as go-git's storage is not.
type objectStore struct {
	mutex sync.Mutex
	// stores are the repository's own storage, and those of the repositories that it borrows objects from.
	stores  []*filesystem.Storage
	shallow map[plumbing.Hash]bool
}

func openRepository(path string) (*objectStore, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, errors.New("is a file; name the folder of the repository")
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	opened, err := gogit.PlainOpenWithOptions(path, &gogit.PlainOpenOptions{EnableDotGitCommonDir: true})
	if errors.Is(err, gogit.ErrRepositoryNotExists) {
		return nil, fmt.Errorf("%w: the folder neither is a bare repository nor holds a .git; "+
			"name the topmost folder of a clone, or use Checkout", err)
	}
	if err != nil {
		return nil, err
	}
	if err := checkFormat(opened); err != nil {
		return nil, err
	}
	own, ok := opened.Storer.(*filesystem.Storage)
	if !ok {
		return nil, fmt.Errorf("go-git opens it as %T, which preview does not know", opened.Storer)
	}
	objects := &objectStore{shallow: map[plumbing.Hash]bool{}}
	if err := objects.add(own.Filesystem(), 0); err != nil {
		return nil, err
	}
	shallow, err := own.Shallow()
	if err != nil {
		return nil, err
	}
	for _, commit := range shallow {
		objects.shallow[commit] = true
	}
	return objects, nil
}

// checkFormat refuses repositories whose format go-git would misread, as git refuses extensions that it does not know
// (git: Documentation/technical/repository-version.txt).
func checkFormat(repository *gogit.Repository) error {
	configuration, err := repository.Config()
	if err != nil {
		return fmt.Errorf("read its configuration: %w", err)
	}
	for _, option := range configuration.Raw.Section("extensions").Options {
		value := strings.ToLower(option.Value)
		switch name := strings.ToLower(option.Key); {
		case name == "objectformat" && value != "sha1":
			return fmt.Errorf("its object format is %s, but only sha1 can be read", value)
		case name == "refstorage" && value != "files":
			return fmt.Errorf("its references are stored as %s, but only files can be read", value)
		case name != "objectformat" && name != "refstorage" && !harmlessExtensions[name]:
			return fmt.Errorf("it uses the extension %s, which cannot be read", option.Key)
		}
	}
	return nil
}

// harmlessExtensions change nothing about how objects and references are read.
var harmlessExtensions = map[string]bool{
	"noop": true, "noop-v1": true, "partialclone": true, "preciousobjects": true, "relativeworktrees": true,
	"worktreeconfig": true,
}

// maxAlternates is how often a repository may borrow from one that borrows itself (git: object-file.c).
const maxAlternates = 5

// add opens the storage of a repository, and of those that it borrows from. go-git would open the latter anew for every
// object, and cannot find one that is named by a relative path.
func (o *objectStore) add(dot billy.Filesystem, depth int) error {
	if depth > maxAlternates {
		return errors.New("the alternates of its object store refer to one another too deep")
	}
	o.stores = append(o.stores, filesystem.NewStorageWithOptions(withoutAlternates{dot},
		cache.NewObjectLRU(objectCacheSize), filesystem.Options{
			ExclusiveAccess: true, KeepDescriptors: true, LargeObjectThreshold: MaxFileSize}))
	file, err := dot.Open(dot.Join("objects", "info", "alternates"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	common := dot.Root()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		folder := strings.TrimSpace(lines.Text())
		if folder == "" || strings.HasPrefix(folder, "#") {
			continue
		}
		if !filepath.IsAbs(folder) {
			folder = filepath.Join(common, "objects", folder)
		}
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			return fmt.Errorf("it borrows objects from %s, which is no folder", folder)
		}
		if err := o.add(osfs.New(filepath.Dir(folder)), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// object returns an object of the type, or plumbing.ErrObjectNotFound.
func (o *objectStore) object(kind plumbing.ObjectType, hash plumbing.Hash) (plumbing.EncodedObject, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	for _, store := range o.stores {
		object, err := store.EncodedObject(kind, hash)
		if !errors.Is(err, plumbing.ErrObjectNotFound) {
			return object, err
		}
	}
	return nil, fmt.Errorf("%s %s: %w: the clone is partial or damaged; run git fetch --refetch",
		kind, hash, plumbing.ErrObjectNotFound)
}

// size returns the size of an object without reading it.
func (o *objectStore) size(hash plumbing.Hash) (int64, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	for _, store := range o.stores {
		size, err := store.EncodedObjectSize(hash)
		if !errors.Is(err, plumbing.ErrObjectNotFound) {
			return size, err
		}
	}
	return 0, fmt.Errorf("object %s: %w: the clone is partial or damaged; run git fetch --refetch",
		hash, plumbing.ErrObjectNotFound)
}

// withoutAlternates hides from go-git that a repository borrows objects.
type withoutAlternates struct{ billy.Filesystem }

func (w withoutAlternates) Open(name string) (billy.File, error) {
	if filepath.Base(name) == "alternates" {
		return nil, fs.ErrNotExist
	}
	return w.Filesystem.Open(name)
}
