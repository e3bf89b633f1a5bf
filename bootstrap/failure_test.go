package bootstrap_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/bootstrap"
)

func TestRunRefusesAFaultyPlanWithoutARequest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, err := f.client(bootstrap.Options{}).Run(f.ctx, plan(component("a", "b"), component("b", "a")))
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	require.ErrorContains(t, err, "dependency cycle: a -> b -> a")
	require.Empty(t, f.requests)
}

func TestNewClientRefusesWrongOptions(t *testing.T) {
	tests := map[string]struct {
		config  *rest.Config
		options bootstrap.Options
		want    string
	}{
		"a nil config":           {want: "bootstrap client: the rest.Config is nil"},
		"a negative concurrency": {config: &rest.Config{}, options: bootstrap.Options{Concurrency: -1}, want: "bootstrap client: options: concurrency -1 is negative"},
		"a wrong namespace":      {config: &rest.Config{}, options: bootstrap.Options{Namespace: "A"}, want: `bootstrap client: options: namespace "A": a lowercase`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := bootstrap.NewClient(test.config, test.options)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestRunReportsAClusterThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	c, err := bootstrap.NewClient(&rest.Config{Host: "http://" + address}, bootstrap.Options{})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = c.Run(ctx, plan(bootstrap.Component{Name: "a", Source: bootstrap.Objects(configMap("x", "c", nil))}))
	require.ErrorContains(t, err, "plan test: read inventory ConfigMap backbone-system/backbone-test: ")
	require.ErrorContains(t, err, address)
}

func TestRunEndsWhenAServerHangs(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() }))
	defer server.Close()
	c, err := bootstrap.NewClient(&rest.Config{Host: server.URL}, bootstrap.Options{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	started := time.Now()
	_, err = c.Run(ctx, plan(bootstrap.Component{Name: "a", Source: bootstrap.Objects(configMap("x", "c", nil))}))
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, time.Since(started), 5*time.Second)
}

func TestRunReportsEveryObjectThatIsRefusedForGood(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	misspelt := configMap(f.namespace, "misspelt", nil)
	misspelt.Object["dada"] = map[string]any{"k": "v"}
	badName := configMap(f.namespace, "Not_A_Name", nil)
	started := time.Now()
	result, err := f.client(bootstrap.Options{}).Run(f.ctx, plan(
		bootstrap.Component{Name: "bad", Source: bootstrap.Objects(misspelt, badName)},
		bootstrap.Component{Name: "child", DependsOn: []string{"bad"}, Source: bootstrap.Objects()},
		bootstrap.Component{Name: "grandchild", DependsOn: []string{"child"}, Source: bootstrap.Objects()},
		bootstrap.Component{Name: "other", Source: bootstrap.Objects(configMap(f.namespace, "c", nil))},
	))
	require.Less(t, time.Since(started), 10*time.Second, "such errors are not retried")
	failed := &bootstrap.ApplyError{}
	require.ErrorAs(t, err, &failed)
	require.Equal(t, "bad", failed.Component)
	require.Len(t, failed.Objects, 2)
	for _, object := range failed.Objects {
		require.Equal(t, 1, object.Attempts, "%v", object.Err)
	}
	require.ErrorContains(t, err, "apply ConfigMap "+f.namespace+"/misspelt: ")
	require.ErrorContains(t, err, ".dada: field not declared in schema")
	want := map[string]bootstrap.Outcome{"bad": bootstrap.OutcomeFailed, "child": bootstrap.OutcomeSkipped,
		"grandchild": bootstrap.OutcomeSkipped, "other": bootstrap.OutcomeInstalled}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	require.ElementsMatch(t, []bootstrap.ComponentSkipped{
		{Component: "child", Because: []string{"bad"}}, {Component: "grandchild", Because: []string{"child"}},
	}, eventsOf[bootstrap.ComponentSkipped](f))
	require.Empty(t, eventsOf[bootstrap.Retrying](f))
}

func TestRunWaitsForAKindOnlySoLong(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, err := f.client(bootstrap.Options{}).Run(f.ctx, plan(bootstrap.Component{Name: "a", Timeout: time.Second,
		Source: bootstrap.Objects(f.custom("Unknown", "u"))}))
	failed := &bootstrap.ApplyError{}
	require.ErrorAs(t, err, &failed)
	require.True(t, meta.IsNoMatchError(err), "%v", err)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Greater(t, failed.Objects[0].Attempts, 1)
}

func TestRunNamesTheFieldsAndManagersOfAConflict(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	theirs := configMap(f.namespace, "c", map[string]any{"k": "theirs", "other": "x"})
	body, err := json.Marshal(theirs.Object)
	require.NoError(t, err)
	require.NoError(t, f.api.Patch(f.ctx, theirs, client.RawPatch(types.ApplyPatchType, body), client.FieldOwner(`their "tool"`)))

	p := plan(bootstrap.Component{Name: "a", Source: bootstrap.Objects(configMap(f.namespace, "c", map[string]any{"k": "ours"}))})
	_, err = f.client(bootstrap.Options{}).Run(f.ctx, p)
	conflict := &bootstrap.ConflictError{}
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, []bootstrap.FieldConflict{{Manager: `their "tool"`, Field: ".data.k"}}, conflict.Conflicts)
	require.Equal(t, bootstrap.ObjectRef{Version: "v1", Kind: "ConfigMap", Namespace: f.namespace, Name: "c"}, conflict.Object)
	require.True(t, apierrors.IsConflict(err))
	require.EqualError(t, err, `component a: apply ConfigMap `+f.namespace+`/c: conflict: .data.k belongs to field manager "their \"tool\""`)

	_, err = f.client(bootstrap.Options{Force: true}).Run(f.ctx, p)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"k": "ours", "other": "x"}, f.get(theirs).Object["data"])
}

