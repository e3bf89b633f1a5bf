package gitops

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/argoapp"
	"github.com/controlbackbone/backbone/internal/listwatch"
)

// Selection narrows a list or a watch to the Applications that meet everything it says. The zero value selects every
// Application in the client's namespace.
type Selection struct {
	// Projects: the Application belongs to one of them. Default: any.
	Projects []string
	// Labels that the Application has. Default: any.
	Labels labels.Selector
	// ApplicationSet that generates the Application. Default: any or none.
	ApplicationSet string
}

// List returns the statuses of the selected Applications, sorted by name.
func (c *Client) List(ctx context.Context, selection Selection) ([]ApplicationStatus, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(argoapp.Kind("ApplicationList"))
	if err := c.kube.List(ctx, list, append(selection.options(), client.InNamespace(c.namespace))...); err != nil {
		return nil, fmt.Errorf("list Applications in %s: %w", c.namespace, err)
	}
	var out []ApplicationStatus
	for i := range list.Items {
		app, err := argoapp.Read(&list.Items[i])
		if err != nil {
			return nil, err
		}
		if status := statusOf(app); selection.selects(status) {
			out = append(out, status)
		}
	}
	slices.SortFunc(out, func(a, b ApplicationStatus) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Watch yields the selected Applications that are there, and then each change, until the loop is left or an error ends
// it; when the context ends, the error wraps the context's. It goes on when the API server restarts, and yields then
// what has changed meanwhile.
func (c *Client) Watch(ctx context.Context, selection Selection) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		err := c.follow(ctx, selection.options(), selection.selects, func(events []Event) (bool, error) {
			for _, event := range events {
				if !yield(event, nil) {
					return true, nil
				}
			}
			return false, nil
		})
		if err != nil {
			yield(Event{}, fmt.Errorf("watch Applications in %s: %w", c.namespace, err))
		}
	}
}

// follow hands over what happens to the selected Applications: first, and after each interruption, the changes that lead
// to the complete present state, which may be none.
func (c *Client) follow(
	ctx context.Context, options []client.ListOption, selects func(ApplicationStatus) bool,
	observed func([]Event) (done bool, err error),
) error {
	known := newObserver(selects)
	return listwatch.Follow(ctx, c.kube,
		listwatch.Selection{Kind: argoapp.Kind("Application"), Namespace: c.namespace, Options: options},
		listwatch.Follower{
			Listed: func(items []unstructured.Unstructured) (bool, error) {
				events, err := known.listed(items)
				if err != nil {
					return false, err
				}
				return observed(events)
			},
			Changed: func(kind watch.EventType, obj *unstructured.Unstructured) (bool, error) {
				events, err := known.changed(kind, obj)
				if err != nil {
					return false, err
				}
				return observed(events)
			},
		})
}

// followNamed is follow for some Applications by name, which the client's progress hears of too.
func (c *Client) followNamed(ctx context.Context, names []string, observed func([]Event) (done bool, err error)) error {
	var options []client.ListOption
	if len(names) == 1 {
		options = append(options, client.MatchingFields{"metadata.name": names[0]})
	}
	selects := func(status ApplicationStatus) bool { return slices.Contains(names, status.Name) }
	return c.follow(ctx, options, selects, func(events []Event) (bool, error) {
		for _, event := range events {
			c.progress(event)
		}
		return observed(events)
	})
}

// options returns what the API server can select; an Application's project and owner are not among it.
func (s Selection) options() []client.ListOption {
	if s.Labels == nil {
		return nil
	}
	return []client.ListOption{client.MatchingLabelsSelector{Selector: s.Labels}}
}

func (s Selection) selects(status ApplicationStatus) bool {
	if len(s.Projects) > 0 && !slices.Contains(s.Projects, status.Project) {
		return false
	}
	return s.ApplicationSet == "" || s.ApplicationSet == status.ApplicationSet
}
