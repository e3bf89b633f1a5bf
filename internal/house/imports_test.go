package house_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/controlbackbone/backbone"

// light are the packages that consumers import into their own tools.
var light = []string{"bootstrap", "gitops", "policy", "eventing", "secrets", "drift"}

// importBudget is how many packages a light package may bring in, itself
// included. The floor is controller-runtime's client with 460.
const importBudget = 560

func TestLightPackagesStayWithinTheirImportBudget(t *testing.T) {
	for _, name := range light {
		t.Run(name, func(t *testing.T) {
			deps := goList(t, "-deps", module+"/"+name)
			t.Logf("%d of %d packages", len(deps), importBudget)
			if len(deps) > importBudget {
				t.Errorf("%s brings in %d packages, over the budget of %d: move what needs an engine one level down", name, len(deps), importBudget)
			}
		})
	}
}

func TestSiblingsNeverImportEachOther(t *testing.T) {
	for _, name := range light {
		t.Run(name, func(t *testing.T) {
			for _, pkg := range goList(t, module+"/"+name+"/...") {
				for _, dep := range goList(t, "-deps", pkg) {
					if sibling := topLevel(dep); sibling != "" && sibling != name && sibling != "internal" {
						t.Errorf("%s imports %s: compose them in examples, or move what both need to internal/", pkg, dep)
					}
				}
			}
		})
	}
}

func TestLightPackagesNeverImportAnEngine(t *testing.T) {
	engines := map[string]string{
		"github.com/argoproj/argo-cd/":                 "1,219 packages for the API types alone; model the fields and prove them in internal/conformance",
		"github.com/argoproj/gitops-engine/":           "the diff engine belongs in drift/detect",
		"sigs.k8s.io/kustomize/":                       "only gitops/preview builds kustomizations",
		"github.com/kyverno/kyverno/pkg/engine":        "the policy engine belongs in policy/admission",
		"github.com/kyverno/kyverno/api/kyverno/":      "1,702 packages; model the fields and prove them in internal/conformance",
		"github.com/external-secrets/external-secrets": "needs a controller-runtime below 0.23, which consumers may be past",
		"helm.sh/helm/":                                "only bootstrap/helm and gitops/preview render charts",
	}
	for _, name := range light {
		t.Run(name, func(t *testing.T) {
			for _, dep := range goList(t, "-deps", module+"/"+name) {
				for prefix, reason := range engines {
					if strings.HasPrefix(dep, prefix) {
						t.Errorf("%s imports %s: %s", name, dep, reason)
					}
				}
			}
		})
	}
}

func TestEveryPackageHasAPackageComment(t *testing.T) {
	for _, line := range goList(t, "-f", "{{.ImportPath}}\t{{.Doc}}\t{{len .GoFiles}}", module+"/...") {
		fields := strings.Split(line, "\t")
		if fields[2] != "0" && fields[1] == "" {
			t.Errorf("%s has no package comment", fields[0])
		}
	}
}

// topLevel is the first path element below the module, or "" outside of it.
func topLevel(pkg string) string {
	rest, ok := strings.CutPrefix(pkg, module+"/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func goList(t *testing.T, arguments ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, arguments...)...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(t, err, complaints.String())
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
