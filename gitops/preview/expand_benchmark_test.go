package preview_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/gitops/preview"
)

// manyFolders makes a bare repository with so many folders under K8s/tools, and returns what opens it.
func manyFolders(t testing.TB, count int) func(testing.TB) fs.FS {
	t.Helper()
	dir := t.TempDir()
	preview.GitIn(t, dir, "init", "--quiet", "--bare")
	var stream strings.Builder
	stream.WriteString("commit refs/heads/main\ncommitter preview <preview@example.com> 0 +0000\ndata 0\n")
	// git takes a hundred times as long for ten times as many folders of one parent, so they are put together afterwards.
	for i := range count {
		content := fmt.Sprintf("a: %d\n", i)
		fmt.Fprintf(&stream, "M 100644 inline %d/app-%06d/values.yaml\ndata %d\n%s\n", i/500, i, len(content), content)
	}
	preview.PipeToGit(t, dir, stream.String(), "fast-import", "--quiet")
	var folders strings.Builder
	for line := range strings.Lines(preview.GitIn(t, dir, "ls-tree", "-r", "-d", "main") + "\n") {
		object, name, _ := strings.Cut(line, "\t")
		if _, name, within := strings.Cut(name, "/"); within {
			folders.WriteString(object + "\t" + name)
		}
	}
	tree := preview.PipeToGit(t, dir, folders.String(), "mktree")
	for _, name := range []string{"tools", "K8s"} {
		tree = preview.PipeToGit(t, dir, "040000 tree "+tree+"\t"+name+"\n", "mktree")
	}
	preview.GitIn(t, dir, "update-ref", "refs/heads/main", preview.GitIn(t, dir, "commit-tree", tree, "-m", "folders"))
	return func(t testing.TB) fs.FS {
		fsys, err := preview.Revision(t.Context(), dir, "main")
		require.NoError(t, err)
		return fsys
	}
}

// platformSet is what gitops.Folders makes of a group, as most platforms have it.
const platformSet = `
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: tools}
spec:
  goTemplate: true
  goTemplateOptions: [missingkey=error]
  generators:
  - git:
      repoURL: https://git.example.com/platform.git
      revision: main
      directories: [{path: K8s/tools/*}]
  template:
    metadata:
      name: 'tools-{{.path.basenameNormalized}}'
      labels: {group: tools, app: '{{.path.basename | lower}}'}
      annotations: {folder: '{{.path.path}}'}
    spec:
      project: default
      source: {repoURL: https://git.example.com/platform.git, targetRevision: main, path: '{{.path.path}}'}
      destination: {server: https://kubernetes.default.svc, namespace: '{{index .path.segments 2}}'}
      syncPolicy:
        automated: {prune: true, selfHeal: true}
        syncOptions: [CreateNamespace=true, ServerSideApply=true, ApplyOutOfSyncOnly=true]
        managedNamespaceMetadata: {labels: {owner: platform, app: '{{.path.basename}}'}}
`

func expandMany(t testing.TB, objects []*unstructured.Unstructured, content fs.FS, count int) {
	t.Helper()
	state, err := preview.Expand(t.Context(), objects, preview.Inputs{
		Repositories: []preview.Repository{{URL: "https://git.example.com/platform", Content: content}},
	})
	require.NoError(t, err)
	require.Len(t, state.Applications, count)
}

func BenchmarkExpand(b *testing.B) {
	for _, count := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			open := manyFolders(b, count)
			objects := documents(b, platformSet)
			b.ReportAllocs()
			for b.Loop() {
				expandMany(b, objects, open(b), count)
			}
		})
	}
}
