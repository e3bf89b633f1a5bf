package eventing

import (
	"encoding/json"
	"net/http"

	"github.com/go-logr/logr"
)

// result says how a delivery ended. There are few, because they label metrics.
type result string

const (
	resultHandled      result = "handled"
	resultDuplicate    result = "duplicate"
	resultDeadLettered result = "dead-lettered"

	resultMethod      result = "wrong-method"
	resultType        result = "wrong-content-type"
	resultUnauthentic result = "unauthenticated"
	resultReplayed    result = "replayed-signature"
	resultTooLarge    result = "too-large"
	resultHeaders     result = "headers-too-large"
	resultSlow        result = "slow"
	resultAborted     result = "aborted"
	resultInvalid     result = "invalid-body"
	resultNoID        result = "no-id"
	resultUnknown     result = "not-accepted"
	resultFailed      result = "failed"
	resultOverloaded  result = "overloaded"
	resultInProgress  result = "in-progress"
	resultUnavailable result = "unavailable"
	resultClosing     result = "shutting-down"
)

var resultStatuses = map[result]int{
	resultHandled:      http.StatusOK,
	resultDuplicate:    http.StatusOK,
	resultDeadLettered: http.StatusOK,
	resultMethod:       http.StatusMethodNotAllowed,
	resultType:         http.StatusUnsupportedMediaType,
	resultUnauthentic:  http.StatusUnauthorized,
	resultReplayed:     http.StatusConflict,
	resultTooLarge:     http.StatusRequestEntityTooLarge,
	resultHeaders:      http.StatusRequestHeaderFieldsTooLarge,
	resultSlow:         http.StatusRequestTimeout,
	resultAborted:      http.StatusBadRequest,
	resultInvalid:      http.StatusBadRequest,
	resultNoID:         http.StatusBadRequest,
	resultUnknown:      http.StatusUnprocessableEntity,
	resultFailed:       http.StatusInternalServerError,
	resultOverloaded:   http.StatusServiceUnavailable,
	resultInProgress:   http.StatusServiceUnavailable,
	resultUnavailable:  http.StatusServiceUnavailable,
	resultClosing:      http.StatusServiceUnavailable,
}

// retryAfter is in seconds: about what a place in the queue takes to get free.
const retryAfter = "5"

// answer is what the sender gets to read.
type answer struct {
	result result
	// id of the event, once it is known.
	id string
	// detail is a sentence for the sender. It holds nothing of the request and
	// nothing that Handle or a store said.
	detail string
	// cause is for the log only.
	cause error
}

// document is the body of an answer; type and title are "about:blank" and the
// text of the status, which RFC 9457 lets a problem leave out or repeat.
type document struct {
	Title  string `json:"title,omitempty"`
	Status int    `json:"status,omitempty"`
	Detail string `json:"detail,omitempty"`
	Result result `json:"result"`
	ID     string `json:"id,omitempty"`
}

func (a answer) status() int { return resultStatuses[a.result] }

// log reports what somebody here has to look after as an error.
func (a answer) log(log logr.Logger) {
	log = log.WithValues("result", a.result, "event", a.id)
	sendersFault := a.status() >= http.StatusBadRequest && a.status() < http.StatusInternalServerError
	switch {
	case a.cause == nil:
		log.V(1).Info("event delivery")
	case sendersFault:
		log.Info("event delivery", "cause", a.cause.Error())
	default:
		log.Error(a.cause, "event delivery")
	}
}

func (a answer) write(w http.ResponseWriter, challenge string) {
	status := a.status()
	header := w.Header()
	content := document{Result: a.result, ID: a.id, Detail: a.detail}
	header.Set("Content-Type", "application/json")
	if status >= http.StatusBadRequest {
		header.Set("Content-Type", "application/problem+json")
		content.Title, content.Status = http.StatusText(status), status
	}
	switch status {
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", challenge)
	case http.StatusMethodNotAllowed:
		header.Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", retryAfter)
	}
	w.WriteHeader(status)
	// The sender may be gone, which changes nothing any more.
	_ = json.NewEncoder(w).Encode(content)
}
