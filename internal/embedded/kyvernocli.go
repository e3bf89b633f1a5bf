package embedded

import (
	"context"
	"path/filepath"
)

// kyvernoCLIModule builds Kyverno's command line, which needs no cluster.
var kyvernoCLIModule = module{
	name:     "kyvernocli",
	packages: []string{"tool"},
	versions: []string{"github.com/kyverno/kyverno/pkg/version.BuildVersion=" + versions[Kyverno]},
}

// BuildKyvernoCLI compiles the command line of the Kyverno that the target runs, unless the cache holds it already, and
// returns the path of the program. A module that does not compile is a [*BuildError].
func BuildKyvernoCLI(ctx context.Context, progress func(Event)) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	b, err := newBuilder(ctx, cache, progress)
	if err != nil {
		return "", err
	}
	dir, err := b.build(ctx, kyvernoCLIModule)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "kubectl-kyverno"), nil
}
