package pod

import "time"

// The delays before a container is started again. The kubelet's are 10 seconds
// to 5 minutes; the first ones are shorter here, because on a developer's
// machine the wait is longer than what it protects.
const (
	firstBackOff = time.Second
	lastBackOff  = 5 * time.Minute
	// resetBackOff is how long a container must run to be trusted again.
	resetBackOff = 10 * time.Minute
)

// BackOff is the delay before the next start of one container: each is twice
// the one before, up to a limit.
type BackOff struct{ delay time.Duration }

// Next returns the delay after a run that took that long.
func (b *BackOff) Next(ran time.Duration) time.Duration {
	if b.delay == 0 || ran >= resetBackOff {
		b.delay = firstBackOff
		return b.delay
	}
	b.delay = min(2*b.delay, lastBackOff)
	return b.delay
}
