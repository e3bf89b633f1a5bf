package eventing

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/object"
)

// KubernetesStore remembers events as Leases, one for each event and one for each
// signature, so that replicas share what they know and a restart loses nothing.
// A Lease with a holder is an event that is being handled; the holder's clock must
// agree with those of the other replicas within a few seconds.
type KubernetesStore struct {
	// Client of the API server. Required. That of a manager is fine: Leases are read
	// as unstructured objects, which it does not cache.
	Client client.Client
	// Namespace of the Leases. Required.
	Namespace string
	// Name begins those of the Leases. Required, a DNS label. Replicas share it,
	// different Responders do not.
	Name string
	// Retention is how long an event is remembered after its last attempt ended.
	// Default: 24h.
	Retention time.Duration
	// Holder names the process, for people. Default: the name of the host, which is
	// that of the pod.
	Holder string
}

const (
	responderLabel    = "eventing.backbone.dev/responder"
	eventAnnotation   = "eventing.backbone.dev/event"
	outcomeAnnotation = "eventing.backbone.dev/outcome"
)

var leaseKind = coordinationv1.SchemeGroupVersion.WithKind("Lease")

// Validate reports every fault of the store.
func (s KubernetesStore) Validate() field.ErrorList {
	var faults field.ErrorList
	if object.IsNil(s.Client) {
		faults = append(faults, field.Required(field.NewPath("client"), ""))
	}
	faults = append(faults, s.account("").validate()...)
	faults = append(faults, optional(field.NewPath("holder"), s.Holder, object.Text)...)
	if s.Retention < 0 {
		faults = append(faults, field.Invalid(field.NewPath("retention"), s.Retention.String(), "must not be negative"))
	}
	return faults
}

// RBAC returns a Role and a RoleBinding with the least rights that the store
// needs, for a ServiceAccount of its namespace.
func (s KubernetesStore) RBAC(serviceAccountName string) ([]*unstructured.Unstructured, error) {
	return s.account(serviceAccountName).rights()
}

func (s KubernetesStore) account(serviceAccountName string) responderAccount {
	return responderAccount{
		owner: "responder-store", name: s.Name, namespace: s.Namespace, account: serviceAccountName,
		permission: Permission{
			Group: leaseKind.Group, Resource: "leases", Verbs: []string{"create", "get", "patch", "list", "delete"},
		},
	}
}

// Claim is for [Store].
func (s KubernetesStore) Claim(ctx context.Context, request ClaimRequest) (Claim, error) {
	claim := Claim{ID: request.ID, State: ClaimGranted, Attempt: 1}
	lease := s.lease("event", request.ID, request.ID)
	lease.Spec = s.hold(request.For, 1)
	created, err := s.create(ctx, lease)
	if err == nil {
		claim.Token = created.GetResourceVersion()
		return claim, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return Claim{}, err
	}
	current, err := s.get(ctx, lease.Name)
	if apierrors.IsNotFound(err) {
		// It was forgotten in this moment; the sender's next attempt creates it.
		return Claim{ID: request.ID, State: ClaimHeld}, nil
	}
	if err != nil {
		return Claim{}, err
	}
	state := s.state(current)
	if state == ClaimHeld || state.final() && (state != ClaimDeadLettered || !request.Revive) {
		return Claim{ID: request.ID, State: state}, nil
	}
	if state != "" {
		claim.Attempt = int(value(current.Spec.LeaseTransitions)) + 1
	}
	claim.Token, err = s.patch(ctx, current.Name, current.ResourceVersion, "", s.hold(request.For, claim.Attempt))
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return Claim{ID: request.ID, State: ClaimHeld}, nil
	}
	if err != nil {
		return Claim{}, err
	}
	return claim, nil
}

// Settle is for [Store].
func (s KubernetesStore) Settle(ctx context.Context, claim Claim, state ClaimState) error {
	now := metav1.NowMicro()
	_, err := s.patch(ctx, s.leaseName("event", claim.ID), claim.Token, state, coordinationv1.LeaseSpec{RenewTime: &now})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return ErrClaimLost
	}
	return err
}

// Bind is for [Store]. The signature is kept as a hash, because with it a captured
// request could be sent again elsewhere.
func (s KubernetesStore) Bind(ctx context.Context, signature, id string) (string, error) {
	lease := s.lease("signature", signature, id)
	now := metav1.NowMicro()
	lease.Spec.RenewTime = &now
	_, err := s.create(ctx, lease)
	if err == nil {
		return id, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return "", err
	}
	current, err := s.get(ctx, lease.Name)
	if err != nil {
		return "", err
	}
	return current.Annotations[eventAnnotation], nil
}

// Collect is for [Store]. Replicas may do it at the same time.
func (s KubernetesStore) Collect(ctx context.Context) error {
	page := client.ListOptions{Namespace: s.Namespace, Limit: 500}
	client.MatchingLabels{responderLabel: s.Name}.ApplyToList(&page)
	for {
		var leases unstructured.UnstructuredList
		leases.SetGroupVersionKind(leaseKind.GroupVersion().WithKind("LeaseList"))
		if err := s.Client.List(ctx, &leases, &page); err != nil {
			return fmt.Errorf("list Leases of %s/%s: %w", s.Namespace, s.Name, err)
		}
		for i := range leases.Items {
			if err := s.collect(ctx, &leases.Items[i]); err != nil {
				return err
			}
		}
		page.Continue = leases.GetContinue()
		if page.Continue == "" {
			return nil
		}
	}
}

