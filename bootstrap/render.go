package bootstrap

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Rendered is a component's objects as a run would apply them, except that a
// namespaced object without a namespace still has none.
type Rendered struct {
	Component string
	Version   string

	// Digest is the SHA-256 of the objects and of the component's Namespace, in
	// hexadecimal. The values of Secrets do not count, so that nothing can be
	// learned from the digest and generated passwords do not change it; a
	// component whose Secrets alone change needs another Version.
	Digest string

	// Objects without the fields that only a cluster sets, such as status or
	// resourceVersion.
	Objects []*unstructured.Unstructured
}

// Render validates the plan, calls every Source and checks the objects, without
// a cluster. The components come in an order in which they could be installed.
// All faults are reported at once: those of the plan and its objects as one
// Invalid error (apierrors.IsInvalid), those of a Source wrapped as they are.
func (p Plan) Render(ctx context.Context) ([]Rendered, error) {
	if faults := p.Validate(); len(faults) > 0 {
		return nil, p.invalid(faults)
	}
	var all []Rendered
	var failures []error
	var faults field.ErrorList
	owners := map[ObjectRef]owner{}
	for _, i := range p.order() {
		component := p.Components[i]
		objects, err := component.Source.Objects(ctx)
		if err != nil {
			failures = append(failures, fmt.Errorf("render component %s: %w", component.Name, err))
			continue
		}
		path := field.NewPath("components").Index(i).Child("source")
		objects, objectFaults := component.check(path, objects, owners)
		faults = append(faults, objectFaults...)
		digest, err := component.digest(objects)
		if err != nil {
			failures = append(failures, fmt.Errorf("render component %s: %w", component.Name, err))
		}
		all = append(all, Rendered{Component: component.Name, Version: component.Version, Digest: digest, Objects: objects})
	}
	if len(faults) > 0 {
		failures = append(failures, p.invalid(faults))
	}
	if err := errors.Join(failures...); err != nil {
		return nil, err
	}
	return all, nil
}

func (p Plan) invalid(faults field.ErrorList) error {
	return apierrors.NewInvalid(schema.GroupKind{Kind: "Plan"}, p.Name, faults)
}

// owner is the component that an object was first seen in.
type owner struct {
	component string
	object    *unstructured.Unstructured
}

// check copies the objects as far as they can be applied and reports what is
// wrong with the others. The same object may be in several components, as a
// Namespace often is, only with the same content: applied by one field manager,
// differing versions would undo each other.
func (c Component) check(path *field.Path, objects []*unstructured.Unstructured, owners map[ObjectRef]owner) ([]*unstructured.Unstructured, field.ErrorList) {
	var faults field.ErrorList
	checked := make([]*unstructured.Unstructured, 0, len(objects))
	for i, object := range objects {
		at := path.Index(i)
		if missing := missingFields(at, object); len(missing) > 0 {
			faults = append(faults, missing...)
			continue
		}
		object, err := withoutServerFields(object)
		if err != nil {
			faults = append(faults, field.Invalid(at, refOf(objects[i]).String(), err.Error()))
			continue
		}
		if secretFaults := checkSecret(at, object); len(secretFaults) > 0 {
			faults = append(faults, secretFaults...)
			continue
		}
		ref := refOf(object)
		if ref.Namespace == "" {
			ref.Namespace = c.Namespace
		}
		switch first, seen := owners[ref.identity()]; {
		case seen && first.component == c.Name:
			faults = append(faults, field.Duplicate(at, ref.String()))
		case seen && !equality.Semantic.DeepEqual(first.object.Object, object.Object):
			faults = append(faults, field.Invalid(at, ref.String(), "is in component "+first.component+" with other content"))
		}
		owners[ref.identity()] = owner{component: c.Name, object: object}
		checked = append(checked, object)
	}
	return checked, faults
}

func missingFields(at *field.Path, object *unstructured.Unstructured) field.ErrorList {
	if object == nil || object.Object == nil {
		return field.ErrorList{field.Required(at, "the object is nil")}
	}
	var faults field.ErrorList
	if object.GetAPIVersion() == "" {
		faults = append(faults, field.Required(at.Child("apiVersion"), ""))
	}
	if object.GetKind() == "" {
		faults = append(faults, field.Required(at.Child("kind"), ""))
	}
	if object.GetName() == "" {
		faults = append(faults, field.Required(at.Child("metadata", "name"), "generateName would give another object in every run"))
	}
	return faults
}

// withoutServerFields copies an object without what a cluster writes: a status
// would be owned, a resourceVersion or uid would be a precondition, and
// managedFields are refused by server-side apply. The copy goes through JSON,
// because objects made in Go may hold values, such as int, that unstructured
// objects cannot copy.
func withoutServerFields(object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	data, err := json.Marshal(object.Object)
	if err != nil {
		return nil, err
	}
	var content map[string]any
	if err := utiljson.Unmarshal(data, &content); err != nil {
		return nil, err
	}
	unstructured.RemoveNestedField(content, "status")
	for _, name := range []string{"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"} {
		unstructured.RemoveNestedField(content, "metadata", name)
	}
	return &unstructured.Unstructured{Object: content}, nil
}

func (c Component) digest(objects []*unstructured.Unstructured) (string, error) {
	sorted := slices.Clone(objects)
	slices.SortFunc(sorted, func(a, b *unstructured.Unstructured) int { return compareRefs(refOf(a), refOf(b)) })
	hash := sha256.New()
	encoder := json.NewEncoder(hash)
	if err := encoder.Encode(c.Namespace); err != nil {
		return "", err
	}
	for _, object := range sorted {
		if err := encoder.Encode(withoutSecretValues(object).Object); err != nil {
			return "", fmt.Errorf("encode %s: %w", refOf(object), err)
		}
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
