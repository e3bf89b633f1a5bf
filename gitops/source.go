package gitops

import (
	"path"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Source is where manifests come from: a folder of a git repository, or a chart of a Helm repository.
type Source struct {
	// RepoURL of the git or Helm repository, as Argo CD's repo-server reaches it. Required.
	RepoURL string
	// Revision of the repository: a branch, tag, commit, or a chart version (range). Default: "HEAD" for git; a chart
	// needs one.
	Revision string
	// Path of a folder in a git repository, relative to its root. "." is the root itself.
	Path string
	// Chart of a Helm repository. Exactly one of Path and Chart, unless the source has a Ref.
	Chart string
	// Name of the source, by which people and argocd-server refer to it. Only for Applications with several sources.
	Name string
	// TagPrefix is what tags start with that are considered for a Revision that is a range of versions, such as "shop/"
	// for "shop/1.0.1". Default: none, every tag. Argo CD 3.5 and later only.
	TagPrefix string
	// Ref is a name by which Helm value files of the other sources reach into this one ("$name/values.yaml"). Only
	// for Applications with several sources.
	Ref string
	// Tool that renders the manifests, with its settings. Default: Argo CD detects it from the folder's content.
	Tool Tool
}

func (s Source) validate(at *field.Path, texts texts, several bool) field.ErrorList {
	var faults field.ErrorList
	faults = append(faults, validateRepoURL(at.Child("repoURL"), s.RepoURL, texts)...)
	faults = append(faults, texts.text(at.Child("revision"), s.Revision)...)
	faults = append(faults, texts.text(at.Child("path"), s.Path)...)
	faults = append(faults, texts.text(at.Child("chart"), s.Chart)...)
	faults = append(faults, texts.text(at.Child("name"), s.Name)...)
	faults = append(faults, texts.text(at.Child("tagPrefix"), s.TagPrefix)...)
	faults = append(faults, s.validateRef(at.Child("ref"), texts, several)...)
	if s.Name != "" && !several {
		faults = append(faults, field.Forbidden(at.Child("name"), "only sources of an Application with several sources have names"))
	}
	if s.TagPrefix != "" && s.Chart != "" {
		faults = append(faults, field.Forbidden(at.Child("tagPrefix"), "a chart has no tags"))
	}
	switch {
	case s.Path != "" && s.Chart != "":
		faults = append(faults, field.Forbidden(at.Child("chart"), "a source has a path or a chart, not both"))
	case s.Path == "" && s.Chart == "" && s.Ref == "":
		faults = append(faults, field.Required(at.Child("path"), `a source needs a path ("." is the repository's root), a chart or a ref`))
	}
	if s.Chart != "" && s.Revision == "" {
		faults = append(faults, field.Required(at.Child("revision"), "a chart needs a version"))
	}
	faults = append(faults, validateInside(at.Child("path"), s.Path)...)
	return append(faults, validateTool(at.Child("tool"), s.Tool, texts)...)
}

// referred is what argo-cd: util/argo/argo.go, GetRefSources accepts.
var referred = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

func (s Source) validateRef(at *field.Path, texts texts, several bool) field.ErrorList {
	if s.Ref == "" {
		return nil
	}
	faults := texts.text(at, s.Ref)
	if len(faults) == 0 && !referred.MatchString(s.Ref) && !texts.renders(s.Ref) {
		faults = append(faults, field.Invalid(at, s.Ref, `must consist of letters, digits, "-" and "_"`))
	}
	if !several {
		faults = append(faults, field.Forbidden(at, "only sources of an Application with several sources are referred to"))
	}
	if s.Chart != "" {
		faults = append(faults, field.Forbidden(at, "a chart cannot be referred to"))
	}
	return faults
}

// validateInside checks a path as argo-cd: util/app/path does, which refuses absolute paths and those that leave the
// repository.
func validateInside(at *field.Path, name string) field.ErrorList {
	if strings.HasPrefix(name, "/") || escapes(name) {
		return field.ErrorList{field.Invalid(at, name, "must be relative and stay inside the repository")}
	}
	return nil
}

func (s Source) build() map[string]any {
	out := object.Compact(map[string]any{
		"repoURL":   s.RepoURL,
		"path":      s.Path,
		"chart":     s.Chart,
		"name":      s.Name,
		"tagPrefix": s.TagPrefix,
		"ref":       s.Ref,
	})
	out["targetRevision"] = orDefault(s.Revision, "HEAD")
	addTool(out, s.Tool)
	return out
}

// validateSources checks the sources of one Application.
func validateSources(at *field.Path, sources []Source, texts texts) field.ErrorList {
	var faults field.ErrorList
	refs := map[string]bool{}
	for i, source := range sources {
		faults = append(faults, source.validate(at.Index(i), texts, len(sources) > 1)...)
		if source.Ref != "" && refs[source.Ref] {
			faults = append(faults, field.Duplicate(at.Index(i).Child("ref"), source.Ref))
		}
		refs[source.Ref] = true
	}
	return faults
}

// validateRepoURL checks the address of a repository. The fault for a password does not show it.
func validateRepoURL(at *field.Path, repoURL string, texts texts) field.ErrorList {
	if repoURL == "" {
		return field.ErrorList{field.Required(at, "manifests are read from a repository")}
	}
	if hasPassword(repoURL) {
		return field.ErrorList{field.Forbidden(at, "credentials belong into a repository Secret of Argo CD")}
	}
	return texts.text(at, repoURL)
}

// escapes reports whether a path leaves the folder that it starts in.
func escapes(name string) bool {
	clean := path.Clean(name)
	return clean == ".." || strings.HasPrefix(clean, "../")
}
