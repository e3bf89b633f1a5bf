package eventing

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// maxID bounds IDs, which stores keep, in bytes.
	maxID = 256
	// maxHeaders bounds headers, which dead letters keep, in bytes.
	maxHeaders = 64 << 10
)

// checkHead refuses what needs no body to be refused, so that it costs no memory.
func (r *Responder) checkHead(req *http.Request) *answer {
	switch {
	case req.Method != http.MethodPost:
		return &answer{result: resultMethod, detail: "events are sent with POST"}
	case !isJSON(req.Header.Get("Content-Type")):
		return &answer{result: resultType, detail: "the content type must be JSON"}
	case req.ContentLength > r.options.MaxBody:
		return tooLarge()
	case size(r.keep(req.Header)) > maxHeaders:
		return &answer{result: resultHeaders, detail: "the headers are too large"}
	}
	return refusalOf(r.options.Authentication.checkHead(req.Context(), req.Header))
}

func tooLarge() *answer {
	return &answer{result: resultTooLarge, detail: "the body is too large"}
}

// refusalOf tells a sender without credentials from credentials that could not be
// looked up.
func refusalOf(err error) *answer {
	var denied denial
	switch {
	case err == nil:
		return nil
	case errors.As(err, &denied):
		return &answer{result: resultUnauthentic, detail: "the credentials are missing or wrong", cause: err}
	}
	return &answer{result: resultUnavailable, detail: "the credentials cannot be checked now", cause: err}
}

// isJSON accepts JSON and what is derived from it. A sensor sends no content type
// unless its trigger names one.
// argo-events: Execute in pkg/sensors/triggers/http/http.go
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}

// readBody returns the body, which is JSON and not too large.
func (r *Responder) readBody(w http.ResponseWriter, req *http.Request) ([]byte, *answer) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, r.options.MaxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &answer{result: resultSlow, detail: "the body did not arrive in time"}
	case err != nil:
		return nil, &answer{result: resultAborted, detail: "the body ended early", cause: err}
	}
	return body, nil
}

// setReadDeadline ends reads at a time. Writers that cannot, such as those of
// middleware, leave it to the server.
func setReadDeadline(w http.ResponseWriter, at time.Time) {
	_ = http.NewResponseController(w).SetReadDeadline(at)
}

// event makes an Event of an authentic request.
func (r *Responder) event(header http.Header, body []byte) (Event, *answer) {
	if !json.Valid(body) {
		return Event{}, &answer{result: resultInvalid, detail: "the body is not JSON"}
	}
	event := Event{ID: r.eventID(header, body), Header: r.keep(header), Body: body, Received: time.Now()}
	if !isID(event.ID) {
		return Event{}, &answer{result: resultNoID, detail: "the event has no ID of 1 to 256 printable bytes"}
	}
	if r.options.Accept != nil && !r.options.Accept(event) {
		return Event{}, &answer{result: resultUnknown, id: event.ID, detail: "this event is not expected here"}
	}
	return event, nil
}

func (r *Responder) eventID(header http.Header, body []byte) string {
	if id := header.Get("Ce-Id"); id != "" {
		return id
	}
	if id := header.Get(r.options.IDHeader); id != "" {
		return id
	}
	return r.options.BodyID(body)
}

// bodyID reads the ID of an event of Argo Events, whose context is that of a
// CloudEvent, or of a structured CloudEvent. The specversion, which both must
// have, tells their IDs from any others.
// argo-events: Event in pkg/apis/events/v1alpha1/sensor_types.go
func bodyID(body []byte) string {
	type cloudContext struct {
		ID          string `json:"id"`
		SpecVersion string `json:"specversion"`
	}
	var envelope struct {
		Context cloudContext `json:"context"`
		cloudContext
	}
	// Fields of another type stay empty.
	_ = json.Unmarshal(body, &envelope)
	switch {
	case envelope.Context.SpecVersion != "":
		return envelope.Context.ID
	case envelope.SpecVersion != "":
		return envelope.ID
	}
	return ""
}

func isID(id string) bool {
	unprintable := func(char rune) bool { return !unicode.IsPrint(char) }
	return id != "" && len(id) <= maxID && utf8.ValidString(id) && !strings.ContainsFunc(id, unprintable)
}

func (r *Responder) keep(header http.Header) http.Header {
	kept := http.Header{}
	for name, values := range header {
		if strings.HasPrefix(name, "Ce-") || slices.Contains(r.kept, name) {
			kept[name] = slices.Clone(values)
		}
	}
	return kept
}

func size(header http.Header) int {
	total := 0
	for name, values := range header {
		for _, value := range values {
			total += len(name) + len(value)
		}
	}
	return total
}
