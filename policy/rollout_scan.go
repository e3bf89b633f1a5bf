package policy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/controlbackbone/backbone/internal/listwatch"
)

// NotScannedError says which resources Kyverno had not scanned with a policy when the context ended. It wraps the
// context's error.
//
// When Kyverno scans nothing at all although its reports controller runs, restart that: in 1.15.2 it writes no reports
// any more once the API server has ended its watch on them for good, as it may when that restarts (kyverno:
// pkg/breaker/resource_counter.go).
type NotScannedError struct {
	// Policy that the resources were to be scanned with.
	Policy string
	// Resources that are left, in order of kind, namespace and name.
	Resources []corev1.ObjectReference
	cause     error
}

func (e *NotScannedError) Error() string {
	first := e.Resources[0]
	return fmt.Sprintf("scan existing resources with policy %s: %d are left, such as %s %s: "+
		"does Kyverno's reports controller run, and does a restart of it help? %v", e.Policy, len(e.Resources), first.Kind, resourceName(first), e.cause)
}

func (e *NotScannedError) Unwrap() error { return e.cause }

// scan waits until all existing resources are scanned with the policies.
func (c *Client) scan(ctx context.Context, rollouts []*rollout, tell func(RolloutEvent)) error {
	var telling sync.Mutex
	errs := make([]error, len(rollouts))
	var group sync.WaitGroup
	for i, rollout := range rollouts {
		group.Go(func() {
			errs[i] = c.scanOne(ctx, rollout, func(event RolloutEvent) {
				telling.Lock()
				defer telling.Unlock()
				tell(event)
			})
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

func (c *Client) scanOne(ctx context.Context, rollout *rollout, tell func(RolloutEvent)) error {
	probe, kinds, err := c.ensureProbe(ctx, rollout.policies[Audit])
	if err != nil || len(kinds) == 0 {
		return err
	}
	scan := &scan{
		kinds:  len(kinds),
		listed: map[schema.GroupVersionKind]bool{}, waiting: map[types.UID]corev1.ObjectReference{}, scanned: map[types.UID]bool{},
		tell: func(scanned, resources int) {
			tell(RolloutEvent{Policy: rollout.Policy, Stage: RolloutScanning, Scanned: scanned, Resources: resources})
		},
	}
	follow, end := context.WithCancel(ctx)
	ended := make(chan error, 2)
	var group sync.WaitGroup
	group.Go(func() {
		ended <- c.WatchReports(follow, ReportFilter{Policies: []string{probe}}, func(change ReportChange) (bool, error) {
			return scan.reported(change), nil
		})
	})
	group.Go(func() {
		ended <- followAll(follow, kinds, func(ctx context.Context, kind schema.GroupVersionKind) error {
			err := listwatch.Follow(ctx, c.kube, listwatch.Selection{Kind: kind}, listwatch.Follower{
				Listed: func(items []unstructured.Unstructured) (bool, error) { return scan.list(kind, items), nil },
				Changed: func(change watch.EventType, obj *unstructured.Unstructured) (bool, error) {
					return change == watch.Deleted && scan.deleted(obj), nil
				},
			})
			if err != nil {
				return fmt.Errorf("watch %s: %w", kind.Kind, err)
			}
			return nil
		})
	})
	err = <-ended
	end()
	group.Wait()
	left := scan.left()
	switch {
	case err == nil:
		rollout.Resources = len(scan.scanned)
		return nil
	case ctx.Err() != nil && len(left) > 0:
		return &NotScannedError{Policy: rollout.Policy, Resources: left, cause: ctx.Err()}
	default:
		return fmt.Errorf("scan existing resources with policy %s: %w", rollout.Policy, err)
	}
}

// scan compares the resources that there are with those that the probe has results for.
type scan struct {
	kinds int
	tell  func(scanned, resources int)

	mu sync.Mutex
	// listed are the kinds whose resources are known.
	listed map[schema.GroupVersionKind]bool
	// waiting are the resources that were there at first, and still are, without a result.
	waiting map[types.UID]corev1.ObjectReference
	scanned map[types.UID]bool
}

func (s *scan) list(kind schema.GroupVersionKind, items []unstructured.Unstructured) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	present := map[types.UID]bool{}
	for i := range items {
		uid := items[i].GetUID()
		present[uid] = true
		if !s.listed[kind] && !s.scanned[uid] {
			s.waiting[uid] = corev1.ObjectReference{
				APIVersion: kind.GroupVersion().String(), Kind: kind.Kind,
				Namespace: items[i].GetNamespace(), Name: items[i].GetName(), UID: uid,
			}
		}
	}
	for uid, resource := range s.waiting {
		if resource.GroupVersionKind() == kind && !present[uid] {
			delete(s.waiting, uid)
		}
	}
	s.listed[kind] = true
	return s.done()
}

func (s *scan) deleted(obj *unstructured.Unstructured) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, obj.GetUID())
	return s.done()
}

func (s *scan) reported(change ReportChange) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if change.Gone {
		return false
	}
	s.scanned[change.Resource.UID] = true
	delete(s.waiting, change.Resource.UID)
	if len(s.listed) == s.kinds {
		s.tell(len(s.scanned), len(s.scanned)+len(s.waiting))
	}
	return s.done()
}

func (s *scan) done() bool { return len(s.listed) == s.kinds && len(s.waiting) == 0 }

func (s *scan) left() []corev1.ObjectReference {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.waiting), func(a, b corev1.ObjectReference) int {
		return strings.Compare(a.Kind+"/"+a.Namespace+"/"+a.Name, b.Kind+"/"+b.Namespace+"/"+b.Name)
	})
}
