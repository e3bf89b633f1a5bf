package conformance_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/listwatch"
	"github.com/controlbackbone/backbone/policy"
)

// generations are the two ways to build a rule.
var generations = map[string]func(policy.Rule) (*unstructured.Unstructured, error){
	"CEL":     func(rule policy.Rule) (*unstructured.Unstructured, error) { return rule.CEL(kyverno) },
	"classic": func(rule policy.Rule) (*unstructured.Unstructured, error) { return rule.Classic(kyverno) },
}

func TestRequiredLabelsAreRequiredByKyverno(t *testing.T) {
	c := liveKube(t)
	rule := policy.RequireLabels{
		Name:             "require-labels",
		Labels:           []policy.RequiredLabel{{Key: "owner"}, {Key: "example.com/stage", Values: []string{"dev", "1-5"}}},
		ExemptNamespaces: []string{"exempt"},
	}
	tests := map[string]struct {
		name     string
		labels   map[string]string
		admitted bool
	}{
		"no labels are denied":             {name: "none"},
		"a missing label is denied":        {name: "one", labels: map[string]string{"owner": "a"}},
		"an empty label is denied":         {name: "empty", labels: map[string]string{"owner": "", "example.com/stage": "dev"}},
		"a value off the list is denied":   {name: "off", labels: map[string]string{"owner": "a", "example.com/stage": "3"}},
		"all labels are admitted":          {name: "all", labels: map[string]string{"owner": "a", "example.com/stage": "dev"}, admitted: true},
		"a value like a range is admitted": {name: "range", labels: map[string]string{"owner": "a", "example.com/stage": "1-5"}, admitted: true},
		"an exempt namespace is admitted":  {name: "exempt", admitted: true},
	}
	for generation, build := range generations {
		t.Run(generation, func(t *testing.T) {
			obj, err := build(rule)
			require.NoError(t, err)
			enforce(t, c, obj)
			for name, test := range tests {
				t.Run(name, func(t *testing.T) {
					namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: test.name, Labels: test.labels}}
					err := c.Create(t.Context(), namespace, client.DryRunAll)
					if test.admitted {
						require.NoError(t, err)
						return
					}
					require.ErrorContains(t, err, "A namespace needs the label")
				})
			}
		})
	}
}

func TestDefaultNetworkPolicyIsGeneratedByKyverno(t *testing.T) {
	c := liveKube(t)
	// Kyverno 1.15 keeps what it generates only by the older generation.
	for generation, rule := range map[string]policy.DefaultNetworkPolicy{
		"CEL":     {Name: "default-network-policy", Once: true},
		"classic": {Name: "default-network-policy"},
	} {
		t.Run(generation, func(t *testing.T) {
			obj, err := generations[generation](rule)
			require.NoError(t, err)
			enforce(t, c, append(rule.RBAC(), obj)...)
			own := namespace(t, c)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			generated := networkPolicy(t, ctx, c, own)
			require.ElementsMatch(t, []networkingv1.PolicyType{"Ingress", "Egress"}, generated.Spec.PolicyTypes)
			require.Empty(t, generated.Spec.Ingress)
			require.Len(t, generated.Spec.Egress, 1)
			require.Equal(t, map[string]string{"k8s-app": "kube-dns"}, generated.Spec.Egress[0].To[0].PodSelector.MatchLabels)

			// A later change of the namespace generates nothing new and takes nothing away.
			label := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"changed":"yes"}}}`))
			require.NoError(t, c.Patch(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: own}}, label))
			require.NotEmpty(t, networkPolicy(t, ctx, c, namespace(t, c)).UID, "the background controller has gone on since")
			require.Equal(t, generated.UID, networkPolicy(t, ctx, c, own).UID)

			if !rule.Once {
				// Deleted, it comes back.
				require.NoError(t, c.Delete(ctx, generated))
				require.NotEqual(t, generated.UID, networkPolicy(t, ctx, c, own).UID)
			}
		})
	}
}

// enforce applies the objects, waits until they are served, and removes them after the test.
func enforce(t *testing.T, c client.WithWatch, objects ...*unstructured.Unstructured) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	policies := policy.NewClient(c, policy.ClientOptions{})
	require.NoError(t, policies.Apply(ctx, objects...))
	t.Cleanup(func() {
		for _, obj := range objects {
			require.NoError(t, client.IgnoreNotFound(c.Delete(context.Background(), obj)))
		}
	})
	require.NoError(t, policies.WaitReady(ctx, objects...))
}

// networkPolicy waits for the generated object.
func networkPolicy(t *testing.T, ctx context.Context, c client.WithWatch, namespace string) *networkingv1.NetworkPolicy {
	t.Helper()
	found := &networkingv1.NetworkPolicy{}
	look := func() (bool, error) {
		err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "default"}, found)
		return err == nil, client.IgnoreNotFound(err)
	}
	require.NoError(t, listwatch.Follow(ctx, c,
		listwatch.Selection{Kind: networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"), Namespace: namespace},
		listwatch.Follower{
			Listed:  func([]unstructured.Unstructured) (bool, error) { return look() },
			Changed: func(watch.EventType, *unstructured.Unstructured) (bool, error) { return look() },
		}))
	require.False(t, apierrors.IsNotFound(c.Get(ctx, client.ObjectKeyFromObject(found), found)))
	return found
}
