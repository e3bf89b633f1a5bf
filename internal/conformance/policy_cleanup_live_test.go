package conformance_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/policy"
)

func TestKyvernoCleansUp(t *testing.T) {
	c := reportingKube(t)
	own := namespace(t, c)
	rule := func(generation string) policy.Cleanup {
		return policy.Cleanup{
			Name: "cleanup-" + generation, Kind: policy.ResourceKind{Kind: "ConfigMap"}, Schedule: "* * * * *",
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"deleted-by": generation}},
		}
	}
	deleting, err := rule("cel").CEL(kyverno)
	require.NoError(t, err)
	// Kyverno's parser knows a field for seconds: no need to wait for the full minute.
	require.NoError(t, unstructured.SetNestedField(deleting.Object, "*/2 * * * * * *", "spec", "schedule"))
	cleaning, err := rule("classic").Classic(kyverno)
	require.NoError(t, err)
	tests := map[string]struct {
		objects []*unstructured.Unstructured
		labels  map[string]string
	}{
		"a DeletingPolicy deletes what it matches": {
			objects: append(rule("cel").RBAC(), deleting), labels: map[string]string{"deleted-by": "cel"},
		},
		"a ClusterCleanupPolicy deletes what it matches": {
			objects: append(rule("classic").RBAC(), cleaning), labels: map[string]string{"deleted-by": "classic"},
		},
		"a label gives a time to live": {
			objects: rule("ttl").RBAC(), labels: map[string]string{"cleanup.kyverno.io/ttl": "1s"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			doomed := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: own, GenerateName: "doomed-", Labels: test.labels}}
			spared := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: own, GenerateName: "spared-"}}
			require.NoError(t, c.Create(t.Context(), doomed))
			require.NoError(t, c.Create(t.Context(), spared))
			enforce(t, c, test.objects...)
			require.Eventually(t, func() bool {
				return apierrors.IsNotFound(c.Get(t.Context(), client.ObjectKeyFromObject(doomed), doomed))
			}, 90*time.Second, 200*time.Millisecond)
			require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(spared), spared))
		})
	}
}
