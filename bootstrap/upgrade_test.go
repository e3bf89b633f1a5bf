package bootstrap_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/bootstrap"
)

// installed is a fixture with component a, version 1: ConfigMaps keep, change
// and drop.
func installed(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	_, err := f.client(bootstrap.Options{}).Run(f.ctx, plan(bootstrap.Component{Name: "a", Version: "1", Source: bootstrap.Objects(
		configMap(f.namespace, "keep", nil), configMap(f.namespace, "change", map[string]any{"k": "1", "gone": "x"}), configMap(f.namespace, "drop", nil))}))
	require.NoError(t, err)
	f.seen()
	return f
}

func (f *fixture) versionTwo() bootstrap.Plan {
	return plan(bootstrap.Component{Name: "a", Version: "2", Source: bootstrap.Objects(
		configMap(f.namespace, "keep", nil), configMap(f.namespace, "change", map[string]any{"k": "2"}))})
}

func (f *fixture) ref(name string) bootstrap.ObjectRef {
	return bootstrap.ObjectRef{Version: "v1", Kind: "ConfigMap", Namespace: f.namespace, Name: name}
}

func (f *fixture) exists(name string) bool {
	f.t.Helper()
	err := f.api.Get(f.ctx, client.ObjectKey{Namespace: f.namespace, Name: name}, &corev1.ConfigMap{})
	require.NoError(f.t, client.IgnoreNotFound(err))
	return !apierrors.IsNotFound(err)
}

func TestRunRefusesAnUpgradeThatWasNotAskedFor(t *testing.T) {
	t.Parallel()
	f := installed(t)
	p := f.versionTwo()
	p.Components = append(p.Components, bootstrap.Component{Name: "new", Source: bootstrap.Objects(configMap(f.namespace, "new", nil))})
	_, err := f.client(bootstrap.Options{}).Run(f.ctx, p)
	refused := &bootstrap.UpgradeRequiredError{}
	require.ErrorAs(t, err, &refused)
	require.Equal(t, []bootstrap.VersionChange{{Component: "a", Installed: "1", Wanted: "2"}}, refused.Components)
	require.EqualError(t, err, `plan test: installed components would change, which needs Options.Upgrade: a ("1" to "2")`)
	require.Empty(t, f.seen(http.MethodPatch, http.MethodPost, http.MethodDelete))
	require.False(t, f.exists("new"))
}

func TestRunRefusesOtherObjectsInTheSameVersion(t *testing.T) {
	t.Parallel()
	f := installed(t)
	p := f.versionTwo()
	p.Components[0].Version = "1"
	_, err := f.client(bootstrap.Options{}).Run(f.ctx, p)
	require.EqualError(t, err, `plan test: installed components would change, which needs Options.Upgrade: a (other objects in version "1")`)
}

func TestUpgradeAppliesTheNewVersionAndKeepsOrphans(t *testing.T) {
	t.Parallel()
	f := installed(t)
	before := f.versions(configMap(f.namespace, "keep", nil))
	c := f.client(bootstrap.Options{Upgrade: true})
	result, err := c.Run(f.ctx, f.versionTwo())
	require.NoError(t, err)
	require.Equal(t, bootstrap.OutcomeUpgraded, result.Components[0].Outcome)
	require.Equal(t, []bootstrap.ObjectRef{f.ref("drop")}, result.Components[0].Orphans)
	require.Equal(t, map[string]any{"k": "2"}, f.get(configMap(f.namespace, "change", nil)).Object["data"])
	require.Equal(t, before, f.versions(configMap(f.namespace, "keep", nil)), "what is equal is not written")
	require.True(t, f.exists("drop"))

	f.seen()
	result, err = c.Run(f.ctx, f.versionTwo())
	require.NoError(t, err)
	require.Equal(t, bootstrap.OutcomeUnchanged, result.Components[0].Outcome)
	require.Equal(t, []bootstrap.ObjectRef{f.ref("drop")}, result.Components[0].Orphans)
	require.Empty(t, f.seen(http.MethodPatch, http.MethodPost, http.MethodDelete))
}

