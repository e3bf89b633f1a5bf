package conformance_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	kyvernov2 "github.com/kyverno/kyverno/api/kyverno/v2"
	kyvernov2alpha1 "github.com/kyverno/kyverno/api/kyverno/v2alpha1"
	"github.com/kyverno/kyverno/pkg/clients/dclient"
	policyvalidation "github.com/kyverno/kyverno/pkg/validation/policy"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/internal/apply"
	"github.com/controlbackbone/backbone/internal/conformance"
	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/policy"
)

// classicNotBuilt are fields of the CRDs of kyverno.io that no builder sets, and why.
var classicNotBuilt = map[*regexp.Regexp]string{
	regexp.MustCompile(`\.spec\.(failurePolicy|generateExisting|generateExistingOnPolicyUpdate|mutateExistingOnPolicyUpdate)$`): "deprecated",
	regexp.MustCompile(`\.spec\.(schemaValidation|validationFailureAction|webhookTimeoutSeconds)$`):                             "deprecated",
	regexp.MustCompile(`\.spec\.validationFailureActionOverrides`):                                                              "deprecated",
	regexp.MustCompile(`\.(match|exclude)\.(resources|subjects|roles|clusterRoles)`):                                            "deprecated, any and all hold filters",
	regexp.MustCompile(`\.(any|all)\[\]\.resources\.name$`):                                                                     "deprecated, names is",
	regexp.MustCompile(`\.verifyImages\[\]\.(image|key|roots|subject|issuer|annotations|additionalExtensions)$`):                "deprecated, attestors hold them",
	regexp.MustCompile(`\.attestations\[\]\.predicateType$`):                                                                    "deprecated, type is",
	regexp.MustCompile(`\.keys\.signatureAlgorithm$`):                                                                           "deprecated, the attestor's is",
	regexp.MustCompile(`\.(generate|foreach\[\]|targets\[\])\.uid$`):                                                            "Kyverno reads none of them",
	regexp.MustCompile(`^(Cluster)?CleanupPolicy\.spec\.context\[\]\.(configMap|imageRegistry)`):                                "refused by the webhook",
	regexp.MustCompile(`^(Cluster)?CleanupPolicy\.spec\.(match|exclude)\..*\.(subjects|roles|clusterRoles)`):                    "refused by the webhook",
	regexp.MustCompile(`^(Cluster)?CleanupPolicy\.spec\.(match|exclude)\..*\.operations`):                                       "a deletion by schedule is no request",
	regexp.MustCompile(`^(CleanupPolicy|Policy)\.spec\..*\.resources\.namespaces`):                                              "refused by the webhook",
}

func isClassicExcepted(path string) bool {
	for pattern := range classicNotBuilt {
		if pattern.MatchString(path) {
			return true
		}
	}
	return false
}

func classicObjects(t *testing.T, version policy.Version) []map[string]*unstructured.Unstructured {
	t.Helper()
	return []map[string]*unstructured.Unstructured{
		buildAll(t, version, classicPolicies(""), classicOthers()), buildAll(t, version, classicPolicies("default")),
	}
}

func TestClassicPoliciesAreUpstreamObjects(t *testing.T) {
	into := map[string]func() any{
		"ClusterPolicy":        func() any { return &kyvernov1.ClusterPolicy{} },
		"Policy":               func() any { return &kyvernov1.Policy{} },
		"PolicyException":      func() any { return &kyvernov2.PolicyException{} },
		"CleanupPolicy":        func() any { return &kyvernov2.CleanupPolicy{} },
		"ClusterCleanupPolicy": func() any { return &kyvernov2.ClusterCleanupPolicy{} },
		"GlobalContextEntry":   func() any { return &kyvernov2alpha1.GlobalContextEntry{} },
	}
	for _, objects := range classicObjects(t, kyverno) {
		for name, obj := range objects {
			t.Run(obj.GetKind()+" with "+name, func(t *testing.T) { conformance.Strict(t, obj, into[obj.GetKind()]()) })
		}
	}
}

func TestClassicBuildersSetEveryFieldOfTheCRDs(t *testing.T) {
	for name, test := range map[string]struct {
		module  string
		version policy.Version
	}{
		"Kyverno 1.15.2": {moduleDir(t, kyvernoModule), kyverno},
		"Kyverno 1.17.1": {downloaded(t, newerKyverno), policy.Kyverno(1, 17)},
	} {
		t.Run(name, func(t *testing.T) {
			set, served := map[string]bool{}, map[string]bool{}
			for _, objects := range classicObjects(t, test.version) {
				for _, obj := range objects {
					addPaths(set, obj.GetKind()+".spec", obj.Object["spec"])
					served[obj.GetKind()+" "+obj.GroupVersionKind().Version] = true
				}
			}
			var missing []string
			for _, file := range classicCRDFiles(t, test.module) {
				crd := readCRD(t, file)
				for _, version := range crd.Spec.Versions {
					if !served[crd.Spec.Names.Kind+" "+version.Name] {
						continue
					}
					delete(served, crd.Spec.Names.Kind+" "+version.Name)
					for _, path := range schemaPaths(crd.Spec.Names.Kind+".spec", version.Schema.OpenAPIV3Schema.Properties["spec"]) {
						if !set[path] && !isClassicExcepted(path) {
							missing = append(missing, path)
						}
					}
				}
			}
			slices.Sort(missing)
			require.Empty(t, missing)
			require.Empty(t, served, "kinds and versions that no CRD has")
		})
	}
}

