package replay_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/eventing/replay"
)

// gate is an EventSource with every kind that receives requests.
func gate(t testing.TB) *unstructured.Unstructured {
	t.Helper()
	return object(t, `
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: gate, namespace: shop}
spec:
  webhook:
    push: {port: "12000", endpoint: /push, method: POST, authSecret: {name: gate, key: token}, metadata: {team: a}, maxPayloadSize: 100}
    ask: {port: "12000", endpoint: /ask, method: GET}
    large: {port: "12000", endpoint: /large, method: POST, filter: {expression: body.size > 3}}
    one: {port: "12000", endpoint: /same, method: POST}
    two: {port: "12001", endpoint: /same, method: POST}
  github:
    hook: {webhook: {port: "12000", endpoint: /github, method: POST}, webhookSecret: {name: gate, key: token}, repositories: [{owner: a, names: [b]}]}
  gitlab:
    lab: {webhook: {port: "12000", endpoint: /gitlab, method: POST}, secretToken: {name: gate, key: token}, projects: [a/b]}
`)
}

func gateSecret(t testing.TB) *unstructured.Unstructured {
	t.Helper()
	return object(t, `{apiVersion: v1, kind: Secret, metadata: {name: gate, namespace: shop}, stringData: {token: s3cret}}`)
}

func signature(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func TestRequestsBecomeEvents(t *testing.T) {
	const payload = `{"action":"opened"}`
	tests := map[string]struct {
		request string
		// data of the event, or why there is none; without both the filter does not let it through.
		data    string
		refused int
		err     string
	}{
		"a webhook": {
			request: "POST /push HTTP/1.1\nHost: there\nAuthorization: Bearer s3cret\nX-Kind: a\n\n{\"ref\": 1}",
			data:    `{"header":{"Authorization":["*** Masked Auth Secret ***"],"Content-Length":["10"],"X-Kind":["a"]},"body":{"ref":1},"metadata":{"team":"a"}}`,
		},
		"another token":  {request: "POST /push HTTP/1.1\nAuthorization: Bearer other\n\n{}", refused: http.StatusUnauthorized},
		"no token":       {request: "POST /push\n\n{}", refused: http.StatusUnauthorized},
		"another method": {request: "PUT /push\nAuthorization: Bearer s3cret\n\n{}", refused: http.StatusBadRequest},
		"a large body":   {request: "POST /push\nAuthorization: Bearer s3cret\n\n\"" + strings.Repeat("x", 100) + `"`, refused: http.StatusBadRequest},
		"no JSON":        {request: "POST /push\nAuthorization: Bearer s3cret\n\n{", refused: http.StatusBadRequest},
		"another path":   {request: "POST /other\n\n{}", refused: http.StatusNotFound},
		"a query":        {request: "GET /ask?a=1&a=2 HTTP/1.1\nHost: there\n\n", data: `{"header":{"Content-Length":["0"]},"body":{"a":["1","2"]}}`},
		"a form": {
			request: "POST /large HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n\na=1&b=%20", err: "filter",
		},
		"what the filter lets through":      {request: "POST /large\n\n{\"size\":4}", data: `{"header":{"Content-Length":["10"]},"body":{"size":4}}`},
		"what the filter keeps back":        {request: "POST /large\n\n{\"size\":3}"},
		"two ports":                         {request: "POST /same HTTP/1.1\nHost: there:12001\n\n{}", data: `{"header":{"Content-Length":["2"]},"body":{}}`},
		"two ports, and neither is named":   {request: "POST /same\n\n{}", err: "gate/one and gate/two both serve /same"},
		"a line end of another kind":        {request: "POST /same HTTP/1.1\r\nHost: there:12000\r\n\r\n{}", data: `{"header":{"Content-Length":["2"]},"body":{}}`},
		"a request of GitHub":               {request: "POST /github\nContent-Type: application/json\nX-GitHub-Event: pull_request\nX-GitHub-Delivery: 1\nX-Hub-Signature-256: " + signature("s3cret", payload) + "\n\n" + payload, data: `{"headers":{"Content-Length":["19"],"Content-Type":["application/json"],"X-Github-Event":["pull_request"],"X-Github-Delivery":["1"],"X-Hub-Signature-256":["` + signature("s3cret", payload) + `"]},"body":{"action":"opened","X-GitHub-Event":"pull_request","X-GitHub-Delivery":"1"}}`},
		"another signature":                 {request: "POST /github\nContent-Type: application/json\nX-Hub-Signature-256: " + signature("other", payload) + "\n\n" + payload, refused: http.StatusBadRequest},
		"no signature":                      {request: "POST /github\nContent-Type: application/json\n\n" + payload, refused: http.StatusBadRequest},
		"a signature that is none":          {request: "POST /github\nContent-Type: application/json\nX-Hub-Signature-256: sha256=xyz\n\n" + payload, refused: http.StatusBadRequest},
		"a request of GitLab":               {request: "POST /gitlab\nX-Gitlab-Token: s3cret\n\n{}", data: `{"headers":{"Content-Length":["2"],"X-Gitlab-Token":["s3cret"]},"body":{}}`},
		"another token of GitLab":           {request: "POST /gitlab\nX-Gitlab-Token: other\n\n{}", refused: http.StatusBadRequest},
		"what is no request":                {request: "hello", err: "read the request"},
		"a header that is none":             {request: "POST /push\nno header\n\n{}", err: "read the request"},
		"a chunked body, written as it is":  {request: "POST /same HTTP/1.1\nHost: there:12000\nTransfer-Encoding: chunked\n\n{}", data: `{"header":{"Content-Length":["2"]},"body":{}}`},
		"a wrong length, written by a hand": {request: "POST /same HTTP/1.1\nHost: there:12000\nContent-Length: 100\n\n{}", data: `{"header":{"Content-Length":["2"]},"body":{}}`},
	}
	sources, err := replay.NewSources(objects(gate(t), gateSecret(t)))
	require.NoError(t, err)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			loaded, err := replay.LoadEvents(fstest.MapFS{"a.http": {Data: []byte(test.request)}}, sources, noon, ".")
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				require.ErrorContains(t, err, "a.http: ")
				return
			}
			require.NoError(t, err)
			require.Len(t, loaded, 1)
			if test.refused != 0 {
				require.NotNil(t, loaded[0].Refused)
				require.Equal(t, test.refused, loaded[0].Refused.Status)
				require.NotContains(t, loaded[0].Refused.Error(), "s3cret")
				return
			}
			require.Nil(t, loaded[0].Refused)
			require.False(t, loaded[0].Unchecked)
			if test.data == "" {
				require.Nil(t, loaded[0].Event)
				return
			}
			require.Equal(t, "shop", loaded[0].Namespace)
			require.JSONEq(t, test.data, string(loaded[0].Event.Data()))
			require.Equal(t, "gate", loaded[0].Event.Source())
			require.Equal(t, "a.http", loaded[0].Event.ID())
		})
	}
}

