package main

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/internal/target"
)

// clusterStage brings the target up.
func (f *flow) clusterStage(ctx context.Context, progress progress) (string, error) {
	var err error
	var proof string
	switch f.options.target {
	case targetKubeconfig:
		f.target, err = target.Connect(ctx, f.options.kubeconfig, f.options.components)
	default:
		f.target, err = target.Embedded(ctx, embedded.Options{
			Components: f.options.components,
			Keep:       f.options.keep,
			Progress: func(event embedded.Event) {
				switch event.Kind {
				case embedded.Building:
					progress(strings.TrimSpace("building "+event.Name+" "+event.Message), event.Done, event.Total)
				case embedded.Built:
					progress.say("built %s in %s", event.Name, seconds(event.Duration))
				case embedded.Starting:
					progress.say("starting %s", event.Name)
				case embedded.Ready:
					proof = fmt.Sprintf(", ready %s after its programs were built", seconds(event.Duration))
				}
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
	return fmt.Sprintf("Kubernetes %s%s; kubectl --kubeconfig %s", version.GitVersion, proof, f.target.Kubeconfig()), nil
}
