package agent

import (
	"errors"
	"net/http"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
)

// patience is how long to wait before trying a refused connection again.
const patience = 250 * time.Millisecond

// patient is a copy of config whose reads wait while the API server refuses
// connections, until their context ends. Without it the watches of a node would
// back off, and start pods up to a minute after the API server is back.
func patient(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return patientTransport{next: next} })
	return config
}

type patientTransport struct{ next http.RoundTripper }

func (t patientTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	for {
		response, err := t.next.RoundTrip(request)
		if err == nil || request.Method != http.MethodGet || !errors.Is(err, syscall.ECONNREFUSED) {
			return response, err
		}
		select {
		case <-request.Context().Done():
			return nil, err
		case <-time.After(patience):
		}
	}
}
