package policy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/apply"
	"github.com/controlbackbone/backbone/internal/listwatch"
)

// ClientOptions configure a [Client]. The zero value works.
type ClientOptions struct {
	// FieldManager that owns what Apply writes. Default: "backbone-policy".
	FieldManager string
}

// Client puts policies in force and tells what comes of them. It is safe for concurrent use.
type Client struct {
	kube         client.WithWatch
	fieldManager string
}

// NewClient returns a client. The Kubernetes client needs no scheme registration of Kyverno's types.
func NewClient(c client.WithWatch, options ClientOptions) *Client {
	return &Client{kube: c, fieldManager: orDefault(options.FieldManager, "backbone-policy")}
}

// rolesCount is how long a role may take until it counts. The roles of Kyverno's controllers are aggregated, which the
// controller of Kubernetes does in its own time.
const rolesCount = 5 * time.Second

// Apply writes the objects that Build returned, in order, by server-side apply. It takes over fields that others have
// set, and stops at the first error. Kyverno refuses a policy for which it lacks permissions; one that comes after a role
// in the same call is tried again for 5 seconds, until the role counts.
func (c *Client) Apply(ctx context.Context, objects ...*unstructured.Unstructured) error {
	var counts time.Time
	for _, obj := range objects {
		group := obj.GroupVersionKind().Group
		if group == rbacv1.GroupName {
			counts = time.Now().Add(rolesCount)
		}
		err := apply.Objects(ctx, c.kube, c.fieldManager, obj)
		for refused(err) && (group == celGroup || group == classicKind.Group) && time.Now().Before(counts) {
			select {
			case <-ctx.Done():
				return err
			case <-time.After(200 * time.Millisecond):
			}
			err = apply.Objects(ctx, c.kube, c.fieldManager, obj)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// refused reports whether a webhook may have said no.
func refused(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code == http.StatusBadRequest || code == http.StatusForbidden
}

// Remove deletes the objects in the opposite order of Apply, so that policies go before the permissions they need. What
// is gone already is passed over; it stops at the first error.
func (c *Client) Remove(ctx context.Context, objects ...*unstructured.Unstructured) error {
	for _, obj := range slices.Backward(objects) {
		if err := client.IgnoreNotFound(c.kube.Delete(ctx, obj.DeepCopy())); err != nil {
			return fmt.Errorf("delete %s %s: %w", obj.GetKind(), client.ObjectKeyFromObject(obj), err)
		}
	}
	return nil
}

// NotReadyError says which policies Kyverno did not serve when the context ended. It wraps the context's error.
type NotReadyError struct {
	// Policies that are not served, in the order they were given.
	Policies []NotReady
	cause    error
}

// NotReady is a policy that Kyverno does not serve.
type NotReady struct {
	Kind string
	Name string
	// Reason is what Kyverno says, or that it has said nothing yet.
	Reason string
}

func (e *NotReadyError) Error() string {
	texts := make([]string, len(e.Policies))
	for i, policy := range e.Policies {
		texts[i] = fmt.Sprintf("%s %s: %s", policy.Kind, policy.Name, policy.Reason)
	}
	return fmt.Sprintf("wait for policies: %s: %v", strings.Join(texts, "; "), e.cause)
}

func (e *NotReadyError) Unwrap() error { return e.cause }

// propagation is the time for the API server to act on a webhook configuration that was written. It cannot be asked
// whether it does; measured on Kyverno 1.15 it took up to 10 ms after Kyverno had reported the policy ready.
const propagation = 250 * time.Millisecond

// WaitReady watches the policies among the objects until Kyverno reports each of them ready (compiled, and its webhook
// registered, which for a MutatingPolicy is looked up in the cluster's MutatingWebhookConfigurations) and gives the API
// server a moment to act on the webhook, so that the next request meets the policy. With several API servers, those that
// are behind may need longer. Other objects, such as ClusterRoles and exceptions, are passed over.
//
// It does not see that Kyverno knows a kind: unless it runs with --crdWatcher, Kyverno 1.15 looks for new kinds once an
// hour, and a policy on one that came since refuses every object of it.
//
// When the context ends first, the error is a *NotReadyError.
func (c *Client) WaitReady(ctx context.Context, objects ...*unstructured.Unstructured) error {
	var policies []*unstructured.Unstructured
	for _, obj := range objects {
		if reportsReadiness(obj.GroupVersionKind()) {
			policies = append(policies, obj)
		}
	}
	reasons := make([]string, len(policies))
	errs := make([]error, len(policies))
	var group sync.WaitGroup
	for i, policy := range policies {
		group.Go(func() {
			if reasons[i], errs[i] = c.waitOne(ctx, policy); errs[i] == nil && mutates(policy) {
				reasons[i], errs[i] = c.waitServed(ctx, policy)
			}
		})
	}
	group.Wait()
	notReady := &NotReadyError{cause: ctx.Err()}
	for i, err := range errs {
		if err == nil {
			continue
		}
		kind, name := policies[i].GetKind(), policies[i].GetName()
		if ctx.Err() == nil {
			return fmt.Errorf("wait for %s %s: %w", kind, name, err)
		}
		notReady.Policies = append(notReady.Policies, NotReady{Kind: kind, Name: name, Reason: reasons[i]})
	}
	if len(notReady.Policies) > 0 {
		return notReady
	}
	if len(policies) == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait for policies: %w", ctx.Err())
	case <-time.After(propagation):
		return nil
	}
}

// reportsReadiness tells the policies that admission waits for from what Kyverno's other controllers act on, such as
// clean-up policies and exceptions, which have no such status.
func reportsReadiness(kind schema.GroupVersionKind) bool {
	if isClassic(kind) {
		return true
	}
	if kind.Group != celGroup {
		return false
	}
	switch strings.TrimPrefix(kind.Kind, "Namespaced") {
	case "ValidatingPolicy", "ImageValidatingPolicy", "MutatingPolicy", "GeneratingPolicy":
		return true
	default:
		return false
	}
}

// waitOne returns the last reason why the policy was not ready.
func (c *Client) waitOne(ctx context.Context, policy *unstructured.Unstructured) (string, error) {
	reason := "does not exist"
	look := func(obj *unstructured.Unstructured) (bool, error) {
		ready, text, err := readiness(obj)
		reason = text
		return ready, err
	}
	err := listwatch.Follow(ctx, c.kube,
		listwatch.Selection{
			Kind:      policy.GroupVersionKind(),
			Namespace: policy.GetNamespace(),
			Options:   []client.ListOption{client.MatchingFields{"metadata.name": policy.GetName()}},
		},
		listwatch.Follower{
			Listed: func(items []unstructured.Unstructured) (bool, error) {
				if len(items) == 0 {
					return false, nil
				}
				return look(&items[0])
			},
			Changed: func(kind watch.EventType, obj *unstructured.Unstructured) (bool, error) {
				if kind == watch.Deleted {
					reason = "was deleted"
					return false, nil
				}
				return look(obj)
			},
		})
	return reason, err
}

// readiness reads what Kyverno reports: a flag in status.conditionStatus for the kinds of policies.kyverno.io, a
// condition Ready in status.conditions for ClusterPolicy and Policy.
func readiness(obj *unstructured.Unstructured) (bool, string, error) {
	conditionsPath := []string{"status", "conditions"}
	isCEL := obj.GroupVersionKind().Group == celGroup
	if isCEL {
		conditionsPath = []string{"status", "conditionStatus", "conditions"}
	}
	conditions, _, err := unstructured.NestedSlice(obj.Object, conditionsPath...)
	if err != nil {
		return false, "", fmt.Errorf("read the status: %w", err)
	}
	ready, _, err := unstructured.NestedBool(obj.Object, "status", "conditionStatus", "ready")
	if err != nil {
		return false, "", fmt.Errorf("read the status: %w", err)
	}
	var reasons []string
	for _, item := range conditions {
		condition, ok := item.(map[string]any)
		if !ok {
			continue
		}
		if !isCEL && condition["type"] == "Ready" && condition["status"] == "True" {
			ready = true
		}
		if condition["status"] != "True" {
			reasons = append(reasons, fmt.Sprintf("%v: %v", condition["type"], condition["message"]))
		}
	}
	if len(reasons) == 0 {
		return ready, "Kyverno has not reported on it yet", nil
	}
	slices.Sort(reasons)
	return ready, strings.Join(reasons, "; "), nil
}
