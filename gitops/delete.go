package gitops

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/argoapp"
	"github.com/controlbackbone/backbone/internal/object"
)

// CascadePolicy says what becomes of the deployed resources when their Application is deleted.
type CascadePolicy string

const (
	// CascadeForeground deletes them, and what they own before themselves. It is the default, as it is Argo CD's.
	CascadeForeground CascadePolicy = "Foreground"
	// CascadeBackground deletes them, and leaves what they own to the garbage collector.
	CascadeBackground CascadePolicy = "Background"
	// CascadeNone keeps them.
	CascadeNone CascadePolicy = "None"
)

// DeleteRequest says how to delete an Application. The zero value deletes it with everything that it has deployed.
type DeleteRequest struct {
	// Cascade says what becomes of the deployed resources, whatever the Application's own finalizers say. Default:
	// CascadeForeground.
	Cascade CascadePolicy
	// Generated permits to delete an Application that an ApplicationSet generates, and will generate again unless that
	// has been changed before. Default: false, which fails with a *GeneratedError.
	Generated bool
	// Wait until the Application, and with a cascade what it deployed, is gone. Default: false, Delete returns when the
	// deletion is requested.
	Wait bool
}

// Validate reports every fault of the request.
func (r DeleteRequest) Validate() field.ErrorList {
	known := []CascadePolicy{CascadeForeground, CascadeBackground, CascadeNone}
	if r.Cascade != "" && !slices.Contains(known, r.Cascade) {
		return field.ErrorList{field.NotSupported(field.NewPath("cascade"), r.Cascade, known)}
	}
	return nil
}

// GeneratedError says that an Application was not deleted because an ApplicationSet would generate it again.
type GeneratedError struct {
	Namespace      string
	Name           string
	ApplicationSet string
}

func (e *GeneratedError) Error() string {
	return fmt.Sprintf("ApplicationSet %s generates Application %s/%s and would do so again: change its generators, "+
		"or set Generated", e.ApplicationSet, e.Namespace, e.Name)
}

// Delete deletes an Application. An Application that is being deleted already is not an error, and a request without a
// cascade then still keeps what has not been deleted yet; but Kubernetes does not permit to add a cascade any more. For
// one that does not exist apierrors.IsNotFound holds. Finalizers other than those of the cascade stay, such as those of
// post-delete hooks. Argo CD ends a running operation before it deletes anything: Terminate one that hangs. When the
// context ends while it waits, the error is a *WaitError.
func (c *Client) Delete(ctx context.Context, name string, request DeleteRequest) error {
	err := object.Invalid(argoapp.Kind("Application").GroupKind(), name, request.Validate())
	if err == nil {
		err = c.delete(ctx, name, request)
	}
	if err != nil {
		return fmt.Errorf("delete Application %s/%s: %w", c.namespace, name, err)
	}
	return nil
}

func (c *Client) delete(ctx context.Context, name string, request DeleteRequest) error {
	for {
		uid, err := c.tryDelete(ctx, name, request)
		switch {
		case apierrors.IsConflict(err) && ctx.Err() == nil:
			// Somebody wrote in between, perhaps the finalizers or the owner: look again.
		case err != nil || !request.Wait:
			return err
		default:
			return c.waitGone(ctx, name, uid)
		}
	}
}

// tryDelete sets the finalizers and requests the deletion of exactly the state that it has left behind, so that nobody
// can have given the deletion another meaning in between.
func (c *Client) tryDelete(ctx context.Context, name string, request DeleteRequest) (types.UID, error) {
	var obj *unstructured.Unstructured
	deleting := false
	err := c.change(ctx, name, func(read *unstructured.Unstructured, app argoapp.Application) (map[string]any, error) {
		obj, deleting = read, app.Metadata.DeletionTimestamp != nil
		if !deleting && !request.Generated {
			if err := c.refuseGenerated(ctx, app); err != nil {
				return nil, err
			}
		}
		finalizers := request.Cascade.finalizers(app.Metadata.Finalizers, deleting)
		if slices.Equal(finalizers, app.Metadata.Finalizers) {
			return nil, nil
		}
		return map[string]any{"metadata": map[string]any{"finalizers": finalizers}}, nil
	})
	if err != nil {
		return "", err
	}
	uid, version := obj.GetUID(), obj.GetResourceVersion()
	if deleting {
		return uid, nil
	}
	err = c.kube.Delete(ctx, obj, client.Preconditions{UID: &uid, ResourceVersion: &version})
	return uid, client.IgnoreNotFound(err)
}

// finalizers returns those of an Application for the cascade. An object that is being deleted may lose finalizers, but
// not get any.
func (p CascadePolicy) finalizers(present []string, deleting bool) []string {
	kept := slices.DeleteFunc(slices.Clone(present), isCascade)
	if p == CascadeNone {
		return kept
	}
	if deleting {
		return present
	}
	wanted := []string{argoapp.ResourcesFinalizer, argoapp.ForegroundResourcesFinalizer}
	if p == CascadeBackground {
		wanted = []string{argoapp.BackgroundResourcesFinalizer}
	}
	cascading := slices.DeleteFunc(slices.Clone(present), func(finalizer string) bool { return !isCascade(finalizer) })
	if len(cascading) == 1 && slices.Contains(wanted, cascading[0]) {
		return present
	}
	return append(kept, wanted[0])
}

func isCascade(finalizer string) bool {
	return finalizer == argoapp.ResourcesFinalizer || finalizer == argoapp.ForegroundResourcesFinalizer ||
		finalizer == argoapp.BackgroundResourcesFinalizer
}

// refuseGenerated refuses to delete what an ApplicationSet generates, unless that is gone or going itself.
func (c *Client) refuseGenerated(ctx context.Context, app argoapp.Application) error {
	owner := app.Metadata.OwningApplicationSet()
	if owner == "" {
		return nil
	}
	set := &unstructured.Unstructured{}
	set.SetGroupVersionKind(argoapp.Kind("ApplicationSet"))
	err := c.kube.Get(ctx, client.ObjectKey{Namespace: app.Metadata.Namespace, Name: owner}, set)
	if apierrors.IsNotFound(err) || err == nil && set.GetDeletionTimestamp() != nil {
		return nil
	}
	if err != nil && !apierrors.IsForbidden(err) {
		return fmt.Errorf("get ApplicationSet %s/%s: %w", app.Metadata.Namespace, owner, err)
	}
	return &GeneratedError{Namespace: app.Metadata.Namespace, Name: app.Metadata.Name, ApplicationSet: owner}
}

// waitGone watches until the very Application is gone; another one of the same name does not count.
func (c *Client) waitGone(ctx context.Context, name string, uid types.UID) error {
	var last *ApplicationStatus
	err := c.followNamed(ctx, []string{name}, func(events []Event) (bool, error) {
		for _, event := range events {
			last = &event.Status
			if event.Type == Disappeared || event.Status.UID != uid {
				last = nil
			}
		}
		return last == nil, nil
	})
	if ctx.Err() != nil && last != nil {
		unmet := Unmet{Namespace: c.namespace, Name: name, Conditions: []string{"gone"}, Status: last}
		return &WaitError{Unmet: []Unmet{unmet}, cause: err}
	}
	return err
}
