package preview

import (
	"fmt"
	"net/http"
	"sync"

	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/argoapp"
)

// answers is where the generators and the validation get what Argo CD would ask others for: the inputs, and clients that
// read from them what Argo CD reads from its own cluster.
type answers struct {
	Inputs
	namespace    string
	repositories []listedRepository
	store        *store

	client  client.Client
	kube    kubernetes.Interface
	dynamic dynamic.Interface
}

// argoCDScheme knows what Argo CD's code reads through the typed client.
var argoCDScheme = sync.OnceValues(func() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return scheme, v1alpha1.AddToScheme(scheme)
})

// newAnswers returns the answers from the declared objects and the inputs.
func newAnswers(objects []*unstructured.Unstructured, inputs Inputs) (*answers, error) {
	in := &answers{Inputs: inputs, namespace: inputs.Namespace}
	if in.namespace == "" {
		in.namespace = argoapp.DefaultNamespace
	}
	for _, repository := range inputs.Repositories {
		in.repositories = append(in.repositories, listedRepository{Repository: repository})
	}
	in.store = newStore(in.namespace, objects, inputs)
	if err := in.connect(); err != nil {
		return nil, fmt.Errorf("make clients: %w", err)
	}
	return in, nil
}

// connect makes the clients. Upstream's code is used as it is: only what carries their requests is ours, and it answers
// from the store instead of from a network.
func (in *answers) connect() error {
	scheme, err := argoCDScheme()
	if err != nil {
		return err
	}
	config := &rest.Config{
		Host: "http://inputs.invalid", QPS: -1, WarningHandler: rest.NoWarnings{},
		ContentConfig: rest.ContentConfig{
			ContentType: runtime.ContentTypeJSON, AcceptContentTypes: runtime.ContentTypeJSON,
		},
	}
	transport := &http.Client{Transport: in.store}
	if in.kube, err = kubernetes.NewForConfigAndClient(config, transport); err != nil {
		return err
	}
	if in.dynamic, err = dynamic.NewForConfigAndClient(config, transport); err != nil {
		return err
	}
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []string{"Secret", "ConfigMap"} {
		mapper.Add(corev1.SchemeGroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	mapper.Add(v1alpha1.AppProjectSchemaGroupVersionKind, meta.RESTScopeNamespace)
	in.client, err = client.New(config, client.Options{HTTPClient: transport, Scheme: scheme, Mapper: mapper})
	return err
}
