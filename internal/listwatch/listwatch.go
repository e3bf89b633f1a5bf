// Package listwatch follows objects of one kind: it lists them, watches from there, and lists again whenever the watch
// cannot be continued. Polling never happens; the context is the deadline.
package listwatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Pauses between attempts while the API server does not answer.
const (
	firstPause = 100 * time.Millisecond
	longPause  = 5 * time.Second
)

// Selection says which objects are followed.
type Selection struct {
	// Kind of the objects (not of their list).
	Kind schema.GroupVersionKind
	// Namespace of the objects. Default: all namespaces.
	Namespace string
	// Options narrow the selection, for example with client.MatchingFields or client.MatchingLabels.
	Options []client.ListOption
	// ResourceVersion of an earlier list to continue from. Default: a new list is made first.
	ResourceVersion string
}

// Follower receives what happens. Either function may be called many times, from one goroutine at a time; it returns
// true, or an error, to end the following.
type Follower struct {
	// Listed receives the complete present state: first, unless the selection continues from a resource version, and
	// again after each interruption, when some changes may have gone unseen.
	Listed func(items []unstructured.Unstructured) (done bool, err error)
	// Changed receives one object that was Added, Modified or Deleted.
	Changed func(kind watch.EventType, obj *unstructured.Unstructured) (done bool, err error)
}

// Follow runs until the follower is done (nil), a function of it fails (its error), the API server refuses (its
// error), or the context ends (an error that wraps the context's, and names what the API server last answered if it
// was out of reach). An API server that is restarting or overloaded is waited for.
func Follow(ctx context.Context, c client.WithWatch, selection Selection, follower Follower) error {
	version := selection.ResourceVersion
	pause := firstPause
	for {
		next, done, err := follow(ctx, c, selection, version, follower)
		var refused *unreachableError
		switch {
		case done:
			return nil
		case ctx.Err() != nil:
			if err != nil && !errors.Is(err, ctx.Err()) {
				return fmt.Errorf("%w (last answer: %w)", ctx.Err(), err)
			}
			return ctx.Err()
		case errors.As(err, &refused):
			if err := sleep(ctx, pause); err != nil {
				return fmt.Errorf("%w (last answer: %w)", err, refused)
			}
			pause = min(2*pause, longPause)
		case err != nil:
			return err
		default:
			pause = firstPause
		}
		version = next
	}
}

// follow makes one list (if version is empty) and one watch. It returns the version to continue from, empty when a new
// list is needed.
func follow(ctx context.Context, c client.WithWatch, selection Selection, version string, follower Follower) (string, bool, error) {
	if version == "" {
		list := selection.list()
		if err := c.List(ctx, list, selection.options("")...); err != nil {
			return "", false, classify(err)
		}
		if done, err := follower.Listed(list.Items); done || err != nil {
			return "", done, err
		}
		version = list.GetResourceVersion()
	}
	stream, err := c.Watch(ctx, selection.list(), selection.options(version)...)
	if err != nil {
		if expired(err) {
			return "", false, nil
		}
		return version, false, classify(err)
	}
	defer stream.Stop()
	for {
		select {
		case <-ctx.Done():
			return version, false, ctx.Err()
		case event, open := <-stream.ResultChan():
			if !open {
				return version, false, nil
			}
			if event.Type == watch.Error {
				err := apierrors.FromObject(event.Object)
				if expired(err) {
					return "", false, nil
				}
				return "", false, classify(err)
			}
			obj, ok := event.Object.(*unstructured.Unstructured)
			if !ok {
				continue
			}
			version = obj.GetResourceVersion()
			if event.Type == watch.Bookmark {
				continue
			}
			if done, err := follower.Changed(event.Type, obj); done || err != nil {
				return version, done, err
			}
		}
	}
}

func (s Selection) list() *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(s.Kind.GroupVersion().WithKind(s.Kind.Kind + "List"))
	return list
}

// options returns fresh options for every call, because the client writes its own fields into Raw.
func (s Selection) options(version string) []client.ListOption {
	options := []client.ListOption{&client.ListOptions{
		Raw: &metav1.ListOptions{ResourceVersion: version, AllowWatchBookmarks: version != ""},
	}}
	if s.Namespace != "" {
		options = append(options, client.InNamespace(s.Namespace))
	}
	return append(options, s.Options...)
}

// unreachableError marks answers that say nothing about the request: trying again is right.
type unreachableError struct{ err error }

func (e *unreachableError) Error() string { return e.err.Error() }
func (e *unreachableError) Unwrap() error { return e.err }

func classify(err error) error {
	temporary := apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) || apierrors.IsTooManyRequests(err) ||
		apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err) || utilnet.IsConnectionRefused(err) ||
		utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) || utilnet.IsHTTP2ConnectionLost(err) ||
		utilnet.IsTimeout(err) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrUnexpectedEOF)
	if temporary {
		return &unreachableError{err}
	}
	return err
}

func expired(err error) bool { return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) }

func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
