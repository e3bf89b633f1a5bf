package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/argoproj/argo-events/pkg/sensors/triggers"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// objectKey is what the path of a request to the API server names.
type objectKey struct{ group, resource, namespace, name string }

func (k objectKey) String() string {
	resource := k.resource
	if k.group != "" {
		resource += "." + k.group
	}
	return resource + " " + strings.TrimPrefix(k.namespace+"/"+k.name, "/")
}

// objects are those of the cluster, by how upstream asks for them: it derives the resource from the kind.
type objects map[objectKey]*unstructured.Unstructured

func indexed(all []*unstructured.Unstructured) objects {
	index := objects{}
	for _, obj := range all {
		resource := triggers.GetGroupVersionResource(obj)
		index[objectKey{resource.Group, resource.Resource, obj.GetNamespace(), obj.GetName()}] = obj
	}
	return index
}

// newRecordedAPI returns a client of an API server that is not there: its requests are kept with their context, and
// answered from the objects.
func newRecordedAPI(known objects) (dynamic.Interface, error) {
	config := &rest.Config{Host: "http://cluster.invalid", QPS: -1}
	return dynamic.NewForConfigAndClient(config, &http.Client{Transport: recordedAPI{known}})
}

// apiCalls are the requests of one action.
type apiCalls struct {
	// assume that an object is there which the action only looks for.
	assume  bool
	missing error
	body    []byte
}

type callsKey struct{}

func withCalls(ctx context.Context, calls *apiCalls) context.Context {
	return context.WithValue(ctx, callsKey{}, calls)
}

// written returns the body of the request that writes.
func (c *apiCalls) written() []byte { return c.body }

// cause returns what is missing, if that is why the trigger failed.
func (c *apiCalls) cause(err error) error {
	if c.missing != nil {
		return c.missing
	}
	return err
}

type recordedAPI struct{ known objects }

// RoundTrip implements http.RoundTripper.
func (a recordedAPI) RoundTrip(request *http.Request) (*http.Response, error) {
	calls, ok := request.Context().Value(callsKey{}).(*apiCalls)
	if !ok {
		return nil, errors.New("a request without an action")
	}
	key, err := keyOf(request.URL.Path)
	if err != nil {
		return nil, err
	}
	switch request.Method {
	case http.MethodGet:
		return a.get(request, calls, key)
	case http.MethodDelete:
		return answer(request, map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Success"})
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	calls.body = body
	return &http.Response{
		StatusCode: http.StatusOK, Request: request, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(body)),
	}, nil
}

// get answers with the object. A patch or deletion only asks whether there is one.
func (a recordedAPI) get(request *http.Request, calls *apiCalls, key objectKey) (*http.Response, error) {
	switch obj := a.known[key]; {
	case obj != nil:
		return answer(request, obj.Object)
	case calls.assume:
		return answer(request, map[string]any{"kind": "Unknown", "apiVersion": "v1"})
	}
	calls.missing = &MissingError{What: key.String(), Option: "Objects"}
	return nil, calls.missing
}

func answer(request *http.Request, content map[string]any) (*http.Response, error) {
	raw, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Request: request, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(raw)),
	}, nil
}

// keyOf reads /api/VERSION/... and /apis/GROUP/VERSION/....
func keyOf(path string) (objectKey, error) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	var key objectKey
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		key.group, parts = parts[1], parts[3:]
	default:
		return key, fmt.Errorf("unexpected path %q", path)
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		key.namespace, parts = parts[1], parts[2:]
	}
	key.resource = parts[0]
	if len(parts) > 1 {
		key.name = parts[1]
	}
	return key, nil
}
