package policy

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// celPolicy is what the builders of the policies.kyverno.io group have in common.
type celPolicy struct {
	kind schema.GroupVersionKind
	meta object.Meta
	// newer are the fields that later releases have added.
	newer []newerField
	// spec is asked for what is valid alone.
	spec func() map[string]any
	raw  map[string]any
}

// newerField is a field that not all releases of its kind have.
type newerField struct {
	path  string
	set   bool
	first Version
}

func (p celPolicy) build(kyverno Version, faults field.ErrorList) (*unstructured.Unstructured, error) {
	if err := object.Invalid(p.kind.GroupKind(), p.meta.Name, faults); err != nil {
		return nil, err
	}
	for _, f := range p.newer {
		if f.set && !kyverno.atLeast(f.first) {
			return nil, &UnsupportedError{
				Rule: p.meta.Name, Kind: p.kind.Kind, Field: f.path, Kyverno: kyverno,
				Reason: fmt.Sprintf("it came with %s", f.first),
			}
		}
	}
	spec, err := object.Encode(p.spec())
	if err != nil {
		return nil, err
	}
	raw, err := encodeRaw(p.raw)
	if err != nil {
		return nil, err
	}
	mergeRaw(spec, raw)
	return object.New(p.kind, p.meta, map[string]any{"spec": spec}), nil
}

// validateRaw reports a fragment that JSON cannot express. It is not repeated: it may hold anything.
func validateRaw(raw map[string]any) field.ErrorList {
	if _, err := encodeRaw(raw); err != nil {
		return field.ErrorList{field.Invalid(field.NewPath("raw"), field.OmitValueType{}, err.Error())}
	}
	return nil
}

// encodeRaw returns the JSON form of a fragment. Its nulls stay, for mergeRaw.
func encodeRaw(raw map[string]any) (map[string]any, error) {
	document, err := json.Marshal(raw)
	if err != nil {
		return nil, fmt.Errorf("encode raw: %w", err)
	}
	var out map[string]any
	if err := json.Unmarshal(document, &out); err != nil {
		return nil, fmt.Errorf("encode raw: %w", err)
	}
	return out, nil
}

// mergeRaw merges a fragment into a spec as a JSON merge patch (RFC 7386) does: objects are merged, null removes, and
// everything else, lists among it, replaces.
func mergeRaw(into, raw map[string]any) {
	for key, value := range raw {
		patch, isObject := value.(map[string]any)
		switch {
		case value == nil:
			delete(into, key)
		case !isObject:
			into[key] = value
		default:
			target, _ := into[key].(map[string]any)
			if target == nil {
				target = map[string]any{}
			}
			mergeRaw(target, patch)
			into[key] = target
		}
	}
}

// switchedOn is how the group writes a switch that is off by default.
func switchedOn(on bool) map[string]any {
	if !on {
		return nil
	}
	return map[string]any{"enabled": true}
}

// switchedOff is how the group writes a switch that is on by default.
func switchedOff(off bool) map[string]any {
	if !off {
		return nil
	}
	return map[string]any{"enabled": false}
}
