package conformance_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/policy"
)

func TestARolloutEnforcesWhatExistingResourcesKeepTo(t *testing.T) {
	c := reportingKube(t)
	policies := policy.NewClient(c, policy.ClientOptions{})
	for generation, classic := range map[string]bool{"CEL": false, "classic": true} {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			name := map[bool]string{false: "rolled-out", true: "rolled-out-classic"}[classic]
			rule := policy.RequireLabels{Name: name, Labels: []policy.RequiredLabel{{Key: name}}, ExemptNamespaces: []string{"kyverno"}}
			rules := []policy.Enforceable{rule}
			var stages []policy.RolloutStage
			options := policy.RolloutOptions{Kyverno: kyverno, Classic: classic, Progress: func(event policy.RolloutEvent) {
				if !slices.Contains(stages, event.Stage) {
					stages = append(stages, event.Stage)
				}
			}}
			built, err := generations[generation](rule)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, policies.Remove(context.Background(), built)) })
			labelAll(t, c, name)
			offender := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name + "-offender", Labels: othersLabels(name)}}
			require.NoError(t, c.Create(ctx, offender))
			t.Cleanup(func() { require.NoError(t, c.Delete(context.Background(), offender)) })

			rehearsal := options
			rehearsal.DryRun = true
			outcomes, err := policies.Rollout(ctx, rules, rehearsal)
			require.NoError(t, err)
			require.Equal(t, policy.Action(""), outcomes[0].Action)
			require.Error(t, c.Get(ctx, client.ObjectKeyFromObject(built), built.DeepCopy()), "a dry run writes nothing")

			outcomes, err = policies.Rollout(ctx, rules, options)
			var blocked *policy.BlockedError
			require.ErrorAs(t, err, &blocked)
			require.Len(t, blocked.Rules, 1)
			require.Len(t, blocked.Rules[0].Failures, 1, "%v", blocked.Rules[0].Failures)
			failure := blocked.Rules[0].Failures[0]
			require.Equal(t, offender.UID, failure.Resource.UID)
			require.Equal(t, policy.ReportFail, failure.Result)
			require.NotEmpty(t, failure.Message)
			require.WithinDuration(t, time.Now(), failure.Time, 2*time.Minute)
			failing := policy.ReportFilter{Policies: []string{name}, Results: []policy.ReportResult{policy.ReportFail}}
			reported, err := policies.Reports(ctx, failing)
			require.NoError(t, err)
			require.Equal(t, blocked.Rules[0].Failures, reported)
			require.Equal(t, policy.Audit, outcomes[0].Action)
			require.GreaterOrEqual(t, outcomes[0].Resources, 6, "all namespaces are scanned, also the exempt")
			require.Equal(t, []policy.RolloutStage{policy.RolloutAudit, policy.RolloutScanning, policy.RolloutBlocked}, stages)
			unlabelled := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name + "-unlabelled", Labels: othersLabels(name)}}
			require.NoError(t, c.Create(ctx, unlabelled.DeepCopy(), client.DryRunAll), "it stays in Audit")

			tolerant := options
			tolerant.Tolerated, tolerant.AuditOnly = map[string]int{name: 1}, true
			outcomes, err = policies.Rollout(ctx, rules, tolerant)
			require.NoError(t, err)
			require.Equal(t, policy.Audit, outcomes[0].Action, "it is only judged")
			require.Len(t, outcomes[0].Failures, 1)
			require.Contains(t, stages, policy.RolloutJudged)
			require.NotContains(t, stages, policy.RolloutEnforced)
			tolerant.AuditOnly = false
			outcomes, err = policies.Rollout(ctx, rules, tolerant)
			require.NoError(t, err)
			require.Equal(t, policy.Enforce, outcomes[0].Action, "one offender is tolerated")
			require.Error(t, c.Create(ctx, unlabelled.DeepCopy(), client.DryRunAll))
			require.NoError(t, policies.RollBack(ctx, rules, options))

			label := []byte(`{"metadata":{"labels":{"` + name + `":"yes"}}}`)
			require.NoError(t, c.Patch(ctx, offender, client.RawPatch(types.MergePatchType, label)))

			watched := make(chan error, 1)
			go func() {
				watched <- policies.WatchReports(ctx, failing, func(change policy.ReportChange) (bool, error) { return change.Gone, nil })
			}()

			// Interrupted during the scan, the rollout goes on.
			interrupted, interrupt := context.WithCancel(ctx)
			again := options
			again.Progress = func(event policy.RolloutEvent) {
				if event.Stage == policy.RolloutScanning {
					interrupt()
				}
			}
			_, err = policies.Rollout(interrupted, rules, again)
			require.ErrorIs(t, err, context.Canceled)
			require.Len(t, probes(t, c, built.GetKind(), built.GetAPIVersion(), name), 1)

			outcomes, err = policies.Rollout(ctx, rules, options)
			require.NoError(t, err)
			require.Equal(t, policy.Enforce, outcomes[0].Action)
			require.Empty(t, outcomes[0].Failures)
			require.NoError(t, <-watched, "the failure goes once it is corrected")
			require.Empty(t, probes(t, c, built.GetKind(), built.GetAPIVersion(), name))
			require.ErrorContains(t, c.Create(ctx, unlabelled.DeepCopy(), client.DryRunAll), "needs the label")

			// Enforced rules are left alone, and come back to Audit when asked.
			outcomes, err = policies.Rollout(ctx, rules, options)
			require.NoError(t, err)
			require.Equal(t, policy.Enforce, outcomes[0].Before)
			require.Zero(t, outcomes[0].Resources)
			require.NoError(t, policies.RollBack(ctx, rules, options))
			require.NoError(t, c.Create(ctx, unlabelled.DeepCopy(), client.DryRunAll))
		})
	}
}

