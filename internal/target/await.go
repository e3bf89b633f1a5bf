package target

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/listwatch"
)

// awaitDeployment returns when the Deployment is as its spec says, and fails as
// soon as it cannot become so any more.
func awaitDeployment(ctx context.Context, c client.WithWatch, key client.ObjectKey) error {
	message := "it does not exist"
	err := await(ctx, c, appsv1.SchemeGroupVersion.WithKind("Deployment"), key, func(deployment *unstructured.Unstructured) (bool, error) {
		if deployment == nil {
			return false, errors.New("it was deleted")
		}
		result, err := status.Compute(deployment)
		if err != nil {
			return false, err
		}
		message = result.Message
		if result.Status == status.FailedStatus {
			return false, errors.New(message)
		}
		return result.Status == status.CurrentStatus, nil
	})
	if ctx.Err() != nil {
		err = fmt.Errorf("%w: %s", err, message)
	}
	if err != nil {
		return fmt.Errorf("wait for Deployment %s: %w", key, err)
	}
	return nil
}

// await watches one object until it satisfies the condition, which is given nil
// when there is no such object.
func await(ctx context.Context, c client.WithWatch, kind schema.GroupVersionKind, key client.ObjectKey, condition func(*unstructured.Unstructured) (bool, error)) error {
	err := listwatch.Follow(ctx, c, listwatch.Selection{
		Kind: kind, Namespace: key.Namespace, Options: []client.ListOption{client.MatchingFields{metav1.ObjectNameField: key.Name}},
	}, listwatch.Follower{
		Listed: func(items []unstructured.Unstructured) (bool, error) {
			if len(items) == 0 {
				return condition(nil)
			}
			return condition(&items[0])
		},
		Changed: func(kind watch.EventType, object *unstructured.Unstructured) (bool, error) {
			if kind == watch.Deleted {
				return condition(nil)
			}
			return condition(object)
		},
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
