package target

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// kubeconfig is what a client configuration was read from.
type kubeconfig struct {
	// path is a file that kubectl can be given.
	path string
	// temporary is the directory of a file that was made because the
	// configuration is spread over several; else empty.
	temporary string
	config    *rest.Config
}

// loadKubeconfig reads a file, or by an empty path those of $KUBECONFIG or
// ~/.kube/config. Its errors are [*ConnectError].
func loadKubeconfig(path string) (kubeconfig, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.WarnIfAllMissing = false
	rules.ExplicitPath = path
	sources := existing(rules)
	fail := func(err error, fix string) (kubeconfig, error) {
		return kubeconfig{}, &ConnectError{Kubeconfig: strings.Join(sources, string(filepath.ListSeparator)), Err: err, Fix: fix}
	}
	if len(sources) == 0 {
		sources = rules.Precedence
		return fail(errors.New("no such file"), "name the kubeconfig of a cluster, or set "+clientcmd.RecommendedConfigPathEnvVar)
	}
	raw, err := rules.Load()
	if errors.Is(err, os.ErrNotExist) {
		return fail(errors.New("no such file"), "name one that exists")
	}
	if err != nil {
		return fail(err, "make it a file that `kubectl config view` can read")
	}
	if raw.Contexts[raw.CurrentContext] == nil {
		fix, err := noContext(raw)
		return fail(err, fix)
	}
	config, err := clientcmd.NewDefaultClientConfig(*raw, nil).ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		err = errors.New("the current context names no server")
	}
	if err != nil {
		return fail(err, fmt.Sprintf("repair the context %q, or choose another with `kubectl config use-context`", raw.CurrentContext))
	}
	if len(sources) == 1 {
		return kubeconfig{path: sources[0], config: config}, nil
	}
	merged, err := merge(raw)
	if err != nil {
		return kubeconfig{}, fmt.Errorf("merge the kubeconfigs %s: %w", strings.Join(sources, ", "), err)
	}
	return kubeconfig{path: merged, temporary: filepath.Dir(merged), config: config}, nil
}

// existing are the files that the rules read: the explicit one, else those that exist.
func existing(rules *clientcmd.ClientConfigLoadingRules) []string {
	if rules.ExplicitPath != "" {
		return []string{rules.ExplicitPath}
	}
	var found []string
	for _, path := range rules.Precedence {
		if _, err := os.Stat(path); path != "" && !errors.Is(err, os.ErrNotExist) {
			found = append(found, path)
		}
	}
	return found
}

// noContext explains a kubeconfig whose current context is missing.
func noContext(raw *api.Config) (fix string, err error) {
	err = errors.New("no current context")
	if raw.CurrentContext != "" {
		err = fmt.Errorf("the current context %q does not exist", raw.CurrentContext)
	}
	if len(raw.Contexts) == 0 {
		return "name the kubeconfig of a cluster: this one has no contexts", err
	}
	return "choose one with `kubectl config use-context`: " + strings.Join(slices.Sorted(maps.Keys(raw.Contexts)), ", "), err
}

// merge writes the current context into one file that only its user can read.
func merge(raw *api.Config) (string, error) {
	if err := api.MinifyConfig(raw); err != nil {
		return "", err
	}
	if err := clientcmd.ResolveLocalPaths(raw); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "backbone-kubeconfig-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "kubeconfig")
	if err := clientcmd.WriteToFile(*raw, path); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return path, nil
}
