package bootstrap_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/controlbackbone/backbone/bootstrap"
)

// component has no objects and the given dependencies.
func component(name string, dependsOn ...string) bootstrap.Component {
	return bootstrap.Component{Name: name, DependsOn: dependsOn, Source: bootstrap.Objects()}
}

func object(apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetAPIVersion(apiVersion)
	u.SetKind(kind)
	u.SetNamespace(namespace)
	u.SetName(name)
	return u
}

func configMap(namespace, name string, data map[string]any) *unstructured.Unstructured {
	u := object("v1", "ConfigMap", namespace, name)
	u.Object["data"] = data
	return u
}

func TestPlanValidate(t *testing.T) {
	tests := map[string]struct {
		plan bootstrap.Plan
		want []string
	}{
		"a plan with a component is valid": {
			plan: bootstrap.Plan{Name: "p", Components: []bootstrap.Component{component("a")}},
		},
		"a plan without anything lacks a name and components": {
			want: []string{
				`name: Required value`,
				`components: Required value: a plan needs at least one component`,
			},
		},
		"names are DNS labels": {
			plan: bootstrap.Plan{Name: "My_Plan", Components: []bootstrap.Component{component("a.b")}},
			want: []string{
				`name: Invalid value: "My_Plan": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
				`components[0].name: Invalid value: "a.b": must not contain dots`,
			},
		},
		"a name occurs once": {
			plan: bootstrap.Plan{Name: "p", Components: []bootstrap.Component{component("a"), component("b"), component("a")}},
			want: []string{`components[2].name: Duplicate value: "a"`},
		},
		"a dependency is known and named once": {
			plan: bootstrap.Plan{Name: "p", Components: []bootstrap.Component{component("a", "b", "c", "c"), component("c")}},
			want: []string{
				`components[0].dependsOn[0]: Not found: "b"`,
				`components[0].dependsOn[2]: Duplicate value: "c"`,
			},
		},
		"a component does not depend on itself": {
			plan: bootstrap.Plan{Name: "p", Components: []bootstrap.Component{component("a", "a")}},
			want: []string{`components[0].dependsOn[0]: Invalid value: "a": dependency cycle: a -> a`},
		},
		"a cycle is named from end to end": {
			plan: bootstrap.Plan{Name: "p", Components: []bootstrap.Component{
				component("a", "b"), component("b", "c"), component("c", "d", "b"), component("d"),
			}},
			want: []string{`components[2].dependsOn[1]: Invalid value: "b": dependency cycle: b -> c -> b`},
		},
		"every field of a component is checked at once": {
			plan: bootstrap.Plan{Name: "p", Components: []bootstrap.Component{{
				Name: "a", Namespace: "x/y", Timeout: -time.Second,
				Ready: bootstrap.Readiness{
					Conditions: []bootstrap.Condition{{}},
					Ignore:     []schema.GroupKind{{Group: "apps"}},
				},
			}}},
			want: []string{
				`components[0].source: Required value: a component needs objects`,
				`components[0].namespace: Invalid value: "x/y": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
				`components[0].timeout: Invalid value: "-1s": must not be negative`,
				`components[0].ready.conditions[0].kind: Required value`,
				`components[0].ready.conditions[0].type: Required value`,
				`components[0].ready.ignore[0].kind: Required value`,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, fault := range test.plan.Validate() {
				got = append(got, fault.Error())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRenderReportsTheFaultsOfObjects(t *testing.T) {
	tests := map[string]struct {
		components []bootstrap.Component
		want       []string
	}{
		"an object needs apiVersion, kind and name": {
			components: []bootstrap.Component{{Name: "a", Source: bootstrap.Objects(nil, object("", "", "", ""))}},
			want: []string{"components[0].source[0]", "components[0].source[1].apiVersion",
				"components[0].source[1].kind", "components[0].source[1].metadata.name"},
		},
		"an object occurs once in a component, in whatever version": {
			components: []bootstrap.Component{{Name: "a", Source: bootstrap.Objects(
				object("autoscaling/v1", "HorizontalPodAutoscaler", "x", "n"), object("autoscaling/v2", "HorizontalPodAutoscaler", "x", "n"))}},
			want: []string{"components[0].source[1]"},
		},
		"the component's namespace counts when objects are compared": {
			components: []bootstrap.Component{{Name: "a", Namespace: "x", Source: bootstrap.Objects(
				configMap("x", "n", nil), configMap("", "n", nil))}},
			want: []string{"components[0].source[1]"},
		},
		"two components may hold the same object with the same content": {
			components: []bootstrap.Component{
				{Name: "a", Source: bootstrap.Objects(object("v1", "Namespace", "", "n"))},
				{Name: "b", Source: bootstrap.Objects(object("v1", "Namespace", "", "n"))},
			},
		},
		"two components may not hold the same object with other content": {
			components: []bootstrap.Component{
				{Name: "a", Source: bootstrap.Objects(configMap("x", "n", map[string]any{"k": "1"}))},
				{Name: "b", Source: bootstrap.Objects(configMap("x", "n", map[string]any{"k": "2"}))},
			},
			want: []string{"components[1].source[0]"},
		},
		"content that JSON cannot hold is reported, not fatal": {
			components: []bootstrap.Component{{Name: "a", Source: bootstrap.Objects(configMap("x", "n", map[string]any{"k": make(chan int)}))}},
			want:       []string{"components[0].source[0]"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := bootstrap.Plan{Name: "p", Components: test.components}.Render(t.Context())
			var got []string
			if err != nil {
				status := apierrors.APIStatus(nil)
				require.True(t, errors.As(err, &status), "%v", err)
				require.True(t, apierrors.IsInvalid(status.(error)))
				for _, cause := range status.Status().Details.Causes {
					got = append(got, cause.Field)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("paths (-want +got):\n%s\n%v", diff, err)
			}
		})
	}
}

func TestRenderRefusesMalformedSecretsWithoutTheirValues(t *testing.T) {
	secret := object("v1", "Secret", "x", "n")
	secret.Object["data"] = map[string]any{"plain": "hunter2!", "good": "Z29vZA=="}
	secret.Object["stringData"] = map[string]any{"number": 271828, "good": "good"}
	list := object("v1", "Secret", "x", "list")
	list.Object["data"] = []any{"hunter2!"}
	_, err := bootstrap.Plan{Name: "p", Components: []bootstrap.Component{{Name: "a", Source: bootstrap.Objects(secret, list)}}}.Render(t.Context())
	require.EqualError(t, err, `Plan "p" is invalid: [`+
		`components[0].source[0].data[plain]: Invalid value: must be base64; plain text goes into stringData, `+
		`components[0].source[0].stringData[number]: Invalid value: must be a string: quote it, `+
		`components[0].source[1].data: Invalid value: must be an object]`)
}

func TestRenderTakesOutWhatOnlyAClusterSets(t *testing.T) {
	source := object("v1", "ConfigMap", "x", "n")
	source.Object["status"] = map[string]any{"phase": "Active"}
	source.Object["metadata"].(map[string]any)["resourceVersion"] = "7"
	source.Object["metadata"].(map[string]any)["creationTimestamp"] = nil
	source.Object["count"] = 3 // an int, which unstructured objects cannot copy
	components, err := bootstrap.Plan{Name: "p", Components: []bootstrap.Component{{Name: "a", Source: bootstrap.Objects(source)}}}.Render(t.Context())
	require.NoError(t, err)
	want := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "count": int64(3),
		"metadata": map[string]any{"name": "n", "namespace": "x"}}
	if diff := cmp.Diff(want, components[0].Objects[0].Object); diff != "" {
		t.Errorf("object (-want +got):\n%s", diff)
	}
	require.Contains(t, source.Object, "status", "the source's own object is left as it is")
}

func TestDigest(t *testing.T) {
	digest := func(component bootstrap.Component) string {
		component.Name = "a"
		rendered, err := bootstrap.Plan{Name: "p", Components: []bootstrap.Component{component}}.Render(t.Context())
		require.NoError(t, err)
		return rendered[0].Digest
	}
	secret := func(values map[string]any) *unstructured.Unstructured {
		u := object("v1", "Secret", "x", "n")
		u.Object["data"] = values
		return u
	}
	one, two := configMap("x", "1", map[string]any{"k": "v"}), configMap("x", "2", nil)
	base := digest(bootstrap.Component{Source: bootstrap.Objects(one, two)})
	require.Equal(t, base, digest(bootstrap.Component{Version: "2", Source: bootstrap.Objects(two, one)}), "order and version do not count")
	require.NotEqual(t, base, digest(bootstrap.Component{Source: bootstrap.Objects(one)}), "objects count")
	require.NotEqual(t, base, digest(bootstrap.Component{Namespace: "x", Source: bootstrap.Objects(one, two)}), "the namespace counts")

	password := digest(bootstrap.Component{Source: bootstrap.Objects(secret(map[string]any{"password": "b25l"}))})
	require.Equal(t, password, digest(bootstrap.Component{Source: bootstrap.Objects(secret(map[string]any{"password": "dHdv"}))}), "a Secret's values do not count")
	require.NotEqual(t, password, digest(bootstrap.Component{Source: bootstrap.Objects(secret(map[string]any{"token": "b25l"}))}), "a Secret's keys count")
}
