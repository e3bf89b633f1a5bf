package conformance_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/controlbackbone/backbone/eventing"
)

// logsOf answers with a text for every pod.
func logsOf(text string) eventing.LogReader {
	return func(context.Context, string, string, time.Time) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	}
}

func TestTraceReadsWhateverPodsWrite(t *testing.T) {
	c := kube(t)
	home := namespace(t, c)
	for name, labels := range map[string]map[string]string{
		"sensor": {"controller": "sensor-controller", "owner-name": "tell"},
		"bus":    {"controller": "eventbus-controller", "owner-name": "default"},
		"other":  {"app": "other"},
	} {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: home, Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "none"}}},
		}
		require.NoError(t, c.Create(t.Context(), pod))
	}
	const run = `{"level":"info","ts":"2026-03-02T12:00:00Z","msg":"done","triggerName":"tell","triggeredBy":["a"],"triggeredByEvents":["1"]}`
	want := []eventing.Run{{
		Time: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC), Sensor: "tell", Trigger: "tell", Dependencies: []string{"a"}, Events: []string{"1"}, Pod: "sensor",
	}}
	tests := map[string]struct {
		text string
		want []eventing.Run
	}{
		"nothing":                        {"", nil},
		"a line":                         {run + "\n", want},
		"a line without an end":          {run, want},
		"lines of other forms":           {"panic: no\n{\n[1]\n" + run + "\n\n", want},
		"a line that is too long":        {strings.Repeat("x", 3<<20) + "\n" + run + "\n", want},
		"a line that is too long at end": {run + "\n" + strings.Repeat("x", 3<<20), want},
		"another event":                  {strings.ReplaceAll(run, `["1"]`, `["2"]`), nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			trace, err := eventing.NewClient(c, eventing.ClientOptions{Logs: logsOf(test.text)}).Trace(t.Context(), home, "1")
			require.NoError(t, err)
			require.Nil(t, trace.Published)
			require.Equal(t, test.want, trace.Runs)
		})
	}

	broken := errors.New("broken")
	trace, err := eventing.NewClient(c, eventing.ClientOptions{Logs: func(context.Context, string, string, time.Time) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader(run+"\n"), failingReader{broken})), nil
	}}).Trace(t.Context(), home, "1")
	require.ErrorIs(t, err, broken)
	require.Equal(t, want, trace.Runs)
	require.ErrorContains(t, err, "pod "+home+"/sensor")

	// A pod that has not started has no log: the API server says so.
	logs, err := eventing.Logs(shared.cluster.Config())
	require.NoError(t, err)
	_, err = eventing.NewClient(c, eventing.ClientOptions{Logs: logs}).Failures(t.Context(), home, time.Time{})
	require.ErrorContains(t, err, "the API server answers")
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }
