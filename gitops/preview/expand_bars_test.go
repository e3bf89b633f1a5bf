//go:build unix

package preview_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/gitops/preview"
)

// cpuTime is the time that this process has had on all cores: unlike a clock, it does not count what else runs here.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// TestExpandIsFast guards the figures that are promised: 10,000 folders in 2 s and 500 MB, and ten times as many in at
// most twelve times that. What is allocated altogether is more than is ever held at once, and what all cores do, which is
// what is measured here, is more than the time it takes on an idle machine.
func TestExpandIsFast(t *testing.T) {
	if testing.Short() {
		t.Skip("makes large repositories")
	}
	objects := documents(t, platformSet)
	measure := func(open func(testing.TB) fs.FS, count int) (time.Duration, uint64) {
		var before, after runtime.MemStats
		debug.FreeOSMemory() // Each begins with a small heap, as in a process that does nothing else.
		runtime.ReadMemStats(&before)
		busy := cpuTime(t)
		expandMany(t, objects, open(t), count)
		took := cpuTime(t) - busy
		runtime.ReadMemStats(&after)
		return took, after.TotalAlloc - before.TotalAlloc
	}
	some, many := manyFolders(t, 10_000), manyFolders(t, 100_000)
	checkedOut := t.TempDir()
	require.NoError(t, os.CopyFS(checkedOut, some(t)))
	checkout := func(t testing.TB) fs.FS {
		fsys, err := preview.Checkout(checkedOut)
		require.NoError(t, err)
		return fsys
	}
	// What else runs on the machine makes single measurements longer, never shorter.
	const attempts = 5
	best := func(least *time.Duration, took time.Duration) {
		if *least == 0 || took < *least {
			*least = took
		}
	}
	var fromCheckout, fromRepository, tenfold time.Duration
	for range attempts {
		took, allocated := measure(checkout, 10_000)
		best(&fromCheckout, took)
		require.Less(t, allocated, uint64(500_000_000), "bytes for 10,000 folders of a checkout")
		took, allocated = measure(some, 10_000)
		best(&fromRepository, took)
		require.Less(t, allocated, uint64(500_000_000), "bytes for 10,000 folders")
		took, _ = measure(many, 100_000)
		best(&tenfold, took)
		ratio := tenfold.Seconds() / fromRepository.Seconds()
		t.Logf("10,000 folders: %v, of a checkout %v, %d MB allocated altogether; 100,000 folders: %v, %.1f times as long",
			fromRepository, fromCheckout, allocated/1_000_000, tenfold, ratio)
		if max(fromRepository, fromCheckout) <= 2*time.Second && ratio <= 12 {
			return
		}
	}
	t.Errorf("at best of %d attempts 10,000 folders take more than 2 s, or 100,000 more than 12 times as long", attempts)
}

func TestExpandStopsSoon(t *testing.T) {
	open := manyFolders(t, 50_000)
	objects := documents(t, platformSet)
	content := open(t)
	for _, after := range []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, time.Second} {
		ctx, cancel := context.WithCancel(t.Context())
		var cancelled time.Time
		timer := time.AfterFunc(after, func() { cancelled = time.Now(); cancel() })
		_, err := preview.Expand(ctx, objects, preview.Inputs{Repositories: []preview.Repository{{URL: "https://git.example.com/platform", Content: content}}})
		if timer.Stop() {
			cancel()
			continue // It was done before.
		}
		<-ctx.Done()
		if err == nil {
			continue
		}
		require.ErrorIs(t, err, context.Canceled)
		t.Logf("stopped %v after it was cancelled", time.Since(cancelled))
		require.Less(t, time.Since(cancelled), 500*time.Millisecond, "cancelled after %v", after)
		cancel()
	}
}

func TestExpandAtOnceAndSilently(t *testing.T) {
	// Generators of previews that were cancelled may still be at work.
	require.Eventually(t, func() bool {
		_, own := logrus.StandardLogger().Formatter.(*logrus.TextFormatter)
		return own
	}, 20*time.Second, 10*time.Millisecond)
	var log bytes.Buffer
	logrus.SetOutput(&log)
	defer logrus.SetOutput(os.Stderr)
	logrus.SetLevel(logrus.DebugLevel)
	defer logrus.SetLevel(logrus.InfoLevel)
	before := logrus.StandardLogger().Formatter

	sets := testSets(t)
	failing := setOf(t, "{{.none}}", `[{clusters: {}}, {list: {elements: [{a: b}]}}, {matrix: {generators: []}}]`)
	inputs := preview.Inputs{
		Repositories: []preview.Repository{{URL: "https://git.example.com/platform.git", Content: os.DirFS("testdata/repository")}},
		Plugins:      []preview.PluginAnswer{pluginAnswer},
	}
	want, err := preview.Expand(t.Context(), sets, inputs)
	require.NoError(t, err)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			got, err := preview.Expand(t.Context(), sets, inputs)
			if err != nil || len(got.Applications) != len(want.Applications) {
				t.Errorf("%d Applications, want %d: %v", len(got.Applications), len(want.Applications), err)
				return
			}
			for i := range got.Applications {
				if got.Applications[i].Object.GetName() != want.Applications[i].Object.GetName() {
					t.Errorf("%s, want %s", got.Applications[i].Object.GetName(), want.Applications[i].Object.GetName())
				}
			}
			_, err = preview.Expand(t.Context(), []*unstructured.Unstructured{failing}, inputs)
			if err == nil {
				t.Error("no error")
			}
			logrus.Info("from somebody else")
		})
	}
	group.Wait()
	require.Same(t, before, logrus.StandardLogger().Formatter)
	lines := bytes.Split(bytes.TrimSpace(log.Bytes()), []byte("\n"))
	require.Len(t, lines, 8, "%s", log.String())
	for _, line := range lines {
		require.Contains(t, string(line), "from somebody else")
	}
}
