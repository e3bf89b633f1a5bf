package main_test

import (
	"testing"

	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/internal/flow/flowtest"
)

// Every stage proves its result from the state of the cluster.
func TestFlow(t *testing.T) {
	flowtest.Run(t, []embedded.Component{embedded.ArgoCD, embedded.ArgoEvents, embedded.ArgoWorkflows, embedded.NATS},
		"repository", "recipe", "opened", "refused", "broken", "fixed", "closed", "reopened")
}