// TestRunRetriesUntilAWebhookAnswers registers a validating webhook whose
// server is started only when a run has failed to reach it.
func TestRunRetriesUntilAWebhookAnswers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		review := admissionv1.AdmissionReview{}
		if err := json.NewDecoder(request.Body).Decode(&review); err != nil {
			t.Errorf("admission review: %v", err)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		if err := json.NewEncoder(response).Encode(review); err != nil {
			t.Errorf("admission review: %v", err)
		}
	}))
	address := server.Listener.Addr().String()
	require.NoError(t, server.Listener.Close())
	f.registerWebhook(address)
	guarded := configMap(f.namespace, "guarded", nil)
	require.Eventually(t, func() bool {
		return f.api.Create(f.ctx, guarded.DeepCopy(), client.DryRunAll) != nil
	}, 20*time.Second, 20*time.Millisecond, "the API server takes a moment to call a new webhook")

	var start sync.Once
	defer server.Close()
	c := f.client(bootstrap.Options{Progress: func(event bootstrap.Event) {
		if _, ok := event.(bootstrap.Retrying); !ok {
			return
		}
		start.Do(func() {
			listener, err := net.Listen("tcp", address)
			if err != nil {
				t.Errorf("listen again: %v", err)
				return
			}
			server.Listener = listener
			server.StartTLS()
		})
	}})
	_, err := c.Run(f.ctx, plan(bootstrap.Component{Name: "a", Source: bootstrap.Objects(guarded)}))
	require.NoError(t, err)
	retries := eventsOf[bootstrap.Retrying](f)
	require.NotEmpty(t, retries)
	require.Equal(t, 1, retries[0].Attempt)
	require.Equal(t, "guarded", retries[0].Object.Name)
	require.ErrorContains(t, retries[0].Err, "failed calling webhook")
}

// registerWebhook makes a server on the address validate the ConfigMap
// "guarded" in the fixture's namespace.
func (f *fixture) registerWebhook(address string) {
	f.t.Helper()
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	authority := certificateOf(certificate)
	certificate.Close()
	url, fail, none, timeout := "https://"+address, admissionregistrationv1.Fail, admissionregistrationv1.SideEffectClassNone, int32(2)
	webhook := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: f.namespace},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name:                    "guard.example.com",
			ClientConfig:            admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: authority},
			FailurePolicy:           &fail,
			SideEffects:             &none,
			TimeoutSeconds:          &timeout,
			AdmissionReviewVersions: []string{"v1"},
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": f.namespace}},
			MatchConditions:         []admissionregistrationv1.MatchCondition{{Name: "name", Expression: "request.name == 'guarded'"}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
			}},
		}},
	}
	require.NoError(f.t, f.api.Create(f.ctx, webhook))
	f.t.Cleanup(func() {
		if err := f.api.Delete(context.WithoutCancel(f.ctx), webhook); err != nil {
			f.t.Errorf("delete webhook: %v", err)
		}
	})
}

func TestRunSurvivesAServerInTrouble(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*http.Request) (*http.Response, error){
		"too many requests": func(request *http.Request) (*http.Response, error) {
			return answer(request, http.StatusTooManyRequests, http.Header{"Retry-After": {"1"}}), nil
		},
		"a gateway without a server behind it": func(request *http.Request) (*http.Response, error) {
			return answer(request, http.StatusBadGateway, nil), nil
		},
		"a server that is starting": func(request *http.Request) (*http.Response, error) {
			return answer(request, http.StatusServiceUnavailable, nil), nil
		},
		"a refused connection": func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		},
		"a connection that breaks": func(*http.Request) (*http.Response, error) {
			return nil, io.ErrUnexpectedEOF
		},
	}
	for name, trouble := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			var faults atomic.Int32
			troubled := func(next http.RoundTripper) http.RoundTripper {
				return roundTripper(func(request *http.Request) (*http.Response, error) {
					if strings.HasPrefix(path.Base(request.URL.Path), "c-") && faults.Add(1) <= 3 {
						return trouble(request)
					}
					return next.RoundTrip(request)
				})
			}
			result, err := f.client(bootstrap.Options{}, troubled).Run(f.ctx, plan(bootstrap.Component{
				Name: "a", Source: bootstrap.Objects(f.configMaps(5)...)}))
			require.NoError(t, err)
			require.Equal(t, bootstrap.OutcomeInstalled, result.Components[0].Outcome)
			f.versions(f.configMaps(5)...)
			require.GreaterOrEqual(t, faults.Load(), int32(8))
		})
	}
}

// answer is what a proxy or an overloaded API server says.
func answer(request *http.Request, code int, header http.Header) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: code, Header: header, Request: request, Body: io.NopCloser(strings.NewReader("in trouble"))}
}

func TestRunGivesUpOnTroubleWhenTheComponentsTimeIsOver(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	troubled := func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			if strings.HasPrefix(path.Base(request.URL.Path), "c-") {
				return answer(request, http.StatusBadGateway, nil), nil
			}
			return next.RoundTrip(request)
		})
	}
	_, err := f.client(bootstrap.Options{}, troubled).Run(f.ctx, plan(bootstrap.Component{
		Name: "a", Timeout: time.Second, Source: bootstrap.Objects(f.configMaps(1)...)}))
	failed := &bootstrap.ApplyError{}
	require.ErrorAs(t, err, &failed)
	require.Greater(t, failed.Objects[0].Attempts, 1)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	status := apierrors.APIStatus(nil)
	require.True(t, errors.As(err, &status))
	require.EqualValues(t, http.StatusBadGateway, status.Status().Code)
	require.ErrorContains(t, err, "not done after 1s")
}

// certificateOf gives the certificate that all test servers share, which is its
// own authority.
func certificateOf(server *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}
