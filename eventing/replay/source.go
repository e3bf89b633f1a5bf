package replay

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // GitHub signs with it, too
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/argoproj/argo-events/pkg/eventsources/events"
	"github.com/argoproj/argo-events/pkg/shared/expr"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Sources are the EventSources that receive HTTP requests: the kinds webhook, github and gitlab.
type Sources struct {
	routes  []*route
	secrets map[string]map[string]string
}

// route is one event of an EventSource.
type route struct {
	kind, namespace, source, event string
	context                        *v1alpha1.WebhookContext
	secret                         *corev1.SecretKeySelector
	metadata                       map[string]string
	filter                         *v1alpha1.EventSourceFilter
}

// NewSources reads the EventSources among the objects, and the Secrets by which they know a sender. Where the Secret is
// not among them, senders are not checked.
func NewSources(objects []*unstructured.Unstructured) (*Sources, error) {
	s := &Sources{secrets: map[string]map[string]string{}}
	var errs []error
	for _, obj := range objects {
		switch {
		case obj.GetKind() == "EventSource" && obj.GroupVersionKind().Group == v1alpha1.SchemeGroupVersion.Group:
			errs = append(errs, s.add(obj))
		case obj.GetKind() == "Secret" && obj.GroupVersionKind().Group == "":
			errs = append(errs, s.addSecret(obj))
		}
	}
	slices.SortFunc(s.routes, func(a, b *route) int {
		return strings.Compare(a.namespace+"/"+a.source+"/"+a.event, b.namespace+"/"+b.source+"/"+b.event)
	})
	return s, errors.Join(errs...)
}

func (s *Sources) add(obj *unstructured.Unstructured) error {
	if err := checkLength(obj); err != nil {
		return fmt.Errorf("EventSource %s/%s: %w", obj.GetNamespace(), obj.GetName(), err)
	}
	raw, err := obj.MarshalJSON()
	if err != nil {
		return err
	}
	spec := &v1alpha1.EventSource{}
	if err := json.Unmarshal(raw, spec); err != nil {
		return fmt.Errorf("EventSource %s/%s: %w", obj.GetNamespace(), obj.GetName(), err)
	}
	add := func(r route) {
		r.namespace, r.source = spec.Namespace, spec.Name
		if r.context != nil {
			s.routes = append(s.routes, &r)
		}
	}
	for name, source := range spec.Spec.Webhook {
		add(route{
			kind: string(v1alpha1.WebhookEvent), event: name, context: &source.WebhookContext, secret: source.AuthSecret,
			metadata: source.Metadata, filter: source.Filter,
		})
	}
	for name, source := range spec.Spec.Github {
		add(route{
			kind: string(v1alpha1.GithubEvent), event: name, context: source.Webhook, secret: source.WebhookSecret,
			metadata: source.Metadata, filter: source.Filter,
		})
	}
	for name, source := range spec.Spec.Gitlab {
		add(route{
			kind: string(v1alpha1.GitlabEvent), event: name, context: source.Webhook, secret: source.SecretToken,
			metadata: source.Metadata, filter: source.Filter,
		})
	}
	return nil
}

func (s *Sources) addSecret(obj *unstructured.Unstructured) error {
	raw, err := obj.MarshalJSON()
	if err != nil {
		return err
	}
	secret := &corev1.Secret{}
	if err := json.Unmarshal(raw, secret); err != nil {
		// The decoder's error may show what is in the Secret.
		return fmt.Errorf("Secret %s/%s cannot be read", obj.GetNamespace(), obj.GetName())
	}
	values := map[string]string{}
	for key, value := range secret.Data {
		values[key] = string(value)
	}
	for key, value := range secret.StringData {
		values[key] = value
	}
	s.secrets[secret.Namespace+"/"+secret.Name] = values
	return nil
}

// Received is what an event source makes of a request.
type Received struct {
	// Namespace of the EventSource.
	Namespace string
	// Event is what it puts on the bus, nil if its filter does not let it through.
	Event *cloudevents.Event
	// Unchecked tells that the sender would have to show a secret that is not among the objects.
	Unchecked bool
}

// RequestError is a request that the event source answers with an error. There is no event.
type RequestError struct {
	// Status of the answer. Upstream answers most faults with 400.
	Status int
	Reason string
}

// Error shows the status and the reason.
func (e *RequestError) Error() string { return fmt.Sprintf("%d: %s", e.Status, e.Reason) }

// Receive turns a request into the event with the ID. It goes to the source whose endpoint is its path; where several
// ports serve that, the port in its Host header decides. The error is a [RequestError], or that of reading the body.
func (s *Sources) Receive(request *http.Request, id string, at time.Time) (Received, error) {
	route, err := s.route(request)
	if err != nil {
		return Received{}, err
	}
	received := Received{Namespace: route.namespace}
	secret, known := "", false
	if route.secret != nil {
		secret, known = s.secrets[route.namespace+"/"+route.secret.Name][route.secret.Key]
		received.Unchecked = !known
	}
	body, err := route.body(request)
	if err != nil {
		return received, err
	}
	if known {
		if err := route.authenticate(request, body, secret); err != nil {
			return received, err
		}
	}
	if request.Header.Get("Authorization") != "" {
		request.Header.Set("Authorization", "*** Masked Auth Secret ***")
	}
	data, err := route.data(request, body)
	if err != nil {
		return received, &RequestError{Status: http.StatusBadRequest, Reason: err.Error()}
	}
	if passes, err := route.passes(data); err != nil || !passes {
		return received, err
	}
	event, err := NewEvent(route.kind, route.source, route.event, id, at, data)
	if err != nil {
		return received, err
	}
	received.Event = &event
	return received, nil
}

