package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/drift"
	"github.com/controlbackbone/backbone/internal/flow"
)

// driftTimeout bounds the time until a hand edit is healed.
const driftTimeout = time.Minute

// driftStage edits by hand what git declares, and proves that the edit is
// reported and undone.
func (p platform) driftStage(ctx context.Context, progress flow.Progress) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, driftTimeout, fmt.Errorf("not within %s", driftTimeout))
	defer cancel()
	drifts := drift.NewClient(p.Client, drift.ClientOptions{})
	baseline, err := drifts.Baseline(ctx)
	if err != nil {
		return "", err
	}
	edited := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "observability", Name: "alert-rules"}}
	progress.Say("editing the ConfigMap observability/alert-rules by hand")
	edit := client.RawPatch(types.MergePatchType, []byte(`{"data":{"burn-rate":"1000"}}`))
	if err := p.Client.Patch(ctx, edited, edit, client.FieldOwner("somebody")); err != nil {
		return "", fmt.Errorf("edit by hand: %w", err)
	}
	healed, err := awaitHealing(ctx, drifts, baseline, edited, progress)
	if err != nil {
		return "", err
	}
	if err := p.Client.Get(ctx, client.ObjectKeyFromObject(edited), edited); err != nil {
		return "", fmt.Errorf("read what was healed: %w", err)
	}
	if rate := edited.Data["burn-rate"]; rate != "14.4" {
		return "", fmt.Errorf("the burn rate is %q after the healing, want what git says: 14.4", rate)
	}
	return fmt.Sprintf("hand edit of %s reported, and healed in %s", healed.Resource, flow.Seconds(healed.Took())), nil
}

// awaitHealing returns the finding that says the edited object was healed.
func awaitHealing(ctx context.Context, drifts *drift.Client, baseline drift.Baseline, edited *corev1.ConfigMap, progress flow.Progress) (drift.Finding, error) {
	for finding, err := range drifts.Watch(ctx, baseline) {
		if err != nil {
			return drift.Finding{}, err
		}
		progress.Say("%s", finding)
		if finding.State == drift.Healed && finding.Resource.Kind == "ConfigMap" && finding.Resource.Name == edited.Name {
			return finding, nil
		}
	}
	return drift.Finding{}, errors.Join(errors.New("the drift was not reported as healed"), context.Cause(ctx))
}
