package conformance_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// A DeletingPolicy's schedule may have a field for seconds; a ClusterCleanupPolicy waits for the full minute.
const (
	deletingPolicy = `
apiVersion: policies.kyverno.io/v1alpha1
kind: DeletingPolicy
metadata:
  name: delete-marked-configmaps
spec:
  schedule: "*/2 * * * * * *"
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}
  conditions:
  - name: marked
    expression: object.metadata.?labels[?"deleted-by"].orValue("") == "deleting-policy"
`
	clusterCleanupPolicy = `
apiVersion: kyverno.io/v2
kind: ClusterCleanupPolicy
metadata:
  name: clean-up-marked-configmaps
spec:
  schedule: "* * * * *"
  match:
    any:
    - resources:
        kinds: [ConfigMap]
        selector: {matchLabels: {deleted-by: cleanup-policy}}
`
	cleanupRole = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: kyverno:cleanup-controller:configmaps
  labels: {rbac.kyverno.io/aggregate-to-cleanup-controller: "true"}
rules:
- {apiGroups: [""], resources: [configmaps], verbs: [get, list, watch, delete]}
`
)

func TestKyvernoCleansUp(t *testing.T) {
	c := reportingKube(t)
	own := namespace(t, c)
	enforce(t, c, parse(t, cleanupRole))
	tests := map[string]struct {
		policy string
		labels map[string]string
	}{
		"a DeletingPolicy deletes what it matches": {
			policy: deletingPolicy, labels: map[string]string{"deleted-by": "deleting-policy"},
		},
		"a ClusterCleanupPolicy deletes what it matches": {
			policy: clusterCleanupPolicy, labels: map[string]string{"deleted-by": "cleanup-policy"},
		},
		"a label gives a time to live": {labels: map[string]string{"cleanup.kyverno.io/ttl": "1s"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			doomed := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: own, GenerateName: "doomed-", Labels: test.labels}}
			spared := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: own, GenerateName: "spared-"}}
			require.NoError(t, c.Create(t.Context(), doomed))
			require.NoError(t, c.Create(t.Context(), spared))
			if test.policy != "" {
				obj := parse(t, test.policy)
				require.NoError(t, c.Create(t.Context(), obj))
				t.Cleanup(func() { require.NoError(t, c.Delete(context.Background(), obj)) })
			}
			require.Eventually(t, func() bool {
				return apierrors.IsNotFound(c.Get(t.Context(), client.ObjectKeyFromObject(doomed), doomed))
			}, 90*time.Second, 200*time.Millisecond)
			require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(spared), spared))
		})
	}
}

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(text), &obj.Object))
	return obj
}
