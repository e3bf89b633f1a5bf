package drift

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/argoapp"
	"github.com/controlbackbone/backbone/internal/listwatch"
)

var applicationKind = argoapp.Kind("Application")

// ClientOptions configure a [Client]. The zero value works with an Argo CD in its upstream namespace.
type ClientOptions struct {
	// Namespace of the Applications. Default: "argocd".
	Namespace string
}

// Client reports drift from Argo CD's Applications. It only reads, and is safe for concurrent use.
type Client struct {
	kube      client.WithWatch
	namespace string
}

// NewClient returns a client for the Applications of one namespace. The Kubernetes client needs no scheme registration
// of Argo CD's types.
func NewClient(c client.WithWatch, options ClientOptions) *Client {
	if options.Namespace == "" {
		options.Namespace = argoapp.DefaultNamespace
	}
	return &Client{kube: c, namespace: options.Namespace}
}

// Baseline is the state at one moment, from which Watch goes on.
type Baseline struct {
	version      string
	applications []argoapp.Application
}

// Baseline notes the present state. Whatever happens after is reported by Watch, even if that starts later.
func (c *Client) Baseline(ctx context.Context) (Baseline, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(applicationKind)
	if err := c.kube.List(ctx, list, client.InNamespace(c.namespace)); err != nil {
		return Baseline{}, fmt.Errorf("list Applications in %s: %w", c.namespace, err)
	}
	baseline := Baseline{version: list.GetResourceVersion()}
	for i := range list.Items {
		app, err := argoapp.Read(&list.Items[i])
		if err != nil {
			return Baseline{}, err
		}
		baseline.applications = append(baseline.applications, app)
	}
	return baseline, nil
}

// Report returns the departures that last now, in the order of the Applications' names.
func (c *Client) Report(ctx context.Context) ([]Finding, error) {
	baseline, err := c.Baseline(ctx)
	if err != nil {
		return nil, err
	}
	var report []Finding
	for _, app := range baseline.applications {
		report = append(report, newTracker().observe(app, time.Now())...)
	}
	return report, nil
}

// Watch yields a finding whenever a departure is detected, changes its state or ends. It begins with the departures
// that lasted at the baseline, and goes on until the loop is left or an error ends it; when the context ends, the error
// wraps the context's. A self-heal that was too quick to be seen at work is reported from the trace that it leaves.
func (c *Client) Watch(ctx context.Context, since Baseline) iter.Seq2[Finding, error] {
	return func(yield func(Finding, error) bool) {
		trackers := map[string]*tracker{}
		report := func(app argoapp.Application, at time.Time) bool {
			known := trackers[app.Metadata.Name]
			if known == nil {
				known = newTracker()
				trackers[app.Metadata.Name] = known
			}
			for _, finding := range known.observe(app, at) {
				if !yield(finding, nil) {
					return false
				}
			}
			return true
		}
		for _, app := range since.applications {
			if !report(app, time.Now()) {
				return
			}
		}
		note := func(obj *unstructured.Unstructured) (bool, error) {
			app, err := argoapp.Read(obj)
			if err != nil {
				return false, err
			}
			return !report(app, time.Now()), nil
		}
		err := listwatch.Follow(ctx, c.kube,
			listwatch.Selection{Kind: applicationKind, Namespace: c.namespace, ResourceVersion: since.version},
			listwatch.Follower{
				Listed: func(items []unstructured.Unstructured) (bool, error) {
					forget(trackers, items)
					for i := range items {
						if done, err := note(&items[i]); done || err != nil {
							return done, err
						}
					}
					return false, nil
				},
				Changed: func(kind watch.EventType, obj *unstructured.Unstructured) (bool, error) {
					if kind == watch.Deleted {
						delete(trackers, obj.GetName())
						return false, nil
					}
					return note(obj)
				},
			})
		if err != nil {
			yield(Finding{}, fmt.Errorf("watch Applications in %s: %w", c.namespace, err))
		}
	}
}

// forget drops the trackers of Applications that a new list does not hold.
func forget(trackers map[string]*tracker, items []unstructured.Unstructured) {
	for name := range trackers {
		held := slices.ContainsFunc(items, func(item unstructured.Unstructured) bool { return item.GetName() == name })
		if !held {
			delete(trackers, name)
		}
	}
}
