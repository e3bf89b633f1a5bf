package gitops

import (
	"path"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// maxDescription is the length of the descriptions of projects (the CRD) and of sync windows (ValidateProject).
const maxDescription = 255

// validateRepos checks patterns as Argo CD's own AppProject.ValidateProject does, and for patterns without effect.
func validateRepos(path *field.Path, repos []string) field.ErrorList {
	if len(repos) == 0 {
		return field.ErrorList{field.Required(path, `a project without source repositories permits nothing; "*" permits all`)}
	}
	var faults field.ErrorList
	seen := map[string]bool{}
	for i, repo := range repos {
		switch {
		case strings.TrimPrefix(repo, "!") == "":
			faults = append(faults, field.Required(path.Index(i), "an empty pattern matches no repository"))
		case repo == "!*":
			faults = append(faults, field.Invalid(path.Index(i), repo, deniesAll))
		case seen[repo]:
			faults = append(faults, field.Duplicate(path.Index(i), repo))
		}
		seen[repo] = true
		faults = append(faults, object.Text(path.Index(i), repo)...)
	}
	return faults
}

func validateDestinations(path *field.Path, destinations []Destination) field.ErrorList {
	if len(destinations) == 0 {
		return field.ErrorList{field.Required(path, "a project without destinations permits nothing")}
	}
	var faults field.ErrorList
	seen := map[Destination]bool{}
	for i, destination := range destinations {
		at := path.Index(i)
		if seen[destination] {
			faults = append(faults, field.Duplicate(at, destination))
		}
		seen[destination] = true
		faults = append(faults, validatePattern(at.Child("server"), destination.Server)...)
		faults = append(faults, validatePattern(at.Child("name"), destination.Name)...)
		if destination.Server != "" && destination.Name != "" {
			faults = append(faults, field.Forbidden(at.Child("name"), "a destination has a server or a name, not both"))
		}
		if destination.Namespace == "" {
			faults = append(faults, field.Required(at.Child("namespace"), `an empty pattern matches no namespace; "*" matches all`))
		}
		faults = append(faults, validatePattern(at.Child("namespace"), destination.Namespace)...)
	}
	return faults
}

const deniesAll = "denies everything, which Argo CD rejects"

func validatePattern(path *field.Path, pattern string) field.ErrorList {
	if pattern == "!*" {
		return field.ErrorList{field.Invalid(path, pattern, deniesAll)}
	}
	return object.Text(path, pattern)
}

func validateKinds(path *field.Path, kinds []metav1.GroupKind) field.ErrorList {
	var faults field.ErrorList
	for i, kind := range kinds {
		faults = append(faults, validateKind(path.Index(i), kind.Group, kind.Kind)...)
	}
	return faults
}

func validateKind(path *field.Path, group, kind string) field.ErrorList {
	var faults field.ErrorList
	if kind == "" {
		faults = append(faults, field.Required(path.Child("kind"), `"*" is any kind`))
	}
	faults = append(faults, object.Text(path.Child("kind"), kind)...)
	faults = append(faults, object.Text(path.Child("group"), group)...)
	if strings.Contains(group, "/") {
		faults = append(faults, field.Invalid(path.Child("group"), group, "is a group without a version"))
	}
	return faults
}

func validateClusterResources(at *field.Path, resources []ClusterResource) field.ErrorList {
	var faults field.ErrorList
	for i, resource := range resources {
		faults = append(faults, validateKind(at.Index(i), resource.Group, resource.Kind)...)
		if resource.Name == "" {
			faults = append(faults, field.Required(at.Index(i).Child("name"), "a whole kind belongs to allowClusterKinds or denyClusterKinds"))
		}
		faults = append(faults, object.Text(at.Index(i).Child("name"), resource.Name)...)
		// argo-cd: pkg/apis/application/v1alpha1/types.go, isNamedResourceInList; a pattern that is none matches nothing.
		if _, err := path.Match(resource.Name, ""); err != nil {
			faults = append(faults, field.Invalid(at.Index(i).Child("name"), resource.Name, err.Error()))
		}
	}
	return faults
}

func buildClusterResources(kinds []metav1.GroupKind, resources []ClusterResource) []map[string]any {
	var out []map[string]any
	for _, kind := range kinds {
		out = append(out, map[string]any{"group": kind.Group, "kind": kind.Kind})
	}
	for _, resource := range resources {
		out = append(out, map[string]any{"group": resource.Group, "kind": resource.Kind, "name": resource.Name})
	}
	return out
}

func validateUnique(path *field.Path, values []string) field.ErrorList {
	faults := validateTexts(path, values, literal{})
	seen := map[string]bool{}
	for i, value := range values {
		if seen[value] {
			faults = append(faults, field.Duplicate(path.Index(i), value))
		}
		seen[value] = true
	}
	return faults
}

// validateWindows reports faults of the windows, and windows that argo-cd takes for one: SyncWindow.HashIdentity in
// pkg/apis/application/v1alpha1/types.go.
func validateWindows(path *field.Path, windows []SyncWindow) field.ErrorList {
	var faults field.ErrorList
	for i, window := range windows {
		faults = append(faults, window.validate(path.Index(i))...)
		if slices.ContainsFunc(windows[:i], func(other SyncWindow) bool { return reflect.DeepEqual(window.identity(), other.identity()) }) {
			faults = append(faults, field.Duplicate(path.Index(i), window.Schedule))
		}
	}
	return faults
}

// identity returns the window without what does not tell it from another.
func (w SyncWindow) identity() SyncWindow {
	w.ManualSync, w.SyncOverrun, w.Description = false, false, ""
	return w
}
