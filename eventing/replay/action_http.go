package replay

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	httptrigger "github.com/argoproj/argo-events/pkg/sensors/triggers/http"
	"github.com/argoproj/argo-events/pkg/shared/util"
	"go.uber.org/zap"
	"golang.org/x/net/http/httpguts"
)

// credentials are the headers whose values are not shown.
var credentials = regexp.MustCompile(`(?i)authorization|cookie|token|secret|password|api-?key`)

// request has upstream's trigger send its request to us.
func (r *actionRun) request(ctx context.Context) (*Action, error) {
	kept := &keptRequest{}
	clients := util.NewStringKeyedMap[*http.Client]()
	clients.Store(r.trigger.Template.Name, &http.Client{Transport: kept})
	trigger, err := httptrigger.NewHTTPTrigger(clients, r.firing.trigger.sensor.spec, r.trigger, zap.NewNop().Sugar())
	if err != nil {
		return nil, err
	}
	fetched, err := trigger.FetchResource(ctx)
	if err != nil {
		return nil, err
	}
	resource, err := trigger.ApplyResourceParameters(r.events, fetched)
	if err != nil {
		return nil, err
	}
	spec, ok := resource.(*v1alpha1.HTTPTrigger)
	if !ok {
		return nil, fmt.Errorf("unexpected resource %T", resource)
	}
	// Upstream reads the secrets from files of the pod.
	open := spec.DeepCopy()
	open.SecureHeaders, open.BasicAuth = nil, nil
	response, err := trigger.Execute(ctx, r.events, open)
	if err != nil {
		return nil, err
	}
	if answer, ok := response.(*http.Response); ok {
		_ = answer.Body.Close() // It is empty.
	}
	action := &Action{
		Kind: "http", Operation: kept.request.Method, Target: kept.request.URL.Redacted(),
		Header: masked(kept.request.Header), Payload: kept.body,
	}
	for _, header := range spec.SecureHeaders {
		action.Header[header.Name] = []string{Masked}
	}
	if spec.BasicAuth != nil {
		action.Header.Set("Authorization", "Basic "+Masked)
	}
	if spec.Host != "" {
		action.Header.Set("Host", spec.Host)
	}
	return action, nil
}

func masked(header http.Header) http.Header {
	out := http.Header{}
	for name, values := range header {
		if credentials.MatchString(name) {
			values = []string{Masked}
		}
		out[name] = values
	}
	return out
}

// keptRequest is a transport that keeps the request, and sends nothing.
type keptRequest struct {
	request *http.Request
	body    []byte
}

// RoundTrip implements http.RoundTripper. It refuses what Go's client does not send and what no server understands.
func (k *keptRequest) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Host == "" || request.URL.Scheme != "http" && request.URL.Scheme != "https" {
		return nil, errors.New("the URL is none of http or https: " + (&url.URL{Scheme: request.URL.Scheme, Host: request.URL.Host}).String())
	}
	for name, values := range request.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return nil, fmt.Errorf("invalid header name %q", name)
		}
		if !slices.ContainsFunc(values, func(value string) bool { return !httpguts.ValidHeaderFieldValue(value) }) {
			continue
		}
		return nil, fmt.Errorf("invalid value of the header %s", name)
	}
	var sent bytes.Buffer
	if err := request.Write(&sent); err != nil {
		return nil, err
	}
	received, err := http.ReadRequest(bufio.NewReader(&sent))
	if err != nil {
		return nil, fmt.Errorf("no server understands the request: %w", err)
	}
	if k.body, err = io.ReadAll(received.Body); err != nil {
		return nil, err
	}
	k.request = request
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: request}, nil
}
