package main

import (
	"os"
	"path/filepath"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// before are the files of the first commit: a plain folder, a Kustomize overlay and a Helm chart, by convention.
var before = map[string]string{
	"K8s/observability/grafana/deployment.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: {name: grafana}
spec:
  replicas: 1
  selector: {matchLabels: {app: grafana}}
  template:
    metadata: {labels: {app: grafana}}
    spec: {containers: [{name: grafana, image: "grafana/grafana:11.0.0"}]}
`,
	"K8s/observability/grafana/dashboards.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: dashboards}
data: {home.json: "{}"}
`,
	"K8s/observability/prometheus/Chart.yaml":  "apiVersion: v2\nname: prometheus\nversion: 0.1.0\n",
	"K8s/observability/prometheus/values.yaml": "retention: 15d\nstorage: true\n",
	"K8s/observability/prometheus/templates/config.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {retention: {{ .Values.retention }}}
{{- if .Values.storage }}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: {{ .Release.Name }}-data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 50Gi}}}
{{- end }}
`,
	"K8s/cicd/runner/kustomization.yaml": "resources: [deployment.yaml]\nimages: [{name: runner, newTag: v1}]\n",
	"K8s/cicd/runner/deployment.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: {name: runner}
spec:
  selector: {matchLabels: {app: runner}}
  template:
    metadata: {labels: {app: runner}}
    spec: {containers: [{name: runner, image: runner}]}
`,
}

// after are the files that the second commit changes; an empty one is removed. It renames a folder, rolls out a new
// image, and loses a volume.
var after = map[string]string{
	"K8s/observability/grafana/deployment.yaml":    "",
	"K8s/observability/grafana/dashboards.yaml":    "",
	"K8s/observability/dashboards/deployment.yaml": before["K8s/observability/grafana/deployment.yaml"],
	"K8s/observability/dashboards/dashboards.yaml": before["K8s/observability/grafana/dashboards.yaml"],
	"K8s/observability/prometheus/values.yaml":     "retention: 30d\nstorage: false\n",
	"K8s/cicd/runner/kustomization.yaml":           "resources: [deployment.yaml]\nimages: [{name: runner, newTag: v2}]\n",
}

// makeRepository makes a repository of two commits.
func makeRepository(dir string) error {
	repository, err := git.PlainInit(dir, false)
	if err != nil {
		return err
	}
	for _, files := range []map[string]string{before, after} {
		if err := commit(repository, dir, files); err != nil {
			return err
		}
	}
	return nil
}

func commit(repository *git.Repository, dir string, files map[string]string) error {
	for name, content := range files {
		if err := write(filepath.Join(dir, filepath.FromSlash(name)), content); err != nil {
			return err
		}
	}
	tree, err := repository.Worktree()
	if err != nil {
		return err
	}
	if err := tree.AddWithOptions(&git.AddOptions{All: true}); err != nil {
		return err
	}
	_, err = tree.Commit("change", &git.CommitOptions{Author: &object.Signature{Name: "Backbone", Email: "backbone@example.com", When: time.Unix(0, 0)}})
	return err
}

func write(file, content string) error {
	if content == "" {
		return os.Remove(file)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(content), 0o600)
}
