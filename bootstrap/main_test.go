package bootstrap_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/controlbackbone/backbone/internal/embedded"
)

// shared is the cluster of this package's integration tests, once it runs.
var shared *embedded.Cluster

// startShared starts it for the first test that needs it, so that the others,
// and the workers of a fuzz test, do without.
var startShared = sync.OnceValue(func() (err error) {
	shared, err = embedded.Start(context.Background(), embedded.Options{Images: map[string]embedded.Image{
		"test/sleep:1": {Entrypoint: []string{"sleep", "3600"}},
		"test/true:1":  {Entrypoint: []string{"true"}},
		"test/false:1": {Entrypoint: []string{"false"}},
	}})
	return err
})

// config reaches the shared cluster. Each test has a namespace of its own.
func config(t testing.TB) *rest.Config {
	t.Helper()
	require.NoError(t, startShared())
	return shared.Config()
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared != nil {
		if err := shared.Stop(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}
