package secrets

import (
	"cmp"
	"maps"
	"slices"
	"unicode/utf8"

	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Target is the Kubernetes Secret that an [ExternalSecret] writes. The zero
// value is a Secret of the same name that the ExternalSecret owns.
type Target struct {
	// Name of the Secret. Default: the name of the ExternalSecret.
	Name string
	// CreationPolicy says who makes the Secret. Default: Owner.
	CreationPolicy CreationPolicy
	// DeletionPolicy says what happens when the store has none of the secrets any
	// more. Default: Retain.
	DeletionPolicy DeletionPolicy
	// Template shapes the Secret. Default: an Opaque Secret with the values as
	// they are.
	Template *Template
}

// CreationPolicy says who makes a Secret.
type CreationPolicy string

const (
	// Owner creates the Secret, and it goes with the ExternalSecret.
	Owner CreationPolicy = "Owner"
	// Orphan creates the Secret, and it stays when the ExternalSecret goes.
	Orphan CreationPolicy = "Orphan"
	// Merge writes into a Secret that somebody else creates.
	Merge CreationPolicy = "Merge"
	// None reads the store without writing a Secret.
	None CreationPolicy = "None"
)

// DeletionPolicy says what happens when the store has none of the secrets.
type DeletionPolicy string

const (
	// Retain keeps the Secret as it is.
	Retain DeletionPolicy = "Retain"
	// Delete deletes the Secret; only with the creation policy Owner.
	Delete DeletionPolicy = "Delete"
	// RemoveKeys removes the keys and keeps the Secret. Upstream calls it Merge.
	RemoveKeys DeletionPolicy = "Merge"
)

var (
	creationPolicies = []CreationPolicy{Owner, Orphan, Merge, None}
	deletionPolicies = []DeletionPolicy{Retain, Delete, RemoveKeys}
)

// Template shapes a Secret.
type Template struct {
	// Type of the Secret, for example "kubernetes.io/tls". Default: Opaque.
	Type string
	// Labels and Annotations are put on the Secret.
	Labels      map[string]string
	Annotations map[string]string
	// Data maps keys of the Secret to Go templates over the values read, for
	// example "postgres://{{ .user }}:{{ .password }}@db/shop". The values
	// themselves are then left out. Default: the values become the keys.
	Data map[string]string
}

func (t Target) validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	if t.Name != "" {
		faults = append(faults, object.Name(path.Child("name"), t.Name)...)
	}
	if t.CreationPolicy != "" && !slices.Contains(creationPolicies, t.CreationPolicy) {
		faults = append(faults, field.NotSupported(path.Child("creationPolicy"), t.CreationPolicy, creationPolicies))
	}
	if t.DeletionPolicy != "" && !slices.Contains(deletionPolicies, t.DeletionPolicy) {
		faults = append(faults, field.NotSupported(path.Child("deletionPolicy"), t.DeletionPolicy, deletionPolicies))
	}
	// external-secrets: validatePolicies in apis/externalsecrets/v1/externalsecret_validator.go,
	// which lets Orphan pass although the controller then refuses to delete.
	switch {
	case t.DeletionPolicy == Delete && cmp.Or(t.CreationPolicy, Owner) != Owner:
		faults = append(faults, field.Forbidden(path.Child("deletionPolicy"), "Delete needs a Secret that the ExternalSecret owns"))
	case t.DeletionPolicy == RemoveKeys && t.CreationPolicy == None:
		faults = append(faults, field.Forbidden(path.Child("deletionPolicy"), "there is no Secret to remove keys from"))
	}
	if t.Template != nil {
		faults = append(faults, t.Template.validate(path.Child("template"))...)
	}
	return faults
}

func (t Target) spec() map[string]any {
	spec := object.Compact(map[string]any{
		"name":           t.Name,
		"creationPolicy": cmp.Or(t.CreationPolicy, Owner),
		"deletionPolicy": t.DeletionPolicy,
	})
	if t.Template != nil {
		spec["template"] = t.Template.spec()
	}
	return spec
}

func (t Template) validate(path *field.Path) field.ErrorList {
	faults := object.Text(path.Child("type"), t.Type)
	faults = append(faults, metav1validation.ValidateLabels(t.Labels, path.Child("labels"))...)
	faults = append(faults, object.Annotations(path.Child("annotations"), t.Annotations)...)
	data := path.Child("data")
	for _, key := range slices.Sorted(maps.Keys(t.Data)) {
		faults = append(faults, validateKey(data.Key(key), key)...)
		if !utf8.ValidString(t.Data[key]) {
			faults = append(faults, field.Invalid(data.Key(key), field.OmitValueType{}, "must be valid UTF-8"))
		}
	}
	return faults
}

func (t Template) spec() map[string]any {
	return object.Compact(map[string]any{
		"type":     t.Type,
		"metadata": object.Compact(map[string]any{"labels": t.Labels, "annotations": t.Annotations}),
		"data":     t.Data,
	})
}
