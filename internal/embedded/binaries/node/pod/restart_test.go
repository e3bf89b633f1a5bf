package pod_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/pod"
)

func TestBackOffDoublesUpToFiveMinutes(t *testing.T) {
	t.Parallel()
	var backOff pod.BackOff
	var got []time.Duration
	for range 11 {
		got = append(got, backOff.Next(time.Second))
	}
	const s = time.Second
	if diff := cmp.Diff([]time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 64 * s, 128 * s, 256 * s, 300 * s, 300 * s}, got); diff != "" {
		t.Error(diff)
	}
	if got := backOff.Next(time.Hour); got != time.Second {
		t.Errorf("after a long run the delay is %v, want 1s", got)
	}
}
