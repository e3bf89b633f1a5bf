package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
)

// fieldManager owns what this node writes.
const fieldManager = "backbone-node"

// retryDelay is how long to wait before asking the API server again.
const retryDelay = 500 * time.Millisecond

// reporter keeps the status of one pod's object up to date.
type reporter struct {
	client kubernetes.Interface
	spec   *corev1.Pod
	signal chan struct{}
	sent   *corev1.PodStatus
}

func newReporter(client kubernetes.Interface, spec *corev1.Pod) *reporter {
	return &reporter{client: client, spec: spec, signal: make(chan struct{}, 1)}
}

// wake has the status reported soon. It does not block.
func (r *reporter) wake() {
	select {
	case r.signal <- struct{}{}:
	default:
	}
}

// run reports the status after each wake until the context ends. While the
// API server is away it tries again, with the newest status.
func (r *reporter) run(ctx context.Context, status func() corev1.PodStatus) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.signal:
		}
		if err := r.report(ctx, status()); err != nil && ctx.Err() == nil {
			klog.ErrorS(err, "Cannot report the status of a pod, will try again", "pod", klog.KObj(r.spec))
			time.AfterFunc(retryDelay, r.wake)
		}
	}
}

// last reports the final status once; the object is about to go.
func (r *reporter) last(ctx context.Context, status corev1.PodStatus) {
	if err := r.report(ctx, status); err != nil {
		klog.ErrorS(err, "Cannot report the last status of a pod", "pod", klog.KObj(r.spec))
	}
}

// report applies the status, if it is news. By server-side apply, the
// conditions that others set are left alone. A pod that is gone or was
// replaced is no error.
func (r *reporter) report(ctx context.Context, status corev1.PodStatus) error {
	if r.sent != nil && equality.Semantic.DeepEqual(*r.sent, status) {
		return nil
	}
	patch, err := json.Marshal(struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        map[string]string `json:"metadata"`
		Status          corev1.PodStatus  `json:"status"`
	}{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		Metadata: map[string]string{"name": r.spec.Name, "namespace": r.spec.Namespace, "uid": string(r.spec.UID)},
		Status:   status,
	})
	if err != nil {
		return fmt.Errorf("encode the status: %w", err)
	}
	force := true
	_, err = r.client.CoreV1().Pods(r.spec.Namespace).Patch(ctx, r.spec.Name, types.ApplyPatchType, patch,
		metav1.PatchOptions{FieldManager: fieldManager, Force: &force}, "status")
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return err
	}
	r.sent = &status
	return nil
}

// remove takes a stopped pod's object out of the API server, trying until it
// is gone or the context ends.
func remove(ctx context.Context, client kubernetes.Interface, spec *corev1.Pod) {
	options := *metav1.NewDeleteOptions(0)
	options.Preconditions = metav1.NewUIDPreconditions(string(spec.UID))
	for {
		err := client.CoreV1().Pods(spec.Namespace).Delete(ctx, spec.Name, options)
		if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return
		}
		klog.ErrorS(err, "Cannot remove a stopped pod, will try again", "pod", klog.KObj(spec))
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryDelay):
		}
	}
}
