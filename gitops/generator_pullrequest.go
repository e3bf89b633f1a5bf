package gitops

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// PullRequests yields one set of parameters for each open pull request of a repository (at GitLab, in any state unless
// one is asked for): `.number`, `.title`, `.author`,
// `.branch`, `.branch_slug`, `.target_branch`, `.target_branch_slug`, `.head_sha`, `.head_short_sha`,
// `.head_short_sha_7`, `.labels`.
type PullRequests struct {
	// Repository at a source code host. Required.
	Repository PullRequestRepository
	// Filters of the pull requests; one that matches is enough. Default: none, every pull request is taken.
	Filters []PullRequestFilter
	// ContinueOnRepoNotFoundError yields nothing when the repository does not exist, so that the other generators of the
	// ApplicationSet go on. Default: false, it is an error. Argo CD 3.2 and later only.
	ContinueOnRepoNotFoundError bool
	// Values are further parameters, as `.values.<key>`; they may be templates themselves. Argo CD 3.0 and later only.
	Values map[string]string
	// RequeueAfter is the time between looks at the repository, in whole seconds. Default: Argo CD's own, 30 min.
	RequeueAfter time.Duration
}

// PullRequestFilter takes the pull requests that meet all of its conditions, which are regular expressions of Go that
// match somewhere. At least one is needed.
type PullRequestFilter struct {
	// BranchMatch matches the branch to be merged.
	BranchMatch string
	// TargetBranchMatch matches the branch to merge into.
	TargetBranchMatch string
	// TitleMatch matches the title. Argo CD 3.2 and later only.
	TitleMatch string
}

// PullRequestRepository is what [PullRequests] looks at: [GitHubRepository], [GitLabProject], [GiteaRepository],
// [BitbucketRepository], [BitbucketServerRepository] or [AzureDevOpsRepository].
type PullRequestRepository interface {
	validateRepository(path *field.Path) field.ErrorList
	// repository returns the field of the upstream generator and its value.
	repository() (string, map[string]any)
}

func (g PullRequests) validate(path *field.Path, _ depth) field.ErrorList {
	var faults field.ErrorList
	if object.IsNil(g.Repository) {
		faults = append(faults, field.Required(path.Child("repository"), "pull requests belong to a repository"))
	} else {
		faults = append(faults, g.Repository.validateRepository(path.Child("repository"))...)
	}
	for i, filter := range g.Filters {
		faults = append(faults, filter.validate(path.Child("filters").Index(i))...)
	}
	faults = append(faults, validateValues(path.Child("values"), g.Values)...)
	return append(faults, validateRequeue(path.Child("requeueAfter"), g.RequeueAfter)...)
}

func (g PullRequests) build() map[string]any {
	out := object.Compact(map[string]any{
		"filters":                     buildEach(g.Filters, PullRequestFilter.build),
		"continueOnRepoNotFoundError": g.ContinueOnRepoNotFoundError,
		"values":                      g.Values,
		"requeueAfterSeconds":         seconds(g.RequeueAfter),
	})
	name, settings := g.Repository.repository()
	out[name] = settings
	return map[string]any{"pullRequest": out}
}

func (f PullRequestFilter) validate(path *field.Path) field.ErrorList {
	if f == (PullRequestFilter{}) {
		return field.ErrorList{field.Required(path, "a filter needs a condition: an empty one takes every pull request")}
	}
	faults := validateRegexp(path.Child("branchMatch"), f.BranchMatch)
	faults = append(faults, validateRegexp(path.Child("targetBranchMatch"), f.TargetBranchMatch)...)
	return append(faults, validateRegexp(path.Child("titleMatch"), f.TitleMatch)...)
}

func (f PullRequestFilter) build() map[string]any {
	return object.Compact(map[string]any{
		"branchMatch": f.BranchMatch, "targetBranchMatch": f.TargetBranchMatch, "titleMatch": f.TitleMatch,
	})
}