func TestSendersAreNotCheckedWithoutTheSecret(t *testing.T) {
	sources, err := replay.NewSources(objects(gate(t)))
	require.NoError(t, err)
	loaded, err := replay.LoadEvents(fstest.MapFS{"a.http": {Data: []byte("POST /push\n\n{}")}}, sources, noon, ".")
	require.NoError(t, err)
	require.NotNil(t, loaded[0].Event)
	require.True(t, loaded[0].Unchecked)
}

func TestRecordedEventsAreRead(t *testing.T) {
	one := func(n int) string {
		return fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"git","type":"webhook","subject":"push","datacontenttype":"application/json","time":"2026-03-02T12:00:00Z","data":{"n":%[1]d}}`, n)
	}
	files := fstest.MapFS{
		"a.json":         {Data: []byte(one(1))},
		"b/list.json":    {Data: []byte("[" + one(2) + "," + one(3) + "]")},
		"c/lines.json":   {Data: []byte(one(4) + "\n" + one(5) + "\n")},
		".hidden/a.json": {Data: []byte("{")},
		"README.md":      {Data: []byte("text")},
	}
	loaded, err := replay.LoadEvents(files, &replay.Sources{}, noon, ".")
	require.NoError(t, err)
	var ids []string
	for _, l := range loaded {
		ids = append(ids, l.File+" "+l.Event.ID())
	}
	require.Equal(t, []string{"a.json 1", "b/list.json 2", "b/list.json 3", "c/lines.json 4", "c/lines.json 5"}, ids)
	require.JSONEq(t, `{"n":5}`, string(loaded[4].Event.Data()))
}

func TestFilesThatHoldNoEventAreNamed(t *testing.T) {
	for name, text := range map[string]string{
		"broken":       `{"specversion":`,
		"another kind": `{"hello": 1}`,
		"no ID":        `{"specversion":"1.0","source":"git","type":"webhook","subject":"push","data":{}}`,
		"a text":       `"text"`,
		"too large":    strings.Repeat(" ", replay.MaxFileSize+1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := replay.LoadEvents(fstest.MapFS{"a.json": {Data: []byte(text)}}, &replay.Sources{}, noon, ".")
			require.ErrorContains(t, err, "a.json: ")
		})
	}
	_, err := replay.LoadEvents(fstest.MapFS{}, &replay.Sources{}, noon, "missing")
	require.Error(t, err)
}

func TestSourcesThatCannotBeReadAreNamed(t *testing.T) {
	broken := gate(t)
	broken.Object["spec"] = map[string]any{"webhook": "none"}
	secret := gateSecret(t)
	secret.Object["stringData"] = map[string]any{"token": []any{"s3cret"}}
	_, err := replay.NewSources(objects(broken, secret))
	require.ErrorContains(t, err, "EventSource shop/gate")
	require.ErrorContains(t, err, "Secret shop/gate")
	require.NotContains(t, err.Error(), "s3cret")

	deep := gate(t)
	require.NoError(t, unstructured.SetNestedField(deep.Object, strings.Repeat("(", 1<<20), "spec", "webhook", "large", "filter", "expression"))
	_, err = replay.NewSources(objects(deep))
	require.ErrorContains(t, err, "spec.webhook.large.filter.expression")
}

func FuzzRequest(f *testing.F) {
	f.Add("POST /push HTTP/1.1\nHost: there\n\n{}")
	f.Add("GET /ask?a=1\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		request, err := replay.ReadRequest([]byte(text))
		if err != nil {
			return
		}
		sources, err := replay.NewSources(objects(gate(t), gateSecret(t)))
		require.NoError(t, err)
		_, _ = sources.Receive(request, "1", noon)
	})
}
