package conformance_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/embedded"
)

// The tests of reports, rollouts and clean-up share a cluster with all of Kyverno's controllers. It is another one than
// that of the other live tests, which would only wait for what these programs take.
var reporting struct {
	once    sync.Once
	cluster *embedded.Cluster
	err     error
}

// reportingKube returns a client of the cluster that runs all of Kyverno.
func reportingKube(t *testing.T) client.WithWatch {
	t.Helper()
	reporting.once.Do(func() {
		reporting.cluster, reporting.err = startWith(embedded.Kyverno, embedded.KyvernoReports, embedded.KyvernoCleanup)
	})
	require.NoError(t, reporting.err)
	return newClient(t, reporting.cluster)
}
