package eventing

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Responder is the receiving end of an [HTTPTrigger], of Alertmanager or of a
// webhook of GitHub, to embed in an operator. It is an http.Handler, a
// prometheus.Collector and a manager.Runnable of controller-runtime.
//
// The answer is sent after Handle has returned, and it is 200 only when the event
// was handled, now or earlier, or is kept as a dead letter. Any other status
// means that the sender has to send the event again:
//
//	400 the body is not JSON, or the event has no usable ID
//	401 the credentials are missing or wrong
//	405 the method is not POST
//	408 the body came too slowly
//	409 the signature was accepted with another ID before
//	413 the body is larger than MaxBody
//	415 the content type is not JSON
//	422 Accept said no
//	431 the headers that are kept are larger than 64 KiB
//	500 Handle failed
//	503 try later: too many requests, the event runs already, the store fails, or the Responder shuts down
//
// A refusal is a problem document of RFC 9457 with the member "result", which is
// also a label of the metrics; a 503 carries Retry-After.
//
// A sensor gives an event up after its last attempt, even with [AtLeastOnce]
// (argo-events: actionFunc in pkg/sensors/listener.go). So the [Retry] of the
// trigger needs more attempts than MaxAttempts, over a longer time than
// HandleTimeout plus 15 seconds, when the claim of a crashed process ends. The
// defaults have both.
type Responder struct {
	options  ResponderOptions
	kept     []string
	metrics  responderMetrics
	accepted chan struct{}
	workers  chan struct{}

	mu sync.Mutex
	// closing is closed when no more requests are taken, abandoned when those that
	// run are not waited for any longer.
	closing   chan struct{}
	abandoned chan struct{}
	running   sync.WaitGroup
}

// ResponderOptions are what a [Responder] does and how much of it.
type ResponderOptions struct {
	// Handle does the work of one event. Required. An error makes the sender try
	// again, up to MaxAttempts; [Permanent] errors and the last one make the event a
	// dead letter; a panic is an error. It must return when its context ends, which
	// a sender that hangs up does not cause. It may see an event twice: when its
	// process ended, or the store failed, before the outcome was recorded. It must
	// not change the event.
	Handle func(ctx context.Context, event Event) error
	// Authentication of the senders. Required: [NoAuthentication] says that anybody
	// who reaches the address may send events.
	Authentication Authentication
	// Name tells several Responders of a process apart in its metrics, a DNS label.
	// Default: "responder".
	Name string
	// Store remembers which events were handled. Default: a [MemoryStore], which
	// neither a restart nor a second replica knows of.
	Store Store
	// DeadLetters keeps the events that could not be handled. Default:
	// [MemoryDeadLetters], which a restart loses.
	DeadLetters DeadLetterStore
	// Accept tells whether the event is one that Handle knows. Default: all are.
	Accept func(Event) bool
	// IDHeader carries the ID of an event that has no ce-id header, for example
	// X-GitHub-Delivery. Default: none.
	IDHeader string
	// BodyID reads the ID from a JSON body when no header carries one, empty for
	// none. Default: context.id of a [WholeEvent], or id of a CloudEvent.
	BodyID func(body []byte) string
	// Headers are the names of further headers that Handle sees, and that a dead
	// letter keeps. Content-Type, IDHeader and those of CloudEvents always are.
	// Headers that carry credentials are refused.
	Headers []string
	// MaxAttempts of one event before it becomes a dead letter. Default: 5.
	MaxAttempts int
	// MaxBody is the largest body in bytes. Default: 512 KiB. At most 512 KiB with
	// [KubernetesDeadLetters], so that a letter fits into a Secret.
	MaxBody int64
	// Workers is how many events are handled at once. Default: 4.
	Workers int
	// Queue is how many more requests may wait for a worker. Default: 16. No more
	// than (Workers + Queue) bodies are in memory.
	Queue int
	// HandleTimeout is the deadline of Handle. Default: 30s; keep it below the
	// timeout of the sender.
	HandleTimeout time.Duration
	// ReadTimeout is how long a body may take to arrive. Default: 10s. A
	// http.ResponseWriter without deadlines leaves that to its server.
	ReadTimeout time.Duration
	// Listener is what [Responder.Start] serves on, and closes. Use that of
	// crypto/tls for TLS. Default: none, the caller serves.
	Listener net.Listener
}

