package process_test

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/process"
)

// watch has the test binary be the watchdog that the starters under test need.
const watch = "watch-process-groups"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == watch {
		process.Watch(os.Stdin)
		return
	}
	os.Exit(m.Run())
}

func newStarter(t *testing.T) *process.Starter {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	starter, err := process.NewStarter(self, watch)
	require.NoError(t, err)
	t.Cleanup(starter.Close)
	return starter
}

// startPair starts a script that says when its child runs, and returns the
// process and a channel that is closed when all who hold its output have ended.
func startPair(t *testing.T, starter *process.Starter, script string) (*process.Process, <-chan struct{}) {
	t.Helper()
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _ = reader.Close() })
	cmd := exec.Command("sh", "-c", script)
	cmd.Stdout = writer
	p, err := starter.Start(cmd)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	output := bufio.NewReader(reader)
	_, err = output.ReadString('\n')
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, output)
	}()
	return p, ended
}

// requireEnded fails unless all who hold the output end soon.
func requireEnded(t *testing.T, ended <-chan struct{}) {
	t.Helper()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Fatal("a process is still alive")
	}
}

func TestExitSaysHowAProcessEnded(t *testing.T) {
	t.Parallel()
	starter := newStarter(t)
	tests := map[string]struct {
		script string
		want   process.Exit
	}{
		"with success":      {"exit 0", process.Exit{}},
		"with an exit code": {"exit 7", process.Exit{Code: 7}},
		"by a signal":       {"kill -TERM $$", process.Exit{Code: 143, Signal: 15}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := starter.Start(exec.Command("sh", "-c", test.script))
			require.NoError(t, err)
			require.Equal(t, test.want, p.Exit())
		})
	}
}

func TestProcessTakesItsGroupAlong(t *testing.T) {
	t.Parallel()
	starter := newStarter(t)
	tests := map[string]struct {
		script string
		end    func(*process.Process)
	}{
		"when it is asked to stop": {"sleep 1000 & echo up; wait", func(p *process.Process) { p.Stop(t.Context()) }},
		"when it is killed":        {"sleep 1000 & echo up; wait", (*process.Process).Kill},
		"when it ends by itself":   {"sleep 1000 & echo up", func(*process.Process) {}},
		"when it does not want to stop": {"trap '' TERM; sleep 1000 & echo up; wait", func(p *process.Process) {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			p.Stop(ctx)
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, ended := startPair(t, starter, test.script)
			test.end(p)
			requireEnded(t, p.Done())
			requireEnded(t, ended)
		})
	}
}

func TestCloseEndsWhatStillRuns(t *testing.T) {
	t.Parallel()
	starter := newStarter(t)
	_, ended := startPair(t, starter, "sleep 1000 & echo up; wait")
	starter.Close()
	requireEnded(t, ended)
}

func TestStartFailsForAMissingProgram(t *testing.T) {
	t.Parallel()
	_, err := newStarter(t).Start(&exec.Cmd{Path: "/no/such/program", Args: []string{"x"}})
	require.ErrorIs(t, err, os.ErrNotExist)
}
