package eventing

import (
	"net/http"
	"time"
)

// Event is a request that a [Responder] has accepted.
type Event struct {
	// ID is the same for every attempt to deliver one event.
	ID string
	// Header holds the headers that [ResponderOptions] names.
	Header http.Header
	// Body is JSON.
	Body []byte
	// Received is when the body had arrived.
	Received time.Time
	// Attempt counts from 1 how often the event was tried, crashes included. It is 0
	// in Accept.
	Attempt int
}