// NewResponder returns a Responder that takes requests at once. The error names
// every fault of the options with the path of its field.
func NewResponder(options ResponderOptions) (*Responder, error) {
	if err := options.Validate().ToAggregate(); err != nil {
		return nil, fmt.Errorf("options of the responder: %w", err)
	}
	options = options.withDefaults()
	return &Responder{
		options:   options,
		kept:      options.keptHeaders(),
		metrics:   newResponderMetrics(options.Name),
		accepted:  make(chan struct{}, options.Workers+options.Queue),
		workers:   make(chan struct{}, options.Workers),
		closing:   make(chan struct{}),
		abandoned: make(chan struct{}),
	}, nil
}

func (o ResponderOptions) withDefaults() ResponderOptions {
	o.Name = cmp.Or(o.Name, "responder")
	o.MaxAttempts = cmp.Or(o.MaxAttempts, 5)
	o.MaxBody = cmp.Or(o.MaxBody, 512<<10)
	o.Workers = cmp.Or(o.Workers, 4)
	o.Queue = cmp.Or(o.Queue, 16)
	o.HandleTimeout = cmp.Or(o.HandleTimeout, 30*time.Second)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, 10*time.Second)
	if object.IsNil(o.Store) {
		o.Store = &MemoryStore{}
	}
	if object.IsNil(o.DeadLetters) {
		o.DeadLetters = &MemoryDeadLetters{}
	}
	if o.BodyID == nil {
		o.BodyID = bodyID
	}
	return o
}

func (o ResponderOptions) keptHeaders() []string {
	kept := []string{"Content-Type"}
	for _, name := range append([]string{o.IDHeader}, o.Headers...) {
		if name != "" {
			kept = append(kept, http.CanonicalHeaderKey(name))
		}
	}
	return kept
}

// Validate reports every fault of the options.
func (o ResponderOptions) Validate() field.ErrorList {
	var faults field.ErrorList
	if o.Handle == nil {
		faults = append(faults, field.Required(field.NewPath("handle"), ""))
	}
	if path := field.NewPath("authentication"); object.IsNil(o.Authentication) {
		faults = append(faults, field.Required(path, "NoAuthentication lets everybody in"))
	} else {
		faults = append(faults, o.Authentication.validateAuthentication(path)...)
	}
	faults = append(faults, optional(field.NewPath("name"), o.Name, label)...)
	faults = append(faults, within("store", o.Store)...)
	faults = append(faults, within("deadLetters", o.DeadLetters)...)
	faults = append(faults, optional(field.NewPath("idHeader"), o.IDHeader, plainHeader)...)
	for i, name := range o.Headers {
		faults = append(faults, plainHeader(field.NewPath("headers").Index(i), name)...)
	}
	return append(faults, o.validateLimits()...)
}

func (o ResponderOptions) validateLimits() field.ErrorList {
	var faults field.ErrorList
	for _, limit := range []struct {
		field       string
		value, most int64
	}{
		{"maxAttempts", int64(o.MaxAttempts), 1000},
		{"maxBody", o.MaxBody, 1 << 30},
		{"workers", int64(o.Workers), 10_000},
		{"queue", int64(o.Queue), 10_000},
		{"handleTimeout", int64(o.HandleTimeout), int64(24 * time.Hour)},
		{"readTimeout", int64(o.ReadTimeout), int64(24 * time.Hour)},
	} {
		if limit.value < 0 || limit.value > limit.most {
			message := fmt.Sprintf("must be between 0, for the default, and %d", limit.most)
			faults = append(faults, field.Invalid(field.NewPath(limit.field), limit.value, message))
		}
	}
	limited, ok := o.DeadLetters.(interface{ maxBody() int64 })
	if ok && !object.IsNil(o.DeadLetters) && o.MaxBody > limited.maxBody() {
		faults = append(faults, field.Invalid(field.NewPath("maxBody"), o.MaxBody, "does not fit into a Secret"))
	}
	return faults
}

// within reports the faults of a store that knows some.
func within(name string, store any) field.ErrorList {
	checked, ok := store.(interface{ Validate() field.ErrorList })
	if !ok || object.IsNil(store) {
		return nil
	}
	faults := checked.Validate()
	for _, fault := range faults {
		fault.Field = name + "." + fault.Field
	}
	return faults
}

// plainHeader accepts the name of a header without credentials.
func plainHeader(path *field.Path, name string) field.ErrorList {
	if slices.Contains(credentialHeaders, strings.ToLower(name)) {
		return field.ErrorList{field.Forbidden(path, "carries credentials")}
	}
	return validateHeaderName(path, name)
}
