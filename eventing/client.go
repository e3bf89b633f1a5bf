package eventing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/apply"
	"github.com/controlbackbone/backbone/internal/listwatch"
)

// Client writes and observes Argo Events objects in a cluster. It is safe for
// concurrent use.
type Client struct {
	api     client.WithWatch
	manager string
	logs    LogReader
}

// ClientOptions tune a [Client].
type ClientOptions struct {
	// FieldManager that owns what Apply writes. Default: "backbone-eventing".
	FieldManager string
	// Logs reads the logs of pods, for [Client.Trace] and [Client.Failures]. Default: these two fail.
	Logs LogReader
}

// NewClient returns a client over a connection to the API server. The scheme of
// the connection does not need to know Argo Events.
func NewClient(api client.WithWatch, options ClientOptions) *Client {
	return &Client{api: api, manager: cmp.Or(options.FieldManager, "backbone-eventing"), logs: options.Logs}
}

// Apply writes the objects, in order, by server-side apply. It takes over fields
// that others have set, and stops at the first error, which names the object.
func (c *Client) Apply(ctx context.Context, objects ...*unstructured.Unstructured) error {
	return apply.Objects(ctx, c.api, c.manager, objects...)
}

// WaitReady waits until the object is deployed as it is specified now.
//
// All conditions of the object must be true. Upstream's conditions say that
// objects were created, not that pods run, and not of which generation they
// speak; so for an EventSource and a Sensor WaitReady also waits until the
// Deployment carries the current spec and its pods are available. Such a pod may
// still need a moment to elect itself and to subscribe to the bus. For an
// EventBus of a server that somebody else runs, the configuration handed to the
// pods must be the current one; that the server answers is not checked.
//
// It watches, so the deadline is that of the context. When the context ends
// first the error is a [NotReadyError], also for an object that does not exist.
// An answer of the API server that waiting cannot change, such as a missing
// right, is returned as it is.
func (c *Client) WaitReady(ctx context.Context, kind Kind, key client.ObjectKey) error {
	follow, cancel := context.WithCancel(ctx)
	defer cancel()
	state := &readiness{kind: kind, ready: cancel}
	ended := make(chan error)
	watched := state.selections(key)
	for _, selection := range watched {
		go func() {
			err := listwatch.Follow(follow, c.api, selection, state.follower(selection))
			// One that ends ends the other.
			cancel()
			ended <- err
		}()
	}
	var failure error
	for range watched {
		// The first error that is no echo of our own cancel is the cause.
		if err := <-ended; failure == nil && !errors.Is(err, context.Canceled) {
			failure = err
		}
	}
	if state.isReady() {
		return nil
	}
	if cause := ctx.Err(); cause != nil {
		return &NotReadyError{Kind: kind, Key: key, Failing: state.failing(), err: cause}
	}
	return fmt.Errorf("wait for %s %s: %w", kind, key, failure)
}

// Condition is one thing that has to hold before an object is ready.
type Condition struct {
	// Type of the condition as upstream names it, or one of [ConditionExists],
	// [ConditionCurrent] and [ConditionRolledOut], which the client adds.
	Type string
	// Status is "True", "False" or "Unknown".
	Status string
	// Reason is a word for programs, Message a sentence for people. Either may be
	// empty.
	Reason  string
	Message string
}

const (
	// ConditionExists fails while the object does not exist or has no status.
	ConditionExists = "Exists"
	// ConditionCurrent fails while the status speaks of an earlier spec.
	ConditionCurrent = "Current"
	// ConditionRolledOut fails while the pods of the current spec do not run.
	ConditionRolledOut = "RolledOut"
)

// NotReadyError says what kept an object from becoming ready until the context
// ended.
type NotReadyError struct {
	Kind Kind
	Key  client.ObjectKey
	// Failing are the conditions that did not hold, at least one.
	Failing []Condition
	err     error
}

// Error names every failing condition.
func (e *NotReadyError) Error() string {
	failing := make([]string, 0, len(e.Failing))
	for _, condition := range e.Failing {
		failing = append(failing, condition.String())
	}
	return fmt.Sprintf("%s %s is not ready: %s: %v", e.Kind, e.Key, strings.Join(failing, "; "), e.err)
}

// Unwrap returns why the waiting ended: the error of the context.
func (e *NotReadyError) Unwrap() error { return e.err }

// String renders the condition like "Deployed is False (EventBusNotReady): EventBus not ready."
func (c Condition) String() string {
	text := c.Type + " is " + c.Status
	if c.Reason != "" {
		text += " (" + c.Reason + ")"
	}
	if c.Message != "" {
		text += ": " + c.Message
	}
	return text
}

// conditionsOf reads status.conditions; what is no condition is left out.
func conditionsOf(obj *unstructured.Unstructured) []Condition {
	entries, _, _ := unstructured.NestedSlice(obj.Object, "status", "conditions")
	conditions := make([]Condition, 0, len(entries))
	for _, entry := range entries {
		fields, ok := entry.(map[string]any)
		if !ok {
			continue
		}
		var condition Condition
		condition.Type, _ = fields["type"].(string)
		condition.Status, _ = fields["status"].(string)
		condition.Reason, _ = fields["reason"].(string)
		condition.Message, _ = fields["message"].(string)
		conditions = append(conditions, condition)
	}
	return conditions
}
