package main

import (
	"context"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/argoproj/argo-events/pkg/eventsources"
	"github.com/argoproj/argo-events/pkg/metrics"
	"github.com/argoproj/argo-events/pkg/shared/logging"
)

// runEventSource serves the EventSource found in the environment until ctx ends.
// A webhook listens on every interface of the host, as upstream fixes it.
func runEventSource(ctx context.Context, _ []string) error {
	eventSource := &v1alpha1.EventSource{}
	if err := decodeEnv(v1alpha1.EnvVarEventSourceObject, eventSource); err != nil {
		return err
	}
	bus, err := busFromEnv()
	if err != nil {
		return err
	}
	if eventSource.Spec.GetReplicas() <= 1 {
		// A single replica has no one to elect against, and upstream's election
		// keeps its state in one fixed file of the host (shared/leaderelection).
		v1alpha1.RecreateStrategyEventSources = nil
	}
	logger := logging.NewArgoEventsLogger().Named("eventsource").With(logging.LabelEventSourceName, eventSource.Name)
	adaptor := eventsources.NewEventSourceAdaptor(eventSource, bus.config, bus.subject, bus.podName, metrics.NewMetrics(eventSource.Namespace))
	return adaptor.Start(logging.WithLogger(ctx, logger))
}
