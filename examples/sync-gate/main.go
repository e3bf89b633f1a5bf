// Command sync-gate lets policy decide what Argo CD syncs: an Application goes out of sync, an event source, JetStream
// and a sensor tell a Responder, which renders the commit, asks Kyverno's engine about it, and syncs exactly that commit
// or holds it and tells people. Many events about one commit come to one decision. Every stage proves its result from
// the state of the cluster.
//
//	go run ./examples/sync-gate
package main

import (
	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/internal/flow"
	"github.com/controlbackbone/backbone/policy/admission"
)

var components = []embedded.Component{embedded.ArgoCD, embedded.Kyverno, embedded.ArgoEvents, embedded.NATS}

func main() {
	flow.Main(flow.Example{Name: "sync-gate", Components: components, Serves: true, Stages: stages})
}

// platform is what the stages act on.
type platform struct {
	*flow.Flow
	argocd *gitops.Client
	// policies are those that the cluster enforces.
	policies *admission.Engine
	tally    tally
}

func stages(f *flow.Flow) []flow.Stage {
	p := &platform{Flow: f}
	return []flow.Stage{
		{Name: "policy", Run: p.policyStage, Needs: components},
		{Name: "gate", Run: p.gateStage, Needs: components},
		{Name: "admitted", Run: p.admittedStage, Needs: components},
		{Name: "held", Run: p.heldStage, Needs: components},
		{Name: "admitted-again", Run: p.admittedAgainStage, Needs: components},
	}
}
