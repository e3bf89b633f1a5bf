package eventing

import (
	"context"
	"errors"
	"time"
)

// Store remembers which events a [Responder] has handled, and sees to it that an
// event is not handled twice at once. [MemoryStore] and [KubernetesStore] do; all
// methods are safe for concurrent use.
type Store interface {
	// Claim gives the event to the caller, to whom it belongs until Settle, or until
	// the time of the request has passed. Each claim that is granted is an attempt.
	Claim(ctx context.Context, request ClaimRequest) (Claim, error)
	// Settle ends a claim that was granted as ClaimFailed, ClaimHandled or
	// ClaimDeadLettered. It fails with [ErrClaimLost] when the claim had ended
	// already and somebody else got the event.
	Settle(ctx context.Context, claim Claim, state ClaimState) error
	// Bind ties a signature to the first ID it comes with, and returns that ID.
	Bind(ctx context.Context, signature, id string) (string, error)
	// Collect forgets what was kept for long enough. [Responder.Start] calls it.
	Collect(ctx context.Context) error
}

// ClaimRequest asks a [Store] for an event.
type ClaimRequest struct {
	// ID of the event.
	ID string
	// For is how long the claim holds.
	For time.Duration
	// Revive also claims a dead letter.
	Revive bool
}

// Claim is what a [Store] says to a request.
type Claim struct {
	// ID of the event.
	ID string
	// State of the event. Only ClaimGranted gives it to the caller.
	State ClaimState
	// Attempt counts the claims that were granted, from 1.
	Attempt int
	// Token tells the claim from others of the same event, for Settle.
	Token string
}

// ClaimState is what a [Store] knows about an event.
type ClaimState string

const (
	// ClaimGranted says that the event belongs to the caller now.
	ClaimGranted ClaimState = "granted"
	// ClaimHeld says that the event belongs to somebody else.
	ClaimHeld ClaimState = "held"
	// ClaimFailed says that the last attempt failed: the next claim is granted.
	ClaimFailed ClaimState = "failed"
	// ClaimHandled says that the event is done.
	ClaimHandled ClaimState = "handled"
	// ClaimDeadLettered says that the event is a dead letter.
	ClaimDeadLettered ClaimState = "dead-lettered"
)

// ErrClaimLost says that a claim ended before it was settled.
var ErrClaimLost = errors.New("the claim was taken over")

// final tells whether the event needs no further attempt.
func (s ClaimState) final() bool { return s == ClaimHandled || s == ClaimDeadLettered }
