package eventing

import (
	"cmp"
	"container/list"
	"context"
	"strconv"
	"sync"
	"time"
)

// MemoryStore remembers events in the memory of the process. The zero value is
// ready.
type MemoryStore struct {
	// Retention is how long an event is remembered after it was last touched.
	// Default: 24h.
	Retention time.Duration
	// MaxEvents is how many events and signatures are remembered; the oldest that is
	// not being handled makes room. Default: 10,000.
	MaxEvents int

	mu      sync.Mutex
	records map[memoryKey]*list.Element
	// order has the record first that was touched the longest ago.
	order  list.List
	claims int
}

type memoryKey struct {
	signature bool
	text      string
}

type memoryRecord struct {
	key     memoryKey
	touched time.Time
	// bound is the event ID of a signature.
	bound   string
	state   ClaimState
	attempt int
	token   string
	// until is when the claim ends.
	until time.Time
}

func (r *memoryRecord) held(now time.Time) bool {
	return r.state == ClaimGranted && now.Before(r.until)
}

// Claim is for [Store].
func (s *MemoryStore) Claim(_ context.Context, request ClaimRequest) (Claim, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	record := s.touch(memoryKey{text: request.ID}, now)
	switch {
	case record.held(now):
		return Claim{ID: request.ID, State: ClaimHeld}, nil
	case record.state.final() && (record.state != ClaimDeadLettered || !request.Revive):
		return Claim{ID: request.ID, State: record.state}, nil
	}
	s.claims++
	record.state, record.token = ClaimGranted, strconv.Itoa(s.claims)
	record.until = now.Add(request.For)
	record.attempt++
	return Claim{ID: request.ID, State: ClaimGranted, Attempt: record.attempt, Token: record.token}, nil
}

// Settle is for [Store].
func (s *MemoryStore) Settle(_ context.Context, claim Claim, state ClaimState) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	element, ok := s.records[memoryKey{text: claim.ID}]
	if !ok || element.Value.(*memoryRecord).token != claim.Token {
		return ErrClaimLost
	}
	record := element.Value.(*memoryRecord)
	record.state, record.token, record.touched = state, "", time.Now()
	s.order.MoveToBack(element)
	return nil
}

// Bind is for [Store].
func (s *MemoryStore) Bind(_ context.Context, signature, id string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	record := s.touch(memoryKey{signature: true, text: signature}, time.Now())
	record.bound = cmp.Or(record.bound, id)
	return record.bound, nil
}

// Collect is for [Store].
func (s *MemoryStore) Collect(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(time.Now())
	return nil
}

// touch returns the record, a new one if there is none, as the newest.
func (s *MemoryStore) touch(key memoryKey, now time.Time) *memoryRecord {
	s.forget(now)
	element, ok := s.records[key]
	if !ok {
		if s.records == nil {
			s.records = map[memoryKey]*list.Element{}
		}
		element = s.order.PushBack(&memoryRecord{key: key})
		s.records[key] = element
	}
	s.order.MoveToBack(element)
	record := element.Value.(*memoryRecord)
	record.touched = now
	return record
}

// forget drops what is too old, and the oldest beyond the limit. It skips events
// that are being handled, of which there are few.
func (s *MemoryStore) forget(now time.Time) {
	retention, limit := cmp.Or(s.Retention, 24*time.Hour), cmp.Or(s.MaxEvents, 10_000)
	for element := s.order.Front(); element != nil; {
		record, next := element.Value.(*memoryRecord), element.Next()
		if now.Sub(record.touched) < retention && len(s.records) <= limit {
			return
		}
		if !record.held(now) {
			s.order.Remove(element)
			delete(s.records, record.key)
		}
		element = next
	}
}
