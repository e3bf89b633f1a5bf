package conformance_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	policiesv1alpha1 "github.com/kyverno/kyverno/api/policies.kyverno.io/v1alpha1"
	ivpolautogen "github.com/kyverno/kyverno/pkg/cel/policies/ivpol/autogen"
	mpolautogen "github.com/kyverno/kyverno/pkg/cel/policies/mpol/autogen"
	vpolautogen "github.com/kyverno/kyverno/pkg/cel/policies/vpol/autogen"
	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/internal/apply"
	"github.com/controlbackbone/backbone/internal/conformance"
	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/policy"
)

// newerKyverno is a Kyverno whose CRDs know kinds, versions and fields that the Go types in go.mod do not.
const newerKyverno = "github.com/kyverno/kyverno@v1.17.1"

func TestCELPoliciesAreUpstreamObjects(t *testing.T) {
	into := map[string]func() any{
		"ValidatingPolicy":      func() any { return &policiesv1alpha1.ValidatingPolicy{} },
		"MutatingPolicy":        func() any { return &policiesv1alpha1.MutatingPolicy{} },
		"GeneratingPolicy":      func() any { return &policiesv1alpha1.GeneratingPolicy{} },
		"DeletingPolicy":        func() any { return &policiesv1alpha1.DeletingPolicy{} },
		"ImageValidatingPolicy": func() any { return &policiesv1alpha1.ImageValidatingPolicy{} },
		"PolicyException":       func() any { return &policiesv1alpha1.PolicyException{} },
	}
	for name, obj := range buildAll(t, kyverno, celBuilders(""), celExceptions()) {
		t.Run(name, func(t *testing.T) { conformance.Strict(t, obj, into[obj.GetKind()]()) })
	}
}

// TestControllersAreThoseThatKyvernoDerivesRulesFor asks upstream's own code, in its three versions, what it makes of the
// lists, of which one without items stands for none.
func TestControllersAreThoseThatKyvernoDerivesRulesFor(t *testing.T) {
	validations, mutations := []policy.Validation{{Expression: "true"}}, []policy.Mutation{policy.JSONPatch{Expression: "[]"}}
	everything := []string{"cronjobs", "daemonsets", "deployments", "jobs", "replicasets", "statefulsets"}
	tests := map[string]struct {
		autogen policy.Autogen
		want    []string
	}{
		"by default they are all":   {want: everything},
		"they can be chosen":        {autogen: policy.Autogen{Controllers: []string{"jobs", "cronjobs"}}, want: []string{"cronjobs", "jobs"}},
		"all can be named":          {autogen: policy.Autogen{Controllers: everything}, want: everything},
		"there can be none of them": {autogen: policy.Autogen{None: true}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var validating policiesv1alpha1.ValidatingPolicy
			decodeInto(t, policy.ValidatingPolicy{Name: "a", Match: podsAlone(), Validations: validations, Autogen: test.autogen}, &validating)
			validatingRules, err := vpolautogen.Autogen(&validating)
			require.NoError(t, err)
			var verifying policiesv1alpha1.ImageValidatingPolicy
			decodeInto(t, policy.ImageValidatingPolicy{Name: "a", Match: podsAlone(), Validations: validations, Autogen: test.autogen}, &verifying)
			verifyingRules, err := ivpolautogen.Autogen(&verifying)
			require.NoError(t, err)
			var mutating policiesv1alpha1.MutatingPolicy
			decodeInto(t, policy.MutatingPolicy{Name: "a", Match: podsAlone(), Mutations: mutations, Autogen: test.autogen}, &mutating)
			mutatingRules, err := mpolautogen.Autogen(&mutating)
			require.NoError(t, err)

			var got [3][]string
			for _, rule := range validatingRules {
				got[0] = append(got[0], resourcesOf(rule.Targets)...)
			}
			for _, rule := range verifyingRules {
				got[1] = append(got[1], resourcesOf(rule.Targets)...)
			}
			for _, rule := range mutatingRules {
				got[2] = append(got[2], resourcesOf(rule.Targets)...)
			}
			for _, resources := range got {
				require.ElementsMatch(t, test.want, resources)
			}
		})
	}
}

func decodeInto(t *testing.T, builder celBuilder, into any) {
	t.Helper()
	obj, err := builder.Build(kyverno)
	require.NoError(t, err)
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, into))
}

func resourcesOf(targets []policiesv1alpha1.Target) []string {
	out := make([]string, len(targets))
	for i, target := range targets {
		out[i] = target.Resource
	}
	return out
}

