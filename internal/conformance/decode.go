// Package conformance holds the tests that compare what the builders make with the upstream Go types and CRDs. It is
// internal and apart from the builders so that a consumer's module graph never meets an engine through their tests.
package conformance

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kjson "sigs.k8s.io/json"
)

// Strict decodes the object into the upstream type and fails the test when a field is unknown there, has another type,
// or does not survive: encoded again, the typed value must hold every field of the object unchanged.
func Strict(t testing.TB, obj *unstructured.Unstructured, into any) {
	t.Helper()
	if err := decode(obj, into); err != nil {
		t.Fatalf("%s %q: %v", obj.GetKind(), obj.GetName(), err)
	}
}

func decode(obj *unstructured.Unstructured, into any) error {
	raw, err := obj.MarshalJSON()
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	unknown, err := kjson.UnmarshalStrict(raw, into)
	if err != nil {
		return fmt.Errorf("decode into %T: %w", into, err)
	}
	if len(unknown) > 0 {
		return fmt.Errorf("decode into %T: %v", into, unknown)
	}
	again, err := json.Marshal(into)
	if err != nil {
		return fmt.Errorf("encode %T: %w", into, err)
	}
	var want, got any
	if err := json.Unmarshal(raw, &want); err != nil {
		return err
	}
	if err := json.Unmarshal(again, &got); err != nil {
		return err
	}
	return contained(obj.GetKind(), want, got)
}

// Held returns an error that names the first field of want that got lacks or holds differently; got may hold more.
func Held(want, got *unstructured.Unstructured) error {
	return contained(want.GetKind(), want.Object, got.Object)
}

// contained reports the first field of want that got lacks or holds differently.
func contained(path string, want, got any) error {
	switch want := want.(type) {
	case map[string]any:
		other, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%s: lost by the typed value, which has %v", path, got)
		}
		for key, value := range want {
			if err := contained(path+"."+key, value, other[key]); err != nil {
				return err
			}
		}
	case []any:
		other, ok := got.([]any)
		if !ok || len(other) != len(want) {
			return fmt.Errorf("%s: %v became %v", path, want, got)
		}
		for i, value := range want {
			if err := contained(fmt.Sprintf("%s[%d]", path, i), value, other[i]); err != nil {
				return err
			}
		}
	default:
		if !reflect.DeepEqual(want, got) {
			return fmt.Errorf("%s: %v became %v", path, want, got)
		}
	}
	return nil
}
