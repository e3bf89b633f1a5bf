package gitops

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/argoapp"
)

// NoOperationError says that there is nothing to terminate.
type NoOperationError struct {
	Namespace string
	Name      string
	// Requested is true when an operation is requested that Argo CD has not started yet. It cannot be withdrawn, because
	// Argo CD may start it at the same moment; Terminate works as soon as it runs.
	Requested bool
}

func (e *NoOperationError) Error() string {
	if e.Requested {
		return fmt.Sprintf("the operation on Application %s/%s has not started yet", e.Namespace, e.Name)
	}
	return fmt.Sprintf("no operation runs on Application %s/%s", e.Namespace, e.Name)
}

// Terminate ends the running operation of an Application: hooks that run are deleted, what was applied stays, and the
// operation has failed. It returns when the operation has ended; an operation that is terminating already is waited for,
// and when none runs the error is a *NoOperationError. When the context ends first the error wraps the context's, and the
// request stands. Argo CD 2.14 does not end an operation that a sync window holds back before the window opens.
func (c *Client) Terminate(ctx context.Context, name string) error {
	started, err := c.requestTermination(ctx, name)
	if err == nil {
		err = c.followNamed(ctx, []string{name}, func(events []Event) (bool, error) {
			for _, event := range events {
				status := event.Status
				if event.Type == Disappeared || !status.OperationPending || status.Operation == nil || !status.Operation.StartedAt.Equal(started) {
					return true, nil
				}
				// Argo CD writes the progress of an operation without a look at what is recorded, so a request at the same
				// moment is lost (argo-cd: controller/appcontroller.go, setOperationState).
				if status.Operation.Phase == PhaseRunning {
					_, err := c.requestTermination(ctx, name)
					var none *NoOperationError
					if errors.As(err, &none) || apierrors.IsNotFound(err) {
						return true, nil
					}
					return false, err
				}
			}
			return false, nil
		})
	}
	if err != nil {
		return fmt.Errorf("terminate the operation of Application %s/%s: %w", c.namespace, name, err)
	}
	return nil
}

// requestTermination records the request as argocd-server does, and returns when the operation was started.
// argo-cd: server/application/application.go, TerminateOperation.
func (c *Client) requestTermination(ctx context.Context, name string) (started time.Time, err error) {
	err = c.change(ctx, name, func(_ *unstructured.Unstructured, app argoapp.Application) (map[string]any, error) {
		state := app.Status.OperationState
		if app.Operation == nil || state == nil || state.Completed() {
			return nil, &NoOperationError{Namespace: c.namespace, Name: name, Requested: app.Operation != nil}
		}
		started = state.StartedAt.Time
		if state.Phase == string(PhaseTerminating) {
			return nil, nil
		}
		return map[string]any{"status": map[string]any{"operationState": map[string]any{"phase": PhaseTerminating}}}, nil
	})
	return started, err
}
