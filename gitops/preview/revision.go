package preview

import (
	"context"
	"fmt"
	"io/fs"
)

// RepositoryError says why a repository cannot be read.
type RepositoryError struct {
	// Repository is the path that was asked for.
	Repository string
	// Err is the reason: [fs.ErrNotExist], go-git's ErrRepositoryNotExists, or one that only its text tells.
	Err error
}

func (e *RepositoryError) Error() string {
	return fmt.Sprintf("open repository %s: %v", e.Repository, e.Err)
}

// Unwrap returns the reason.
func (e *RepositoryError) Unwrap() error { return e.Err }

// RevisionError says why a repository has no content for a revision.
type RevisionError struct {
	// Repository is the path that was asked for.
	Repository string
	// Revision as it was asked for.
	Revision string
	// Err is the reason: [ErrNoRevision], [ErrAmbiguous], or one that only its text tells.
	Err error
}

func (e *RevisionError) Error() string {
	return fmt.Sprintf("revision %s of repository %s: %v", e.Revision, e.Repository, e.Err)
}

// Unwrap returns the reason.
func (e *RevisionError) Unwrap() error { return e.Err }

// Revision returns the content of a revision of a local git repository, be it a working tree, a linked one, a bare
// repository, or a shallow clone: a branch, a tag, a commit, the beginning of a commit, HEAD, or a full reference, each
// with ~ and ^ behind it; empty stands for HEAD. Of a branch and a tag of one name, the tag is taken, as git does.
// Nothing of the repository is written, neither its working tree nor its index nor .git, and no hook or filter runs.
//
// Files are as they are committed: a file in Git LFS is its pointer, and line ends are not converted. A submodule is an
// empty folder whose mode has [fs.ModeIrregular] in addition; Argo CD, unless told otherwise, finds the files of the
// submodule there. Links are followed inside the tree; one that leaves it is refused with [ErrOutside].
//
// It returns a [RepositoryError] or a [RevisionError]. The folders that are read are kept in memory, and the files of the
// object store stay open, as long as the result is in use.
func Revision(ctx context.Context, repository, revision string) (fs.FS, error) {
	objects, err := openRepository(repository)
	if err != nil {
		return nil, &RepositoryError{Repository: repository, Err: err}
	}
	if revision == "" {
		revision = "HEAD"
	}
	commit, err := objects.resolve(ctx, revision)
	if err != nil {
		return nil, &RevisionError{Repository: repository, Revision: revision, Err: err}
	}
	tree, err := newTree(objects, commit)
	if err != nil {
		return nil, &RevisionError{Repository: repository, Revision: revision, Err: err}
	}
	return tree, nil
}
