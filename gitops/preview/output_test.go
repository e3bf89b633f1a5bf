package preview_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/gitops/preview"
	_ "github.com/controlbackbone/backbone/internal/golden" // declares -update
)

// sample are changes of every kind.
func sample(t testing.TB) preview.Changes {
	t.Helper()
	deployment := func(name, image string, replicas int) string {
		return fmt.Sprintf("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %s, namespace: team}\n"+
			"spec: {replicas: %d, template: {spec: {containers: [{name: main, image: %q}]}}}\n", name, replicas, image)
	}
	script := func(line string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: script, namespace: team}\ndata:\n  run: |\n    first\n    " + line + "\n    last\n"
	}
	secret := func(password string) string {
		return "apiVersion: v1\nkind: Secret\nmetadata: {name: login, namespace: team}\nstringData: {password: " + password + "}\n"
	}
	base := state(
		app(t, "api", with(object(t, deployment("api", "api:1", 1)), object(t, script("second")), object(t, secret("hunter1")), kubeObject(t, "v1", "PersistentVolumeClaim", "data"))),
		app(t, "gone", with(kubeObject(t, "v1", "Namespace", "team-gone"), kubeObject(t, "v1", "ConfigMap", "a"))),
		app(t, "old", with(object(t, deployment("web", "web:1", 1)))),
		app(t, "quiet", with(kubeObject(t, "v1", "ConfigMap", "quiet"))),
	)
	head := state(
		app(t, "api", with(object(t, deployment("api", "api:2", 2)), object(t, script("2nd")), object(t, secret("hunter2"))),
			set("https://user:hunter2@git.example.com/platform.git", "spec", "source", "repoURL")),
		app(t, "new", with(object(t, deployment("web", "web:1", 1)))),
		app(t, "quiet", with(kubeObject(t, "v1", "ConfigMap", "quiet"))),
		app(t, "unknown", func(a *preview.Application) { a.RenderError = errors.New("plugin \"p\": cannot be rendered offline") }),
	)
	return preview.Compare(base, head)
}

func TestOutputs(t *testing.T) {
	for name, write := range map[string]func(preview.Changes, *bytes.Buffer) error{
		"changes.txt":  func(c preview.Changes, out *bytes.Buffer) error { return c.Text(out) },
		"changes.json": func(c preview.Changes, out *bytes.Buffer) error { return c.JSON(out) },
		"changes.md":   func(c preview.Changes, out *bytes.Buffer) error { return c.Markdown(out) },
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			require.NoError(t, write(sample(t), &out))
			require.NotContains(t, out.String(), "hunter")
			file := filepath.Join("testdata", name)
			if flag.Lookup("update").Value.String() == "true" {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(file, out.Bytes(), 0o644))
				return
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			if diff := cmp.Diff(string(want), out.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

func TestOutputsSayThatNothingChanges(t *testing.T) {
	same := state(app(t, "web"))
	changes := preview.Compare(same, same)
	var text, markdown, encoded bytes.Buffer
	require.NoError(t, changes.Text(&text))
	require.Equal(t, "No Application changes.\n", text.String())
	require.NoError(t, changes.Markdown(&markdown))
	require.NotContains(t, markdown.String(), "CAUTION")
	require.NoError(t, changes.JSON(&encoded))
	require.JSONEq(t, `{"added":[],"changed":[],"deleted":[],"failures":[]}`, encoded.String())
}

func TestJSONReadsBack(t *testing.T) {
	want := sample(t)
	var out bytes.Buffer
	require.NoError(t, want.JSON(&out))
	var got preview.Changes
	decoder := json.NewDecoder(&out)
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&got))
	require.Equal(t, want.Deleted, got.Deleted)
	require.Equal(t, want.Failures, got.Failures)
}

func TestMarkdownFitsIntoAComment(t *testing.T) {
	var base, head []preview.Application
	long := strings.Repeat("x|`<", 40)
	for i := range 2000 {
		config := kubeObject(t, "v1", "ConfigMap", fmt.Sprintf("%s-%d", long, i))
		base = append(base, app(t, fmt.Sprintf("deleted-%d", i), with(config), set(long, "spec", "project")))
		head = append(head, app(t, fmt.Sprintf("added-%d", i), with(config)), app(t, fmt.Sprintf("broken-%d", i), broken))
	}
	var out bytes.Buffer
	require.NoError(t, preview.Compare(state(base...), state(head...)).Markdown(&out))
	require.LessOrEqual(t, out.Len(), preview.MaxMarkdown)
	for _, note := range []string{"more warnings", "more Applications", "are left out"} {
		require.Contains(t, out.String(), note)
	}
	require.Equal(t, strings.Count(out.String(), "<details>"), strings.Count(out.String(), "</details>"))
}

func TestOutputsHoldWhatIsHostile(t *testing.T) {
	hostile := "\x1b[2J```\n</code></details><img src=x> @everyone | [a](b) \u202e"
	config := kubeObject(t, "v1", "ConfigMap", hostile)
	changes := preview.Compare(state(app(t, "web", with(), set("a", "spec", "project"))),
		state(app(t, "web", with(config, object(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: '````'}\n")), set(hostile, "spec", "project"))))
	var text, markdown bytes.Buffer
	require.NoError(t, changes.Text(&text))
	require.NoError(t, changes.Markdown(&markdown))
	for _, out := range []string{text.String(), markdown.String()} {
		require.NotContains(t, out, "\x1b")
		require.NotContains(t, out, "\u202e")
	}
	outside := true
	fence := ""
	for line := range strings.SplitSeq(markdown.String(), "\n") {
		switch {
		case outside && strings.HasSuffix(line, "diff") && strings.HasPrefix(line, "```"):
			outside, fence = false, strings.TrimSuffix(line, "diff")
		case !outside && line == fence:
			outside = true
		case outside:
			line = withoutCode(line)
			require.NotContains(t, line, "<img")
			require.NotContains(t, line, "@everyone")
		default:
			require.Less(t, strings.Count(line, "`"), 8)
		}
	}
	require.True(t, outside, "the fence is closed")
}

// withoutCode takes the code spans out of a line of Markdown.
func withoutCode(line string) string {
	for {
		start := strings.Index(line, "`")
		if start < 0 {
			return line
		}
		ticks := line[start : start+len(line[start:])-len(strings.TrimLeft(line[start:], "`"))]
		rest := line[start+len(ticks):]
		end := strings.Index(rest, ticks)
		if end < 0 {
			return line
		}
		line = line[:start] + rest[end+len(ticks):]
	}
}
