package preview_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestRenderEditsTheKustomizationAsTheSourceSays(t *testing.T) {
	in := inputs(repo(map[string]string{
		"own/kustomization.yaml": "resources: [web.yaml]\ncommonLabels: {team: own}\nlabels: [{pairs: {tier: own}}]\n" +
			"images: [{name: web, newName: mirror/web, newTag: v1}]\nreplicas: [{name: web, count: 2}]\n",
		"own/web.yaml":       "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: web}]}}}\n",
		"own/part/README.md": "", "Kustomization/Kustomization": "resources: [../own]\nnamePrefix: a-\n",
	}))
	image := []string{"spec", "template", "spec", "containers"}
	containers := func(image string) any { return []any{map[string]any{"name": "web", "image": image}} }
	for name, test := range map[string]struct {
		path     string
		settings map[string]any
		field    []string
		want     any
		wrong    string
	}{
		"a file of another name":      {path: "Kustomization", settings: map[string]any{}, field: []string{"metadata", "name"}, want: "a-web"},
		"a prefix and a suffix":       {settings: map[string]any{"namePrefix": "x-", "nameSuffix": "-y"}, field: []string{"metadata", "name"}, want: "x-web-y"},
		"a namespace":                 {settings: map[string]any{"namespace": "other"}, field: []string{"metadata", "namespace"}, want: "other"},
		"a tag":                       {settings: map[string]any{"images": []any{"web:v2"}}, field: image, want: containers("web:v2")},
		"a tag that keeps the name":   {settings: map[string]any{"images": []any{"web=*:v2"}}, field: image, want: containers("mirror/web:v2")},
		"a new name and a digest":     {settings: map[string]any{"images": []any{"web=a.example.com:5000/web@sha256:00"}}, field: image, want: containers("a.example.com:5000/web@sha256:00")},
		"replicas":                    {settings: map[string]any{"replicas": []any{map[string]any{"name": "web", "count": "3"}}}, field: []string{"spec", "replicas"}, want: int64(3)},
		"another label":               {settings: map[string]any{"commonLabels": map[string]any{"new": "${ARGOCD_APP_NAME}"}}, field: []string{"spec", "selector", "matchLabels", "new"}, want: "web"},
		"a label by force":            {settings: map[string]any{"commonLabels": map[string]any{"team": "new"}, "forceCommonLabels": true}, field: []string{"metadata", "labels", "team"}, want: "new"},
		"a label outside selectors":   {settings: map[string]any{"commonLabels": map[string]any{"new": "a"}, "labelWithoutSelector": true}, field: []string{"spec", "selector", "matchLabels"}, want: map[string]any{"app": "web", "team": "own"}},
		"an annotation as it is":      {settings: map[string]any{"commonAnnotations": map[string]any{"a": "${ARGOCD_APP_NAME}"}}, field: []string{"metadata", "annotations", "a"}, want: "${ARGOCD_APP_NAME}"},
		"a label that is there":       {settings: map[string]any{"commonLabels": map[string]any{"team": "new"}}, wrong: "forceCommonLabels"},
		"such one outside selectors":  {settings: map[string]any{"commonLabels": map[string]any{"tier": "new"}, "labelWithoutSelector": true}, wrong: "forceCommonLabels"},
		"an image that says nothing":  {settings: map[string]any{"images": []any{"web"}}, wrong: `"web"`},
		"replicas that are no number": {settings: map[string]any{"replicas": []any{map[string]any{"name": "web", "count": "many"}}}, wrong: "replicas of web"},
		"no such component":           {settings: map[string]any{"components": []any{"nothing"}}, wrong: "nothing"},
		"no kustomization":            {path: "own/part", settings: map[string]any{"namePrefix": "a"}, wrong: "kustomization.yaml"},
		"a patch of nothing":          {settings: map[string]any{"patches": []any{map[string]any{"path": "nothing.yaml"}}}, wrong: "nothing.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.path == "" {
				test.path = "own"
			}
			resources, err := render(t, fromSources(t, "web", map[string]any{"path": test.path, "kustomize": test.settings}), in)
			if test.wrong != "" {
				require.ErrorContains(t, err, test.wrong)
				return
			}
			require.NoError(t, err)
			require.Len(t, resources, 1)
			got, _, err := unstructured.NestedFieldNoCopy(resources[0].Object, test.field...)
			require.NoError(t, err)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("field (-want +got):\n%s", diff)
			}
		})
	}
}
