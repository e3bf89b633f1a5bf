package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/internal/embedded"
)

// deathBar is how soon everything has to be gone after its owner was killed.
const deathBar = 10 * time.Second

// ownerVariable makes the test binary an owner of a cluster that ends in the
// way the variable's value says.
const ownerVariable = "BACKBONE_TEST_OWNER"

func TestMain(m *testing.M) {
	if way := os.Getenv(ownerVariable); way != "" {
		own(way)
		return
	}
	os.Exit(m.Run())
}

// own starts a cluster, reports it on standard output, and then does as told.
func own(way string) {
	cluster, err := embedded.Start(context.Background(), embedded.Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready", cluster.Dir())
	if way == "panic" {
		panic("as the test asked")
	}
	time.Sleep(time.Minute) // until a signal comes
}

func TestNothingOutlivesItsOwner(t *testing.T) {
	for way, end := range map[string]func(*exec.Cmd) error{
		"SIGKILL": func(owner *exec.Cmd) error { return owner.Process.Kill() },
		"SIGINT":  func(owner *exec.Cmd) error { return owner.Process.Signal(os.Interrupt) },
		"panic":   func(*exec.Cmd) error { return nil },
	} {
		t.Run(way, func(t *testing.T) {
			temp := t.TempDir()
			owner := exec.CommandContext(t.Context(), os.Args[0])
			owner.Env = append(os.Environ(), ownerVariable+"="+way, "TMPDIR="+temp)
			out, err := owner.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, owner.Start())

			line, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			dir, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
			require.True(t, ok, line)
			pids := processesNaming(t, dir)
			if way != "panic" {
				require.GreaterOrEqual(t, len(pids), 5, "etcd, the API server, the controller manager, the scheduler and the node")
			}

			require.NoError(t, end(owner))
			_ = owner.Wait() // ended as the test asked

			require.Eventually(t, func() bool { return len(processesNaming(t, dir)) == 0 }, deathBar, 50*time.Millisecond)

			t.Setenv("TMPDIR", temp)
			cluster, err := embedded.Start(t.Context(), embedded.Options{})
			require.NoError(t, err)
			require.NoError(t, cluster.Stop(t.Context()))
			require.Empty(t, entries(t, temp), "the next cluster removes what the killed one left")
		})
	}
}

// children are the processes that this one has started and that still live.
func children(t *testing.T) []int {
	t.Helper()
	return processes(t, func(dir string) bool {
		status, err := os.ReadFile(filepath.Join(dir, "status"))
		return err == nil && strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", os.Getpid()))
	})
}

// processesNaming are the processes with text in their command line.
func processesNaming(t *testing.T, text string) []int {
	t.Helper()
	return processes(t, func(dir string) bool {
		line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		return err == nil && strings.Contains(string(line), text)
	})
}

func processes(t *testing.T, match func(dir string) bool) []int {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	var pids []int
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		require.NoError(t, err)
		if pid != os.Getpid() && match(dir) && syscall.Kill(pid, 0) == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
