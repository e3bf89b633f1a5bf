package gitops

import (
	"net/url"
	"path"
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
	// Ref is a name by which Helm value files of the other sources reach into this one ("$name/values.yaml"). Only
	// for Applications with several sources.
	Ref string
	// Tool that renders the manifests, with its settings. Default: Argo CD detects it from the folder's content.
	Tool Tool
}

// Tool renders manifests: [Directory], or [RawTool] for everything else that Argo CD knows.
type Tool interface {
	validate(path *field.Path, texts texts) field.ErrorList
	// build returns the field of the upstream source and its value.
	build() (string, map[string]any)
}

// Directory applies plain YAML and JSON files.
type Directory struct {
	// Recurse descends into folders. Default: false, only the folder's own files.
	Recurse bool
	// Include and Exclude are glob patterns of file names, such as "*.yaml" or "{config.json,env-*}". Default: every
	// manifest, none excluded.
	Include string
	Exclude string
}

// RawTool takes the fragment in Argo CD's own form, for tools and settings that have no type here: one key, the name of
// the tool ("helm", "kustomize", "directory", "plugin"), and its settings.
type RawTool map[string]any

func (s Source) validate(at *field.Path, texts texts, several bool) field.ErrorList {
	var faults field.ErrorList
	faults = append(faults, validateRepoURL(at.Child("repoURL"), s.RepoURL, texts)...)
	faults = append(faults, texts.text(at.Child("revision"), s.Revision)...)
	faults = append(faults, texts.text(at.Child("path"), s.Path)...)
	faults = append(faults, texts.text(at.Child("chart"), s.Chart)...)
	faults = append(faults, texts.text(at.Child("ref"), s.Ref)...)
	switch {
	case s.Path != "" && s.Chart != "":
		faults = append(faults, field.Forbidden(at.Child("chart"), "a source has a path or a chart, not both"))
	case s.Path == "" && s.Chart == "" && s.Ref == "":
		faults = append(faults, field.Required(at.Child("path"), `a source needs a path ("." is the repository's root), a chart or a ref`))
	}
	if s.Chart != "" && s.Revision == "" {
		faults = append(faults, field.Required(at.Child("revision"), "a chart needs a version"))
	}
	if s.Ref != "" && !several {
		faults = append(faults, field.Forbidden(at.Child("ref"), "only sources of an Application with several sources are referred to"))
	}
	if s.Ref != "" && s.Chart != "" {
		faults = append(faults, field.Forbidden(at.Child("ref"), "a chart cannot be referred to"))
	}
	// argo-cd: util/app/path refuses absolute paths and those that leave the repository.
	if strings.HasPrefix(s.Path, "/") || escapes(s.Path) {
		faults = append(faults, field.Invalid(at.Child("path"), s.Path, "must be relative and stay inside the repository"))
	}
	if !object.IsNil(s.Tool) {
		faults = append(faults, s.Tool.validate(at.Child("tool"), texts)...)
	}
	return faults
}

func (s Source) build() map[string]any {
	out := object.Compact(map[string]any{
		"repoURL": s.RepoURL,
		"path":    s.Path,
		"chart":   s.Chart,
		"ref":     s.Ref,
	})
	out["targetRevision"] = orDefault(s.Revision, "HEAD")
	if !object.IsNil(s.Tool) {
		name, settings := s.Tool.build()
		out[name] = settings
	}
	return out
}

func buildSources(sources []Source) []map[string]any {
	out := make([]map[string]any, len(sources))
	for i, source := range sources {
		out[i] = source.build()
	}
	return out
}

// validateRepoURL checks the address of a repository. The fault for a password does not show it.
func validateRepoURL(at *field.Path, repoURL string, texts texts) field.ErrorList {
	if repoURL == "" {
		return field.ErrorList{field.Required(at, "manifests are read from a repository")}
	}
	if parsed, err := url.Parse(repoURL); err == nil {
		if _, secret := parsed.User.Password(); secret {
			return field.ErrorList{field.Forbidden(at, "credentials belong into a repository Secret of Argo CD")}
		}
	}
	return texts.text(at, repoURL)
}

// escapes reports whether a path leaves the folder that it starts in.
func escapes(name string) bool {
	clean := path.Clean(name)
	return clean == ".." || strings.HasPrefix(clean, "../")
}

func (d Directory) validate(path *field.Path, texts texts) field.ErrorList {
	faults := texts.text(path.Child("include"), d.Include)
	return append(faults, texts.text(path.Child("exclude"), d.Exclude)...)
}

func (d Directory) build() (string, map[string]any) {
	return "directory", object.Compact(map[string]any{"recurse": d.Recurse, "include": d.Include, "exclude": d.Exclude})
}

func (r RawTool) validate(path *field.Path, texts texts) field.ErrorList {
	faults := validateRaw(path, r, texts)
	if len(r) != 1 {
		return append(faults, field.Invalid(path, keys(r), "must have exactly one key: the name of the tool"))
	}
	for name, settings := range r {
		switch name {
		case "helm", "kustomize", "directory", "plugin":
		default:
			faults = append(faults, field.NotSupported(path, name, []string{"directory", "helm", "kustomize", "plugin"}))
		}
		if _, ok := settings.(map[string]any); !ok {
			faults = append(faults, field.TypeInvalid(path.Key(name), settings, "must be an object"))
		}
	}
	return faults
}

func (r RawTool) build() (string, map[string]any) {
	for name, settings := range r {
		if typed, ok := settings.(map[string]any); ok {
			return name, typed
		}
	}
	return "", nil
}
