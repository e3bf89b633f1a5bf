package eventing

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"k8s.io/client-go/rest"
)

// LogReader returns the log of a pod, from a time on unless that is zero.
type LogReader func(ctx context.Context, namespace, pod string, since time.Time) (io.ReadCloser, error)

// Logs returns a reader of the logs that the API server has.
func Logs(config *rest.Config) (LogReader, error) {
	server, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, err
	}
	api, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	// A log is as long as it is: the deadline is that of the context.
	api = &http.Client{Transport: api.Transport}
	return func(ctx context.Context, namespace, pod string, since time.Time) (io.ReadCloser, error) {
		address := server.JoinPath("api", "v1", "namespaces", namespace, "pods", pod, "log")
		if !since.IsZero() {
			address.RawQuery = url.Values{"sinceTime": {since.UTC().Format(time.RFC3339)}}.Encode()
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
		if err != nil {
			return nil, err
		}
		response, err := api.Do(request)
		if err != nil {
			return nil, err
		}
		if response.StatusCode != http.StatusOK {
			_ = response.Body.Close() // The status says enough.
			return nil, fmt.Errorf("the API server answers %s", response.Status)
		}
		return response.Body, nil
	}, nil
}
