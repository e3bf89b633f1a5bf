package conformance_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/internal/apply"
	"github.com/controlbackbone/backbone/internal/conformance"
	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/internal/listwatch"
)

// The tests of this package share one API server, which the first test that needs it starts.
var shared struct {
	once    sync.Once
	cluster *embedded.Cluster
	err     error
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, cluster := range []*embedded.Cluster{shared.cluster, live.cluster, reporting.cluster} {
		if cluster == nil {
			continue
		}
		if err := cluster.Stop(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "stop the cluster of the tests:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// kube returns a client of the shared API server.
func kube(t *testing.T) client.WithWatch {
	t.Helper()
	shared.once.Do(func() {
		// Not the test's context: the cluster serves the tests after this one too.
		shared.cluster, shared.err = embedded.Start(context.Background(), embedded.Options{})
	})
	require.NoError(t, shared.err)
	return newClient(t, shared.cluster)
}

// newClient returns a client that leaves out the API server's warnings: upstream's finalizers and fields cause some.
func newClient(t *testing.T, cluster *embedded.Cluster) client.WithWatch {
	t.Helper()
	config := cluster.Config()
	config.WarningHandler = rest.NoWarnings{}
	c, err := client.NewWithWatch(config, client.Options{})
	require.NoError(t, err)
	return c
}

// namespace creates a namespace of the test's own and deletes it afterwards.
func namespace(t *testing.T, c client.Client) string {
	t.Helper()
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"})
	obj.SetGenerateName("conformance-")
	require.NoError(t, c.Create(t.Context(), obj))
	t.Cleanup(func() { require.NoError(t, c.Delete(context.Background(), obj)) })
	return obj.GetName()
}

// install applies CRDs of an upstream module, of exactly the version in go.mod, and waits until they are served.
func install(t *testing.T, c client.WithWatch, module string, files ...string) {
	t.Helper()
	directory := moduleDir(t, module)
	for _, file := range files {
		raw, err := os.ReadFile(filepath.Join(directory, file))
		require.NoError(t, err)
		crd := &unstructured.Unstructured{}
		require.NoError(t, yaml.Unmarshal(raw, &crd.Object))
		require.NoError(t, apply.Objects(t.Context(), c, "conformance", crd))
		waitEstablished(t, c, crd.GetName())
		waitDiscovered(t, c, crd)
	}
}

// waitDiscovered waits until the client finds the kind, which it may do a moment after the kind is established.
func waitDiscovered(t *testing.T, c client.Client, crd *unstructured.Unstructured) {
	t.Helper()
	group, _, err := unstructured.NestedString(crd.Object, "spec", "group")
	require.NoError(t, err)
	kind, _, err := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := c.RESTMapper().RESTMapping(schema.GroupKind{Group: group, Kind: kind})
		return err == nil
	}, 10*time.Second, 50*time.Millisecond, "discovery of %s", kind)
}

func waitEstablished(t *testing.T, c client.WithWatch, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	selection := listwatch.Selection{
		Kind:    apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"),
		Options: []client.ListOption{client.MatchingFields{"metadata.name": name}},
	}
	require.NoError(t, listwatch.Follow(ctx, c, selection, listwatch.Follower{
		Listed: func(items []unstructured.Unstructured) (bool, error) {
			return len(items) == 1 && isEstablished(&items[0]), nil
		},
		Changed: func(_ watch.EventType, crd *unstructured.Unstructured) (bool, error) { return isEstablished(crd), nil },
	}), "CustomResourceDefinition %s", name)
}

func isEstablished(crd *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
	return slices.ContainsFunc(conditions, func(item any) bool {
		condition, _ := item.(map[string]any)
		return condition["type"] == string(apiextensionsv1.Established) && condition["status"] == string(metav1.ConditionTrue)
	})
}

func moduleDir(t *testing.T, module string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// roundTrip writes the object to the API server, which rejects fields that the CRD does not know, and requires what it
// stored to hold every field of the object unchanged.
func roundTrip(t *testing.T, c client.Client, obj *unstructured.Unstructured) {
	t.Helper()
	stored := obj.DeepCopy()
	require.NoError(t, c.Create(t.Context(), stored, client.FieldValidation(metav1.FieldValidationStrict)))
	t.Cleanup(func() { _ = c.Delete(context.Background(), stored) })
	require.NoError(t, conformance.Held(obj, stored))
}
