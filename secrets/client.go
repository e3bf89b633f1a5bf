package secrets

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/apply"
	"github.com/controlbackbone/backbone/internal/listwatch"
)

// Client writes, refreshes and observes External Secrets objects in a cluster.
// It is safe for concurrent use.
type Client struct {
	api     client.WithWatch
	manager string
}

// ClientOptions tune a [Client].
type ClientOptions struct {
	// FieldManager that owns what the client writes. Default: "backbone-secrets".
	FieldManager string
}

// NewClient returns a client over a connection to the API server. The scheme of
// the connection does not need to know External Secrets.
func NewClient(api client.WithWatch, options ClientOptions) *Client {
	return &Client{api: api, manager: cmp.Or(options.FieldManager, "backbone-secrets")}
}

// Apply writes the objects, in order, by server-side apply. It takes over fields
// that others have set, and stops at the first error, which names the object.
func (c *Client) Apply(ctx context.Context, objects ...*unstructured.Unstructured) error {
	return apply.Objects(ctx, c.api, c.manager, objects...)
}

// ErrNeverRefreshed is returned by [Client.Refresh] for an ExternalSecret that
// the operator has synced and, by its refresh policy or interval, never will
// again.
var ErrNeverRefreshed = errors.New("the refresh policy allows no further sync")

// refreshAnnotation is what upstream's documentation and tools change to ask for
// a sync; the operator compares a hash of all annotations.
const refreshAnnotation = "force-sync"

// Wait waits until the Secret of the ExternalSecret holds what the current
// generation asks for: the condition Ready is true because the Secret was
// synced, and the sync saw this generation.
//
// It watches, so the deadline is that of the context. A failed sync does not end
// the wait, since the operator tries again; when the context ends the error is a
// [NotReadyError] with the last reason, also for an object that does not exist.
// An answer of the API server that waiting cannot change, such as a missing
// right, is returned as it is.
func (c *Client) Wait(ctx context.Context, key client.ObjectKey) error {
	return c.await(ctx, key, synced)
}

// Refresh makes the operator read the store now and waits, as [Client.Wait]
// does, until that read is in the Secret.
func (c *Client) Refresh(ctx context.Context, key client.ObjectKey) error {
	obj := newExternalSecret(key)
	if err := c.api.Get(ctx, key, obj); err != nil {
		return fmt.Errorf("refresh ExternalSecret %s: %w", key, err)
	}
	if neverRefreshed(obj) {
		return fmt.Errorf("refresh ExternalSecret %s: %w", key, ErrNeverRefreshed)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"annotations": map[string]any{refreshAnnotation: strconv.FormatInt(time.Now().UnixNano(), 10)},
	}})
	if err != nil {
		return err
	}
	err = c.api.Patch(ctx, obj, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(c.manager))
	if err != nil {
		return fmt.Errorf("refresh ExternalSecret %s: %w", key, err)
	}
	// The operator writes the status of the object version it read and fails on a
	// conflict, so a sync recorded from here on has seen the annotation, and its
	// record differs because it covers the annotations.
	before := syncRecord(obj)
	return c.await(ctx, key, func(obj *unstructured.Unstructured) bool {
		return synced(obj) && syncRecord(obj) != before
	})
}

func (c *Client) await(ctx context.Context, key client.ObjectKey, done func(*unstructured.Unstructured) bool) error {
	var last *unstructured.Unstructured
	selection := listwatch.Selection{
		Kind:      groupVersion.WithKind(externalSecretKind),
		Namespace: key.Namespace,
		Options:   []client.ListOption{client.MatchingFields{"metadata.name": key.Name}},
	}
	err := listwatch.Follow(ctx, c.api, selection, listwatch.Follower{
		Listed: func(items []unstructured.Unstructured) (bool, error) {
			last = nil
			for i := range items {
				last = &items[i]
			}
			return last != nil && done(last), nil
		},
		Changed: func(event watch.EventType, obj *unstructured.Unstructured) (bool, error) {
			last = obj
			if event == watch.Deleted {
				last = nil
			}
			return last != nil && done(last), nil
		},
	})
	if err != nil && ctx.Err() != nil {
		return newNotReadyError(key, last, ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("wait for ExternalSecret %s: %w", key, err)
	}
	return nil
}

func newExternalSecret(key client.ObjectKey) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(groupVersion.WithKind(externalSecretKind))
	obj.SetNamespace(key.Namespace)
	obj.SetName(key.Name)
	return obj
}

// synced tells whether the Secret holds what the current generation asks for.
// Ready alone does not: it is also true while a Secret to merge into is missing,
// and after the Secret was deleted on purpose.
func synced(obj *unstructured.Unstructured) bool {
	ready := readyCondition(obj)
	return ready["status"] == "True" && ready["reason"] == "SecretSynced" && syncedGeneration(obj) == obj.GetGeneration()
}

// neverRefreshed follows shouldRefresh in upstream's
// pkg/controllers/externalsecret/externalsecret_controller.go.
func neverRefreshed(obj *unstructured.Unstructured) bool {
	if syncRecord(obj) == "" {
		return false
	}
	policy, _, _ := unstructured.NestedString(obj.Object, "spec", "refreshPolicy")
	switch RefreshPolicy(policy) {
	case CreatedOnce:
		return true
	case OnChange:
		return false
	}
	text, _, _ := unstructured.NestedString(obj.Object, "spec", "refreshInterval")
	interval, err := time.ParseDuration(text)
	return err == nil && interval <= 0
}

// syncRecord is what the operator notes about its last sync: the generation it
// saw and a hash of the labels and annotations, "3-0d5e...".
func syncRecord(obj *unstructured.Unstructured) string {
	record, _, _ := unstructured.NestedString(obj.Object, "status", "syncedResourceVersion")
	return record
}

// syncedGeneration is the generation of the last sync, 0 before the first.
func syncedGeneration(obj *unstructured.Unstructured) int64 {
	text, _, _ := strings.Cut(syncRecord(obj), "-")
	generation, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return generation
}

// readyCondition returns the condition Ready, empty when there is none.
func readyCondition(obj *unstructured.Unstructured) map[string]any {
	conditions, _, _ := unstructured.NestedSlice(obj.Object, "status", "conditions")
	for _, entry := range conditions {
		if condition, ok := entry.(map[string]any); ok && condition["type"] == "Ready" {
			return condition
		}
	}
	return nil
}
