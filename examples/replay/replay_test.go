package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/internal/golden"
)

// program is the example, built once for all tests.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "replay")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v: %s", err, out))
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// run runs the program and returns its exit code and output.
func run(t *testing.T, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, notes bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, arguments...)
	cmd.Stdout, cmd.Stderr = &out, &notes
	err := cmd.Run()
	if failed := new(exec.ExitError); errors.As(err, &failed) {
		return failed.ExitCode(), out.String(), notes.String()
	}
	require.NoError(t, err)
	return 0, out.String(), notes.String()
}

func TestTheDemoShowsWhatHappens(t *testing.T) {
	code, stdout, stderr := run(t)
	require.Zero(t, code, stderr)
	golden.Text(t, "testdata/demo.txt", stdout)
	require.NotContains(t, stdout+stderr, "not-shown")
}

func TestEventsOfAFolderGoThroughSensorsOfAFolder(t *testing.T) {
	code, stdout, stderr := run(t, "--objects", "demo/eventing", "--events", "demo/events/2-push-to-main.json", "--output", "json")
	require.Zero(t, code, stderr)
	var rows []struct{ Event, Subject, Result string }
	require.NoError(t, json.Unmarshal([]byte(stdout), &rows))
	require.Len(t, rows, 3)
	require.Equal(t, "dependency push", rows[0].Subject)
	require.Equal(t, "matches", rows[0].Result)
	require.Equal(t, "waits for approval in push&&approval", rows[1].Result)
}

func TestWhatDoesNotReachASensorIsSaid(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.http": "PUT /approval\n\n{}",
		"b.json": `{"specversion":"1.0","id":"1","source":"other","subject":"push","type":"webhook","data":{}}`,
		"c.json": `{"specversion":"1.0","id":"1","source":"git","subject":"push","type":"webhook","data":{}}`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	code, stdout, stderr := run(t, "--objects", "demo/eventing", "--events", dir)
	require.Zero(t, code, stderr)
	for _, part := range []string{
		"refused by the event source: 400: http method does not match",
		"no sensor listens to other/push",
		"dropped by the bus: it has had an event with this ID",
	} {
		require.Contains(t, stdout, part)
	}
}

func TestArgumentsThatMakeNoSenseAreRefused(t *testing.T) {
	empty := t.TempDir()
	for name, arguments := range map[string][]string{
		"objects without events":     {"--objects", "demo"},
		"events without objects":     {"--events", "demo"},
		"another output":             {"--output", "yaml"},
		"an argument":                {"demo"},
		"a time":                     {"--at", "noon"},
		"record without a folder":    {"--record", "nats://127.0.0.1:1"},
		"stored without record":      {"--stored"},
		"a folder without events":    {"--objects", "demo/eventing", "--events", empty},
		"a folder that is not there": {"--objects", "demo/eventing", "--events", filepath.Join(empty, "missing")},
		"a bus that is not there":    {"--record", "nats://127.0.0.1:1", "--events", filepath.Join(empty, "recorded")},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := run(t, arguments...)
			require.Equal(t, 1, code)
			require.Contains(t, stderr, "replay: ")
		})
	}
}
