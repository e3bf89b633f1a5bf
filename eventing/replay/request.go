package replay

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// ReadRequest reads an HTTP request from a file: the request line, headers, an empty line, and the body, with either kind
// of line end. The body ends with the file, whatever the headers say about its length.
func ReadRequest(raw []byte) (*http.Request, error) {
	head, body, _ := bytes.Cut(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\n\n"))
	// The body keeps its own line ends.
	if at := bytes.Index(raw, []byte("\r\n\r\n")); at >= 0 {
		body = raw[at+4:]
	}
	lines := strings.Split(strings.TrimSpace(string(head)), "\n")
	lines = append(lines[:1:1], withoutLength(lines[1:])...)
	if !strings.HasSuffix(lines[0], "HTTP/1.1") && !strings.HasSuffix(lines[0], "HTTP/1.0") {
		lines[0] += " HTTP/1.1"
	}
	text := strings.Join(lines, "\r\n") + fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n", len(body))
	request, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(text), bytes.NewReader(body))))
	if err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	return request, nil
}

func withoutLength(headers []string) []string {
	var kept []string
	for _, header := range headers {
		name, _, _ := strings.Cut(header, ":")
		if !strings.EqualFold(name, "Content-Length") && !strings.EqualFold(name, "Transfer-Encoding") {
			kept = append(kept, header)
		}
	}
	return kept
}

// webhookBody is what a webhook takes for the body.
// argo-events: GetBody in pkg/eventsources/sources/webhook/start.go
func webhookBody(request *http.Request, body []byte) (json.RawMessage, error) {
	switch {
	case request.Method == http.MethodGet:
		return json.Marshal(request.URL.Query())
	case request.Method != http.MethodPost:
		return nil, fmt.Errorf("unsupported method: %s", request.Method)
	case len(request.Header["Content-Type"]) > 0 && request.Header["Content-Type"][0] == "application/x-www-form-urlencoded":
		values, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, err
		}
		return json.Marshal(values)
	default:
		return body, nil
	}
}

// githubBody is the payload with two headers, which filters cannot reach by their names otherwise.
// argo-events: parseValidateRequest in pkg/eventsources/sources/github/hook_util.go
func githubBody(request *http.Request, body []byte) (json.RawMessage, error) {
	media, _, _ := strings.Cut(request.Header.Get("Content-Type"), ";")
	switch strings.TrimSpace(media) {
	case "application/json":
	case "application/x-www-form-urlencoded":
		values, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, err
		}
		body = []byte(values.Get("payload"))
	default:
		return nil, errors.New("webhook request has unsupported Content-Type")
	}
	payload := map[string]any{}
	if err := json.Unmarshal(body, &payload); err != nil {
		return nil, err
	}
	for _, name := range []string{"X-GitHub-Event", "X-GitHub-Delivery"} {
		payload[name] = request.Header.Get(name)
	}
	return json.Marshal(payload)
}
