package conformance_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/policy"
)

func TestDenialsAreWatched(t *testing.T) {
	c := reportingKube(t)
	// Kyverno 1.15 tells of denials by ClusterPolicies alone.
	denying, err := policy.RequireLabels{Name: "denying", Labels: []policy.RequiredLabel{{Key: "denied"}}}.Classic(kyverno)
	require.NoError(t, err)
	// Kyverno forgets a deleted policy a moment later, and other tests create namespaces without the label.
	t.Cleanup(func() {
		other := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "denied-no-more"}}
		require.Eventually(t, func() bool { return c.Create(context.Background(), other.DeepCopy(), client.DryRunAll) == nil },
			30*time.Second, 200*time.Millisecond)
	})
	enforce(t, c, denying)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.Error(t, c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "denied-before"}}))

	policies := policy.NewClient(c, policy.ClientOptions{})
	past := make(chan policy.Denial, 100)
	go func() {
		filter := policy.DenialFilter{Policies: []string{"denying"}, Past: true}
		_ = policies.WatchDenials(ctx, filter, func(denial policy.Denial) (bool, error) {
			past <- denial
			return false, nil
		})
	}()
	next := func() policy.Denial {
		t.Helper()
		select {
		case denial := <-past:
			return denial
		case <-ctx.Done():
			require.FailNow(t, "no denial was told of")
			return policy.Denial{}
		}
	}
	denial := next()
	require.Equal(t, "denied-before", denial.Resource.Name)
	require.Equal(t, "Namespace", denial.Resource.Kind)
	require.Equal(t, "denying", denial.Policy.Name)
	require.Equal(t, "check", denial.Rule)
	require.NotContains(t, denial.Message, "blocked")
	require.WithinDuration(t, time.Now(), denial.Time, time.Minute)

	require.Error(t, c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "denied-after"}}))
	require.Equal(t, "denied-after", next().Resource.Name)
}
