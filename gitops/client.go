package gitops

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/apply"
	"github.com/controlbackbone/backbone/internal/argoapp"
	"github.com/controlbackbone/backbone/internal/object"
	"github.com/controlbackbone/backbone/internal/serial"
)

// ClientOptions configure a [Client]. The zero value works with an Argo CD in its upstream namespace.
type ClientOptions struct {
	// Namespace of the Applications. Default: "argocd".
	Namespace string
	// ProjectNamespace of the AppProjects: Argo CD's own. Default: Namespace.
	ProjectNamespace string
	// FieldManager that owns what Apply writes. Default: "backbone-gitops".
	FieldManager string
	// Progress is called with each change of an Application that a method observes while it waits, one at a time. The
	// method waits for the call, so the call must not wait with the same client. Default: none.
	Progress func(Event)
}

// Client operates Applications through the Kubernetes API; argocd-server is not needed. It writes only by server-side
// apply and by patches of single fields, so fields that this version does not know survive. It is safe for concurrent
// use.
type Client struct {
	kube             client.WithWatch
	namespace        string
	projectNamespace string
	fieldManager     string
	progress         func(Event)
}

// NewClient returns a client for the Applications of one namespace. The Kubernetes client needs no scheme registration
// of Argo CD's types.
func NewClient(c client.WithWatch, options ClientOptions) *Client {
	namespace := orDefault(options.Namespace, argoapp.DefaultNamespace)
	return &Client{
		kube:             c,
		namespace:        namespace,
		projectNamespace: orDefault(options.ProjectNamespace, namespace),
		fieldManager:     orDefault(options.FieldManager, "backbone-gitops"),
		progress:         serial.Calls(options.Progress),
	}
}

// Apply writes the objects, in order, by server-side apply. It takes over fields that others have set, and stops at the
// first error.
func (c *Client) Apply(ctx context.Context, objects ...*unstructured.Unstructured) error {
	return apply.Objects(ctx, c.kube, c.fieldManager, objects...)
}

// Get returns the status of an Application. For a missing one apierrors.IsNotFound holds.
func (c *Client) Get(ctx context.Context, name string) (ApplicationStatus, error) {
	app, err := c.read(ctx, name)
	if err != nil {
		return ApplicationStatus{}, err
	}
	return statusOf(app), nil
}

// RefreshMode says how thoroughly Argo CD compares again. The empty mode is RefreshNormal.
type RefreshMode string

const (
	// RefreshNormal looks for new commits and uses cached manifests of known ones.
	RefreshNormal RefreshMode = "normal"
	// RefreshHard renders all manifests again.
	RefreshHard RefreshMode = "hard"
)

// Refresh asks Argo CD to compare an Application with its sources now instead of within three minutes. It returns when
// the request is recorded; Wait waits until it was served.
func (c *Client) Refresh(ctx context.Context, name string, mode RefreshMode) error {
	if mode == "" {
		mode = RefreshNormal
	}
	if mode != RefreshNormal && mode != RefreshHard {
		// Argo CD would take any other word for a normal refresh.
		fault := field.NotSupported(field.NewPath("mode"), mode, []RefreshMode{RefreshNormal, RefreshHard})
		err := object.Invalid(argoapp.Kind("Application").GroupKind(), name, field.ErrorList{fault})
		return fmt.Errorf("refresh Application %s/%s: %w", c.namespace, name, err)
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{argoapp.RefreshAnnotation: mode}},
	})
	if err != nil {
		return fmt.Errorf("refresh Application %s/%s: %w", c.namespace, name, err)
	}
	if err := c.kube.Patch(ctx, c.application(name), client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("refresh Application %s/%s: %w", c.namespace, name, err)
	}
	return nil
}

func (c *Client) read(ctx context.Context, name string) (argoapp.Application, error) {
	obj := c.application(name)
	if err := c.kube.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
		return argoapp.Application{}, fmt.Errorf("get Application %s/%s: %w", c.namespace, name, err)
	}
	return argoapp.Read(obj)
}

func (c *Client) application(name string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(argoapp.Kind("Application"))
	obj.SetNamespace(c.namespace)
	obj.SetName(name)
	return obj
}
