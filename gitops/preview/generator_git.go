package preview

import (
	"context"
	"fmt"

	"github.com/argoproj/argo-cd/v2/util/git"
)

// gitAnswers answers the git generators from the given repositories, as argo-cd's repo-server would: services.Repos.
type gitAnswers struct {
	ctx context.Context
	in  *answers
}

// GetDirectories implements services.Repos.
func (a gitAnswers) GetDirectories(_ context.Context, url, revision string, _, _ bool) ([]string, error) {
	repository, err := a.in.repository(url, revision)
	if err != nil {
		return nil, err
	}
	return repository.directories(a.ctx)
}

// GetFiles implements services.Repos.
func (a gitAnswers) GetFiles(_ context.Context, url, revision, pattern string, _, _ bool) (map[string][]byte, error) {
	repository, err := a.in.repository(url, revision)
	if err != nil {
		return nil, err
	}
	return repository.files(a.ctx, pattern)
}

// repository returns what is given for a URL at a revision: the entry of that very revision, or else the one for all.
func (in *answers) repository(url, revision string) (*listedRepository, error) {
	if revision == "" {
		revision = "HEAD"
	}
	var fallback *listedRepository
	for i := range in.repositories {
		candidate := &in.repositories[i]
		if candidate.Content == nil || git.NormalizeGitURL(candidate.URL) != git.NormalizeGitURL(url) {
			continue
		}
		switch candidate.Revision {
		case revision:
			return candidate, nil
		case "":
			fallback = candidate
		}
	}
	if fallback == nil {
		return nil, &MissingInputError{Input: "Repositories",
			Need: fmt.Sprintf("repository %s at revision %s", maskText(url), revision)}
	}
	return fallback, nil
}

// listedRepository remembers what it was asked, because a matrix may ask for each of its sets of parameters.
type listedRepository struct {
	Repository
	listed  []string
	matched map[string]map[string][]byte
}

func (r *listedRepository) directories(ctx context.Context) ([]string, error) {
	if r.listed == nil {
		listed, err := directories(withContext{ctx, r.Content})
		if err != nil {
			return nil, fmt.Errorf("repository %s: %w", maskText(r.URL), err)
		}
		r.listed = append([]string{}, listed...)
	}
	return r.listed, nil
}

func (r *listedRepository) files(ctx context.Context, pattern string) (map[string][]byte, error) {
	if found, ok := r.matched[pattern]; ok {
		return found, nil
	}
	found, err := files(withContext{ctx, r.Content}, pattern)
	if err != nil {
		return nil, fmt.Errorf("repository %s: %w", maskText(r.URL), err)
	}
	if r.matched == nil {
		r.matched = map[string]map[string][]byte{}
	}
	r.matched[pattern] = found
	return found, nil
}