func (s KubernetesStore) collect(ctx context.Context, obj *unstructured.Unstructured) error {
	lease, err := typedLease(obj)
	if err != nil || s.state(lease) != "" {
		return err
	}
	// Not when somebody has claimed it since.
	version := obj.GetResourceVersion()
	err = s.Client.Delete(ctx, obj, client.Preconditions{ResourceVersion: &version})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// state is what a Lease says now, nothing once the retention has passed.
func (s KubernetesStore) state(lease *coordinationv1.Lease) ClaimState {
	touched := value(lease.Spec.RenewTime).Time
	ends := touched.Add(time.Duration(value(lease.Spec.LeaseDurationSeconds)) * time.Second)
	held := value(lease.Spec.HolderIdentity) != ""
	switch {
	case held && time.Now().Before(ends):
		return ClaimHeld
	case time.Since(touched) > cmp.Or(s.Retention, 24*time.Hour):
		return ""
	case held:
		// The holder has crashed.
		return ClaimFailed
	}
	return ClaimState(cmp.Or(lease.Annotations[outcomeAnnotation], string(ClaimFailed)))
}

func (s KubernetesStore) hold(duration time.Duration, attempt int) coordinationv1.LeaseSpec {
	holder := s.Holder
	if holder == "" {
		// Without a host name any word will do: it is for people.
		holder, _ = os.Hostname()
	}
	holder = cmp.Or(holder, "responder")
	now, transitions := metav1.NowMicro(), int32(attempt)
	seconds := int32((duration + time.Second - 1) / time.Second)
	return coordinationv1.LeaseSpec{
		HolderIdentity: &holder, LeaseDurationSeconds: &seconds, LeaseTransitions: &transitions, AcquireTime: &now, RenewTime: &now,
	}
}

func (s KubernetesStore) lease(kind, key, id string) *coordinationv1.Lease {
	lease := &coordinationv1.Lease{}
	lease.SetGroupVersionKind(leaseKind)
	lease.Namespace, lease.Name = s.Namespace, s.leaseName(kind, key)
	lease.Labels = map[string]string{responderLabel: s.Name}
	lease.Annotations = map[string]string{eventAnnotation: id}
	return lease
}

// leaseName hashes, because IDs are no names of objects.
func (s KubernetesStore) leaseName(kind, key string) string {
	return hashedName(s.Name, kind+" "+key)
}

func hashedName(prefix, text string) string {
	sum := sha256.Sum256([]byte(text))
	return prefix + "-" + hex.EncodeToString(sum[:20])
}

func (s KubernetesStore) create(ctx context.Context, lease *coordinationv1.Lease) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(lease)
	if err != nil {
		return nil, fmt.Errorf("encode Lease %s: %w", lease.Name, err)
	}
	obj := &unstructured.Unstructured{Object: content}
	return obj, s.Client.Create(ctx, obj)
}

func (s KubernetesStore) get(ctx context.Context, name string) (*coordinationv1.Lease, error) {
	obj := s.reference(name)
	if err := s.Client.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
		return nil, err
	}
	return typedLease(obj)
}

func (s KubernetesStore) reference(name string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(leaseKind)
	obj.SetNamespace(s.Namespace)
	obj.SetName(name)
	return obj
}

// patch writes a version of the Lease that nobody has changed, and returns the
// next version.
func (s KubernetesStore) patch(
	ctx context.Context, name, version string, outcome ClaimState, spec coordinationv1.LeaseSpec,
) (string, error) {
	changed := map[string]any{"holderIdentity": spec.HolderIdentity, "renewTime": spec.RenewTime}
	if spec.HolderIdentity != nil {
		changed["leaseDurationSeconds"] = spec.LeaseDurationSeconds
		changed["leaseTransitions"] = spec.LeaseTransitions
		changed["acquireTime"] = spec.AcquireTime
	}
	annotations := map[string]any{outcomeAnnotation: nil}
	if outcome.final() {
		annotations[outcomeAnnotation] = outcome
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": version, "annotations": annotations},
		"spec":     changed,
	})
	if err != nil {
		return "", fmt.Errorf("encode the patch of Lease %s: %w", name, err)
	}
	obj := s.reference(name)
	err = s.Client.Patch(ctx, obj, client.RawPatch(types.MergePatchType, patch))
	return obj.GetResourceVersion(), err
}

func typedLease(obj *unstructured.Unstructured) (*coordinationv1.Lease, error) {
	lease := &coordinationv1.Lease{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, lease); err != nil {
		return nil, fmt.Errorf("decode Lease %s: %w", obj.GetName(), err)
	}
	return lease, nil
}

// value is that of a pointer, or the zero value.
func value[T any](pointer *T) T {
	if pointer == nil {
		var zero T
		return zero
	}
	return *pointer
}
