package eventing_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/eventing"
)

// responder is a Responder behind a real server.
type responder struct {
	*eventing.Responder
	url string
}

// serve starts a Responder that lets everybody in and handles everything, where
// the options say nothing else.
func serve(t *testing.T, options eventing.ResponderOptions) responder {
	t.Helper()
	if options.Authentication == nil {
		options.Authentication = eventing.NoAuthentication{}
	}
	if options.Handle == nil {
		options.Handle = func(context.Context, eventing.Event) error { return nil }
	}
	made, err := eventing.NewResponder(options)
	require.NoError(t, err)
	server := httptest.NewServer(made)
	t.Cleanup(server.Close)
	return responder{Responder: made, url: server.URL}
}

// reply is what the sender sees.
type reply struct {
	Status int
	Result string
	header http.Header
	text   string
}

func (r responder) send(t *testing.T, body string, header map[string]string) reply {
	t.Helper()
	return r.sendAs(t, http.MethodPost, strings.NewReader(body), header)
}

func (r responder) sendAs(t *testing.T, method string, body io.Reader, header map[string]string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url, body)
	require.NoError(t, err)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	return readReply(t, response)
}

// post may run in a goroutine of its own.
func (r responder) post(id string) (int, error) {
	req, err := http.NewRequest(http.MethodPost, r.url, strings.NewReader(`{}`))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Ce-Id", id)
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

func readReply(t *testing.T, response *http.Response) reply {
	t.Helper()
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	var content struct{ Result string }
	require.NoError(t, json.Unmarshal(text, &content), "%s", text)
	return reply{Status: response.StatusCode, Result: content.Result, header: response.Header, text: string(text)}
}

func requireReply(t *testing.T, got reply, status int, result string) {
	t.Helper()
	require.Equal(t, reply{Status: status, Result: result}, reply{Status: got.Status, Result: got.Result}, got.text)
}

// scrape returns the metrics as Prometheus reads them.
func (r responder) scrape(t *testing.T) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(r.Responder))
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer server.Close()
	response, err := http.Get(server.URL)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(text)
}

func withID(id string) map[string]string { return map[string]string{"ce-id": id} }

func TestEachRefusalHasItsStatus(t *testing.T) {
	token := map[string]string{"Authorization": "Bearer right", "ce-id": "1"}
	and := func(name, value string) map[string]string {
		header := map[string]string{name: value}
		for known, text := range token {
			if _, ok := header[known]; !ok {
				header[known] = text
			}
		}
		return header
	}
	tests := map[string]struct {
		method, body string
		header       map[string]string
		status       int
		result       string
	}{
		"a sound event is handled":                {body: `{}`, header: token, status: 200, result: "handled"},
		"a GET is the wrong method":               {method: http.MethodGet, header: token, status: 405, result: "wrong-method"},
		"a PUT is the wrong method":               {method: http.MethodPut, body: `{}`, header: token, status: 405, result: "wrong-method"},
		"a form is the wrong type":                {body: `a=b`, header: and("Content-Type", "application/x-www-form-urlencoded"), status: 415, result: "wrong-content-type"},
		"a type that cannot be read is wrong":     {body: `{}`, header: and("Content-Type", ";;"), status: 415, result: "wrong-content-type"},
		"a type with parameters is fine":          {body: `{}`, header: and("Content-Type", "application/cloudevents+json; charset=utf-8"), status: 200, result: "handled"},
		"no token":                                {body: `{}`, header: withID("1"), status: 401, result: "unauthenticated"},
		"a wrong token":                           {body: `{}`, header: and("Authorization", "Bearer wrong"), status: 401, result: "unauthenticated"},
		"a large body is refused by its length":   {body: `"` + strings.Repeat("a", 1000) + `"`, header: token, status: 413, result: "too-large"},
		"large headers would not fit a letter":    {body: `{}`, header: and("ce-subject", strings.Repeat("a", 65<<10)), status: 431, result: "headers-too-large"},
		"a body that is no JSON":                  {body: `{`, header: token, status: 400, result: "invalid-body"},
		"no body at all":                          {header: token, status: 400, result: "invalid-body"},
		"deep nesting is no JSON":                 {body: strings.Repeat("[", 900), header: token, status: 400, result: "invalid-body"},
		"no ID":                                   {body: `{"id":"1"}`, header: map[string]string{"Authorization": "Bearer right"}, status: 400, result: "no-id"},
		"an ID that is too long":                  {body: `{}`, header: and("ce-id", strings.Repeat("a", 257)), status: 400, result: "no-id"},
		"an ID that is no text":                   {body: `{}`, header: and("ce-id", "\xff"), status: 400, result: "no-id"},
		"an event that nobody expects":            {body: `{"type":"other"}`, header: token, status: 422, result: "not-accepted"},
		"an event that cannot be handled for now": {body: `{"type":"broken"}`, header: token, status: 500, result: "failed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := serve(t, eventing.ResponderOptions{
				Authentication: eventing.Bearer{Tokens: eventing.FixedKeys("right")},
				MaxBody:        1000,
				Accept:         func(event eventing.Event) bool { return !strings.Contains(string(event.Body), "other") },
				Handle: func(_ context.Context, event eventing.Event) error {
					if strings.Contains(string(event.Body), "broken") {
						return errors.New("the database password is hunter2")
					}
					return nil
				},
			})
			method := test.method
			if method == "" {
				method = http.MethodPost
			}
			got := r.sendAs(t, method, strings.NewReader(test.body), test.header)
			requireReply(t, got, test.status, test.result)
			require.NotContains(t, got.text, "hunter2")
			require.Contains(t, r.scrape(t), `backbone_responder_deliveries_total{responder="responder",result="`+test.result+`"} 1`)
			if test.status < 300 {
				require.Equal(t, "application/json", got.header.Get("Content-Type"))
				return
			}
			require.Equal(t, "application/problem+json", got.header.Get("Content-Type"))
			var problem struct {
				Title, Detail string
				Status        int
			}
			require.NoError(t, json.Unmarshal([]byte(got.text), &problem))
			require.Equal(t, http.StatusText(test.status), problem.Title)
			require.Equal(t, test.status, problem.Status)
			require.NotEmpty(t, problem.Detail)
			require.Equal(t, test.status == 401, got.header.Get("WWW-Authenticate") == "Bearer")
			require.Equal(t, test.status == 405, got.header.Get("Allow") == "POST")
		})
	}
}

