// Command slo-rollback lets alerts roll a bad release back: Alertmanager's notification that an error budget burns goes
// through an event source, JetStream and a sensor to a Responder, which takes the Application to its last healthy
// release, keeps it there against its owner, and tells people. The end of the alerts restores it. Every stage proves its
// result from the state of the cluster.
//
//	go run ./examples/slo-rollback
package main

import (
	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/internal/flow"
)

var components = []embedded.Component{embedded.ArgoCD, embedded.ArgoEvents, embedded.NATS}

func main() {
	flow.Main(flow.Example{Name: "slo-rollback", Components: components, Serves: true, Stages: stages})
}

// shop is what the stages act on.
type shop struct {
	*flow.Flow
	argocd    *gitops.Client
	incidents eventing.KubernetesIncidents
	// pages is where people are told.
	pages *pager
	// alerts is the URL for Alertmanager, and token what it presents there.
	alerts, token string
	// fast and slow burn the error budget.
	fast, slow eventing.Alert
}

func stages(f *flow.Flow) []flow.Stage {
	s := &shop{Flow: f, pages: &pager{}}
	return []flow.Stage{
		{Name: "releases", Run: s.releasesStage, Needs: components},
		{Name: "recipe", Run: s.recipeStage, Needs: components},
		{Name: "burn", Run: s.burnStage, Needs: components},
		{Name: "repeat", Run: s.repeatStage, Needs: components},
		{Name: "restore", Run: s.restoreStage, Needs: components},
	}
}
