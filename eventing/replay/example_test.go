package replay_test

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/eventing/replay"
)

// A push to another branch does not match, and why; one to the main branch syncs the Application to its commit.
func Example() {
	sensor, err := eventing.Sensor{
		Name: "sync-shop", Namespace: "argo-events",
		Dependencies: []eventing.Dependency{{
			Name: "push", EventSource: "git", Event: "push",
			Filters: eventing.Filters{Data: []eventing.DataFilter{
				eventing.StringIn{Path: "body.ref", Values: []string{"refs/heads/main"}},
			}},
		}},
		Triggers: []eventing.SensorTrigger{{
			Name: "sync",
			Trigger: eventing.ArgoCDTrigger{
				Application: "shop",
				Parameters: []eventing.Parameter{{
					From: eventing.DataKey{Dependency: "push", Path: "body.after"}, To: "operation.sync.revision",
				}},
			},
		}},
	}.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	engine, err := replay.New([]*unstructured.Unstructured{sensor}, replay.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	session := engine.NewSession(replay.Bus{Namespace: "argo-events", Name: "default"})
	ctx := context.Background()
	for id, data := range []string{
		`{"body": {"ref": "refs/heads/feature", "after": "abc"}}`,
		`{"body": {"ref": "refs/heads/main", "after": "def"}}`,
	} {
		event, err := replay.NewEvent("webhook", "git", "push", fmt.Sprint(id), time.Unix(0, 0), []byte(data))
		if err != nil {
			fmt.Println(err)
			return
		}
		outcome, err := session.Send(ctx, event)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, decision := range outcome.Decisions {
			fmt.Println("event", id, "matches", decision.Dependency()+":", decision.Matched)
			for _, reason := range decision.Why() {
				if !reason.Matched {
					fmt.Println("  "+reason.Path, reason.Text)
				}
			}
		}
		for _, firing := range outcome.Firings {
			action, err := firing.Action(ctx)
			if err != nil {
				fmt.Println(err)
				return
			}
			revision, _, _ := unstructured.NestedString(action.Object.Object, "operation", "sync", "revision")
			fmt.Println("event", id, "fires", firing.Trigger()+":", action.Operation, action.Target, "to", revision)
		}
	}
	// Output:
	// event 0 matches push: false
	//   filters.data[0] wants the string body.ref = "^(?:refs/heads/main)$", which is "refs/heads/feature"
	// event 1 matches push: true
	// event 1 fires sync: patch Application argocd/shop to def
}
