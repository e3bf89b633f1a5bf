package policy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/listwatch"
)

// Denial is a request that Kyverno has blocked.
type Denial struct {
	// Policy that blocked the request.
	Policy corev1.ObjectReference
	// Rule of the policy. Empty for the kinds of policies.kyverno.io.
	Rule string
	// Resource that was not admitted.
	Resource corev1.ObjectReference
	// Message of the rule, which Kyverno cuts off after some 1,000 characters.
	Message string
	// Time of the denial.
	Time time.Time
}

// DenialFilter selects denials. The zero value selects all from now on.
type DenialFilter struct {
	// Policies by name. Default: all.
	Policies []string
	// Namespace of the resources. Default: all, and the resources without one.
	Namespace string
	// Past selects also what was denied before, as long as the API server keeps events: for an hour by default.
	Past bool
}

// What Kyverno writes into the event of a denial: kyverno: pkg/event (NewPolicyFailEvent) and pkg/webhooks/utils/event.go.
const (
	violationReason = "PolicyViolation"
	admissionSource = "kyverno-admission"
	blockedAction   = "Resource Blocked"
	blockedMark     = " (blocked)"
)

// WatchDenials calls each for the selected denials until that returns true or an error, or the context ends (an error
// that wraps the context's). An API server that restarts is waited for.
//
// Kyverno tells of denials by events on the policy. It writes none for resources without a name (generateName), and
// before 1.17 none for the kinds of policies.kyverno.io: on such a cluster only a ClusterPolicy's or Policy's denials
// are seen. The events may be late by some seconds, and Kyverno drops some under load.
func (c *Client) WatchDenials(ctx context.Context, filter DenialFilter, each func(Denial) (done bool, err error)) error {
	known := map[types.UID]bool{}
	listedBefore := false
	see := func(obj *unstructured.Unstructured, silent bool) (bool, error) {
		if known[obj.GetUID()] {
			return false, nil
		}
		known[obj.GetUID()] = true
		denial, ok, err := readDenial(obj)
		if err != nil || !ok || silent || !filter.selects(denial) {
			return false, err
		}
		return each(denial)
	}
	err := listwatch.Follow(ctx, c.kube,
		listwatch.Selection{
			Kind: corev1.SchemeGroupVersion.WithKind("Event"),
			Options: []client.ListOption{client.MatchingFields{
				"reason": violationReason, "reportingComponent": admissionSource,
			}},
		},
		listwatch.Follower{
			Listed: func(items []unstructured.Unstructured) (bool, error) {
				silent := !listedBefore && !filter.Past
				listedBefore = true
				forgotten := known
				known = make(map[types.UID]bool, len(items))
				for i := range items {
					known[items[i].GetUID()] = forgotten[items[i].GetUID()]
				}
				for i := range items {
					if done, err := see(&items[i], silent); done || err != nil {
						return done, err
					}
				}
				return false, nil
			},
			Changed: func(change watch.EventType, obj *unstructured.Unstructured) (bool, error) {
				if change == watch.Deleted {
					delete(known, obj.GetUID())
					return false, nil
				}
				return see(obj, false)
			},
		})
	if err != nil {
		return fmt.Errorf("watch denials: %w", err)
	}
	return nil
}

func (f DenialFilter) selects(denial Denial) bool {
	return (len(f.Policies) == 0 || slices.Contains(f.Policies, denial.Policy.Name)) &&
		(f.Namespace == "" || f.Namespace == denial.Resource.Namespace)
}

// readDenial reads an event, and whether it tells of a denial at all.
func readDenial(obj *unstructured.Unstructured) (Denial, bool, error) {
	var event corev1.Event
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &event); err != nil {
		return Denial{}, false, fmt.Errorf("read Event %s: %w", client.ObjectKeyFromObject(obj), err)
	}
	if event.Action != blockedAction {
		return Denial{}, false, nil
	}
	denial := Denial{Policy: event.InvolvedObject, Message: event.Message, Time: event.EventTime.Time}
	if event.Related != nil {
		denial.Resource = *event.Related
	}
	// The message is `Kind namespace/name: [rule] fail (blocked); message`.
	if head, message, ok := strings.Cut(event.Message, blockedMark); ok {
		denial.Message = strings.TrimPrefix(message, "; ")
		if _, rule, ok := strings.Cut(head, ": ["); ok {
			if end := strings.LastIndex(rule, "]"); end >= 0 {
				denial.Rule = rule[:end]
			}
		}
	}
	return denial, true, nil
}
