package main

import (
	"context"
	"fmt"

	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/internal/target"
)

// clusterStage brings the target up.
func (f *flow) clusterStage(ctx context.Context, progress progress) (string, error) {
	var err error
	var ready string
	switch f.options.target {
	case targetKubeconfig:
		f.target, err = target.Connect(ctx, f.options.kubeconfig, f.options.components)
	default:
		f.target, err = target.Embedded(ctx, embedded.Options{
			Components: f.options.components,
			Keep:       f.options.keep,
			Progress: func(event embedded.Event) {
				if event.Kind == embedded.Ready {
					ready = fmt.Sprintf(", %s", event)
				}
				progress(update{message: event.String(), done: event.Done, total: event.Total, minor: event.Kind == embedded.Building})
			},
		})
	}
	if err != nil {
		return "", err
	}
	if f.client, err = client.NewWithWatch(f.target.Config(), client.Options{}); err != nil {
		return "", fmt.Errorf("make a client: %w", err)
	}
	discovery, err := kubernetes.NewForConfig(f.target.Config())
	if err != nil {
		return "", fmt.Errorf("make a client: %w", err)
	}
	version, err := discovery.Discovery().ServerVersion()
	if err != nil {
		return "", fmt.Errorf("ask the cluster for its version: %w", err)
	}
	return fmt.Sprintf("Kubernetes %s%s; kubectl --kubeconfig %s", version.GitVersion, ready, f.target.Kubeconfig()), nil
}
