package gitops

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// SCMProvider yields one set of parameters for each repository, or branch, of an organization at a source code host:
// `.organization`, `.repository`, `.url`, `.branch`, `.branchNormalized`, `.sha`, `.short_sha`, `.short_sha_7`,
// `.labels`.
type SCMProvider struct {
	// Organization to scan. Required.
	Organization SCMOrganization
	// Filters of the repositories and branches; one that matches is enough. Default: none, everything is taken.
	Filters []SCMFilter
	// CloneProtocol of `.url`: "ssh" or "https", and "https-fips" for [AWSCodeCommit]. Default: the host's own, "ssh"
	// where there is a choice. [AzureDevOpsProject] has none.
	CloneProtocol string
	// Values are further parameters, as `.values.<key>`; they may be templates themselves.
	Values map[string]string
	// RequeueAfter is the time between scans, in whole seconds. Default: Argo CD's own, 30 min.
	RequeueAfter time.Duration
}

// SCMFilter takes the repositories and branches that meet all of its conditions. At least one is needed. Argo CD applies
// a filter with a condition on branches or paths to branches alone, beside the filters of repositories.
type SCMFilter struct {
	// RepositoryMatch, LabelMatch and BranchMatch are regular expressions of Go that the name of the repository, one of
	// its labels (or topics) and the name of the branch match somewhere.
	RepositoryMatch string
	LabelMatch      string
	BranchMatch     string
	// PathsExist must all exist in the branch, PathsDoNotExist must all be missing.
	PathsExist      []string
	PathsDoNotExist []string
}

// SCMOrganization is what an [SCMProvider] scans: [GitHubOrganization], [GitLabGroup], [GiteaOwner],
// [BitbucketWorkspace], [BitbucketServerProject], [AzureDevOpsProject] or [AWSCodeCommit].
type SCMOrganization interface {
	validateOrganization(path *field.Path) field.ErrorList
	// organization returns the field of the upstream generator and its value.
	organization() (string, map[string]any)
}

func (g SCMProvider) validate(path *field.Path, _ depth) field.ErrorList {
	var faults field.ErrorList
	protocols := []string{"ssh", "https"}
	if object.IsNil(g.Organization) {
		faults = append(faults, field.Required(path.Child("organization"), "there is nothing to scan"))
	} else {
		faults = append(faults, g.Organization.validateOrganization(path.Child("organization"))...)
		if host, _ := g.Organization.organization(); host == "awsCodeCommit" {
			protocols = append(protocols, "https-fips")
		}
	}
	for i, filter := range g.Filters {
		faults = append(faults, filter.validate(path.Child("filters").Index(i))...)
	}
	if g.CloneProtocol != "" && !isTemplate(g.CloneProtocol) && !slices.Contains(protocols, g.CloneProtocol) {
		faults = append(faults, field.NotSupported(path.Child("cloneProtocol"), g.CloneProtocol, protocols))
	}
	faults = append(faults, templated{}.text(path.Child("cloneProtocol"), g.CloneProtocol)...)
	faults = append(faults, validateValues(path.Child("values"), g.Values)...)
	return append(faults, validateRequeue(path.Child("requeueAfter"), g.RequeueAfter)...)
}

func (g SCMProvider) build() map[string]any {
	out := object.Compact(map[string]any{
		"filters":             buildEach(g.Filters, SCMFilter.build),
		"cloneProtocol":       g.CloneProtocol,
		"values":              g.Values,
		"requeueAfterSeconds": seconds(g.RequeueAfter),
	})
	name, settings := g.Organization.organization()
	out[name] = settings
	return map[string]any{"scmProvider": out}
}

func (f SCMFilter) validate(path *field.Path) field.ErrorList {
	if len(f.build()) == 0 {
		return field.ErrorList{field.Required(path, "a filter needs a condition: Argo CD ignores an empty one")}
	}
	faults := validateRegexp(path.Child("repositoryMatch"), f.RepositoryMatch)
	faults = append(faults, validateRegexp(path.Child("labelMatch"), f.LabelMatch)...)
	faults = append(faults, validateRegexp(path.Child("branchMatch"), f.BranchMatch)...)
	faults = append(faults, validateTexts(path.Child("pathsExist"), f.PathsExist, templated{})...)
	return append(faults, validateTexts(path.Child("pathsDoNotExist"), f.PathsDoNotExist, templated{})...)
}

func (f SCMFilter) build() map[string]any {
	return object.Compact(map[string]any{
		"repositoryMatch": f.RepositoryMatch,
		"labelMatch":      f.LabelMatch,
		"branchMatch":     f.BranchMatch,
		"pathsExist":      f.PathsExist,
		"pathsDoNotExist": f.PathsDoNotExist,
	})
}