func TestPruneDeletesOrphans(t *testing.T) {
	t.Parallel()
	f := installed(t)
	_, err := f.client(bootstrap.Options{Upgrade: true}).Run(f.ctx, f.versionTwo())
	require.NoError(t, err)
	c := f.client(bootstrap.Options{Prune: true})
	result, err := c.Run(f.ctx, f.versionTwo())
	require.NoError(t, err)
	require.Equal(t, []bootstrap.ObjectRef{f.ref("drop")}, result.Components[0].Pruned)
	require.Empty(t, result.Components[0].Orphans)
	require.False(t, f.exists("drop"))
	require.True(t, f.exists("keep"))
	inventory, err := c.Inventory(f.ctx, "test")
	require.NoError(t, err)
	require.Empty(t, inventory.Components["a"].Orphans)
}

func TestPruneLeavesWhatBelongsToOthers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	definition := f.definition("Widget")
	_, err := f.client(bootstrap.Options{}).Run(f.ctx, plan(bootstrap.Component{Name: "a", Version: "1", Source: bootstrap.Objects(
		configMap(f.namespace, "adopted", nil), configMap(f.namespace, "moved", nil), definition)}))
	require.NoError(t, err)
	// Another manager takes the object over, as a hand-over would.
	require.NoError(t, f.api.Patch(f.ctx, configMap(f.namespace, "adopted", nil),
		client.RawPatch(types.JSONPatchType, []byte(`[{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]`))))

	result, err := f.client(bootstrap.Options{Upgrade: true, Prune: true}).Run(f.ctx, plan(
		bootstrap.Component{Name: "a", Version: "2", Source: bootstrap.Objects()},
		bootstrap.Component{Name: "b", Version: "1", DependsOn: []string{"a"}, Namespace: f.namespace, Source: bootstrap.Objects(configMap("", "moved", nil))}))
	require.NoError(t, err)
	require.Empty(t, result.Components[0].Pruned)
	want := []bootstrap.ObjectRef{f.ref("adopted"), {Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition", Name: definition.GetName()}}
	if diff := cmp.Diff(want, result.Components[0].Orphans); diff != "" {
		t.Errorf("orphans (-want +got):\n%s", diff)
	}
	require.True(t, f.exists("adopted"))
	require.True(t, f.exists("moved"))
	f.get(definition)
}

func TestAnInterruptedComponentMayChangeWithoutAnUpgrade(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bad := configMap(f.namespace, "bad", nil)
	bad.Object["dada"] = "x"
	c := f.client(bootstrap.Options{})
	_, err := c.Run(f.ctx, plan(bootstrap.Component{Name: "a", Version: "1", Source: bootstrap.Objects(bad, configMap(f.namespace, "old", nil))}))
	failed := &bootstrap.ApplyError{}
	require.True(t, errors.As(err, &failed))

	result, err := c.Run(f.ctx, plan(bootstrap.Component{Name: "a", Version: "1", Source: bootstrap.Objects(configMap(f.namespace, "bad", nil))}))
	require.NoError(t, err)
	require.Equal(t, bootstrap.OutcomeInstalled, result.Components[0].Outcome)
	require.Equal(t, []bootstrap.ObjectRef{f.ref("old")}, result.Components[0].Orphans, "what an interrupted run applied is not forgotten")
}

func TestRunRefusesAnInventoryItCannotRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	require.NoError(t, f.api.Create(f.ctx, configMap(f.namespace, "backbone-test", map[string]any{"a": `{"state": "Half"}`})))
	_, err := f.client(bootstrap.Options{}).Run(f.ctx, plan(component("a")))
	require.EqualError(t, err, "plan test: inventory ConfigMap "+f.namespace+`/backbone-test: key "a": unknown state "Half"`)
}
