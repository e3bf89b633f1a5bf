package eventing

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// ErrInProgress says that a dead letter is being replayed already.
var ErrInProgress = errors.New("the event is being handled")

// DeadLetters returns the events that could not be handled, the oldest first.
func (r *Responder) DeadLetters(ctx context.Context) ([]DeadLetter, error) {
	letters, err := r.options.DeadLetters.List(ctx)
	if err != nil {
		return nil, err
	}
	r.metrics.deadLetters.Set(float64(len(letters)))
	return letters, nil
}

// Replay handles a dead letter again, with the same limits as any event, and
// removes it if that succeeds. It returns what Handle returns, [ErrNoDeadLetter],
// [ErrInProgress], or http.ErrServerClosed after Shutdown.
func (r *Responder) Replay(ctx context.Context, id string) error {
	if !r.begin() {
		return http.ErrServerClosed
	}
	defer r.running.Done()
	letter, err := r.options.DeadLetters.Get(ctx, id)
	if err != nil {
		return err
	}
	if err := r.awaitWorker(ctx); err != nil {
		return err
	}
	defer r.releaseWorker()
	ctx, cancel := r.untilAbandoned(ctx)
	defer cancel()
	claim, err := r.claim(ctx, ClaimRequest{ID: id, Revive: true})
	if err != nil {
		return fmt.Errorf("claim the event: %w", err)
	}
	switch claim.State {
	case ClaimGranted:
		letter.Event.Attempt = claim.Attempt
		if err := r.replay(ctx, claim, letter.Event); err != nil {
			return err
		}
	case ClaimHandled:
		// An earlier replay could not remove the letter.
	default:
		return ErrInProgress
	}
	return r.Discard(ctx, id)
}

func (r *Responder) replay(ctx context.Context, claim Claim, event Event) error {
	if failure := r.handle(ctx, event); failure != nil {
		return errors.Join(failure, r.settle(ctx, claim, ClaimDeadLettered))
	}
	return r.settle(ctx, claim, ClaimHandled)
}

// Discard removes a dead letter for good, or fails with [ErrNoDeadLetter]. The
// store still remembers the event, so that it is not handled if it is sent again.
func (r *Responder) Discard(ctx context.Context, id string) error {
	if err := r.options.DeadLetters.Delete(ctx, id); err != nil {
		return err
	}
	r.metrics.deadLetters.Dec()
	return nil
}
