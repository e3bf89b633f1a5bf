package agent

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corev1listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/kubernetes/pkg/kubelet/token"
)

// source reads what volumes and environments are made of. ConfigMaps and
// Secrets come from a watch.
type source struct {
	// live has those that the watch does not know yet come from the API server.
	live        bool
	client      kubernetes.Interface
	configMaps  corev1listers.ConfigMapLister
	secrets     corev1listers.SecretLister
	tokens      *token.Manager
	allocatable corev1.ResourceList
}

func newSource(client kubernetes.Interface, factory informers.SharedInformerFactory, allocatable corev1.ResourceList) *source {
	return &source{
		client:      client,
		configMaps:  factory.Core().V1().ConfigMaps().Lister(),
		secrets:     factory.Core().V1().Secrets().Lister(),
		tokens:      token.NewManager(client),
		allocatable: allocatable,
	}
}

func (s *source) ConfigMap(ctx context.Context, namespace, name string) (*corev1.ConfigMap, error) {
	object, err := s.configMaps.ConfigMaps(namespace).Get(name)
	if s.live && apierrors.IsNotFound(err) {
		object, err = s.client.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	}
	if err != nil {
		return nil, fmt.Errorf("get ConfigMap %s/%s: %w", namespace, name, err)
	}
	return object, nil
}

func (s *source) Secret(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	object, err := s.secrets.Secrets(namespace).Get(name)
	if s.live && apierrors.IsNotFound(err) {
		object, err = s.client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	}
	if err != nil {
		return nil, fmt.Errorf("get Secret %s/%s: %w", namespace, name, err)
	}
	return object, nil
}

// Token comes from the kubelet's token manager, which asks for a new one when
// less than a fifth of the old one's life is left.
func (s *source) Token(pod *corev1.Pod, projection *corev1.ServiceAccountTokenProjection) (string, error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: projection.ExpirationSeconds,
		BoundObjectRef:    &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID},
	}}
	if projection.Audience != "" {
		request.Spec.Audiences = []string{projection.Audience}
	}
	answer, err := s.tokens.GetServiceAccountToken(pod.Namespace, pod.Spec.ServiceAccountName, request)
	if err != nil {
		return "", err
	}
	return answer.Status.Token, nil
}

func (s *source) Allocatable() corev1.ResourceList { return s.allocatable }
