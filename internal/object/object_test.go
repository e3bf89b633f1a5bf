package object_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

func TestEncode(t *testing.T) {
	cyclic := map[string]any{}
	cyclic["self"] = cyclic
	tests := map[string]struct {
		value any
		want  map[string]any
		fails bool
	}{
		"nulls are left out at every depth": {
			value: map[string]any{"a": nil, "b": map[string]any{"c": nil, "d": []any{map[string]any{"e": nil}}}},
			want:  map[string]any{"b": map[string]any{"d": []any{map[string]any{}}}},
		},
		"empty objects and lists stay":      {value: map[string]any{"a": map[string]any{}, "b": []any{}}, want: map[string]any{"a": map[string]any{}, "b": []any{}}},
		"Go types become JSON's":            {value: map[string]any{"a": 3, "b": []string{"c"}, "d": 1.5}, want: map[string]any{"a": int64(3), "b": []any{"c"}, "d": 1.5}},
		"what JSON cannot express is named": {value: map[string]any{"a": make(chan int)}, fails: true},
		"cycles are refused":                {value: cyclic, fails: true},
		"a list is no object":               {value: []any{}, fails: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := object.Encode(test.value)
			require.Equal(t, test.fails, err != nil, "%v", err)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFromTypedHoldsWhatWasMeant(t *testing.T) {
	obj, err := object.FromTyped(&corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: "a"},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	})
	require.NoError(t, err)
	want := map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "a"}, "spec": map[string]any{}}
	obj.Object["spec"] = map[string]any{}
	if diff := cmp.Diff(want, obj.Object); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNewSharesNothing(t *testing.T) {
	labels, spec := map[string]string{"a": "b"}, map[string]any{"list": []any{map[string]any{"c": "d"}}}
	obj := object.New(schema.GroupVersionKind{Group: "g", Version: "v1", Kind: "K"}, object.Meta{Name: "n", Labels: labels}, map[string]any{"spec": spec})
	before := obj.DeepCopy()
	labels["a"] = "changed"
	spec["list"].([]any)[0].(map[string]any)["c"] = "changed"
	if diff := cmp.Diff(before.Object, obj.Object); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func TestCompactLeavesOutWhatSaysNothing(t *testing.T) {
	var missing *int
	got := object.Compact(map[string]any{
		"nil": nil, "pointer": missing, "false": false, "zero": int64(0), "empty": "", "map": map[string]string{}, "list": []string{},
		"true": true, "one": 1, "text": "a",
	})
	if diff := cmp.Diff(map[string]any{"true": true, "one": 1, "text": "a"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestIsNilSeesThroughInterfaces(t *testing.T) {
	var pointer *int
	var list []int
	for name, test := range map[string]struct {
		value any
		want  bool
	}{
		"nil": {nil, true}, "a nil pointer": {pointer, true}, "a nil slice": {list, true}, "an empty slice": {[]int{}, false}, "a struct": {struct{}{}, false},
	} {
		require.Equal(t, test.want, object.IsNil(test.value), name)
	}
}

func TestMetaValidate(t *testing.T) {
	require.Empty(t, object.Meta{Name: "a.b", Namespace: "c", Labels: map[string]string{"x/y": "z"}, Annotations: map[string]string{"x/y": "a b"}}.Validate())
	faults := object.Meta{Namespace: "a.b", Labels: map[string]string{"a": "b c"}, Annotations: map[string]string{"a": "\xff"}}.Validate()
	var got []string
	for _, fault := range faults {
		got = append(got, fault.Field+": "+string(fault.Type))
	}
	want := []string{"name: FieldValueRequired", "namespace: FieldValueInvalid", "labels: FieldValueInvalid", "annotations[a]: FieldValueInvalid"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestInvalidIsInvalid(t *testing.T) {
	kind := schema.GroupKind{Group: "g", Kind: "K"}
	require.NoError(t, object.Invalid(kind, "n", nil))
	require.True(t, apierrors.IsInvalid(object.Invalid(kind, "n", field.ErrorList{field.Required(field.NewPath("a"), "")})))
}
