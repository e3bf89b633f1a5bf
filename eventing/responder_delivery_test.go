package eventing_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/eventing"
)

// soon is a deadline for what must happen.
const soon = 10 * time.Second

// gate is a handler that waits.
type gate struct {
	entered chan string
	open    chan struct{}
	runs    atomic.Int32
}

func newGate() *gate { return &gate{entered: make(chan string, 1000), open: make(chan struct{})} }

func (g *gate) handle(ctx context.Context, event eventing.Event) error {
	g.runs.Add(1)
	g.entered <- event.ID
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestRacingDuplicatesAreHandledOnce(t *testing.T) {
	g := newGate()
	r := serve(t, eventing.ResponderOptions{Handle: g.handle, Workers: 8, Queue: 100})
	statuses := make(chan int, 50)
	var senders sync.WaitGroup
	for range 50 {
		senders.Go(func() {
			status, err := r.post("same")
			if err != nil {
				status = 0
			}
			statuses <- status
		})
	}
	for range 49 {
		require.Equal(t, 503, <-statuses, "nobody may be told that the event is handled while it is not")
	}
	close(g.open)
	require.Equal(t, 200, <-statuses)
	senders.Wait()
	require.EqualValues(t, 1, g.runs.Load())
	requireReply(t, r.send(t, `{}`, withID("same")), 200, "duplicate")
	require.EqualValues(t, 1, g.runs.Load())
}

func TestAQueueThatIsFullRefuses(t *testing.T) {
	g := newGate()
	r := serve(t, eventing.ResponderOptions{Handle: g.handle, Workers: 1, Queue: 2})
	statuses := make(chan int, 3)
	for i := range 3 {
		go func() {
			status, _ := r.post(fmt.Sprint(i))
			statuses <- status
		}()
	}
	<-g.entered
	require.Eventually(t, func() bool {
		return strings.Contains(r.scrape(t), `backbone_responder_queue_depth{responder="responder"} 2`)
	}, soon, 10*time.Millisecond)
	got := r.send(t, `{}`, withID("4"))
	requireReply(t, got, 503, "overloaded")
	require.Equal(t, "5", got.header.Get("Retry-After"))
	requireReply(t, r.send(t, strings.Repeat("1", 600<<10), withID("4")), 413, "too-large")
	requireReply(t, r.sendAs(t, http.MethodGet, nil, withID("4")), 405, "wrong-method")
	close(g.open)
	for range 3 {
		require.Equal(t, 200, <-statuses)
	}
	requireReply(t, r.send(t, `{}`, withID("4")), 200, "handled")
	require.Contains(t, r.scrape(t), `backbone_responder_queue_depth{responder="responder"} 0`)
}

func TestAnEventMayWaitLongerThanItsBodyMayTake(t *testing.T) {
	g := newGate()
	r := serve(t, eventing.ResponderOptions{Handle: g.handle, Workers: 1, ReadTimeout: 50 * time.Millisecond})
	statuses := make(chan int, 2)
	for i := range 2 {
		go func() {
			status, _ := r.post(fmt.Sprint(i))
			statuses <- status
		}()
	}
	<-g.entered
	time.Sleep(200 * time.Millisecond)
	close(g.open)
	require.Equal(t, 200, <-statuses)
	require.Equal(t, 200, <-statuses)
}

func TestASenderThatHangsUpWhileItWaitsLeavesTheQueue(t *testing.T) {
	g := newGate()
	r := serve(t, eventing.ResponderOptions{Handle: g.handle, Workers: 1})
	status := make(chan int, 1)
	go func() {
		got, _ := r.post("0")
		status <- got
	}()
	require.Equal(t, "0", <-g.entered)
	connection := dial(t, r, 2, `{}`)
	queued := func(number string) func() bool {
		return func() bool {
			return strings.Contains(r.scrape(t), `backbone_responder_queue_depth{responder="responder"} `+number)
		}
	}
	require.Eventually(t, queued("1"), soon, 10*time.Millisecond)
	connection.Close()
	require.Eventually(t, queued("0"), soon, 10*time.Millisecond)
	close(g.open)
	require.Equal(t, 200, <-status)
	require.EqualValues(t, 1, g.runs.Load())
}

func TestAFailureIsTriedAgainUntilItIsADeadLetter(t *testing.T) {
	var attempts []int
	works := false
	r := serve(t, eventing.ResponderOptions{
		MaxAttempts: 3,
		Handle: func(_ context.Context, event eventing.Event) error {
			attempts = append(attempts, event.Attempt)
			if works {
				return nil
			}
			return errors.New("no luck")
		},
	})
	requireReply(t, r.send(t, `{"a":1}`, withID("1")), 500, "failed")
	requireReply(t, r.send(t, `{"a":1}`, withID("1")), 500, "failed")
	requireReply(t, r.send(t, `{"a":1}`, withID("1")), 200, "dead-lettered")
	requireReply(t, r.send(t, `{"a":1}`, withID("1")), 200, "duplicate")
	require.Equal(t, []int{1, 2, 3}, attempts)

	letters, err := r.DeadLetters(t.Context())
	require.NoError(t, err)
	require.Len(t, letters, 1)
	require.Equal(t, "1", letters[0].Event.ID)
	require.Equal(t, `{"a":1}`, string(letters[0].Event.Body))
	require.Equal(t, 3, letters[0].Event.Attempt)
	require.Equal(t, "no luck", letters[0].Reason)
	require.WithinDuration(t, time.Now(), letters[0].Time, soon)
	metrics := r.scrape(t)
	require.Contains(t, metrics, `backbone_responder_dead_letters{responder="responder"} 1`)
	require.Contains(t, metrics, `backbone_responder_deliveries_total{responder="responder",result="failed"} 2`)
	require.Contains(t, metrics, `backbone_responder_deliveries_total{responder="responder",result="dead-lettered"} 1`)
	require.Contains(t, metrics, `backbone_responder_deliveries_total{responder="responder",result="duplicate"} 1`)
	require.Contains(t, metrics, `backbone_responder_handle_duration_seconds_count{responder="responder"} 3`)

	require.EqualError(t, r.Replay(t.Context(), "1"), "no luck")
	letters, err = r.DeadLetters(t.Context())
	require.NoError(t, err)
	require.Len(t, letters, 1, "a replay that fails keeps the letter")
	works = true
	require.NoError(t, r.Replay(t.Context(), "1"))
	require.Equal(t, []int{1, 2, 3, 4, 5}, attempts)
	letters, err = r.DeadLetters(t.Context())
	require.NoError(t, err)
	require.Empty(t, letters)
	require.ErrorIs(t, r.Replay(t.Context(), "1"), eventing.ErrNoDeadLetter)
	requireReply(t, r.send(t, `{"a":1}`, withID("1")), 200, "duplicate")
	require.Contains(t, r.scrape(t), `backbone_responder_dead_letters{responder="responder"} 0`)
}

func TestAPermanentErrorIsADeadLetterAtOnce(t *testing.T) {
	cause := errors.New("the repository is gone")
	r := serve(t, eventing.ResponderOptions{Handle: func(context.Context, eventing.Event) error {
		return fmt.Errorf("sync: %w", eventing.Permanent(cause))
	}})
	requireReply(t, r.send(t, `{}`, withID("1")), 200, "dead-lettered")
	require.NoError(t, r.Discard(t.Context(), "1"))
	require.ErrorIs(t, r.Discard(t.Context(), "1"), eventing.ErrNoDeadLetter)
	requireReply(t, r.send(t, `{}`, withID("1")), 200, "duplicate")
	require.ErrorIs(t, eventing.Permanent(cause), cause)
	require.NoError(t, eventing.Permanent(nil))
}

func TestDeadLettersThatAreFullStayWithTheSender(t *testing.T) {
	tests := map[string]*eventing.MemoryDeadLetters{
		"by number": {MaxLetters: 1},
		"by size":   {MaxBytes: 3},
	}
	for name, letters := range tests {
		t.Run(name, func(t *testing.T) {
			r := serve(t, eventing.ResponderOptions{
				DeadLetters: letters,
				Handle:      func(context.Context, eventing.Event) error { return eventing.Permanent(errors.New("never")) },
			})
			requireReply(t, r.send(t, `{}`, withID("1")), 200, "dead-lettered")
			requireReply(t, r.send(t, `{}`, withID("2")), 503, "unavailable")
			require.NoError(t, r.Discard(t.Context(), "1"))
			requireReply(t, r.send(t, `{}`, withID("2")), 200, "dead-lettered")
		})
	}
}

func TestAPanicIsAFailureOfItsDelivery(t *testing.T) {
	panics := true
	r := serve(t, eventing.ResponderOptions{Handle: func(context.Context, eventing.Event) error {
		if panics {
			panic("out of order")
		}
		return nil
	}})
	requireReply(t, r.send(t, `{}`, withID("1")), 500, "failed")
	panics = false
	requireReply(t, r.send(t, `{}`, withID("1")), 200, "handled")
}

func TestAHandlerHasADeadline(t *testing.T) {
	r := serve(t, eventing.ResponderOptions{Handle: newGate().handle, HandleTimeout: 50 * time.Millisecond})
	requireReply(t, r.send(t, `{}`, withID("1")), 500, "failed")
}

func TestASenderThatHangsUpFindsTheOutcome(t *testing.T) {
	g := newGate()
	r := serve(t, eventing.ResponderOptions{Handle: g.handle})
	connection := dial(t, r, 2, `{}`)
	<-g.entered
	connection.Close()
	requireReply(t, r.send(t, `{}`, withID("1")), 503, "in-progress")
	close(g.open)
	require.Eventually(t, func() bool { return r.send(t, `{}`, withID("1")).Result == "duplicate" }, soon, 10*time.Millisecond)
	require.EqualValues(t, 1, g.runs.Load())
}

func TestAReplayOfWhatIsBeingReplayed(t *testing.T) {
	g := newGate()
	fails := true
	r := serve(t, eventing.ResponderOptions{Handle: func(ctx context.Context, event eventing.Event) error {
		if fails {
			return eventing.Permanent(errors.New("never"))
		}
		return g.handle(ctx, event)
	}})
	requireReply(t, r.send(t, `{}`, withID("1")), 200, "dead-lettered")
	fails = false
	replayed := make(chan error, 1)
	go func() { replayed <- r.Replay(context.Background(), "1") }()
	<-g.entered
	require.ErrorIs(t, r.Replay(t.Context(), "1"), eventing.ErrInProgress)
	requireReply(t, r.send(t, `{}`, withID("1")), 503, "in-progress")
	close(g.open)
	require.NoError(t, <-replayed)
	require.EqualValues(t, 1, g.runs.Load())
}

func TestShutdownUnderLoad(t *testing.T) {
	g := newGate()
	r := serve(t, eventing.ResponderOptions{Handle: g.handle, Workers: 4, Queue: 8})
	statuses := make(chan int, 12)
	for i := range 12 {
		go func() {
			status, _ := r.post(fmt.Sprint(i))
			statuses <- status
		}()
	}
	for range 4 {
		<-g.entered
	}
	require.Eventually(t, func() bool {
		return strings.Contains(r.scrape(t), `backbone_responder_queue_depth{responder="responder"} 8`)
	}, soon, 10*time.Millisecond)
	ended := make(chan error, 1)
	go func() { ended <- r.Shutdown(context.Background()) }()
	for range 8 {
		require.Equal(t, 503, <-statuses, "events that wait are refused")
	}
	requireReply(t, r.send(t, `{}`, withID("new")), 503, "shutting-down")
	require.ErrorIs(t, r.Replay(t.Context(), "1"), http.ErrServerClosed)
	require.Empty(t, ended, "it waits for the events that run")
	close(g.open)
	for range 4 {
		require.Equal(t, 200, <-statuses, "events that run end well")
	}
	require.NoError(t, <-ended)
	require.NoError(t, r.Shutdown(t.Context()), "a second time it has nothing to do")
	require.EqualValues(t, 4, g.runs.Load())
}

func TestShutdownThatCannotWaitEndsWhatRuns(t *testing.T) {
	g := newGate()
	r := serve(t, eventing.ResponderOptions{Handle: g.handle})
	status := make(chan int, 1)
	go func() {
		got, _ := r.post("1")
		status <- got
	}()
	<-g.entered
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, r.Shutdown(ctx), context.DeadlineExceeded)
	require.Equal(t, 500, <-status, "the sender learns that it has to try again")
}

