package gitops

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// GitDirectories yields one set of parameters for each matching folder of a git repository: `.path.path`,
// `.path.basename`, `.path.basenameNormalized`, `.path.segments`.
type GitDirectories struct {
	// RepoURL of the repository. Required.
	RepoURL string
	// Revision to look at. Default: "HEAD".
	Revision string
	// Include and Exclude are patterns of folders, such as "K8s/observability/*". Exclude wins. At least one Include.
	Include []string
	Exclude []string
	// PathParamPrefix moves the parameters from `.path` to `.<prefix>.path`. Default: none.
	PathParamPrefix string
	// Values are further parameters, as `.values.<key>`; they may be templates themselves.
	Values map[string]string
	// RequeueAfter is the time between looks at the repository, in whole seconds. Default: Argo CD's own, 3 min.
	RequeueAfter time.Duration
}

// GitFiles yields one set of parameters for each matching JSON or YAML file of a git repository, or for each element of
// it when it holds a list: the file's content, and `.path` as [GitDirectories] does.
type GitFiles struct {
	// RepoURL of the repository. Required.
	RepoURL string
	// Revision to look at. Default: "HEAD".
	Revision string
	// Include are patterns of files, such as "clusters/**/config.json". At least one.
	Include []string
	// Exclude are patterns of files that are left out whatever includes them. Argo CD 3.1 and later only.
	Exclude []string
	// PathParamPrefix moves the path's parameters from `.path` to `.<prefix>.path`. Default: none.
	PathParamPrefix string
	// Values are further parameters, as `.values.<key>`; they may be templates themselves.
	Values map[string]string
	// RequeueAfter is the time between looks at the repository, in whole seconds. Default: Argo CD's own, 3 min.
	RequeueAfter time.Duration
}

func (g GitDirectories) validate(path *field.Path, _ depth) field.ErrorList {
	return g.git().validate(path)
}

func (g GitDirectories) build() map[string]any { return g.git().build("directories") }

func (g GitDirectories) git() gitGenerator { return gitGenerator(g) }

func (g GitFiles) validate(path *field.Path, _ depth) field.ErrorList { return g.git().validate(path) }

func (g GitFiles) build() map[string]any { return g.git().build("files") }

func (g GitFiles) git() gitGenerator { return gitGenerator(g) }

// gitGenerator is what the two git generators share: everything but the name of the list of patterns.
type gitGenerator struct {
	RepoURL, Revision string
	Include, Exclude  []string
	PathParamPrefix   string
	Values            map[string]string
	RequeueAfter      time.Duration
}

func (g gitGenerator) validate(path *field.Path) field.ErrorList {
	texts := templated{}
	faults := validateRepoURL(path.Child("repoURL"), g.RepoURL, texts)
	faults = append(faults, texts.text(path.Child("revision"), g.Revision)...)
	if len(g.Include) == 0 {
		faults = append(faults, field.Required(path.Child("include"), "without a pattern nothing is generated"))
	}
	faults = append(faults, validatePatterns(path.Child("include"), g.Include)...)
	faults = append(faults, validatePatterns(path.Child("exclude"), g.Exclude)...)
	faults = append(faults, texts.text(path.Child("pathParamPrefix"), g.PathParamPrefix)...)
	faults = append(faults, validateValues(path.Child("values"), g.Values)...)
	return append(faults, validateRequeue(path.Child("requeueAfter"), g.RequeueAfter)...)
}

func (g gitGenerator) build(items string) map[string]any {
	var patterns []map[string]any
	for _, pattern := range g.Include {
		patterns = append(patterns, map[string]any{"path": pattern})
	}
	for _, pattern := range g.Exclude {
		patterns = append(patterns, map[string]any{"path": pattern, "exclude": true})
	}
	return map[string]any{"git": object.Compact(map[string]any{
		"repoURL":             g.RepoURL,
		"revision":            orDefault(g.Revision, "HEAD"),
		items:                 patterns,
		"pathParamPrefix":     g.PathParamPrefix,
		"values":              g.Values,
		"requeueAfterSeconds": seconds(g.RequeueAfter),
	})}
}

func validatePatterns(path *field.Path, patterns []string) field.ErrorList {
	var faults field.ErrorList
	for i, pattern := range patterns {
		if pattern == "" {
			faults = append(faults, field.Required(path.Index(i), "an empty pattern matches nothing"))
		}
		faults = append(faults, templated{}.text(path.Index(i), pattern)...)
	}
	return faults
}