// classicCRDFiles are the CRDs of the kyverno.io group, without that of requests of Kyverno to itself.
func classicCRDFiles(t *testing.T, module string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(module, "config/crds/kyverno/*.yaml"))
	require.NoError(t, err)
	files = slices.DeleteFunc(files, func(file string) bool { return strings.Contains(file, "updaterequests") })
	require.NotEmpty(t, files)
	return files
}

func readCRD(t *testing.T, file string) apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	var crd apiextensionsv1.CustomResourceDefinition
	require.NoError(t, yaml.Unmarshal(raw, &crd))
	return crd
}

// classicCluster starts an API server of the test's own that holds the CRDs of the group, because those of the two
// releases cannot be in one.
func classicCluster(t *testing.T, module string) (*embedded.Cluster, client.WithWatch) {
	t.Helper()
	cluster, err := embedded.Start(t.Context(), embedded.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Stop(context.Background())) })
	c := newClient(t, cluster)
	var crds []*unstructured.Unstructured
	for _, file := range classicCRDFiles(t, module) {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		crd := &unstructured.Unstructured{}
		require.NoError(t, yaml.Unmarshal(raw, &crd.Object))
		require.NoError(t, apply.Objects(t.Context(), c, "conformance", crd))
		waitEstablished(t, c, crd.GetName())
		crds = append(crds, crd)
	}
	// A client does not find a version that comes into a group which it knows.
	c = newClient(t, cluster)
	for _, crd := range crds {
		waitDiscovered(t, c, crd)
	}
	return cluster, c
}

func TestClassicPoliciesSurviveTheAPIServer(t *testing.T) {
	for name, test := range map[string]struct {
		module  string
		version policy.Version
	}{
		"Kyverno 1.15.2": {moduleDir(t, kyvernoModule), kyverno},
		"Kyverno 1.17.1": {downloaded(t, newerKyverno), policy.Kyverno(1, 17)},
	} {
		t.Run(name, func(t *testing.T) {
			_, c := classicCluster(t, test.module)
			for _, objects := range classicObjects(t, test.version) {
				for name, obj := range objects {
					t.Run(obj.GetKind()+" with "+name, func(t *testing.T) { roundTrip(t, c, obj) })
				}
			}
		})
	}
}

// TestKyvernoFindsNoFaultInWhatTheClassicBuildersBuild runs Kyverno's own validation, with the discovery of a real API
// server, for a background controller that may do everything.
func TestKyvernoFindsNoFaultInWhatTheClassicBuildersBuild(t *testing.T) {
	const account = "background-controller"
	cluster, c := classicCluster(t, moduleDir(t, kyvernoModule))
	allow(t, c, account, "default")
	allow(t, c, "kyverno", "kyverno") // what Kyverno is called outside of its own pods
	config := cluster.Config()
	kubeClient, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	dynamicClient, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	kyvernoClient, err := dclient.NewClient(t.Context(), dynamicClient, kubeClient, time.Hour, false, nil)
	require.NoError(t, err)
	clusterKinds := sets.New("Namespace", "v1/Namespace")

	validate := func(t *testing.T, typed kyvernov1.PolicyInterface) {
		warnings, err := policyvalidation.Validate(typed, nil, kyvernoClient, false, "system:serviceaccount:default:"+account, "")
		require.NoError(t, err)
		// A kind that the cluster does not know ends the validation early.
		require.NotContains(t, strings.Join(warnings, "\n"), "unable to convert GVK")
	}
	validators := map[string]func(*testing.T, *unstructured.Unstructured){
		"ClusterPolicy": func(t *testing.T, obj *unstructured.Unstructured) {
			typed := &kyvernov1.ClusterPolicy{}
			conformance.Strict(t, obj, typed)
			validate(t, typed)
		},
		"Policy": func(t *testing.T, obj *unstructured.Unstructured) {
			typed := &kyvernov1.Policy{}
			conformance.Strict(t, obj, typed)
			validate(t, typed)
		},
		"PolicyException": func(t *testing.T, obj *unstructured.Unstructured) {
			typed := &kyvernov2.PolicyException{}
			conformance.Strict(t, obj, typed)
			require.Empty(t, typed.Validate())
		},
		"CleanupPolicy": func(t *testing.T, obj *unstructured.Unstructured) {
			typed := &kyvernov2.CleanupPolicy{}
			conformance.Strict(t, obj, typed)
			require.Empty(t, typed.Validate(clusterKinds))
		},
		"ClusterCleanupPolicy": func(t *testing.T, obj *unstructured.Unstructured) {
			typed := &kyvernov2.ClusterCleanupPolicy{}
			conformance.Strict(t, obj, typed)
			require.Empty(t, typed.Validate(clusterKinds))
		},
		"GlobalContextEntry": func(t *testing.T, obj *unstructured.Unstructured) {
			// What the API server fills in by default is validated too.
			stored := obj.DeepCopy()
			require.NoError(t, c.Create(t.Context(), stored, client.DryRunAll))
			typed := &kyvernov2alpha1.GlobalContextEntry{}
			raw, err := yaml.Marshal(stored.Object)
			require.NoError(t, err)
			require.NoError(t, yaml.Unmarshal(raw, typed))
			require.Empty(t, typed.Validate())
		},
	}
	for _, objects := range classicObjects(t, kyverno) {
		for name, obj := range objects {
			t.Run(obj.GetKind()+" with "+name, func(t *testing.T) { validators[obj.GetKind()](t, obj) })
		}
	}
}

// allow lets a ServiceAccount do everything.
func allow(t *testing.T, c client.Client, name, namespace string) {
	t.Helper()
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "conformance:" + name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: name, Namespace: namespace}},
	}
	require.NoError(t, c.Create(t.Context(), binding))
	t.Cleanup(func() { require.NoError(t, c.Delete(context.Background(), binding)) })
}
