package house_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// needsOldArgoCDLibraries are the replace lines that importers of argo-cd's generators need: argo-cd v2 calls functions
// that newer versions of these modules have removed.
var needsOldArgoCDLibraries = []string{
	"github.com/cyphar/filepath-securejoin => github.com/cyphar/filepath-securejoin v0.3.6",
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc => go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc v0.60.0",
}

// needsKyvernosFork are the replace lines that importers of Kyverno's engine need: its Pod Security rules compile against a
// fork only, and the libraries of Kubernetes 0.33 call functions that newer versions of otelgrpc have removed.
var needsKyvernosFork = []string{
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc => go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc v0.60.0",
	"k8s.io/pod-security-admission => github.com/kyverno/pod-security-admission v0.0.0-20250314164903-c9a58987cebb",
}

// TestConsumersBuild compiles modules that import this one as a stranger would, with no replace lines but the one that
// points to this checkout and those that README.md names.
func TestConsumersBuild(t *testing.T) {
	checkout, err := filepath.Abs("../..")
	require.NoError(t, err)

	for name, consumer := range map[string]struct {
		imports  []string
		requires []string
		replaces []string
	}{
		"the light packages with our own Kubernetes line": {
			imports:  light,
			requires: []string{"k8s.io/client-go v0.33.13", "sigs.k8s.io/controller-runtime v0.21.0"},
		},
		"the light packages with the newest Kubernetes line": {
			imports: light,
			requires: []string{
				"k8s.io/api v0.37.2", "k8s.io/apiextensions-apiserver v0.37.2", "k8s.io/apimachinery v0.37.2",
				"k8s.io/client-go v0.37.2", "sigs.k8s.io/controller-runtime v0.25.2",
			},
		},
		"the chart source": {
			imports: []string{"bootstrap/helm"},
		},
		"the preview": {
			imports:  []string{"gitops/preview"},
			replaces: needsOldArgoCDLibraries,
		},
		"the replay": {
			imports: []string{"eventing/replay"},
		},
		"the offline admission": {
			imports:  []string{"policy/admission", "policy/admission/defaulting"},
			replaces: needsKyvernosFork,
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "go.mod"), goMod(checkout, consumer.requires, consumer.replaces))
			write(t, filepath.Join(dir, "consumer.go"), program(consumer.imports))
			// Not every mirror of the checksum database knows every version that engines need; our hashes do.
			sums, err := os.ReadFile(filepath.Join(checkout, "go.sum"))
			require.NoError(t, err)
			write(t, filepath.Join(dir, "go.sum"), string(sums))
			run(t, dir, "go", "mod", "tidy")
			run(t, dir, "go", "build", "./...")

			for _, require := range consumer.requires {
				path, version, _ := strings.Cut(require, " ")
				got := strings.TrimSpace(run(t, dir, "go", "list", "-m", "-f", "{{.Version}}", path))
				if got != version {
					t.Errorf("built with %s %s, want %s: the test proves nothing about the range", path, got, version)
				}
			}
		})
	}
}

// TestReadmeNamesTheReplaceLines keeps README.md's table true.
func TestReadmeNamesTheReplaceLines(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	for _, line := range slices.Concat(needsOldArgoCDLibraries, needsKyvernosFork) {
		require.Contains(t, string(readme), "\n\t"+line+"\n")
	}
}

func goMod(checkout string, requires, replaces []string) string {
	text := "module example.com/consumer\n\ngo 1.26.0\n\nreplace " + module + " => " + checkout + "\n"
	for _, line := range replaces {
		text += "replace " + line + "\n"
	}
	text += "require " + module + " v0.0.0\n"
	for _, line := range requires {
		text += "require " + line + "\n"
	}
	return text
}

func program(imports []string) string {
	text := "package consumer\n\nimport (\n"
	for _, path := range imports {
		text += fmt.Sprintf("\t_ %q\n", module+"/"+path)
	}
	// Held so that tidy keeps the versions under test.
	return text + "\t_ \"k8s.io/client-go/kubernetes\"\n\t_ \"sigs.k8s.io/controller-runtime/pkg/client\"\n)\n"
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func run(t *testing.T, dir, name string, arguments ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, arguments...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod -buildvcs=false")
	out, err := cmd.CombinedOutput()
	require.NoErrorf(t, err, "%s %s\n%s", name, strings.Join(arguments, " "), out)
	return string(out)
}
