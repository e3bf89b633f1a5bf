// Command pull-request previews pull requests: GitHub's signed webhook goes through an event source, JetStream and a
// sensor, which creates a Workflow that builds and tests the commit and tells a Responder. What succeeds is deployed as a
// preview, its status is reported to GitHub, and the preview goes when the pull request is closed. Every stage proves its
// result from the state of the cluster. GitHub itself is a small stand-in in this program.
//
//	go run ./examples/pull-request
package main

import (
	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/internal/flow"
)

var components = []embedded.Component{embedded.ArgoCD, embedded.ArgoEvents, embedded.ArgoWorkflows, embedded.NATS}

func main() {
	flow.Main(flow.Example{
		Name: "pull-request", Components: components, Serves: true, Stages: stages,
		// Its shell and git are those of this machine there.
		Images: map[string]embedded.Image{buildImage: {}},
	})
}

// shop is what the stages act on.
type shop struct {
	*flow.Flow
	argocd *gitops.Client
	github *forge
}

func stages(f *flow.Flow) []flow.Stage {
	s := &shop{Flow: f, github: &forge{}}
	return []flow.Stage{
		{Name: "repository", Run: s.repositoryStage, Needs: components},
		{Name: "recipe", Run: s.recipeStage, Needs: components},
		{Name: "opened", Run: s.openedStage, Needs: components},
		{Name: "refused", Run: s.refusedStage, Needs: components},
		{Name: "broken", Run: s.brokenStage, Needs: components},
		{Name: "fixed", Run: s.fixedStage, Needs: components},
		{Name: "closed", Run: s.closedStage, Needs: components},
		{Name: "reopened", Run: s.reopenedStage, Needs: components},
	}
}
