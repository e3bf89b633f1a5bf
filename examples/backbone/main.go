// Command backbone is the whole platform in one run: it brings up a Kubernetes
// without containers, installs the control backbone on it, and lets one commit,
// one policy, one secret, one drift and one event travel through it. Every stage
// proves its result from the state of the cluster.
//
//	go run ./examples/backbone
package main

import (
	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/internal/flow"
)

func main() {
	flow.Main(flow.Example{Name: "backbone", Components: embedded.Components(), Stages: stages})
}

// platform is what the stages act on.
type platform struct{ *flow.Flow }

func stages(f *flow.Flow) []flow.Stage {
	p := platform{f}
	return []flow.Stage{
		{Name: "repository", Run: p.repositoryStage, Needs: []embedded.Component{embedded.ArgoCD}},
		{Name: "gitops", Run: p.gitopsStage, Needs: []embedded.Component{embedded.ArgoCD}},
		{Name: "policy", Run: p.policyStage, Needs: []embedded.Component{embedded.Kyverno}},
		{Name: "secrets", Run: p.secretsStage, Needs: []embedded.Component{embedded.Vault, embedded.ExternalSecrets}},
		{Name: "drift", Run: p.driftStage, Needs: []embedded.Component{embedded.ArgoCD}},
		{Name: "eventing", Run: p.eventingStage, Needs: []embedded.Component{embedded.ArgoCD, embedded.NATS, embedded.ArgoEvents}},
	}
}