func TestALargeBodyOfUnknownLengthIsRefused(t *testing.T) {
	r := serve(t, eventing.ResponderOptions{MaxBody: 10})
	requireReply(t, r.sendAs(t, http.MethodPost, io.MultiReader(strings.NewReader(`"aaaaaaaaaaaaaaaaaa"`)), withID("1")), 413, "too-large")
}

func TestASenderThatIsRefusedAndKeepsSilentIsLetGo(t *testing.T) {
	for status, options := range map[string]eventing.ResponderOptions{
		"401": {Authentication: eventing.Bearer{Tokens: eventing.FixedKeys("a")}},
		"413": {MaxBody: 10},
	} {
		t.Run(status, func(t *testing.T) {
			options.ReadTimeout = 100 * time.Millisecond
			connection := dial(t, serve(t, options), 11, "")
			require.NoError(t, connection.SetReadDeadline(time.Now().Add(soon)))
			text, err := io.ReadAll(connection)
			require.NoError(t, err)
			require.Contains(t, string(text), "HTTP/1.1 "+status)
		})
	}
}

// dial sends the beginning of a request.
func dial(t *testing.T, r responder, length int, body string) net.Conn {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { connection.Close() })
	_, err = io.WriteString(connection, "POST / HTTP/1.1\r\nHost: a\r\nCe-Id: 1\r\nContent-Length: "+strconv.Itoa(length)+"\r\n\r\n"+body)
	require.NoError(t, err)
	return connection
}

func TestASlowBodyTimesOut(t *testing.T) {
	r := serve(t, eventing.ResponderOptions{ReadTimeout: 100 * time.Millisecond})
	text, err := io.ReadAll(dial(t, r, 10, `{`))
	require.NoError(t, err)
	require.Contains(t, string(text), "HTTP/1.1 408 ")
	require.Contains(t, string(text), `"result":"slow"`)
	requireReply(t, r.send(t, `{}`, withID("1")), 200, "handled")
}

