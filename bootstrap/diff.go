package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ComponentDiff says what applying a component would change.
type ComponentDiff struct {
	Component string
	// Installed is the version that the inventory holds, empty for none.
	Installed string
	Wanted    string
	// Finished components with the same version and digest are left alone by
	// Run, whatever the Objects below say: those differences were made by others
	// since.
	Finished bool
	Objects  []ObjectDiff
	// Orphans are objects in the inventory that the plan does not contain.
	Orphans []ObjectRef
}

// ObjectDiff says what applying an object would change.
type ObjectDiff struct {
	ObjectRef
	Change Change
	// Fields that a Changed object would get, lose or have changed, as paths
	// such as `.spec.replicas` or `.metadata.labels["app.kubernetes.io/name"]`.
	// No values are shown, so that a Secret's never are.
	Fields []string
}

// Change is what applying would do to an object.
type Change string

const (
	// Created means that the object does not exist.
	Created Change = "Created"
	// Changed means that fields of the object would change.
	Changed Change = "Changed"
	// Unchanged means that nothing would be written.
	Unchanged Change = "Unchanged"
)

// Diff shows what applying each component of the plan would change, by reading
// every object and applying it as a server-side dry run, so that defaults and
// admission count. Nothing is written. An object whose kind or namespace the
// plan itself brings, and that cannot be tried yet, counts as Created. The
// errors are those of Run; all objects that would be refused are reported, and
// those that cannot be tried for 30 seconds, as behind a webhook without a pod.
func (c *Client) Diff(ctx context.Context, plan Plan) ([]ComponentDiff, error) {
	rendered, err := plan.Render(ctx)
	if err != nil {
		return nil, err
	}
	s, err := c.session(ctx, rendered)
	if err != nil {
		return nil, err
	}
	inventory, err := s.reach(ctx, plan, rendered)
	if err != nil {
		return nil, err
	}
	var diffs []ComponentDiff
	var failures []error
	for _, step := range plan.steps(rendered, inventory) {
		diff, err := s.diffComponent(ctx, step)
		if err != nil {
			failures = append(failures, err)
		}
		diffs = append(diffs, diff)
	}
	if err := errors.Join(failures...); err != nil {
		return nil, err
	}
	return diffs, nil
}

func (s *session) diffComponent(ctx context.Context, step *step) (ComponentDiff, error) {
	name, objects := step.component.Name, step.rendered.Objects
	diff := ComponentDiff{Component: name, Installed: step.before.Version, Wanted: step.component.Version,
		Finished: step.finished() && !step.changed(), Objects: make([]ObjectDiff, len(objects))}
	diff.Orphans = without(slices.Concat(step.before.Orphans, step.before.Objects), refsOf(objects), step.kept)
	failures := make([]*ObjectError, len(objects))
	var running sync.WaitGroup
	for i, object := range objects {
		if !s.acquire(ctx) {
			break
		}
		running.Add(1)
		go func() {
			defer running.Done()
			defer s.release()
			var err error
			if diff.Objects[i], err = s.diffObject(ctx, object); err != nil {
				failures[i] = &ObjectError{Object: refOf(object), Attempts: 1, Err: err}
			}
		}()
	}
	running.Wait()
	if ctx.Err() != nil {
		return diff, fmt.Errorf("component %s: %w", name, context.Cause(ctx))
	}
	failure := &ApplyError{Component: name}
	for _, each := range failures {
		if each != nil {
			failure.Objects = append(failure.Objects, *each)
		}
	}
	if len(failure.Objects) > 0 {
		return diff, failure
	}
	return diff, nil
}

// diffObject compares the live object with the answer to a dry run. What keeps
// the API server from answering has reachTime to pass: nothing that Diff does
// would make it, such as a webhook whose pod is not there.
func (s *session) diffObject(ctx context.Context, object *unstructured.Unstructured) (ObjectDiff, error) {
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	ref := refOf(object)
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(object.GroupVersionKind())
	err := retry(ctx, func(ctx context.Context) error {
		return s.api.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, live)
	})
	exists := err == nil
	if err != nil && !apierrors.IsNotFound(err) && !s.comes(ref, err) {
		return ObjectDiff{}, err
	}
	var tried *unstructured.Unstructured
	err = retry(ctx, func(ctx context.Context) (err error) {
		tried, err = s.patch(ctx, object, client.DryRunAll)
		return err
	})
	switch conflict, isConflict := asConflict(ref, err); {
	case isConflict:
		return ObjectDiff{}, conflict
	case err != nil && !s.comes(ref, err):
		return ObjectDiff{}, err
	case !exists:
		return ObjectDiff{ObjectRef: ref, Change: Created}, nil
	}
	fields := changedFields(settled(live), settled(tried))
	if len(fields) == 0 {
		return ObjectDiff{ObjectRef: ref, Change: Unchanged}, nil
	}
	return ObjectDiff{ObjectRef: ref, Change: Changed, Fields: fields}, nil
}

// comes reports whether an error only says that the plan was not run yet.
func (s *session) comes(ref ObjectRef, err error) bool {
	if namespace, missing := missingNamespace(err); missing {
		return s.scopes.namespaces[namespace]
	}
	return (meta.IsNoMatchError(err) || apierrors.IsNotFound(err)) && s.scopes.brought(ref.GroupKind())
}
