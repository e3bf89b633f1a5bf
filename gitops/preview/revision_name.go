package preview

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

var (
	// ErrNoRevision is what a name is refused with that is no branch, tag or commit of the repository.
	ErrNoRevision = errors.New("no such revision")
	// ErrAmbiguous is what the beginning of a commit is refused with that several commits share.
	ErrAmbiguous = errors.New("ambiguous")
)

var (
	revisionSteps = regexp.MustCompile(`(\^\{commit\}|\^\{\}|\^[0-9]*|~[0-9]*)$`)
	commitPrefix  = regexp.MustCompile(`^[0-9a-fA-F]{4,40}$`)
	describedName = regexp.MustCompile(`-g([0-9a-fA-F]{4,40})$`)
)

// resolve returns the commit that a revision names (git: Documentation/revisions.txt). go-git's own ResolveRevision
// prefers the beginning of a commit to a branch of that name, and takes the first of several commits.
func (o *objectStore) resolve(ctx context.Context, revision string) (*object.Commit, error) {
	name := revision
	var steps []string
	for {
		at := revisionSteps.FindStringIndex(name)
		if at == nil {
			break
		}
		steps = append(steps, name[at[0]:])
		name = name[:at[0]]
	}
	if name == "@" {
		name = "HEAD"
	}
	if name == "" || strings.ContainsAny(name, "^~: \\*?[\x00") || strings.Contains(name, "..") || strings.Contains(name, "@{") {
		return nil, fmt.Errorf("%w: name a branch, a tag or a commit, with ~ or ^ behind it if need be", ErrNoRevision)
	}
	hash, err := o.lookUp(name)
	if err != nil {
		return nil, err
	}
	commit, err := o.commit(hash)
	if err != nil {
		return nil, err
	}
	for i := len(steps) - 1; i >= 0; i-- {
		if commit, err = o.step(ctx, commit, steps[i]); err != nil {
			return nil, err
		}
	}
	return commit, nil
}

// lookUp returns the object that a name stands for, in git's order (git: object-name.c, get_oid_basic).
func (o *objectStore) lookUp(name string) (plumbing.Hash, error) {
	if len(name) == hex.EncodedLen(len(plumbing.Hash{})) && commitPrefix.MatchString(name) {
		return plumbing.NewHash(strings.ToLower(name)), nil
	}
	own := o.stores[0]
	for _, rule := range plumbing.RefRevParseRules {
		reference, err := storer.ResolveReference(own, plumbing.ReferenceName(fmt.Sprintf(rule, name)))
		if err == nil {
			return reference.Hash(), nil
		}
	}
	if match := describedName.FindStringSubmatch(name); match != nil {
		name = match[1]
	}
	if !commitPrefix.MatchString(name) {
		return plumbing.ZeroHash, fmt.Errorf("%w: there is no branch, tag or commit of this name; fetch it first",
			ErrNoRevision)
	}
	return o.expand(strings.ToLower(name))
}

// expand returns the commit whose hash begins with the digits.
func (o *objectStore) expand(digits string) (plumbing.Hash, error) {
	whole, err := hex.DecodeString(digits[:len(digits)&^1])
	if err != nil {
		return plumbing.ZeroHash, err
	}
	commits := map[plumbing.Hash]bool{}
	var found plumbing.Hash
	for _, store := range o.stores {
		hashes, err := store.HashesWithPrefix(whole)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		for _, hash := range hashes {
			if !strings.HasPrefix(hash.String(), digits) {
				continue
			}
			if _, err := o.commit(hash); err == nil {
				commits[hash], found = true, hash
			}
		}
	}
	switch len(commits) {
	case 0:
		return plumbing.ZeroHash, fmt.Errorf(
			"%w: no branch or tag has this name, and no commit begins with it; fetch it first", ErrNoRevision)
	case 1:
		return found, nil
	default:
		return plumbing.ZeroHash, fmt.Errorf("%w: %d commits begin with it; give more digits", ErrAmbiguous, len(commits))
	}
}

// commit returns the commit of the hash, or the one that a tag of the hash points to in the end.
func (o *objectStore) commit(hash plumbing.Hash) (*object.Commit, error) {
	for {
		encoded, err := o.object(plumbing.AnyObject, hash)
		if errors.Is(err, plumbing.ErrObjectNotFound) {
			return nil, fmt.Errorf("%w: the repository has no commit %s; fetch it first", ErrNoRevision, hash)
		}
		if err != nil {
			return nil, err
		}
		switch encoded.Type() {
		case plumbing.CommitObject:
			commit := &object.Commit{}
			return commit, commit.Decode(encoded)
		case plumbing.TagObject:
			tag := &object.Tag{}
			if err := tag.Decode(encoded); err != nil {
				return nil, err
			}
			hash = tag.Target
		default:
			return nil, fmt.Errorf("%w: it names a %s, not a commit", ErrNoRevision, encoded.Type())
		}
	}
}

// step goes from a commit to the one that ~2, ^2 or ^{commit} behind it means.
func (o *objectStore) step(ctx context.Context, commit *object.Commit, step string) (*object.Commit, error) {
	generations, parent := 1, 1
	switch digits := step[1:]; {
	case strings.HasSuffix(step, "}"):
		return commit, nil
	case digits == "":
	default:
		number, err := strconv.Atoi(digits)
		if err != nil {
			return nil, fmt.Errorf("%w: %s is no number of commits", ErrNoRevision, digits)
		}
		if step[0] == '~' {
			generations = number
		} else if parent = number; parent == 0 {
			return commit, nil
		}
	}
	for range generations {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if o.shallow[commit.Hash] {
			return nil, fmt.Errorf("%w: the clone is shallow and ends at commit %s; run git fetch --unshallow",
				ErrNoRevision, commit.Hash)
		}
		if parent > len(commit.ParentHashes) {
			return nil, fmt.Errorf("%w: commit %s has %d parents, so %s leads nowhere",
				ErrNoRevision, commit.Hash, len(commit.ParentHashes), step)
		}
		next, err := o.commit(commit.ParentHashes[parent-1])
		if err != nil {
			return nil, err
		}
		commit = next
	}
	return commit, nil
}