func TestARolloutEndsWithTheContextWhereNothingScans(t *testing.T) {
	c := liveKube(t) // without the reports controller
	policies := policy.NewClient(c, policy.ClientOptions{})
	rule := policy.RequireLabels{Name: "never-scanned", Labels: []policy.RequiredLabel{{Key: "never-scanned"}}}
	built, err := rule.CEL(kyverno)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, policies.RollBack(context.Background(), []policy.Enforceable{rule}, policy.RolloutOptions{Kyverno: kyverno}))
		require.NoError(t, policies.Remove(context.Background(), built))
	})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	outcomes, err := policies.Rollout(ctx, []policy.Enforceable{rule}, policy.RolloutOptions{Kyverno: kyverno})
	var unscanned *policy.NotScannedError
	require.ErrorAs(t, err, &unscanned)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, "never-scanned", unscanned.Policy)
	require.Contains(t, resourceNames(unscanned.Resources), "kube-system")
	require.Equal(t, policy.Audit, outcomes[0].Action)
}

func TestReportsThatAreNotServedAreAnError(t *testing.T) {
	_, err := policy.NewClient(kube(t), policy.ClientOptions{}).Reports(t.Context(), policy.ReportFilter{})
	require.ErrorIs(t, err, policy.ErrNoReports)
}

func resourceNames(resources []corev1.ObjectReference) []string {
	var all []string
	for _, resource := range resources {
		all = append(all, resource.Name)
	}
	return all
}

// othersLabels satisfy the rule of the other generation, which is rolled out at the same time.
func othersLabels(own string) map[string]string {
	labels := map[string]string{"rolled-out": "yes", "rolled-out-classic": "yes"}
	delete(labels, own)
	return labels
}

// labelAll labels all namespaces that there are, as a platform would before it requires the label.
func labelAll(t *testing.T, c client.Client, label string) {
	t.Helper()
	namespaces := &corev1.NamespaceList{}
	require.NoError(t, c.List(t.Context(), namespaces))
	for i := range namespaces.Items {
		patch := []byte(`{"metadata":{"labels":{"` + label + `":"yes"}}}`)
		require.NoError(t, c.Patch(t.Context(), &namespaces.Items[i], client.RawPatch(types.MergePatchType, patch)))
	}
}

// probes are the policies that prove the scan with another.
func probes(t *testing.T, c client.Client, kind, version, name string) []metav1.PartialObjectMetadata {
	t.Helper()
	list := &metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{Kind: kind + "List", APIVersion: version}}
	require.NoError(t, c.List(t.Context(), list, client.MatchingLabels{"policy.backbone.dev/scan-of": name}))
	return list.Items
}
