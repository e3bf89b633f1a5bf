package flow_test

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/internal/flow"
)

// example has a stage that needs nothing more, and one that does.
var example = flow.Example{
	Name:       "test",
	Components: []embedded.Component{embedded.ArgoCD, embedded.KyvernoReports},
	Serves:     true,
	Stages: func(*flow.Flow) []flow.Stage {
		return []flow.Stage{{Name: "plain"}, {Name: "reports", Needs: []embedded.Component{embedded.ArgoCD, embedded.KyvernoReports}}}
	},
}

func parse(t *testing.T, example flow.Example, arguments ...string) *flow.Flow {
	t.Helper()
	f, err := flow.Parse(example, arguments, io.Discard)
	require.NoError(t, err)
	return f
}

func TestStagesFollowTheComponents(t *testing.T) {
	for name, test := range map[string]struct {
		arguments []string
		want      []string
	}{
		"all components of the example are the default":     {want: []string{"cluster", "bootstrap", "plain", "reports"}},
		"a stage is left out when one that it needs is not": {arguments: []string{"--components", "argocd"}, want: []string{"cluster", "bootstrap", "plain"}},
		"spaces in the list do not matter":                  {arguments: []string{"--components", "argocd, kyverno-reports"}, want: []string{"cluster", "bootstrap", "plain", "reports"}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, flow.StageNames(parse(t, example, test.arguments...), example))
		})
	}
}

func TestAWrongCommandLineIsRefused(t *testing.T) {
	onCluster := func(arguments ...string) []string { return append([]string{"--target", "kubeconfig"}, arguments...) }
	for name, test := range map[string]struct {
		arguments []string
		want      string
	}{
		"a component that the example does not install": {[]string{"--components", "vault"}, `unknown component "vault": want some of argocd, kyverno-reports`},
		"an address for the embedded target":            {[]string{"--address", "10.0.0.1"}, "--address is for --target kubeconfig"},
		"an address with a port":                        {onCluster("--address", "10.0.0.1:80"), "without scheme and port"},
		"an address that is a URL":                      {onCluster("--address", "http://me"), "without scheme and port"},
		"every address at once":                         {onCluster("--address", "::"), `--address "::": pods cannot connect to it`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := flow.Parse(example, test.arguments, io.Discard)
			require.ErrorContains(t, err, test.want)
		})
	}

	t.Run("an address for an example that does not serve", func(t *testing.T) {
		_, err := flow.Parse(flow.Example{Name: "test"}, onCluster("--address", "10.0.0.1"), io.Discard)
		require.ErrorContains(t, err, "-address")
	})
}
