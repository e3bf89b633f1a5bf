package eventing

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// DeadLetter is an event that could not be handled.
type DeadLetter struct {
	// Event as it came in for the last attempt.
	Event Event
	// Reason is what Handle said.
	Reason string
	// Time is when the event was given up.
	Time time.Time
}

// DeadLetterStore keeps dead letters until somebody replays or discards them.
// [MemoryDeadLetters] and [KubernetesDeadLetters] do; all methods are safe for
// concurrent use.
type DeadLetterStore interface {
	// Put keeps a letter, or does nothing if there is one of that event. It fails
	// with [ErrDeadLettersFull] rather than lose an older one.
	Put(ctx context.Context, letter DeadLetter) error
	// Get returns the letter of an event, or [ErrNoDeadLetter].
	Get(ctx context.Context, id string) (DeadLetter, error)
	// List returns all letters, the oldest first.
	List(ctx context.Context) ([]DeadLetter, error)
	// Delete removes the letter of an event, or fails with [ErrNoDeadLetter].
	Delete(ctx context.Context, id string) error
}

var (
	// ErrDeadLettersFull says that there is no room for another dead letter. The
	// event stays with its sender.
	ErrDeadLettersFull = errors.New("there is no room for another dead letter")
	// ErrNoDeadLetter says that no dead letter has the ID.
	ErrNoDeadLetter = errors.New("there is no such dead letter")
)

// defaultMaxLetters are as many as somebody will look through.
const defaultMaxLetters = 100

// MemoryDeadLetters keeps dead letters in the memory of the process. The zero
// value is ready.
type MemoryDeadLetters struct {
	// MaxLetters that are kept. Default: 100.
	MaxLetters int
	// MaxBytes that their bodies may have together. Default: 16 MiB.
	MaxBytes int

	mu      sync.Mutex
	letters map[string]DeadLetter
	bytes   int
}

// Put is for [DeadLetterStore].
func (m *MemoryDeadLetters) Put(_ context.Context, letter DeadLetter) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.letters[letter.Event.ID]; ok {
		return nil
	}
	bytes := m.bytes + len(letter.Event.Body)
	if len(m.letters) >= cmp.Or(m.MaxLetters, defaultMaxLetters) || bytes > cmp.Or(m.MaxBytes, 16<<20) {
		return ErrDeadLettersFull
	}
	if m.letters == nil {
		m.letters = map[string]DeadLetter{}
	}
	m.letters[letter.Event.ID] = letter
	m.bytes = bytes
	return nil
}

// Get is for [DeadLetterStore].
func (m *MemoryDeadLetters) Get(_ context.Context, id string) (DeadLetter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	letter, ok := m.letters[id]
	if !ok {
		return DeadLetter{}, ErrNoDeadLetter
	}
	return letter, nil
}

// List is for [DeadLetterStore].
func (m *MemoryDeadLetters) List(context.Context) ([]DeadLetter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	letters := make([]DeadLetter, 0, len(m.letters))
	for _, id := range sortedKeys(m.letters) {
		letters = append(letters, m.letters[id])
	}
	oldestFirst(letters)
	return letters, nil
}

// Delete is for [DeadLetterStore].
func (m *MemoryDeadLetters) Delete(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	letter, ok := m.letters[id]
	if !ok {
		return ErrNoDeadLetter
	}
	delete(m.letters, id)
	m.bytes -= len(letter.Event.Body)
	return nil
}

func oldestFirst(letters []DeadLetter) {
	slices.SortStableFunc(letters, func(a, b DeadLetter) int { return a.Time.Compare(b.Time) })
}