func TestStartServesUntilItsContextEnds(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	g := newGate()
	made, err := eventing.NewResponder(eventing.ResponderOptions{
		Authentication: eventing.NoAuthentication{}, Handle: g.handle, Listener: listener,
	})
	require.NoError(t, err)
	require.False(t, made.NeedLeaderElection())
	r := responder{Responder: made, url: "http://" + listener.Addr().String()}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Start(ctx) }()
	status := make(chan int, 1)
	go func() {
		got, _ := r.post("1")
		status <- got
	}()
	<-g.entered
	cancel()
	require.Empty(t, ended)
	close(g.open)
	require.Equal(t, 200, <-status)
	require.NoError(t, <-ended)
	_, err = r.post("2")
	require.Error(t, err, "nobody listens any more")
}

func TestStartFailsWithItsListener(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	made, err := eventing.NewResponder(eventing.ResponderOptions{
		Authentication: eventing.NoAuthentication{}, Handle: newGate().handle, Listener: listener,
	})
	require.NoError(t, err)
	require.ErrorIs(t, made.Start(t.Context()), net.ErrClosed)
}

func TestNothingIsLeftBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	r := serve(t, eventing.ResponderOptions{})
	for i := range 50 {
		requireReply(t, r.send(t, `{}`, withID(fmt.Sprint(i))), 200, "handled")
	}
	require.NoError(t, r.Shutdown(t.Context()))
	http.DefaultClient.CloseIdleConnections()
	// The server of the test keeps a few of its own until the end.
	require.Eventually(t, func() bool { return runtime.NumGoroutine() < before+10 }, soon, 10*time.Millisecond)
}

func TestAnEventThatKillsItsProcessBecomesADeadLetter(t *testing.T) {
	store := &eventing.MemoryStore{}
	r := serve(t, eventing.ResponderOptions{Store: store, MaxAttempts: 2, Handle: newGate().handle})
	for range 2 {
		require.Equal(t, eventing.ClaimGranted, claimOf(t, store, "1", 0).State)
	}
	requireReply(t, r.send(t, `{}`, withID("1")), 200, "dead-lettered")
	letters, err := r.DeadLetters(t.Context())
	require.NoError(t, err)
	require.Equal(t, "none of 2 attempts succeeded", letters[0].Reason)
}
