package eventing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/eventing"
)

// Whatever comes in, the answer is a JSON document with a status of its own, and
// only a sound event is handled.
func FuzzResponderRequest(f *testing.F) {
	key := "key"
	f.Add("POST", "application/json", "1", "", []byte(`{}`))
	f.Add("POST", "", "", "sha256="+signature(key, `{"id":"a","specversion":"1.0"}`), []byte(`{"id":"a","specversion":"1.0"}`))
	f.Add("POST", "application/cloudevents+json", "", "sha256=00", []byte(`{"context":{"id":"b","specversion":"1.0"}}`))
	f.Add("get", "text/plain; =", "\x00", "sha256=", []byte("\xff"))
	f.Fuzz(func(t *testing.T, method, contentType, id, given string, body []byte) {
		for _, authentication := range []eventing.Authentication{
			eventing.NoAuthentication{}, eventing.GitHubSignature(eventing.FixedKeys(key)), eventing.SlackSignature(eventing.FixedKeys(key)), eventing.Bearer{Tokens: eventing.FixedKeys(key)},
		} {
			var handled *eventing.Event
			r, err := eventing.NewResponder(eventing.ResponderOptions{
				Authentication: authentication, MaxBody: 1 << 10,
				Handle: func(_ context.Context, event eventing.Event) error {
					handled = &event
					return nil
				},
			})
			require.NoError(t, err)
			req, err := http.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
			require.NoError(t, err)
			req.Method = method
			req.Header = http.Header{
				"Content-Type": {contentType}, "Ce-Id": {id}, "Authorization": {given}, "X-Hub-Signature-256": {given},
				"X-Slack-Signature": {given}, "X-Slack-Request-Timestamp": {id},
			}
			recorder := httptest.NewRecorder()
			r.ServeHTTP(recorder, req)
			require.True(t, json.Valid(recorder.Body.Bytes()))
			require.Equal(t, recorder.Code == http.StatusOK, handled != nil, recorder.Body)
			if handled == nil {
				continue
			}
			require.Equal(t, http.MethodPost, method)
			require.True(t, json.Valid(handled.Body))
			require.LessOrEqual(t, len(handled.Body), 1<<10)
			require.True(t, utf8.ValidString(handled.ID) && handled.ID != "")
			require.NotContains(t, handled.Header, "Authorization")
		}
	})
}
