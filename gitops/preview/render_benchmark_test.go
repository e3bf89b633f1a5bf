package preview_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/gitops/preview"
)

// BenchmarkRender renders 1,000 Applications, each of its own folder.
func BenchmarkRender(b *testing.B) {
	const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: web}}\n" +
		"  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: web}]}\n"
	for tool, files := range map[string]map[string]string{
		"directory": {"a.yaml": deployment, "b.yaml": config("a")},
		"kustomize": {"kustomization.yaml": "resources: [a.yaml, b.yaml]\nnamePrefix: x-\nimages: [{name: web, newTag: v1}]\n", "a.yaml": deployment, "b.yaml": config("a")},
		"helm": {"Chart.yaml": "apiVersion: v2\nname: web\nversion: 0.1.0\n", "values.yaml": "a: b\n",
			"templates/a.yaml": deployment, "templates/b.yaml": config("{{ .Release.Name }}")},
	} {
		b.Run(tool, func(b *testing.B) {
			all := map[string]string{}
			given := state()
			for i := range 1000 {
				folder := fmt.Sprintf("K8s/team/app-%d", i)
				for name, content := range files {
					all[folder+"/"+name] = content
				}
				given.Applications = append(given.Applications, fromSources(b, fmt.Sprintf("app-%d", i), map[string]any{"path": folder}))
			}
			dir := b.TempDir()
			require.NoError(b, os.CopyFS(dir, repo(all)))
			content, err := preview.Checkout(dir)
			require.NoError(b, err)
			in := inputs(content)
			b.ResetTimer()
			for b.Loop() {
				rendered, err := preview.Render(b.Context(), given, in, preview.RenderOptions{})
				require.NoError(b, err)
				require.Len(b, rendered.Applications, 1000)
				require.Len(b, rendered.Applications[999].Resources, 2)
			}
		})
	}
}