func TestTheReadTimeoutDoesNotEndTheHandler(t *testing.T) {
	r := serve(t, eventing.ResponderOptions{
		ReadTimeout: 100 * time.Millisecond,
		Handle: func(ctx context.Context, _ eventing.Event) error {
			select {
			case <-time.After(300 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	})
	requireReply(t, r.send(t, `{}`, withID("1")), 200, "handled")
}

func TestASenderThatHangsUpWhileItSendsIsNotHandled(t *testing.T) {
	r := serve(t, eventing.ResponderOptions{})
	dial(t, r, 10, `{`).Close()
	require.Eventually(t, func() bool {
		return strings.Contains(r.scrape(t), `result="aborted"} 1`)
	}, soon, 10*time.Millisecond)
}

func TestTheIDOfAnEvent(t *testing.T) {
	tests := map[string]struct {
		body   string
		header map[string]string
		bodyID func([]byte) string
		want   string
	}{
		"the CloudEvents header comes first":           {body: `{"id":"c","specversion":"1.0"}`, header: map[string]string{"ce-id": "a", "X-GitHub-Delivery": "b"}, want: "a"},
		"then the header that is set":                  {body: `{"id":"c","specversion":"1.0"}`, header: map[string]string{"X-GitHub-Delivery": "b"}, want: "b"},
		"then a CloudEvent in the body":                {body: `{"id":"c","specversion":"1.0"}`, want: "c"},
		"or a whole event of Argo Events":              {body: `{"context":{"id":"d","specversion":"1.0"},"data":"e30="}`, want: "d"},
		"a context of another type is none":            {body: `{"context":"ci/build","id":"c","specversion":"1.0"}`, want: "c"},
		"a function may know better":                   {body: `{"id":"c","specversion":"1.0"}`, bodyID: func([]byte) string { return "e" }, want: "e"},
		"an ID outside of an event is somebody else's": {body: `{"id":"c","context":{"id":"d"}}`, want: ""},
		"a number is no ID":                            {body: `{"id":1,"specversion":"1.0"}`, want: ""},
		"a list has none":                              {body: `[]`, want: ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := ""
			r := serve(t, eventing.ResponderOptions{
				IDHeader: "X-GitHub-Delivery", BodyID: test.bodyID,
				Handle: func(_ context.Context, event eventing.Event) error {
					got = event.ID
					return nil
				},
			})
			status := 200
			if test.want == "" {
				status = 400
			}
			require.Equal(t, status, r.send(t, test.body, test.header).Status)
			require.Equal(t, test.want, got)
		})
	}
}

func TestHandleSeesTheHeadersThatAreNamed(t *testing.T) {
	var got eventing.Event
	r := serve(t, eventing.ResponderOptions{
		IDHeader: "x-github-delivery", Headers: []string{"x-github-event"},
		Handle: func(_ context.Context, event eventing.Event) error {
			got = event
			return nil
		},
	})
	before := time.Now()
	requireReply(t, r.send(t, `{"a":1}`, map[string]string{
		"X-GitHub-Delivery": "7", "X-GitHub-Event": "push", "Ce-Type": "t", "Content-Type": "application/json",
		"Authorization": "Bearer a", "Cookie": "b", "X-Other": "c",
	}), 200, "handled")
	require.WithinRange(t, got.Received, before, time.Now())
	got.Received = time.Time{}
	want := eventing.Event{
		ID: "7", Attempt: 1, Body: []byte(`{"a":1}`),
		Header: http.Header{"X-Github-Delivery": {"7"}, "X-Github-Event": {"push"}, "Ce-Type": {"t"}, "Content-Type": {"application/json"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestResponderOptionFaults(t *testing.T) {
	handle := func(context.Context, eventing.Event) error { return nil }
	open := eventing.NoAuthentication{}
	var none *eventing.MemoryStore
	tests := map[string]struct {
		options eventing.ResponderOptions
		want    []string
	}{
		"a handler and an authentication are required": {
			want: []string{"handle: Required value", "authentication: Required value: NoAuthentication lets everybody in"},
		},
		"credentials need secrets": {
			options: eventing.ResponderOptions{Handle: handle, Authentication: eventing.Bearer{}},
			want:    []string{"authentication.tokens: Required value"},
		},
		"signatures need headers and secrets": {
			options: eventing.ResponderOptions{Handle: handle, Authentication: eventing.HMAC{Timestamp: &eventing.SignedTimestamp{Tolerance: -1}}},
			want: []string{
				"authentication.header: Required value: a header needs a name",
				"authentication.secrets: Required value",
				"authentication.timestamp.header: Required value: a header needs a name",
				`authentication.timestamp.tolerance: Invalid value: "-1ns": must not be negative`,
			},
		},
		"a function of one's own must be there": {
			options: eventing.ResponderOptions{Handle: handle, Authentication: eventing.RawAuthentication{}},
			want:    []string{"authentication.verify: Required value"},
		},
		"headers with credentials stay where they are": {
			options: eventing.ResponderOptions{Handle: handle, Authentication: open, IDHeader: "cookie", Headers: []string{"Authorization", "a b"}},
			want: []string{
				"idHeader: Forbidden: carries credentials",
				"headers[0]: Forbidden: carries credentials",
				`headers[1]: Invalid value: "a b": is no HTTP header name`,
			},
		},
		"limits have limits": {
			options: eventing.ResponderOptions{Handle: handle, Authentication: open, Workers: -1, Queue: 1 << 40, HandleTimeout: 25 * time.Hour},
			want: []string{
				"workers: Invalid value: -1: must be between 0, for the default, and 10000",
				"queue: Invalid value: 1099511627776: must be between 0, for the default, and 10000",
				"handleTimeout: Invalid value: 90000000000000: must be between 0, for the default, and 86400000000000",
			},
		},
		"stores in the cluster need a client and a place": {
			options: eventing.ResponderOptions{
				Handle: handle, Authentication: open, MaxBody: 1 << 20,
				Store:       eventing.KubernetesStore{Retention: -1},
				DeadLetters: &eventing.KubernetesDeadLetters{Name: "a", Namespace: "b", MaxLetters: -1},
			},
			want: []string{
				"store.client: Required value",
				"store.name: Required value",
				"store.namespace: Required value",
				`store.retention: Invalid value: "-1ns": must not be negative`,
				"deadLetters.client: Required value",
				"deadLetters.maxLetters: Invalid value: -1: must not be negative",
				"maxBody: Invalid value: 1048576: does not fit into a Secret",
			},
		},
		"a nil store is the default": {
			options: eventing.ResponderOptions{Handle: handle, Authentication: open, Store: none},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, fault := range test.options.Validate() {
				got = append(got, fault.Error())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			_, err := eventing.NewResponder(test.options)
			require.Equal(t, test.want == nil, err == nil)
			for _, fault := range test.want {
				require.ErrorContains(t, err, fault)
			}
		})
	}
}
