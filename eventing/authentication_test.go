package eventing_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/eventing"
)

func signature(secret, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

func TestAuthentication(t *testing.T) {
	bearer := eventing.Bearer{Tokens: eventing.FixedKeys("old", "new", "")}
	github := eventing.GitHubSignature(eventing.FixedKeys("old", "new"))
	slack := eventing.SlackSignature(eventing.FixedKeys("key"))
	stamped := func(at time.Time) map[string]string {
		stamp := strconv.FormatInt(at.Unix(), 10)
		return map[string]string{"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": "v0=" + signature("key", "v0:"+stamp+":{}")}
	}
	restamped := stamped(time.Now().Add(-time.Minute))
	restamped["X-Slack-Request-Timestamp"] = strconv.FormatInt(time.Now().Unix(), 10)
	one := func(name, value string) map[string]string { return map[string]string{name: value} }
	// GitHub documents this one: Validating webhook deliveries, Testing the webhook payload validation.
	documented := eventing.GitHubSignature(eventing.FixedKeys("It's a Secret to Everybody"))

	tests := map[string]struct {
		authentication eventing.Authentication
		header         map[string]string
		body           string
		status         int
	}{
		"either token is accepted while they rotate":    {bearer, one("Authorization", "Bearer old"), `{}`, 200},
		"also the new one, however the scheme is cased": {bearer, one("Authorization", "bearer new"), `{}`, 200},
		"an empty token is none":                        {bearer, one("Authorization", "Bearer "), `{}`, 401},
		"the beginning of a token is none":              {bearer, one("Authorization", "Bearer ne"), `{}`, 401},
		"another scheme is none":                        {bearer, one("Authorization", "Basic new"), `{}`, 401},
		"tokens that cannot be read stop everything": {
			eventing.Bearer{Tokens: func(context.Context) ([]string, error) { return nil, errors.New("no Secret") }}, one("Authorization", "Bearer a"), `{}`, 503},
		"so does having none":                          {eventing.Bearer{Tokens: eventing.FixedKeys()}, one("Authorization", "Bearer a"), `{}`, 503},
		"a body signed with either secret is accepted": {github, one("X-Hub-Signature-256", "sha256="+signature("old", `{}`)), `{}`, 200},
		"hexadecimal may be in capitals":               {github, one("X-Hub-Signature-256", "sha256="+strings.ToUpper(signature("new", `{}`))), `{}`, 200},
		"another body is not signed":                   {github, one("X-Hub-Signature-256", "sha256="+signature("old", `{}`)), `[]`, 401},
		"another secret is not accepted":               {github, one("X-Hub-Signature-256", "sha256="+signature("other", `{}`)), `{}`, 401},
		"the prefix belongs to it":                     {github, one("X-Hub-Signature-256", signature("old", `{}`)), `{}`, 401},
		"a short signature is none":                    {github, one("X-Hub-Signature-256", "sha256=ab"), `{}`, 401},
		"no signature":                                 {github, nil, `{}`, 401},
		"secrets that cannot be read stop everything": {
			eventing.GitHubSignature(func(context.Context) ([]string, error) { return nil, errors.New("no Secret") }), one("X-Hub-Signature-256", "sha256="+signature("a", `{}`)), `{}`, 503},
		"GitHub's own example is authentic, if no JSON": {documented, one("X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"), `Hello, World!`, 400},
		"a signed time that is near is accepted":        {slack, stamped(time.Now().Add(-4 * time.Minute)), `{}`, 200},
		"a signed time that is long ago is not":         {slack, stamped(time.Now().Add(-6 * time.Minute)), `{}`, 401},
		"a signed time in the future is not":            {slack, stamped(time.Now().Add(6 * time.Minute)), `{}`, 401},
		"a time is signed":                              {slack, restamped, `{}`, 401},
		"a time at the end of all times is far":         {slack, map[string]string{"X-Slack-Request-Timestamp": "9223372036854775807", "X-Slack-Signature": "v0=" + signature("key", "v0:9223372036854775807:{}")}, `{}`, 401},
		"a time is a number":                            {slack, map[string]string{"X-Slack-Request-Timestamp": "now", "X-Slack-Signature": "v0=" + signature("key", "v0:now:{}")}, `{}`, 401},
		"a function of one's own decides": {eventing.RawAuthentication{Verify: func(_ context.Context, header http.Header, _ []byte) (string, error) {
			if header.Get("X-Who") != "me" {
				return "", errors.New("you are not me")
			}
			return "", nil
		}}, one("X-Who", "me"), `{}`, 200},
		"and refuses":                            {eventing.RawAuthentication{Verify: func(context.Context, http.Header, []byte) (string, error) { return "", errors.New("no") }}, nil, `{}`, 401},
		"anybody may come in where that is said": {eventing.NoAuthentication{}, nil, `{}`, 200},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := serve(t, eventing.ResponderOptions{Authentication: test.authentication, BodyID: func([]byte) string { return "1" }})
			got := r.send(t, test.body, test.header)
			require.Equal(t, test.status, got.Status, got.text)
		})
	}
}

