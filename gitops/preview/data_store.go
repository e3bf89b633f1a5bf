package preview

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/argoproj/argo-cd/v2/common"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/controlbackbone/backbone/internal/argoapp"
)

// store holds the objects that Argo CD reads from its own cluster, and answers HTTP requests for them.
type store struct {
	objects map[schema.GroupVersionResource][]*unstructured.Unstructured
	// clustersKnown tells whether the Secrets are all clusters that there are.
	clustersKnown bool
}

var (
	secrets     = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	appProjects = schema.GroupVersionResource{Group: argoapp.Group, Version: "v1alpha1", Resource: "appprojects"}
)

func newStore(namespace string, declared []*unstructured.Unstructured, inputs Inputs) *store {
	s := &store{
		objects:       map[schema.GroupVersionResource][]*unstructured.Unstructured{},
		clustersKnown: inputs.Clusters != nil,
	}
	for _, obj := range slices.Concat(declared, inputs.Objects) {
		if obj == nil || isApplication(obj) || isApplicationSet(obj) {
			continue
		}
		resource, _ := meta.UnsafeGuessKindToResource(obj.GroupVersionKind())
		if resource == secrets {
			if obj.GetLabels()[common.LabelKeySecretType] != common.LabelValueSecretTypeCluster {
				continue
			}
			s.clustersKnown = true
		}
		obj = obj.DeepCopy()
		if obj.GetNamespace() == "" {
			obj.SetNamespace(namespace)
		}
		if resource == secrets {
			encodeStringData(obj)
		}
		s.objects[resource] = append(s.objects[resource], obj)
	}
	for i, cluster := range inputs.Clusters {
		s.objects[secrets] = append(s.objects[secrets], cluster.secret(namespace, i))
	}
	if s.find(appProjects, namespace, v1alpha1.DefaultAppProjectName) == nil {
		project := &unstructured.Unstructured{}
		project.SetGroupVersionKind(v1alpha1.AppProjectSchemaGroupVersionKind)
		project.SetNamespace(namespace)
		project.SetName(v1alpha1.DefaultAppProjectName)
		s.objects[appProjects] = append(s.objects[appProjects], project)
	}
	// As the API server lists them.
	for _, objects := range s.objects {
		slices.SortStableFunc(objects, compareNames)
	}
	return s
}

// encodeStringData does what the API server does with the stringData of a Secret.
func encodeStringData(secret *unstructured.Unstructured) {
	texts, _, _ := unstructured.NestedStringMap(secret.Object, "stringData")
	data, _, _ := unstructured.NestedMap(secret.Object, "data")
	if data == nil {
		data = map[string]any{}
	}
	for key, text := range texts {
		data[key] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	secret.Object["data"] = data
	delete(secret.Object, "stringData")
}

// secret returns the Secret that declares the cluster.
func (c Cluster) secret(namespace string, index int) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{}}
	obj.SetGroupVersionKind(secrets.GroupVersion().WithKind("Secret"))
	obj.SetNamespace(namespace)
	obj.SetName(fmt.Sprintf("inputs-cluster-%06d", index))
	marked := map[string]string{common.LabelKeySecretType: common.LabelValueSecretTypeCluster}
	for key, value := range c.Labels {
		marked[key] = value
	}
	obj.SetLabels(marked)
	obj.SetAnnotations(c.Annotations)
	texts := map[string]any{"name": c.Name, "server": c.Server}
	if c.Project != "" {
		texts["project"] = c.Project
	}
	obj.Object["stringData"] = texts
	encodeStringData(obj)
	return obj
}

func (s *store) find(resource schema.GroupVersionResource, namespace, name string) *unstructured.Unstructured {
	for _, obj := range s.objects[resource] {
		if obj.GetNamespace() == namespace && obj.GetName() == name {
			return obj
		}
	}
	return nil
}

func missingObject(resource schema.GroupVersionResource, namespace, name string) error {
	return &MissingInputError{Input: "Objects", Need: fmt.Sprintf("%s %s/%s", resource.GroupResource(), namespace, name)}
}

// RoundTrip answers reads of single objects and lists, and refuses everything else.
func (s *store) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet {
		return nil, fmt.Errorf("a preview reads only, and does not %s %s", request.Method, request.URL.Path)
	}
	if request.URL.Path == "/version" {
		return respond(map[string]any{"major": "1", "minor": "33"})
	}
	at, ok := parseLocation(request.URL.Path)
	if !ok {
		return nil, fmt.Errorf("a preview has no answer to %s", request.URL.Path)
	}
	if at.name != "" {
		obj := s.find(at.resource, at.namespace, at.name)
		if obj == nil {
			return nil, missingObject(at.resource, at.namespace, at.name)
		}
		return respond(obj.Object)
	}
	if at.resource == secrets && !s.clustersKnown {
		return nil, &MissingInputError{Input: "Clusters", Need: "the clusters that Argo CD knows"}
	}
	if at.resource != secrets && len(s.objects[at.resource]) == 0 {
		return nil, &MissingInputError{Input: "Objects",
			Need: fmt.Sprintf("%s in namespace %s", at.resource.GroupResource(), at.namespace)}
	}
	return s.list(at, request.URL.Query().Get("labelSelector"), request.URL.Query().Get("fieldSelector"))
}

func (s *store) list(at location, labelSelector, fieldSelector string) (*http.Response, error) {
	byLabel, err := labels.Parse(labelSelector)
	if err != nil {
		return nil, fmt.Errorf("label selector: %w", err)
	}
	byField, err := fields.ParseSelector(fieldSelector)
	if err != nil {
		return nil, fmt.Errorf("field selector: %w", err)
	}
	items := []any{}
	for _, obj := range s.objects[at.resource] {
		known := fields.Set{"metadata.name": obj.GetName(), "metadata.namespace": obj.GetNamespace()}
		if at.namespace != "" && at.namespace != obj.GetNamespace() {
			continue
		}
		if byLabel.Matches(labels.Set(obj.GetLabels())) && byField.Matches(known) {
			items = append(items, obj.Object)
		}
	}
	kind := "Secret"
	if at.resource != secrets {
		kind = s.objects[at.resource][0].GetKind()
	}
	return respond(map[string]any{
		"apiVersion": at.resource.GroupVersion().String(), "kind": kind + "List",
		"metadata": map[string]any{}, "items": items,
	})
}

// location is what the path of a request names.
type location struct {
	resource        schema.GroupVersionResource
	namespace, name string
}

// parseLocation reads /api/v1/[namespaces/NS/]RESOURCE[/NAME] and /apis/GROUP/VERSION/[namespaces/NS/]RESOURCE[/NAME].
func parseLocation(path string) (location, bool) {
	var at location
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) > 2 && parts[0] == "api":
		at.resource.Version, parts = parts[1], parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		at.resource.Group, at.resource.Version, parts = parts[1], parts[2], parts[3:]
	default:
		return at, false
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		at.namespace, parts = parts[1], parts[2:]
	}
	at.resource.Resource = parts[0]
	if len(parts) == 2 {
		at.name = parts[1]
	}
	return at, len(parts) <= 2
}

func respond(body any) (*http.Response, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, errors.New("the object is no JSON")
	}
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   io.NopCloser(bytes.NewReader(data)), ContentLength: int64(len(data)),
	}, nil
}
