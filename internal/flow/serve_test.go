package flow_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/internal/flow"
)

func TestServe(t *testing.T) {
	for name, test := range map[string]struct {
		arguments []string
		host      string
		// at is where the test, which is no pod, reaches the listener.
		at string
	}{
		"the embedded target's pods use the loopback address": {
			host: "127.0.0.1", at: "127.0.0.1",
		},
		"other pods use the given host name, and every interface listens": {
			arguments: []string{"--target", "kubeconfig", "--address", "Laptop.example.com"}, host: "Laptop.example.com", at: "127.0.0.2",
		},
		"other pods use the given IPv6 address": {
			arguments: []string{"--target", "kubeconfig", "--address", "fd00::1"}, host: "fd00::1", at: "127.0.0.1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := parse(t, example, test.arguments...)
			served, err := f.Serve(t.Context(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, "you asked for ", r.URL.Path)
			}))
			require.NoError(t, err)
			where, err := url.Parse(served)
			require.NoError(t, err)
			require.Equal(t, "http", where.Scheme)
			require.Empty(t, where.Path)
			require.Equal(t, test.host, where.Hostname())

			here := "http://" + net.JoinHostPort(test.at, where.Port())
			require.Equal(t, "you asked for /alerts", get(t, here+"/alerts"))
			require.NoError(t, flow.Close(t.Context(), f))
			_, err = http.Get(here)
			require.Error(t, err, "it still answers after the flow's end")
		})
	}
}

func TestTheEndOfTheFlowWaitsForRequests(t *testing.T) {
	f := parse(t, example)
	began, finish := make(chan struct{}), make(chan struct{})
	served, err := f.Serve(t.Context(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-finish
		fmt.Fprint(w, "done")
	}))
	require.NoError(t, err)
	answer := make(chan string, 1)
	go func() { answer <- get(t, served) }()
	<-began
	closed := make(chan error, 1)
	go func() { closed <- flow.Close(t.Context(), f) }()
	require.Eventually(t, func() bool { return refused(served) }, time.Minute, 10*time.Millisecond)
	require.Empty(t, closed)
	close(finish)
	require.Equal(t, "done", <-answer)
	require.NoError(t, <-closed)
}

func TestARequestWithoutEndIsCutOffAndReported(t *testing.T) {
	f := parse(t, example)
	began := make(chan struct{})
	served, err := f.Serve(t.Context(), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
	}))
	require.NoError(t, err)
	cut := make(chan error, 1)
	go func() {
		_, err := http.Get(served)
		cut <- err
	}()
	<-began
	require.ErrorContains(t, flow.Close(t.Context(), f), "stop serving "+served+": requests did not end within 5s")
	require.Error(t, <-cut)
}

func TestServeSaysWhatItMisses(t *testing.T) {
	silent := example
	silent.Serves = false
	for name, test := range map[string]struct {
		example   flow.Example
		arguments []string
		want      string
	}{
		"the flag, on a cluster whose way to this machine is unknown": {example, []string{"--target", "kubeconfig"}, "serve HTTP to pods: pods of this cluster need a name or an address of this machine: give it with --address"},
		"the example's word that it serves, on every target":          {silent, nil, "serve HTTP to pods: Example.Serves is not set"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, test.example, test.arguments...).Serve(t.Context(), http.NotFoundHandler())
			require.EqualError(t, err, test.want)
		})
	}
}

// refused reports whether nothing listens at the URL.
func refused(url string) bool {
	connection, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return true
	}
	connection.Close()
	return false
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}
