package gitops

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Kustomize builds a kustomization, after changing it.
type Kustomize struct {
	// NamePrefix and NameSuffix of the names of all resources.
	NamePrefix string
	NameSuffix string
	// Namespace of all resources. Default: their own.
	Namespace string

	// Labels and Annotations of all resources.
	Labels      map[string]string
	Annotations map[string]string
	// ForceLabels and ForceAnnotations win over those of the kustomization. Default: false, a conflict is an error.
	ForceLabels      bool
	ForceAnnotations bool
	// LabelWithoutSelector keeps the labels out of selectors. Default: false. Mind that selectors of Deployments never
	// change.
	LabelWithoutSelector bool
	// LabelIncludeTemplates puts the labels on pods too. Only with LabelWithoutSelector; otherwise they are there
	// anyway. Default: false. Argo CD 3.0 and later only.
	LabelIncludeTemplates bool
	// AnnotationsEnvsubst replaces variables such as ${ARGOCD_APP_NAME} in the annotations. Default: false.
	AnnotationsEnvsubst bool

	// Images to replace, in the form of kustomize: "<image>=<image>:<tag>", "<image>:<tag>" or "<image>@<digest>".
	Images []string
	// Replicas of Deployments and StatefulSets.
	Replicas []KustomizeReplica
	// Patches of resources, after those of the kustomization.
	Patches []KustomizePatch
	// Components are folders of further components, relative to the kustomization.
	Components []string
	// IgnoreMissingComponents goes on without components that do not exist. Default: false, that is an error. Argo CD
	// 3.0 and later only.
	IgnoreMissingComponents bool

	// Version of kustomize, one of those that Argo CD is configured with. Default: its own.
	Version string
	// KubeVersion and APIVersions ("<group>/<version>/<kind>") that charts of the kustomization are told of. Default:
	// those of the destination's cluster.
	KubeVersion string
	APIVersions []string
}

// KustomizeReplica sets the replicas of a Deployment or StatefulSet.
type KustomizeReplica struct {
	// Name of it. Required.
	Name string
	// Count of its replicas.
	Count int32
}

// KustomizePatch changes resources.
type KustomizePatch struct {
	// Patch is a strategic merge patch or a JSON patch. Path is a file that holds one, relative to the kustomization.
	// Exactly one of them.
	Patch string
	Path  string
	// Target of the patch. Required for a JSON patch. Default: the resource that a strategic merge patch names.
	Target KustomizeTarget
	// Options of the patch: "allowNameChange" and "allowKindChange".
	Options map[string]bool
}

// KustomizeTarget selects resources. Empty fields match any; the others are regular expressions that match from start to
// end, and selectors such as "app=shop".
type KustomizeTarget struct {
	Group              string
	Version            string
	Kind               string
	Name               string
	Namespace          string
	LabelSelector      string
	AnnotationSelector string
}

func (k Kustomize) validate(path *field.Path, texts texts) field.ErrorList {
	faults := texts.text(path.Child("namePrefix"), k.NamePrefix)
	faults = append(faults, texts.text(path.Child("nameSuffix"), k.NameSuffix)...)
	if k.Namespace != "" {
		faults = append(faults, texts.namespace(path.Child("namespace"), k.Namespace)...)
	}
	// Argo CD replaces variables such as ${ARGOCD_APP_NAME} in the values of labels, which are no labels before that.
	for _, key := range keys(k.Labels) {
		faults = append(faults, texts.labels(path.Child("labels"), map[string]string{key: ""})...)
		faults = append(faults, texts.text(path.Child("labels").Key(key), k.Labels[key])...)
	}
	faults = append(faults, texts.annotations(path.Child("annotations"), k.Annotations)...)
	if k.LabelIncludeTemplates && !k.LabelWithoutSelector {
		// kustomize: "edit add label --include-templates" needs "--without-selector".
		faults = append(faults, field.Forbidden(path.Child("labelIncludeTemplates"), "needs labelWithoutSelector"))
	}
	faults = append(faults, validateTexts(path.Child("images"), k.Images, texts)...)
	for i, replica := range k.Replicas {
		at := path.Child("replicas").Index(i)
		faults = append(faults, validatePair(at, replica.Name, "", texts)...)
		if replica.Count < 0 {
			faults = append(faults, field.Invalid(at.Child("count"), replica.Count, "must not be negative"))
		}
	}
	for i, patch := range k.Patches {
		faults = append(faults, patch.validate(path.Child("patches").Index(i), texts)...)
	}
	faults = append(faults, validateTexts(path.Child("components"), k.Components, texts)...)
	faults = append(faults, texts.text(path.Child("version"), k.Version)...)
	faults = append(faults, texts.text(path.Child("kubeVersion"), k.KubeVersion)...)
	return append(faults, validateTexts(path.Child("apiVersions"), k.APIVersions, texts)...)
}

