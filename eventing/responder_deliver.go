package eventing

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-logr/logr"
)

const (
	// storeTimeout bounds one call of a store.
	storeTimeout = 5 * time.Second
	// claimMargin is how much longer than the deadline of Handle a claim holds: the
	// store is called before and after, and the clocks of two replicas may differ.
	claimMargin = 15 * time.Second
	// maxReason bounds what a dead letter keeps of an error, in bytes.
	maxReason = 4 << 10
)

// ServeHTTP takes one event, and answers when it was handled. It logs to the
// logger of the request's context.
func (r *Responder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	outcome := closingAnswer()
	if r.begin() {
		// Until the answer is written, so that Shutdown waits for it too.
		defer r.running.Done()
		outcome = r.serve(w, req)
	}
	r.metrics.deliveries.WithLabelValues(string(outcome.result)).Inc()
	outcome.log(logr.FromContextOrDiscard(req.Context()).WithValues("responder", r.options.Name))
	outcome.write(w, r.options.Authentication.challenge())
}

// serve does the cheap checks first: a body is read only for a sender that may
// have credentials, and once there is room for it.
func (r *Responder) serve(w http.ResponseWriter, req *http.Request) answer {
	// From the start, because the server reads what we leave of a body.
	setReadDeadline(w, time.Now().Add(r.options.ReadTimeout))
	if refusal := r.checkHead(req); refusal != nil {
		return *refusal
	}
	select {
	case r.accepted <- struct{}{}:
		defer func() { <-r.accepted }()
	default:
		return answer{result: resultOverloaded, detail: "too many events wait"}
	}
	body, refusal := r.readBody(w, req)
	if refusal != nil {
		return *refusal
	}
	setReadDeadline(w, time.Time{})
	signature, err := r.options.Authentication.checkBody(req.Context(), req.Header, body)
	if refusal := refusalOf(err); refusal != nil {
		return *refusal
	}
	event, refusal := r.event(req.Header, body)
	if refusal != nil {
		return *refusal
	}
	outcome := r.work(req.Context(), event, signature)
	outcome.id = event.ID
	return outcome
}

// work delivers the event once a worker is free.
func (r *Responder) work(ctx context.Context, event Event, signature string) answer {
	err := r.awaitWorker(ctx)
	if errors.Is(err, http.ErrServerClosed) {
		return closingAnswer()
	}
	if err != nil {
		return answer{result: resultAborted, detail: "the sender hung up", cause: err}
	}
	defer r.releaseWorker()
	// A sender that hangs up from here on finds the outcome when it tries again.
	ctx, cancel := r.untilAbandoned(context.WithoutCancel(ctx))
	defer cancel()
	return r.deliver(ctx, event, signature)
}

func closingAnswer() answer {
	return answer{result: resultClosing, detail: "no more events are taken"}
}

// deliver handles the event unless that was done or is being done.
func (r *Responder) deliver(ctx context.Context, event Event, signature string) answer {
	if refusal := r.bind(ctx, signature, event.ID); refusal != nil {
		return *refusal
	}
	claim, err := r.claim(ctx, ClaimRequest{ID: event.ID})
	if err != nil {
		return unrecorded(fmt.Errorf("claim the event: %w", err))
	}
	switch claim.State {
	case ClaimGranted:
	case ClaimHandled:
		return answer{result: resultDuplicate, detail: "the event was handled before"}
	case ClaimDeadLettered:
		return answer{result: resultDuplicate, detail: "the event is a dead letter"}
	default:
		return answer{result: resultInProgress, detail: "the event is being handled"}
	}
	event.Attempt = claim.Attempt
	failure := r.attempt(ctx, event)
	if failure == nil {
		// The work is done, whether it can be recorded or not.
		return answer{result: resultHandled, cause: r.settle(ctx, claim, ClaimHandled)}
	}
	var permanent *permanentError
	if event.Attempt >= r.options.MaxAttempts || errors.As(failure, &permanent) {
		return r.bury(ctx, claim, event, failure)
	}
	return answer{
		result: resultFailed,
		detail: fmt.Sprintf("attempt %d of %d failed", event.Attempt, r.options.MaxAttempts),
		cause:  errors.Join(failure, r.settle(ctx, claim, ClaimFailed)),
	}
}

// bind refuses a signature that somebody sends again with an ID of its own.
func (r *Responder) bind(ctx context.Context, signature, id string) *answer {
	if signature == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	bound, err := r.options.Store.Bind(ctx, signature, id)
	if err != nil {
		refusal := unrecorded(fmt.Errorf("bind the signature: %w", err))
		return &refusal
	}
	if bound != id {
		return &answer{result: resultReplayed, detail: "the signature was sent with another ID before"}
	}
	return nil
}

func unrecorded(cause error) answer {
	return answer{result: resultUnavailable, detail: "the event cannot be recorded now", cause: cause}
}

func (r *Responder) claim(ctx context.Context, request ClaimRequest) (Claim, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	request.For = r.options.HandleTimeout + claimMargin
	return r.options.Store.Claim(ctx, request)
}

// settle records an outcome even when the Responder is being abandoned.
func (r *Responder) settle(ctx context.Context, claim Claim, state ClaimState) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err := r.options.Store.Settle(ctx, claim, state); err != nil {
		return fmt.Errorf("record that the event is %s: %w", state, err)
	}
	return nil
}

// attempt handles the event, unless it was tried too often without an outcome,
// which is what an event that kills the process looks like.
func (r *Responder) attempt(ctx context.Context, event Event) error {
	if event.Attempt > r.options.MaxAttempts {
		return fmt.Errorf("none of %d attempts succeeded", r.options.MaxAttempts)
	}
	return r.handle(ctx, event)
}

func (r *Responder) handle(ctx context.Context, event Event) (failure error) {
	ctx, cancel := context.WithTimeout(ctx, r.options.HandleTimeout)
	defer cancel()
	defer func(start time.Time) {
		r.metrics.duration.Observe(time.Since(start).Seconds())
		if value := recover(); value != nil {
			failure = fmt.Errorf("panic: %v", value)
			logr.FromContextOrDiscard(ctx).Error(failure, "event handler", "stack", string(debug.Stack()))
		}
	}(time.Now())
	return r.options.Handle(ctx, event)
}

// bury keeps the event as a dead letter. One that cannot be kept stays with the
// sender.
func (r *Responder) bury(ctx context.Context, claim Claim, event Event, failure error) answer {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	reason := failure.Error()
	reason = strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "")
	letter := DeadLetter{Event: event, Reason: reason, Time: time.Now()}
	if err := r.options.DeadLetters.Put(bounded, letter); err != nil {
		return unrecorded(errors.Join(failure, fmt.Errorf("keep the dead letter: %w", err), r.settle(ctx, claim, ClaimFailed)))
	}
	r.metrics.deadLetters.Inc()
	return answer{
		result: resultDeadLettered,
		detail: "the event could not be handled and is kept",
		cause:  errors.Join(failure, r.settle(ctx, claim, ClaimDeadLettered)),
	}
}

type permanentError struct{ err error }

// Permanent wraps an error of Handle that another attempt would meet again, so
// that the event becomes a dead letter at once. It returns nil for nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }
