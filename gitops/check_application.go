package gitops

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/argoapp"
)

// application is an Application, or the template of one.
type application struct {
	metadata, spec node
	// namespace that the Application has or will have.
	namespace string
	// templated strings may hold template actions, and are then unknown.
	templated bool
}

// literal returns a string unless a template decides it.
func (a application) literal(n node) (string, bool) {
	text := n.text()
	return text, !a.templated || !isTemplate(text)
}

func (c *checker) checkApplication(obj *unstructured.Unstructured) {
	root := c.root(obj)
	app := application{metadata: root.child("metadata"), spec: root.child("spec"), namespace: obj.GetNamespace()}
	if !isGenerated(obj) {
		c.addName(app.namespace, obj.GetName(), root.child("metadata", "name"))
	}
	c.addWave(obj)
	c.checkSpec(app)
	checkRollback(obj, app)
}

// isGenerated reports whether an ApplicationSet owns the Application, as with one read from a cluster.
func isGenerated(obj *unstructured.Unstructured) bool {
	for _, owner := range obj.GetOwnerReferences() {
		if owner.Kind == "ApplicationSet" {
			return true
		}
	}
	return false
}

func (c *checker) checkSpec(app application) {
	checkFinalizers(app)
	checkSources(app)
	checkDestination(app)
	c.checkPermissions(app)
	checkSyncPolicy(app)
	for _, entry := range app.spec.child("ignoreDifferences").items() {
		checkIgnoredKind(app, entry)
		checkIgnoredFields(app, entry)
	}
}

var finalizers = []string{
	argoapp.ResourcesFinalizer, argoapp.ForegroundResourcesFinalizer, argoapp.BackgroundResourcesFinalizer,
	"pre-delete-finalizer.argocd.argoproj.io", "pre-delete-finalizer.argocd.argoproj.io/cleanup",
	"post-delete-finalizer.argocd.argoproj.io", "post-delete-finalizer.argocd.argoproj.io/cleanup",
}

func checkFinalizers(app application) {
	for _, item := range app.metadata.child("finalizers").items() {
		name, known := app.literal(item)
		if known && strings.Contains(name, argoapp.Group) && !slices.Contains(finalizers, name) {
			item.report(ruleFinalizer, "Argo CD knows no finalizer %q", name)
		}
	}
}

// sourcesOf returns the sources that count.
// argo-cd: pkg/apis/application/v1alpha1/types.go, ApplicationSpec.GetSources
func sourcesOf(app application) (sources []node, several bool) {
	if sources := app.spec.child("sources").items(); len(sources) > 0 {
		return sources, true
	}
	return []node{app.spec.child("source")}, false
}

func checkSources(app application) {
	single, list, hydrator := app.spec.child("source"), app.spec.child("sources"), app.spec.child("sourceHydrator")
	if hydrator.present() {
		for _, ignored := range []node{single, list} {
			if ignored.exists() {
				ignored.report(ruleIgnoredSource, "the sourceHydrator is used instead")
			}
		}
		checkHydrator(hydrator)
		return
	}
	sources, several := sourcesOf(app)
	if several && single.exists() {
		single.report(ruleIgnoredSource, "the sources are used instead")
	}
	refs := map[string]bool{}
	for _, source := range sources {
		checkSource(app, source, several)
		if ref := source.child("ref"); several && ref.exists() {
			checkRef(app, ref, refs)
		}
	}
}

var refName = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// checkRef is argo-cd's GetRefSources (util/argo/argo.go).
func checkRef(app application, ref node, seen map[string]bool) {
	name, known := app.literal(ref)
	switch {
	case !known:
	case !refName.MatchString(name):
		ref.report(ruleSource, "a ref is made of letters, digits, - and _")
	case seen[name]:
		ref.report(ruleSource, "a source before it has the same ref")
	}
	seen[name] = true
}

// checkSource is argo-cd's validateSourcePermissions (util/argo/argo.go).
func checkSource(app application, source node, several bool) {
	repo, chart, revision := source.child("repoURL"), source.child("chart"), source.child("targetRevision")
	if repo.text() == "" {
		repo.report(ruleSource, "the source has no repository")
	}
	located := source.child("path").exists() || chart.exists() || several && source.child("ref").exists()
	if !located {
		want := "path or chart"
		if several {
			want = "path, chart or ref"
		}
		source.report(ruleSource, "the source has no %s", want)
	}
	if chart.text() != "" && revision.text() == "" {
		revision.report(ruleSource, "a chart needs a revision")
	}
	checkPath(app, source.child("path"), !chart.exists())
}

// checkPath is argo-cd's Path (util/app/path/path.go).
func checkPath(app application, at node, used bool) {
	text, known := app.literal(at)
	switch {
	case text == "" || !used:
	case strings.HasPrefix(text, "/"):
		at.report(rulePath, "the path is absolute")
	case known && (path.Clean(text) == ".." || strings.HasPrefix(path.Clean(text), "../")):
		at.report(rulePath, "the path leaves the repository")
	}
}

func checkHydrator(hydrator node) {
	for _, required := range [][]string{{"drySource", "repoURL"}, {"syncSource", "targetBranch"}} {
		if at := hydrator.child(required...); at.text() == "" {
			at.report(ruleSource, "it is required")
		}
	}
	if to := hydrator.child("hydrateTo"); to.present() && to.child("targetBranch").text() == "" {
		to.child("targetBranch").report(ruleSource, "it is required")
	}
}

func checkDestination(app application) {
	destination := app.spec.child("destination")
	server, name := destination.child("server"), destination.child("name")
	switch {
	case server.text() == "" && name.text() == "":
		destination.report(ruleDestination, "it has neither server nor name")
	case server.text() != "" && name.text() != "":
		// In a template one of the two may come out empty.
		if app.templated && (isTemplate(server.text()) || isTemplate(name.text())) {
			return
		}
		name.report(ruleDestination, "it has a server too")
	}
}
