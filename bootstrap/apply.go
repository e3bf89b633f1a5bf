package bootstrap

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// unknownKindGrace is how long a kind may stay unknown that the plan itself
// does not bring, for operators that install definitions when they start.
const unknownKindGrace = 30 * time.Second

// applier applies objects of one component.
type applier struct {
	*session
	component Component
	// applied is called after each object.
	applied func()
}

// apply sends all objects, as many at a time as the session has slots, and
// returns the states that the API server's answers show. When an object fails
// for good, those that have not been sent or would be retried are given up, and
// all failures are reported.
func (a *applier) apply(ctx context.Context, objects []*unstructured.Unstructured) ([]objectState, error) {
	hopeful, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	objects = slices.Clone(objects)
	slices.SortStableFunc(objects, func(x, y *unstructured.Unstructured) int {
		return cmp.Compare(startRank(x), startRank(y))
	})
	states := make([]objectState, len(objects))
	failures := make([]*ObjectError, len(objects))
	var running sync.WaitGroup
	for i, object := range objects {
		// The first attempt's slot is taken here, so that objects start in order.
		if !a.acquire(hopeful) {
			break
		}
		running.Add(1)
		go func() {
			defer running.Done()
			states[i], failures[i] = a.applyObject(ctx, hopeful, object)
			if failures[i] != nil {
				giveUp(failures[i])
			}
		}()
	}
	running.Wait()
	return a.outcome(ctx, states, failures)
}

// outcome drops what was not sent, and turns failures into one error.
func (a *applier) outcome(ctx context.Context, states []objectState, failures []*ObjectError) ([]objectState, error) {
	failure := &ApplyError{Component: a.component.Name}
	for _, each := range failures {
		if each != nil {
			failure.Objects = append(failure.Objects, *each)
		}
	}
	states = slices.DeleteFunc(states, func(state objectState) bool { return state.Kind == "" })
	if len(failure.Objects) > 0 {
		return states, failure
	}
	if len(states) < len(failures) {
		return states, fmt.Errorf("component %s: %d of %d objects applied: %w",
			a.component.Name, len(states), len(failures), context.Cause(ctx))
	}
	return states, nil
}

// applyObject applies one object, again and again while its errors may pass.
// The caller holds a slot, which is given back before each pause: what the
// object waits for may need it.
func (a *applier) applyObject(ctx, hopeful context.Context, object *unstructured.Unstructured) (objectState, *ObjectError) {
	pauses := newBackoff()
	started := time.Now()
	for attempt := 1; ; attempt++ {
		answer, err := a.send(ctx, object)
		a.release()
		if err == nil {
			a.applied()
			return newObjectState(a.component.Ready, answer), nil
		}
		ref := refOf(object)
		if conflict, ok := asConflict(ref, err); ok {
			return objectState{}, &ObjectError{Object: ref, Attempts: attempt, Err: conflict}
		}
		if ctx.Err() != nil {
			return objectState{}, &ObjectError{Object: ref, Attempts: attempt, Err: context.Cause(ctx)}
		}
		failure := &ObjectError{Object: ref, Attempts: attempt, Err: err}
		if !a.mayPass(err, object, time.Since(started)) {
			return objectState{}, failure
		}
		a.emit(Retrying{Component: a.component.Name, Object: ref, Attempt: attempt, Err: err})
		if !pauses.pause(hopeful, err) || !a.acquire(hopeful) {
			if ctx.Err() != nil {
				failure.Err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
			}
			return objectState{}, failure
		}
	}
}

// send makes one attempt. An object whose kind was unknown when the component
// started gets its namespace now.
func (a *applier) send(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if err := a.place(a.component, object); err != nil {
		return nil, err
	}
	var answer *unstructured.Unstructured
	err := limited(ctx, func(ctx context.Context) (err error) {
		answer, err = a.patch(ctx, object)
		return err
	})
	return answer, err
}

// patch applies an object and returns the API server's answer. The patch is
// given as bytes because controller-runtime's own apply patch is deprecated in
// newer versions, and its successor does not exist in older ones.
func (s *session) patch(ctx context.Context, object *unstructured.Unstructured, options ...client.PatchOption) (*unstructured.Unstructured, error) {
	body, err := json.Marshal(object.Object)
	if err != nil {
		return nil, err
	}
	answer := &unstructured.Unstructured{}
	answer.SetGroupVersionKind(object.GroupVersionKind())
	answer.SetNamespace(object.GetNamespace())
	answer.SetName(object.GetName())
	options = append(options, client.FieldOwner(s.options.FieldManager))
	if s.options.Force {
		options = append(options, client.ForceOwnership)
	}
	return answer, s.api.Patch(ctx, answer, client.RawPatch(types.ApplyPatchType, body), options...)
}

// mayPass reports whether the error of an attempt is worth another one.
func (a *applier) mayPass(err error, object *unstructured.Unstructured, waited time.Duration) bool {
	switch {
	case meta.IsNoMatchError(err):
		return a.mayAppear(object.GroupVersionKind().GroupKind(), waited)
	case apierrors.IsNotFound(err):
		// Server-side apply creates what is missing, so either the namespace is
		// not there, or the kind is not served although discovery listed it.
		if namespace, missing := missingNamespace(err); missing {
			return a.scopes.namespaces[namespace]
		}
		return a.mayAppear(object.GroupVersionKind().GroupKind(), waited)
	}
	return transient(err)
}

func (a *applier) mayAppear(kind schema.GroupKind, waited time.Duration) bool {
	return a.scopes.brought(kind) || waited < unknownKindGrace
}

func missingNamespace(err error) (string, bool) {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) || status.Status().Details == nil {
		return "", false
	}
	details := status.Status().Details
	return details.Name, details.Kind == "namespaces"
}

// acquire takes a slot, unless ctx ends first.
func (s *session) acquire(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case s.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *session) release() { <-s.slots }

// startRank orders the objects of a stage by what usually needs what: a pod is
// refused while its ServiceAccount is missing, and a webhook that is registered
// early holds up all others until its pod runs. It only saves retries; no rank
// waits for another.
func startRank(object *unstructured.Unstructured) int {
	switch gvk := object.GroupVersionKind(); gvk.Group {
	case "", "rbac.authorization.k8s.io", "scheduling.k8s.io", "storage.k8s.io", "networking.k8s.io", "policy":
		if gvk.Kind == "Pod" {
			return 1
		}
		return 0
	case "apps", "batch":
		return 1
	case "admissionregistration.k8s.io":
		return 3
	default:
		return 2
	}
}