func TestCELBuildersSetEveryFieldOfTheCRDs(t *testing.T) {
	for name, test := range map[string]struct {
		module  string
		objects []map[string]*unstructured.Unstructured
	}{
		"Kyverno 1.15.2": {moduleDir(t, kyvernoModule), []map[string]*unstructured.Unstructured{buildAll(t, kyverno, celBuilders(""), celExceptions())}},
		"Kyverno 1.17.1": {downloaded(t, newerKyverno), []map[string]*unstructured.Unstructured{
			buildAll(t, policy.Kyverno(1, 17), celBuilders(""), celExceptions(), newerCELBuilders("")),
			buildAll(t, policy.Kyverno(1, 17), celBuilders("n"), newerCELBuilders("n")),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			set := map[string]bool{}
			for _, objects := range test.objects {
				for _, obj := range objects {
					addPaths(set, obj.GetKind()+".spec", obj.Object["spec"])
				}
			}
			var missing []string
			for _, crd := range celCRDs(t, test.module) {
				for _, version := range crd.Spec.Versions {
					for _, path := range schemaPaths(crd.Spec.Names.Kind+".spec", version.Schema.OpenAPIV3Schema.Properties["spec"]) {
						if !set[path] && !slices.Contains(missing, path) {
							missing = append(missing, path)
						}
					}
				}
			}
			require.Empty(t, missing)
		})
	}
}

// celCRDs returns the CRDs of the policies.kyverno.io group.
func celCRDs(t *testing.T, module string) []apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	files := celCRDFiles(t, module)
	crds := make([]apiextensionsv1.CustomResourceDefinition, len(files))
	for i, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, yaml.Unmarshal(raw, &crds[i]))
	}
	return crds
}

// celKube starts an API server of the test's own that holds the CRDs of the group, because those of the two releases
// cannot be in one.
func celKube(t *testing.T, module string) client.WithWatch {
	t.Helper()
	cluster, err := embedded.Start(t.Context(), embedded.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Stop(context.Background())) })
	c := newClient(t, cluster)
	for _, file := range celCRDFiles(t, module) {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		crd := &unstructured.Unstructured{}
		require.NoError(t, yaml.Unmarshal(raw, &crd.Object))
		require.NoError(t, apply.Objects(t.Context(), c, "conformance", crd))
		waitEstablished(t, c, crd.GetName())
		waitDiscovered(t, c, crd)
	}
	return c
}

func celCRDFiles(t *testing.T, module string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(module, "config/crds/policies.kyverno.io/*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

func TestCELPoliciesSurviveTheAPIServer(t *testing.T) {
	for name, test := range map[string]struct {
		module     string
		version    policy.Version
		apiVersion string
		builders   []map[string]celBuilder
	}{
		"Kyverno 1.15.2": {
			moduleDir(t, kyvernoModule), kyverno, "v1alpha1", []map[string]celBuilder{celBuilders(""), celExceptions(), without("")},
		},
		"Kyverno 1.17.1": {
			downloaded(t, newerKyverno), policy.Kyverno(1, 17), "v1",
			[]map[string]celBuilder{
				celBuilders(""), celExceptions(), without(""), newerCELBuilders(""),
				inNamespace(celBuilders("default")), inNamespace(without("default")), inNamespace(newerCELBuilders("default")),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := celKube(t, test.module)
			for name, obj := range buildAll(t, test.version, test.builders...) {
				t.Run(name, func(t *testing.T) {
					require.Equal(t, test.apiVersion, obj.GroupVersionKind().Version)
					roundTrip(t, c, obj)
				})
			}
		})
	}
}

// inNamespace returns the policies under names of their own, without the exceptions.
func inNamespace(builders map[string]celBuilder) map[string]celBuilder {
	out := map[string]celBuilder{}
	for _, name := range slices.Sorted(maps.Keys(builders)) {
		if !strings.HasPrefix(name, "an exception") {
			out[name+" in a namespace"] = builders[name]
		}
	}
	return out
}

// TestKyvernoTakesWhatTheCELBuildersBuild sends the policies through the webhook in which Kyverno compiles them.
func TestKyvernoTakesWhatTheCELBuildersBuild(t *testing.T) {
	c := liveKube(t)
	for name, obj := range buildAll(t, kyverno, celBuilders(""), celExceptions(), without("")) {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, c.Create(t.Context(), obj, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict)))
		})
	}
}
