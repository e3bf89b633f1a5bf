package preview_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/gitops/preview"
)

func TestCheckLooksAtWhatTheObjectsComeTo(t *testing.T) {
	declared := documents(t, `
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: tools, namespace: argocd}
spec:
  sourceRepos: ['https://git.example.com/platform.git']
  destinations: [{server: https://kubernetes.default.svc, namespace: 'tools-*'}]
---
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: tools}
spec:
  goTemplate: true
  goTemplateOptions: [missingkey=error]
  generators:
  - git: {repoURL: https://git.example.com/platform.git, revision: main, directories: [{path: K8s/*}]}
  template:
    metadata: {name: '{{.path.basename}}'}
    spec:
      project: tools
      source: {repoURL: https://git.example.com/platform.git, targetRevision: main, path: '{{.path.path}}'}
      destination: {server: https://kubernetes.default.svc, namespace: '{{if eq .path.basename "b"}}other{{else}}tools-a{{end}}'}
`)
	inputs := preview.Inputs{Repositories: []preview.Repository{{
		URL: "https://git.example.com/platform.git",
		Content: mapFS(map[string]string{
			"K8s/a/role.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a}\n",
			"K8s/b/map.yaml":  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n",
		}),
	}}}
	state, err := preview.Expand(t.Context(), declared, inputs)
	require.NoError(t, err)
	state, err = preview.Render(t.Context(), state, inputs, preview.RenderOptions{})
	require.NoError(t, err)
	found := map[string]string{}
	for _, finding := range preview.Check(declared, state) {
		found[finding.Code+" "+finding.Object] = finding.Path
	}
	require.Equal(t, map[string]string{
		"GITOPS005 Application argocd/b": "spec.destination.namespace",
		"GITOPS027 ApplicationSet tools": "spec.syncPolicy.preserveResourcesOnDeletion",
		"GITOPS044 ClusterRole a":        "kind",
		"GITOPS045 ConfigMap other/b":    "metadata.namespace",
	}, found)
}
