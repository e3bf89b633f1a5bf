package gitops

import (
	"cmp"
	"maps"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/controlbackbone/backbone/internal/argoapp"
)

// EventType says what has happened to an Application.
type EventType string

const (
	// Appeared means that the Application was there at the beginning, was created, or came to be selected.
	Appeared EventType = "Appeared"
	// Changed means that its status differs from the one before.
	Changed EventType = "Changed"
	// Disappeared means that it was deleted, or is not selected any more.
	Disappeared EventType = "Disappeared"
)

// Event is a change of one Application, as it was observed. Changes in quick succession, and those during an
// interruption of the connection, may be observed as one.
type Event struct {
	Type EventType
	// Status of the Application; the last one known if it has disappeared.
	Status ApplicationStatus
	// Previous status. Nil if the Application has appeared.
	Previous *ApplicationStatus
}

// observer turns what the API server tells about Applications into events.
type observer struct {
	selects func(ApplicationStatus) bool
	seen    map[types.NamespacedName]ApplicationStatus
}

func newObserver(selects func(ApplicationStatus) bool) *observer {
	return &observer{selects: selects, seen: map[types.NamespacedName]ApplicationStatus{}}
}

// listed compares the complete present state with what was known.
func (o *observer) listed(items []unstructured.Unstructured) ([]Event, error) {
	var events []Event
	present := map[types.NamespacedName]bool{}
	for i := range items {
		present[keyOf(&items[i])] = true
		more, err := o.changed(watch.Modified, &items[i])
		if err != nil {
			return nil, err
		}
		events = append(events, more...)
	}
	for _, key := range slices.SortedFunc(maps.Keys(o.seen), compareKeys) {
		if !present[key] {
			events = append(events, o.disappeared(key)...)
		}
	}
	return events, nil
}

// changed compares one object with what was known. An Application that was deleted and created again unseen has
// disappeared and appeared.
func (o *observer) changed(kind watch.EventType, obj *unstructured.Unstructured) ([]Event, error) {
	key := keyOf(obj)
	if kind == watch.Deleted {
		return o.disappeared(key), nil
	}
	app, err := argoapp.Read(obj)
	if err != nil {
		return nil, err
	}
	status := statusOf(app)
	var events []Event
	before, known := o.seen[key]
	if known && (before.UID != status.UID || !o.selects(status)) {
		events, known = o.disappeared(key), false
	}
	if !o.selects(status) {
		return events, nil
	}
	o.seen[key] = status
	switch {
	case !known:
		return append(events, Event{Type: Appeared, Status: status}), nil
	case !reflect.DeepEqual(before, status):
		return append(events, Event{Type: Changed, Status: status, Previous: &before}), nil
	default:
		return events, nil
	}
}

func (o *observer) disappeared(key types.NamespacedName) []Event {
	last, known := o.seen[key]
	if !known {
		return nil
	}
	delete(o.seen, key)
	return []Event{{Type: Disappeared, Status: last, Previous: &last}}
}

func keyOf(obj *unstructured.Unstructured) types.NamespacedName {
	return types.NamespacedName{Namespace: obj.GetNamespace(), Name: obj.GetName()}
}

func compareKeys(a, b types.NamespacedName) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}