func (p KustomizePatch) validate(path *field.Path, texts texts) field.ErrorList {
	faults := texts.text(path.Child("patch"), p.Patch)
	faults = append(faults, texts.text(path.Child("path"), p.Path)...)
	switch {
	case p.Patch == "" && p.Path == "":
		faults = append(faults, field.Required(path.Child("patch"), "a patch is written here or in a file"))
	case p.Patch != "" && p.Path != "":
		faults = append(faults, field.Forbidden(path.Child("path"), "a patch is written here or in a file, not both"))
	}
	for _, part := range []struct{ name, value string }{
		{"group", p.Target.Group}, {"version", p.Target.Version}, {"kind", p.Target.Kind}, {"name", p.Target.Name},
		{"namespace", p.Target.Namespace}, {"labelSelector", p.Target.LabelSelector},
		{"annotationSelector", p.Target.AnnotationSelector},
	} {
		faults = append(faults, texts.text(path.Child("target", part.name), part.value)...)
	}
	for _, option := range keys(p.Options) {
		if option != "allowNameChange" && option != "allowKindChange" {
			faults = append(faults, field.NotSupported(path.Child("options").Key(option), option, []string{"allowKindChange", "allowNameChange"}))
		}
	}
	return faults
}

func (k Kustomize) build() (string, map[string]any) {
	return "kustomize", object.Compact(map[string]any{
		"namePrefix":                k.NamePrefix,
		"nameSuffix":                k.NameSuffix,
		"namespace":                 k.Namespace,
		"commonLabels":              k.Labels,
		"commonAnnotations":         k.Annotations,
		"forceCommonLabels":         k.ForceLabels,
		"forceCommonAnnotations":    k.ForceAnnotations,
		"labelWithoutSelector":      k.LabelWithoutSelector,
		"labelIncludeTemplates":     k.LabelIncludeTemplates,
		"commonAnnotationsEnvsubst": k.AnnotationsEnvsubst,
		"images":                    k.Images,
		"replicas": buildEach(k.Replicas, func(r KustomizeReplica) map[string]any {
			return map[string]any{"name": r.Name, "count": r.Count}
		}),
		"patches":                 buildEach(k.Patches, KustomizePatch.build),
		"components":              k.Components,
		"ignoreMissingComponents": k.IgnoreMissingComponents,
		"version":                 k.Version,
		"kubeVersion":             k.KubeVersion,
		"apiVersions":             k.APIVersions,
	})
}

func (p KustomizePatch) build() map[string]any {
	return object.Compact(map[string]any{
		"patch": p.Patch,
		"path":  p.Path,
		"target": object.Compact(map[string]any{
			"group": p.Target.Group, "version": p.Target.Version, "kind": p.Target.Kind, "name": p.Target.Name,
			"namespace": p.Target.Namespace, "labelSelector": p.Target.LabelSelector, "annotationSelector": p.Target.AnnotationSelector,
		}),
		"options": p.Options,
	})
}
