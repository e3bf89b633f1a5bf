package bootstrap

import (
	"context"
	"fmt"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// waiter waits until the applied objects of one component are ready.
type waiter struct {
	*session
	component Component
	states    map[ObjectRef]objectState
}

// scope is what one watch covers.
type scope struct {
	schema.GroupVersionKind
	namespace string
}

// wait returns when all objects are ready or one has failed for good. Objects
// that were ready in the answer to their PATCH are not looked at again; the
// others are watched, with one watch for each kind and namespace.
func (s *session) wait(ctx context.Context, component Component, states []objectState) error {
	w := &waiter{session: s, component: component, states: map[ObjectRef]objectState{}}
	scopes := map[scope][]ObjectRef{}
	for _, state := range states {
		if !state.ready() {
			w.states[state.ObjectRef] = state
			at := scope{state.GroupVersionKind(), state.Namespace}
			scopes[at] = append(scopes[at], state.ObjectRef)
		}
	}
	if len(scopes) == 0 {
		return nil
	}
	watching, stop := context.WithCancel(ctx)
	updates := make(chan ObjectStatus)
	broken := make(chan error, len(scopes))
	var watches sync.WaitGroup
	for at, refs := range scopes {
		watches.Add(1)
		go func() {
			defer watches.Done()
			broken <- w.follow(watching, at, refs, updates)
		}()
	}
	defer watches.Wait()
	defer stop()
	return w.collect(ctx, updates, broken)
}

// collect takes statuses until there is nothing to wait for any more.
func (w *waiter) collect(ctx context.Context, updates <-chan ObjectStatus, broken <-chan error) error {
	var shown []string
	for {
		unready, failed := w.unready()
		if len(unready) == 0 {
			return nil
		}
		if failed {
			return w.notReady(ctx, nil)
		}
		if now := texts(unready); !slices.Equal(now, shown) {
			shown = now
			w.emit(Waiting{Component: w.component.Name, Unready: unready})
		}
		select {
		case update := <-updates:
			if state, found := w.states[update.ObjectRef]; found {
				w.states[update.ObjectRef] = state.update(update)
			}
		case err := <-broken:
			if ctx.Err() == nil {
				return w.notReady(ctx, err)
			}
		case <-ctx.Done():
			return w.notReady(ctx, context.Cause(ctx))
		}
	}
}

// unready lists the objects that are not ready, and reports whether one of them
// has failed for good.
func (w *waiter) unready() ([]ObjectStatus, bool) {
	var list []ObjectStatus
	failed := false
	for _, state := range w.states {
		if !state.ready() {
			list = append(list, state.ObjectStatus)
			failed = failed || state.failed()
		}
	}
	slices.SortFunc(list, func(a, b ObjectStatus) int { return compareRefs(a.ObjectRef, b.ObjectRef) })
	return list, failed
}

func texts(statuses []ObjectStatus) []string {
	all := make([]string, len(statuses))
	for i, each := range statuses {
		all[i] = each.String()
	}
	return all
}

// follow reports the statuses of the objects in a scope until ctx ends or a
// watch cannot be had. A watch that ends, as watches do, is started again with a
// new list, which also shows what was deleted meanwhile.
func (w *waiter) follow(ctx context.Context, at scope, refs []ObjectRef, updates chan<- ObjectStatus) error {
	report := func(status ObjectStatus) {
		select {
		case updates <- status:
		case <-ctx.Done():
		}
	}
	pauses := newBackoff()
	for {
		err := retry(ctx, func(limited context.Context) error {
			return w.listAndWatch(ctx, limited, at, refs, report)
		})
		if err != nil {
			return fmt.Errorf("watch %s: %w", at.Kind, err)
		}
		if !pauses.pause(ctx, nil) {
			return nil
		}
	}
}

// listAndWatch returns without an error when the watch ends. The list is
// limited in time, the watch is not.
func (w *waiter) listAndWatch(ctx, limited context.Context, at scope, refs []ObjectRef, report func(ObjectStatus)) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(at.GroupVersionKind.GroupVersion().WithKind(at.Kind + "List"))
	options := []client.ListOption{client.InNamespace(at.namespace)}
	if len(refs) == 1 {
		options = append(options, client.MatchingFields{"metadata.name": refs[0].Name})
	}
	if err := w.api.List(limited, list, options...); err != nil {
		return err
	}
	missing := map[ObjectRef]bool{}
	for _, ref := range refs {
		missing[ref] = true
	}
	for i := range list.Items {
		delete(missing, refOf(&list.Items[i]))
		report(w.component.Ready.assess(&list.Items[i]))
	}
	for ref := range missing {
		report(notFound(ref))
	}
	options = append(options, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}})
	events, err := w.api.Watch(ctx, list, options...)
	if err != nil {
		return err
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		object, ok := event.Object.(*unstructured.Unstructured)
		switch {
		case !ok || event.Type == watch.Error:
			return nil
		case event.Type == watch.Deleted:
			report(w.deleted(object))
		case event.Type == watch.Added, event.Type == watch.Modified:
			report(w.component.Ready.assess(object))
		}
	}
	return nil
}

// deleted is the status of an object that is gone. A Job that had finished may
// have been removed by its own ttlSecondsAfterFinished.
func (w *waiter) deleted(object *unstructured.Unstructured) ObjectStatus {
	object.SetDeletionTimestamp(nil)
	if last := w.component.Ready.assess(object); last.GroupKind() == jobKind && last.ready() {
		return last
	}
	return notFound(refOf(object))
}
