package preview_test

import (
	"context"
	"fmt"
	"testing/fstest"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/gitops/preview"
)

// The Applications that a folder convention comes to, for the folders of a repository.
func ExampleExpand() {
	const repoURL = "https://git.example.com/platform.git"
	objects, err := gitops.Folders{
		RepoURL: repoURL, Revision: "main", Root: "K8s", Groups: []gitops.Group{{Name: "tools"}},
	}.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	folders := fstest.MapFS{
		"K8s/tools/grafana/kustomization.yaml": {}, "K8s/tools/loki/kustomization.yaml": {}, "K8s/apps/shop/kustomization.yaml": {},
	}
	state, err := preview.Expand(context.Background(), objects, preview.Inputs{
		Repositories: []preview.Repository{{URL: repoURL, Content: folders}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, app := range state.Applications {
		path, _, _ := unstructured.NestedString(app.Object.Object, "spec", "source", "path")
		fmt.Println(app.Object.GetName(), "deploys", path)
	}
	// Output:
	// tools-grafana deploys K8s/tools/grafana
	// tools-loki deploys K8s/tools/loki
}
