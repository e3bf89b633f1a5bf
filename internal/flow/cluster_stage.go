package flow

import (
	"context"
	"fmt"

	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/internal/target"
)

// clusterStage brings the target up.
func (f *Flow) clusterStage(ctx context.Context, progress Progress) (string, error) {
	var err error
	var ready string
	switch f.options.target {
	case targetKubeconfig:
		f.Target, err = target.Connect(ctx, f.options.kubeconfig, f.options.components)
	default:
		f.Target, err = target.Embedded(ctx, embedded.Options{
			Components: f.options.components,
			Images:     f.options.images,
			Keep:       f.options.keep,
			Progress: func(event embedded.Event) {
				if event.Kind == embedded.Ready {
					ready = fmt.Sprintf(", %s", event)
				}
				progress(Update{Message: event.String(), Done: event.Done, Total: event.Total, Minor: event.Kind == embedded.Building})
			},
		})
	}
	if err != nil {
		return "", err
	}
	if f.Client, err = client.NewWithWatch(f.Target.Config(), client.Options{}); err != nil {
		return "", fmt.Errorf("make a client: %w", err)
	}
	discovery, err := kubernetes.NewForConfig(f.Target.Config())
	if err != nil {
		return "", fmt.Errorf("make a client: %w", err)
	}
	version, err := discovery.Discovery().ServerVersion()
	if err != nil {
		return "", fmt.Errorf("ask the cluster for its version: %w", err)
	}
	return fmt.Sprintf("Kubernetes %s%s; kubectl --kubeconfig %s", version.GitVersion, ready, f.Target.Kubeconfig()), nil
}