// route finds the event of a request.
func (s *Sources) route(request *http.Request) (*route, error) {
	var found []*route
	for _, r := range s.routes {
		if r.context.Endpoint == request.URL.Path {
			found = append(found, r)
		}
	}
	if _, port, err := net.SplitHostPort(request.Host); err == nil && len(found) > 1 {
		found = slices.DeleteFunc(found, func(r *route) bool { return r.context.Port != port })
	}
	switch {
	case len(found) == 0:
		return nil, &RequestError{Status: http.StatusNotFound, Reason: "no EventSource serves " + request.URL.Path}
	case len(found) > 1:
		return nil, fmt.Errorf("%s/%s and %s/%s both serve %s: name the port in the Host header",
			found[0].source, found[0].event, found[1].source, found[1].event, request.URL.Path)
	case found[0].kind == string(v1alpha1.WebhookEvent) && found[0].context.Method != request.Method:
		return nil, &RequestError{Status: http.StatusBadRequest, Reason: "http method does not match"}
	}
	return found[0], nil
}

// body reads as much as the source does.
func (r *route) body(request *http.Request) ([]byte, error) {
	if request.Body == nil {
		return nil, nil
	}
	limit := r.context.GetMaxPayloadSize()
	body, err := io.ReadAll(io.LimitReader(request.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	if int64(len(body)) > limit {
		return nil, &RequestError{Status: http.StatusBadRequest, Reason: fmt.Sprintf("the body is larger than %d bytes", limit)}
	}
	return body, nil
}

// authenticate compares what the sender shows with the secret.
func (r *route) authenticate(request *http.Request, body []byte, secret string) error {
	switch r.kind {
	case string(v1alpha1.GithubEvent):
		return signed(request.Header, body, strings.TrimSpace(secret))
	case string(v1alpha1.GitlabEvent):
		if request.Header.Get("X-Gitlab-Token") != secret {
			return &RequestError{Status: http.StatusBadRequest, Reason: "token mismatch"}
		}
	default:
		if token, bearer := strings.CutPrefix(request.Header.Get("Authorization"), "Bearer "); !bearer || token != secret {
			return &RequestError{Status: http.StatusUnauthorized, Reason: "the bearer token is missing or wrong"}
		}
	}
	return nil
}

// signed checks the signature of GitHub.
func signed(header http.Header, body []byte, secret string) error {
	refused := &RequestError{Status: http.StatusBadRequest, Reason: "the signature is missing or wrong"}
	signature := header.Get("X-Hub-Signature-256")
	if signature == "" {
		signature = header.Get("X-Hub-Signature")
	}
	name, digest, _ := strings.Cut(signature, "=")
	want := map[string]func() hash.Hash{"sha256": sha256.New, "sha1": sha1.New}[name]
	sum, err := hex.DecodeString(digest)
	if err != nil || want == nil || digest == "" {
		return refused
	}
	mac := hmac.New(want, []byte(secret))
	mac.Write(body)
	if !hmac.Equal(mac.Sum(nil), sum) {
		return refused
	}
	return nil
}

// data is what the event holds.
// argo-events: HandleRoute in pkg/eventsources/sources/{webhook,github,gitlab}/start.go
func (r *route) data(request *http.Request, body []byte) ([]byte, error) {
	var content json.RawMessage
	var err error
	switch r.kind {
	case string(v1alpha1.GithubEvent):
		if content, err = githubBody(request, body); err != nil {
			return nil, err
		}
		return json.Marshal(events.GithubEventData{Headers: request.Header, Body: &content, Metadata: r.metadata})
	case string(v1alpha1.GitlabEvent):
		content = body
		return json.Marshal(events.GitLabEventData{Headers: request.Header, Body: &content, Metadata: r.metadata})
	default:
		if content, err = webhookBody(request, body); err != nil {
			return nil, err
		}
		return json.Marshal(events.WebhookEventData{Header: request.Header, Body: &content, Metadata: r.metadata})
	}
}

// passes asks the filter of the source.
// argo-events: filterEvent in pkg/eventsources/eventing.go
func (r *route) passes(data []byte) (bool, error) {
	if r.filter == nil {
		return true, nil
	}
	fields := map[string]any{}
	if err := json.Unmarshal(data, &fields); err != nil {
		return false, err
	}
	variables := map[string]any{}
	for name, value := range fields {
		variables[strings.ReplaceAll(name, "-", "_")] = value
	}
	var passes bool
	err := protect(func() error {
		var err error
		passes, err = expr.EvalBool(r.filter.Expression, expr.GetFuncMap(variables))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("EventSource %s/%s: event %s: filter: %w", r.namespace, r.source, r.event, err)
	}
	return passes, nil
}
