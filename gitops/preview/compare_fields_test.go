package preview_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/gitops/preview"
)

// changeOf compares two versions of a resource of one Application.
func changeOf(t testing.TB, before, after string) []preview.FieldChange {
	t.Helper()
	changes := preview.Compare(state(app(t, "web", with(object(t, before)))), state(app(t, "web", with(object(t, after)))))
	if len(changes.Changed) == 0 {
		return nil
	}
	require.Len(t, changes.Changed[0].Resources, 1)
	return changes.Changed[0].Resources[0].Fields
}

func TestCompareNamesTheFieldsThatDiffer(t *testing.T) {
	const head = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: b}\n"
	for name, test := range map[string]struct {
		before, after string
		want          []preview.FieldChange
	}{
		"nothing":                            {before: "spec: {a: 1}", after: "spec: {a: 1.0}"},
		"what the server writes is left out": {before: "status: {a: 1}", after: "status: {a: 2}"},
		"a value": {before: "spec: {a: 1, b: 2}", after: "spec: {a: 1, b: x}",
			want: []preview.FieldChange{{Path: "spec.b", Old: 2.0, New: "x"}}},
		"a field that comes and one that goes": {before: "spec: {a: {b: c}}", after: "spec: {d: [e]}",
			want: []preview.FieldChange{{Path: "spec.a", Old: map[string]any{"b": "c"}}, {Path: "spec.d", New: []any{"e"}}}},
		"a name that is no identifier": {before: "spec: {}", after: `spec: {"a.b/c": d}`,
			want: []preview.FieldChange{{Path: `spec["a.b/c"]`, New: "d"}}},
		"items by name": {
			before: "spec: {containers: [{name: a, image: x}, {name: b, image: x}]}",
			after:  "spec: {containers: [{name: new, image: x}, {name: b, image: z}]}",
			want: []preview.FieldChange{
				{Path: "spec.containers[name=a]", Old: map[string]any{"name": "a", "image": "x"}},
				{Path: "spec.containers[name=b].image", Old: "x", New: "z"},
				{Path: "spec.containers[name=new]", New: map[string]any{"name": "new", "image": "x"}},
			},
		},
		"items by what tells them apart": {
			before: "spec: {mounts: [{name: v, mountPath: /a, readOnly: true}, {name: v, mountPath: /b}]}",
			after:  "spec: {mounts: [{name: v, mountPath: /a}, {name: v, mountPath: /b}]}",
			want:   []preview.FieldChange{{Path: "spec.mounts[mountPath=/a].readOnly", Old: true}},
		},
		"items by number": {before: "spec: {args: [a, b, c]}", after: "spec: {args: [a, x]}",
			want: []preview.FieldChange{{Path: "spec.args[1]", Old: "b", New: "x"}, {Path: "spec.args[2]", Old: "c"}}},
		"an order": {before: "spec: {init: [{name: a}, {name: b}]}", after: "spec: {init: [{name: b}, {name: a}]}",
			want: []preview.FieldChange{{Path: "spec.init", Old: []any{"a", "b"}, New: []any{"b", "a"}}}},
		"another type": {before: "spec: {a: [b]}", after: "spec: {a: {b: c}}",
			want: []preview.FieldChange{{Path: "spec.a", Old: []any{"b"}, New: map[string]any{"b": "c"}}}},
		"no credentials of URLs": {
			before: "spec: {a: 'postgres://user:hunter2@db/x', b: 'https://token@git.example.com'}",
			after:  "spec: {a: 'postgres://user:hunter3@db/x', b: 'https://git.example.com'}",
			want: []preview.FieldChange{{Path: "spec.a", Old: "postgres://user:***@db/x", New: "postgres://user:***@db/x"},
				{Path: "spec.b", Old: "https://***@git.example.com", New: "https://git.example.com"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, changeOf(t, head+test.before, head+test.after)); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompareNeverHoldsTheDataOfSecrets(t *testing.T) {
	const before = `
apiVersion: v1
kind: Secret
metadata: {name: a, namespace: b, labels: {x: one}, annotations: {copy: hunter1, same: hunter2}}
data: {password: aHVudGVyMQ==, gone: aHVudGVyMQ==, same: aHVudGVyMg==}
stringData: {list: [{name: hunter1}]}
`
	const after = `
apiVersion: v1
kind: Secret
metadata: {name: a, namespace: b, labels: {x: two}, annotations: {copy: hunter3, same: hunter2}}
data: {password: aHVudGVyMw==, same: aHVudGVyMg==}
stringData: {list: [{name: hunter3}]}
odd: hunter4
`
	want := []preview.FieldChange{
		{Path: "data.gone", Hidden: true}, {Path: "data.password", Hidden: true},
		{Path: "metadata.annotations", Hidden: true}, {Path: "metadata.labels.x", Old: "one", New: "two"},
		{Path: "odd", Hidden: true}, {Path: "stringData.list", Hidden: true},
	}
	if diff := cmp.Diff(want, changeOf(t, before, after)); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	for _, pair := range [][2]*preview.State{
		{state(app(t, "web", with(object(t, before)))), state(app(t, "web", with(object(t, after))))},
		{state(), state(app(t, "web", with(object(t, after))))},
		{state(app(t, "web", with(object(t, before)))), state()},
	} {
		changes := preview.Compare(pair[0], pair[1])
		var printed bytes.Buffer
		require.NoError(t, json.NewEncoder(&printed).Encode(changes))
		for _, secret := range []string{"hunter", "aHVudGVy"} {
			require.NotContains(t, printed.String(), secret)
		}
	}
}

func FuzzCompare(f *testing.F) {
	f.Add(`{"metadata":{"name":"a","finalizers":[1]},"spec":{"source":{"repoURL":"x"}}}`, `{"kind":"Secret","data":{"a":"b"}}`, `{"spec":[{"name":1},{"name":1}]}`)
	f.Add(`{"metadata":[],"spec":{"destination":[],"syncPolicy":{"automated":[]}}}`, `{"items":null}`, `{"metadata":{"annotations":{"a":1}}}`)
	f.Add(`{}`, `null`, `{"spec":{"a":[{"name":"a"},{"name":"b"}]}}`)
	f.Fuzz(func(t *testing.T, application, first, second string) {
		decode := func(text string) *unstructured.Unstructured {
			fields := map[string]any{}
			decoder := json.NewDecoder(strings.NewReader(text))
			if decoder.Decode(&fields) != nil {
				return nil
			}
			return &unstructured.Unstructured{Object: fields}
		}
		base := state(preview.Application{Object: decode(application), Resources: []*unstructured.Unstructured{decode(first)}})
		head := state(preview.Application{Object: decode(application), Resources: []*unstructured.Unstructured{decode(second)}})
		for _, changes := range []preview.Changes{
			preview.Compare(base, head), preview.Compare(base, state()), preview.Compare(nil, head),
		} {
			if _, err := json.Marshal(changes); err != nil {
				t.Fatal(err)
			}
		}
		if !preview.Compare(base, base).Empty() {
			t.Fatal("a state differs from itself")
		}
	})
}
