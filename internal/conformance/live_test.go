package conformance_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/bootstrap"
	"github.com/controlbackbone/backbone/internal/embedded"
)

// The live tests share one cluster with real controllers, which the first test that needs it starts.
var live struct {
	once    sync.Once
	cluster *embedded.Cluster
	err     error
}

// liveKube returns a client of the shared cluster that runs Argo CD and Kyverno.
func liveKube(t *testing.T) client.WithWatch {
	t.Helper()
	live.once.Do(func() { live.cluster, live.err = startWith(embedded.ArgoCD, embedded.Kyverno) })
	require.NoError(t, live.err)
	return newClient(t, live.cluster)
}

// startWith starts a cluster and waits until the components are ready. It takes no test's context, because the cluster
// may serve other tests too, and no deadline, because the first run builds the components.
func startWith(components ...embedded.Component) (*embedded.Cluster, error) {
	return startCluster(embedded.Options{Components: components})
}

func startCluster(options embedded.Options) (*embedded.Cluster, error) {
	ctx := context.Background()
	cluster, err := embedded.Start(ctx, options)
	if err != nil {
		return nil, err
	}
	plan := bootstrap.Plan{Name: "live"}
	for _, name := range options.Components {
		objects, err := cluster.Manifests(ctx, name)
		if err != nil {
			return cluster, err
		}
		plan.Components = append(plan.Components, bootstrap.Component{
			Name: string(name), Version: name.Version(), Source: bootstrap.Objects(objects...),
		})
	}
	c, err := bootstrap.NewClient(cluster.Config(), bootstrap.Options{})
	if err != nil {
		return cluster, err
	}
	_, err = c.Run(ctx, plan)
	return cluster, err
}
