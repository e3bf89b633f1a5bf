package bootstrap_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/bootstrap"
)

func (f *fixture) secret(name, password string) *unstructured.Unstructured {
	u := object("v1", "Secret", f.namespace, name)
	u.Object["stringData"] = map[string]any{"password": password}
	return u
}

func TestDiffShowsWhatARunWouldChange(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := plan(bootstrap.Component{Name: "a", Version: "1", Source: bootstrap.Objects(
		configMap(f.namespace, "same", map[string]any{"k": "v"}),
		configMap(f.namespace, "other", map[string]any{"k": "v", "gone": "x", "dotted.key": "1"}),
		configMap(f.namespace, "dropped", nil),
		f.secret("secret", "old-password"))})
	c := f.client(bootstrap.Options{})

	diffs, err := c.Diff(f.ctx, first)
	require.NoError(t, err)
	for _, object := range diffs[0].Objects {
		require.Equal(t, bootstrap.Created, object.Change)
	}
	require.Empty(t, diffs[0].Installed)
	_, err = c.Run(f.ctx, first)
	require.NoError(t, err)
	watched := []*unstructured.Unstructured{configMap(f.namespace, "same", nil), configMap(f.namespace, "other", nil), f.secret("secret", "")}
	before := f.versions(watched...)
	f.seen()

	diffs, err = c.Diff(f.ctx, plan(
		bootstrap.Component{Name: "a", Version: "2", Source: bootstrap.Objects(
			configMap(f.namespace, "same", map[string]any{"k": "v"}),
			configMap(f.namespace, "other", map[string]any{"k": "w", "new": "x", "dotted.key": "2"}),
			f.secret("secret", "new-password"))},
		bootstrap.Component{Name: "b", DependsOn: []string{"a"}, Source: bootstrap.Objects(
			object("v1", "Namespace", "", f.namespace+"-new"), configMap(f.namespace+"-new", "c", nil),
			f.definition("Widget"), f.custom("Widget", "w"))},
	))
	require.NoError(t, err)
	ref := func(group, version, kind, namespace, name string) bootstrap.ObjectRef {
		return bootstrap.ObjectRef{Group: group, Version: version, Kind: kind, Namespace: namespace, Name: name}
	}
	want := []bootstrap.ComponentDiff{{
		Component: "a", Installed: "1", Wanted: "2",
		Objects: []bootstrap.ObjectDiff{
			{ObjectRef: f.ref("same"), Change: bootstrap.Unchanged},
			{ObjectRef: f.ref("other"), Change: bootstrap.Changed, Fields: []string{".data.gone", ".data.k", ".data.new", `.data["dotted.key"]`}},
			{ObjectRef: ref("", "v1", "Secret", f.namespace, "secret"), Change: bootstrap.Changed, Fields: []string{".data.password"}},
		},
		Orphans: []bootstrap.ObjectRef{f.ref("dropped")},
	}, {
		Component: "b",
		Objects: []bootstrap.ObjectDiff{
			{ObjectRef: ref("", "v1", "Namespace", "", f.namespace+"-new"), Change: bootstrap.Created},
			{ObjectRef: ref("", "v1", "ConfigMap", f.namespace+"-new", "c"), Change: bootstrap.Created},
			{ObjectRef: ref("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "", "widgets."+f.group()), Change: bootstrap.Created},
			{ObjectRef: ref(f.group(), "v1", "Widget", f.namespace, "w"), Change: bootstrap.Created},
		},
	}}
	if diff := cmp.Diff(want, diffs); diff != "" {
		t.Errorf("diff (-want +got):\n%s", diff)
	}
	for _, value := range []string{"old-password", "new-password", "b2xkLXBhc3N3b3Jk", "bmV3LXBhc3N3b3Jk"} {
		require.NotContains(t, fmt.Sprintf("%+v", diffs), value)
	}
	require.Equal(t, before, f.versions(watched...), "a dry run writes nothing")
	require.Empty(t, f.seen(http.MethodPost, http.MethodPut, http.MethodDelete))
	diffs, err = c.Diff(f.ctx, first)
	require.NoError(t, err)
	require.True(t, diffs[0].Finished)
}

func TestDiffReportsWhatWouldBeRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	misspelt := configMap(f.namespace, "misspelt", nil)
	misspelt.Object["dada"] = "x"
	_, err := f.client(bootstrap.Options{}).Diff(f.ctx, plan(bootstrap.Component{Name: "a", Source: bootstrap.Objects(
		misspelt, f.custom("Unknown", "u"), configMap(f.namespace+"-missing", "c", nil))}))
	failed := &bootstrap.ApplyError{}
	require.ErrorAs(t, err, &failed)
	require.Len(t, failed.Objects, 3)
}
