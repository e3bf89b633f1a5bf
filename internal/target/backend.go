package target

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/listwatch"
)

// readyTimeout is how long a pod behind a Service may take to become ready.
const readyTimeout = 10 * time.Second

// backend is a pod behind a Service and the port that the Service leads to.
type backend struct {
	pod  client.ObjectKey
	port int
}

// findBackend waits for a ready pod behind the Service. The error of a Service
// that does not exist is the API server's.
//
// The pods are selected as the Service does, not read from its EndpointSlices:
// a port-forward reaches a pod by its name, also where it has no address of its own.
func findBackend(ctx context.Context, c client.WithWatch, service Service) (backend, error) {
	var object corev1.Service
	if err := c.Get(ctx, client.ObjectKey{Namespace: service.Namespace, Name: service.Name}, &object); err != nil {
		return backend{}, err
	}
	if len(object.Spec.Selector) == 0 {
		return backend{}, errors.New("it selects no pods")
	}
	port, err := targetPort(object.Spec.Ports, service.Port)
	if err != nil {
		return backend{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout, fmt.Errorf("no ready pod within %s", readyTimeout))
	defer cancel()
	var found *corev1.Pod
	err = listwatch.Follow(ctx, c, listwatch.Selection{
		Kind: corev1.SchemeGroupVersion.WithKind("Pod"), Namespace: service.Namespace,
		Options: []client.ListOption{client.MatchingLabels(object.Spec.Selector)},
	}, listwatch.Follower{
		Listed: func(pods []unstructured.Unstructured) (bool, error) {
			for i := range pods {
				if found = readyPod(&pods[i]); found != nil {
					return true, nil
				}
			}
			return false, nil
		},
		Changed: func(kind watch.EventType, pod *unstructured.Unstructured) (bool, error) {
			if kind == watch.Deleted {
				return false, nil
			}
			found = readyPod(pod)
			return found != nil, nil
		},
	})
	if ctx.Err() != nil {
		return backend{}, explain(ctx, c, context.Cause(ctx), service.Namespace, object.Spec.Selector)
	}
	if err != nil {
		return backend{}, fmt.Errorf("wait for a ready pod: %w", err)
	}
	number, err := containerPort(found, port)
	return backend{pod: client.ObjectKeyFromObject(found), port: number}, err
}

// targetPort is where the Service's port leads, a number or a container port's name.
func targetPort(ports []corev1.ServicePort, port int) (intstr.IntOrString, error) {
	var numbers []int32
	for _, candidate := range ports {
		if int(candidate.Port) == port {
			return candidate.TargetPort, nil
		}
		numbers = append(numbers, candidate.Port)
	}
	return intstr.IntOrString{}, fmt.Errorf("it has no port %d, only %d", port, numbers)
}

func containerPort(pod *corev1.Pod, port intstr.IntOrString) (int, error) {
	if port.Type == intstr.Int {
		return port.IntValue(), nil
	}
	for _, container := range pod.Spec.Containers {
		for _, candidate := range container.Ports {
			if candidate.Name == port.StrVal {
				return int(candidate.ContainerPort), nil
			}
		}
	}
	return 0, fmt.Errorf("pod %s has no port named %q", pod.Name, port.StrVal)
}

// readyPod returns the object as a pod if that is ready, else nil.
func readyPod(object *unstructured.Unstructured) *corev1.Pod {
	var pod corev1.Pod
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &pod); err != nil || pod.DeletionTimestamp != nil {
		return nil
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
			return &pod
		}
	}
	return nil
}

// explain adds to an error what the selected pods wait for. It looks even when
// the context has ended.
func explain(ctx context.Context, c client.Client, err error, namespace string, labels map[string]string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
	defer cancel()
	var pods corev1.PodList
	if listErr := c.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels(labels)); listErr != nil {
		return fmt.Errorf("%w, and its pods cannot be listed: %w", err, listErr)
	}
	for _, pod := range pods.Items {
		for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
			if waiting := status.State.Waiting; waiting != nil {
				err = fmt.Errorf("%w; container %s of pod %s waits: %s %s", err, status.Name, pod.Name, waiting.Reason, waiting.Message)
			}
		}
	}
	return err
}
