package eventing

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
)

const (
	// collectInterval is how often Start has the store forget.
	collectInterval = 5 * time.Minute
	// idleTimeout ends connections on which no event comes.
	idleTimeout = 2 * time.Minute
)

// Start serves on the Listener, if there is one, and has the store forget what it
// has kept for long enough, until the context ends; then it does what
// [Responder.Shutdown] does, for HandleTimeout at most. With a manager of
// controller-runtime: mgr.Add(responder). Requests get the logger of the context.
// It must be called once at most. A Responder that the caller serves needs it for
// a store in the cluster only.
func (r *Responder) Start(ctx context.Context) error {
	serving, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	server := &http.Server{
		Handler:           r,
		ReadHeaderTimeout: r.options.ReadTimeout,
		IdleTimeout:       idleTimeout,
		// Requests end with Shutdown, not with the context.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	if r.options.Listener != nil {
		go func() {
			served <- server.Serve(r.options.Listener)
			stop()
		}()
	}
	r.collect(serving)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.options.HandleTimeout+storeTimeout)
	defer cancel()
	err := r.Shutdown(ending)
	if r.options.Listener == nil {
		return err
	}
	err = errors.Join(err, server.Shutdown(ending))
	if failure := <-served; !errors.Is(failure, http.ErrServerClosed) {
		return errors.Join(fmt.Errorf("serve events: %w", failure), err)
	}
	return err
}

// NeedLeaderElection tells a manager that every replica takes events.
func (r *Responder) NeedLeaderElection() bool { return false }

// collect returns when the context ends.
func (r *Responder) collect(ctx context.Context) {
	log := logr.FromContextOrDiscard(ctx).WithValues("responder", r.options.Name)
	if _, err := r.DeadLetters(ctx); err != nil && ctx.Err() == nil {
		log.Error(err, "count dead letters")
	}
	ticker := time.NewTicker(collectInterval)
	defer ticker.Stop()
	for {
		if err := r.options.Store.Collect(ctx); err != nil && ctx.Err() == nil {
			log.Error(err, "forget old events")
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Shutdown refuses new events and those that wait, which their senders send
// again, and returns when those that run have ended. When the context ends first,
// the contexts of the running ones end too, and it returns the error of the
// context.
func (r *Responder) Shutdown(ctx context.Context) error {
	r.closeOnce(r.closing)
	ended := make(chan struct{})
	go func() {
		r.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		r.closeOnce(r.abandoned)
		return ctx.Err()
	}
}

func (r *Responder) closeOnce(signal chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !isClosed(signal) {
		close(signal)
	}
}

// begin counts a request as running, unless the Responder is closing.
func (r *Responder) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if isClosed(r.closing) {
		return false
	}
	r.running.Add(1)
	return true
}

func isClosed(signal <-chan struct{}) bool {
	select {
	case <-signal:
		return true
	default:
		return false
	}
}

// awaitWorker fails with http.ErrServerClosed when the Responder closes first.
func (r *Responder) awaitWorker(ctx context.Context) error {
	r.metrics.queued.Inc()
	defer r.metrics.queued.Dec()
	select {
	case <-r.closing:
		return http.ErrServerClosed
	case <-ctx.Done():
		return ctx.Err()
	case r.workers <- struct{}{}:
		return nil
	}
}

func (r *Responder) releaseWorker() { <-r.workers }

// untilAbandoned ends the context when Shutdown stops waiting.
func (r *Responder) untilAbandoned(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-r.abandoned:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
