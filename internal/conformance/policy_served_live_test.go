package conformance_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/policy"
)

// Kyverno 1.15 reports a MutatingPolicy ready before a request can meet it. WaitReady must not.
func TestMutatingPoliciesAreWaitedForUntilTheyAreServed(t *testing.T) {
	c := liveKube(t)
	policies := policy.NewClient(c, policy.ClientOptions{})
	rule := policy.DefaultLabels{Name: "served", Labels: map[string]string{"example.com/served": "yes"}}
	for _, kind := range []string{"ConfigMap", "ServiceAccount"} { // the second changes what the policy matches
		rule.Kinds = []policy.ResourceKind{{Kind: kind}}
		obj, err := rule.CEL(kyverno)
		require.NoError(t, err)
		enforce(t, c, append(rule.RBAC(), obj)...)
		created := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": "served", "namespace": "default"},
		}}
		require.NoError(t, c.Create(t.Context(), created, client.DryRunAll))
		require.Equal(t, "yes", created.GetLabels()["example.com/served"], kind)
	}

	// Without permissions for its reports a policy is never ready; what waits for it is told.
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	other, err := policy.DefaultLabels{
		Name: "not-served", Labels: map[string]string{"a": "b"}, Kinds: []policy.ResourceKind{{Kind: "Secret"}},
	}.CEL(kyverno)
	require.NoError(t, err)
	require.NoError(t, policies.Apply(ctx, other))
	t.Cleanup(func() { require.NoError(t, policies.Remove(context.Background(), other)) })
	err = policies.WaitReady(ctx, other)
	var notReady *policy.NotReadyError
	require.ErrorAs(t, err, &notReady)
	require.Equal(t, "not-served", notReady.Policies[0].Name)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
