package preview_test

import (
	"context"
	"fmt"
	"os"
	"testing/fstest"

	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/gitops/preview"
)

// A pull request takes one of two folders away, and changes the other.
func ExampleCompare() {
	file := func(data string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(data)} }
	base := fstest.MapFS{
		"K8s/tools/web/config.yaml": file("{apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {color: red}}"),
		"K8s/tools/db/volume.yaml":  file("{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: db}}"),
	}
	head := fstest.MapFS{
		"K8s/tools/web/config.yaml": file("{apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {color: blue}}"),
	}

	const url = "https://git.example.com/platform.git"
	objects, err := gitops.Folders{RepoURL: url, Groups: []gitops.Group{{Name: "tools"}}}.Build()
	if err != nil {
		panic(err)
	}
	states := make([]*preview.State, 2)
	for i, content := range []fstest.MapFS{base, head} {
		inputs := preview.Inputs{Repositories: []preview.Repository{{URL: url, Content: content}}}
		state, err := preview.Expand(context.Background(), objects, inputs)
		if err != nil {
			panic(err)
		}
		if states[i], err = preview.Render(context.Background(), state, inputs, preview.RenderOptions{}); err != nil {
			panic(err)
		}
	}

	changes := preview.Compare(states[0], states[1])
	applications, resources := changes.Deletions()
	fmt.Println("deletions:", applications, resources)
	if err := changes.Text(os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// deletions: 1 1
	// 0 Applications added, 1 changed, 1 deleted; deletes 1 Application and 1 resource.
	//
	// deleted argocd/tools-db (project tools, to https://kubernetes.default.svc/tools, from ApplicationSet tools)
	//   CRITICAL: deletes PersistentVolumeClaim db, and all that is in them
	//   DANGER: deletes 1 resource
	//   - PersistentVolumeClaim tools/db: DELETED
	//
	// changed argocd/tools-web (project tools, to https://kubernetes.default.svc/tools, from ApplicationSet tools)
	//   ! ConfigMap tools/web: updated
	//   -   data.color: "red"
	//   +   data.color: "blue"
}
