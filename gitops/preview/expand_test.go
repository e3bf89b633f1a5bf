package preview_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/gitops/preview"
)

// documents decodes YAML documents.
func documents(t testing.TB, text string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	for document := range strings.SplitSeq(text, "\n---\n") {
		obj := &unstructured.Unstructured{}
		require.NoError(t, yaml.Unmarshal([]byte(document), &obj.Object))
		objects = append(objects, obj)
	}
	return objects
}

// mapFS is a file system of files that hold their content.
func mapFS(contents map[string]string) fs.FS {
	fsys := fstest.MapFS{}
	for name, content := range contents {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return fsys
}

// qualifiedNames returns the Applications of a state as "namespace/name".
func qualifiedNames(state *preview.State) []string {
	names := []string{}
	for _, app := range state.Applications {
		names = append(names, app.Object.GetNamespace()+"/"+app.Object.GetName())
	}
	return names
}

const appsByFolder = `
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: tools}
spec:
  goTemplate: true
  goTemplateOptions: [missingkey=error]
  generators:
  - git:
      repoURL: https://git.example.com/Platform.git
      revision: main
      directories: [{path: K8s/tools/*}]
  template:
    metadata:
      name: 'tools-{{.path.basename}}'
      labels: {'team/{{.path.basename}}': '{{index .path.segments 1}}'}
    spec:
      project: default
      source: {repoURL: https://git.example.com/Platform.git, targetRevision: main, path: '{{.path.path}}'}
      destination: {server: https://kubernetes.default.svc, namespace: tools}
`

func TestExpandFolders(t *testing.T) {
	state, err := preview.Expand(t.Context(), documents(t, appsByFolder), preview.Inputs{Repositories: []preview.Repository{{
		URL: "https://git.example.com/platform", Content: mapFS(map[string]string{
			"K8s/tools/web/a.yaml": "", "K8s/tools/db/a.yaml": "", "K8s/.hidden/a.yaml": "",
		}),
	}}})
	require.NoError(t, err)
	require.Equal(t, []string{"argocd/tools-db", "argocd/tools-web"}, qualifiedNames(state))
	text, err := yaml.Marshal(state.Applications[0].Object.Object)
	require.NoError(t, err)
	require.Equal(t, `apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  finalizers:
  - resources-finalizer.argocd.argoproj.io
  labels:
    team/db: tools
  name: tools-db
  namespace: argocd
spec:
  destination:
    namespace: tools
    server: https://kubernetes.default.svc
  project: default
  source:
    path: K8s/tools/db
    repoURL: https://git.example.com/Platform.git
    targetRevision: main
`, string(text))
}