func TestTwoCredentialsAreNone(t *testing.T) {
	now := strconv.FormatInt(time.Now().Unix(), 10)
	tests := map[string]struct {
		authentication eventing.Authentication
		header         http.Header
	}{
		"of bearers": {
			eventing.Bearer{Tokens: eventing.FixedKeys("a")},
			http.Header{"Authorization": {"Bearer a", "Bearer b"}},
		},
		"of signatures": {
			eventing.GitHubSignature(eventing.FixedKeys("a")),
			http.Header{"X-Hub-Signature-256": {"sha256=" + signature("a", `{}`), "sha256=" + signature("b", `{}`)}},
		},
		"of timestamps": {
			eventing.SlackSignature(eventing.FixedKeys("a")),
			http.Header{"X-Slack-Signature": {"v0=" + signature("a", "v0:"+now+":{}")}, "X-Slack-Request-Timestamp": {now, "0"}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := serve(t, eventing.ResponderOptions{Authentication: test.authentication, BodyID: func([]byte) string { return "1" }})
			send := func() reply {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url, strings.NewReader(`{}`))
				require.NoError(t, err)
				req.Header = test.header
				response, err := http.DefaultClient.Do(req)
				require.NoError(t, err)
				return readReply(t, response)
			}
			requireReply(t, send(), 401, "unauthenticated")
			for name, values := range test.header {
				test.header[name] = values[:1]
			}
			requireReply(t, send(), 200, "handled")
		})
	}
}

func TestASignatureCountsForOneEvent(t *testing.T) {
	var handled atomic.Int32
	r := serve(t, eventing.ResponderOptions{
		Authentication: eventing.GitHubSignature(eventing.FixedKeys("key")), IDHeader: "X-GitHub-Delivery",
		Handle: func(context.Context, eventing.Event) error {
			handled.Add(1)
			return nil
		},
	})
	signed := func(id, signature string) map[string]string {
		return map[string]string{"X-GitHub-Delivery": id, "X-Hub-Signature-256": "sha256=" + signature}
	}
	sent := signature("key", `{"a":1}`)
	requireReply(t, r.send(t, `{"a":1}`, signed("1", sent)), 200, "handled")
	requireReply(t, r.send(t, `{"a":1}`, signed("1", sent)), 200, "duplicate")
	requireReply(t, r.send(t, `{"a":1}`, signed("2", sent)), 409, "replayed-signature")
	requireReply(t, r.send(t, `{"a":1}`, signed("3", strings.ToUpper(sent))), 409, "replayed-signature")
	requireReply(t, r.send(t, `{"a":1}`, map[string]string{"ce-id": "4", "X-Hub-Signature-256": "sha256=" + sent}), 409, "replayed-signature")
	requireReply(t, r.send(t, `{"a":2}`, signed("2", signature("key", `{"a":2}`))), 200, "handled")
	require.EqualValues(t, 2, handled.Load())
}

func TestASignatureOfAnotherKindCountsForOneEventToo(t *testing.T) {
	r := serve(t, eventing.ResponderOptions{Authentication: eventing.RawAuthentication{
		Verify: func(_ context.Context, header http.Header, _ []byte) (string, error) {
			return header.Get("X-Signature"), nil
		},
	}})
	requireReply(t, r.send(t, `{}`, map[string]string{"ce-id": "1", "X-Signature": "a"}), 200, "handled")
	requireReply(t, r.send(t, `{}`, map[string]string{"ce-id": "2", "X-Signature": "a"}), 409, "replayed-signature")
	requireReply(t, r.send(t, `{}`, map[string]string{"ce-id": "2"}), 200, "handled")
}

func TestLogsHoldNeitherCredentialsNorBodies(t *testing.T) {
	var log bytes.Buffer
	logger := funcr.New(func(prefix, arguments string) { fmt.Fprintln(&log, prefix, arguments) }, funcr.Options{Verbosity: 10})
	made, err := eventing.NewResponder(eventing.ResponderOptions{
		Authentication: eventing.Bearer{Tokens: eventing.FixedKeys("t0ken")},
		Handle:         func(context.Context, eventing.Event) error { return errors.New("the handler said so") },
	})
	require.NoError(t, err)
	for _, token := range []string{"t0ken", "t0kem"} {
		req, err := http.NewRequestWithContext(logr.NewContext(t.Context(), logger), http.MethodPost, "/", strings.NewReader(`"b0dy"`))
		require.NoError(t, err)
		req.Header = http.Header{"Authorization": {"Bearer " + token}, "Ce-Id": {"event-1"}}
		made.ServeHTTP(discard{}, req)
	}
	require.Contains(t, log.String(), "event-1")
	require.Contains(t, log.String(), "the handler said so")
	require.Contains(t, log.String(), "the bearer token is not accepted")
	require.NotContains(t, log.String(), "t0ke")
	require.NotContains(t, log.String(), "b0dy")
}

// discard is a writer without deadlines, like that of some middleware.
type discard struct{}

func (discard) Header() http.Header            { return http.Header{} }
func (discard) Write(text []byte) (int, error) { return len(text), nil }
func (discard) WriteHeader(int)                {}
