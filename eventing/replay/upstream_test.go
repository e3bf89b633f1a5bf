package replay_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/eventing/replay"
	"github.com/controlbackbone/backbone/internal/golden"
)

// upstreamObjects returns the objects of a folder of the Argo Events module, by the file they are in.
func upstreamObjects(t testing.TB, folder string) map[string][]*unstructured.Unstructured {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/argoproj/argo-events").Output()
	require.NoError(t, err)
	root := filepath.Join(strings.TrimSpace(string(out)), folder)
	all := map[string][]*unstructured.Unstructured{}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, root+"/")
		for document := range strings.SplitSeq(string(raw), "\n---") {
			obj := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(document), &obj.Object); err != nil {
				return err
			}
			if obj.Object != nil {
				all[name] = append(all[name], obj)
			}
		}
		return nil
	}))
	return all
}

// probes are data of several shapes, for Sensors that expect any.
var probes = []string{
	`{}`,
	`{"body": {"action": "opened", "message": "text", "name": "shop", "bucket": "b", "a": {"b": "x"}, "value": 5, "ref": "refs/heads/main"}, "header": {"X-Github-Event": ["push"]}}`,
	`{"notification": [{"s3": {"object": {"key": "k"}, "bucket": {"name": "b"}}, "eventName": "s3:ObjectCreated:Put"}], "name": "file.txt", "eventTime": "2026-03-02T12:00:00Z"}`,
	`[1, 2]`,
	`"text"`,
	`null`,
}

// Every Sensor of Argo Events' own examples can be replayed. What keeps triggers from firing, or what they do from being
// known, is said.
func TestSensorsOfUpstreamsExamplesAreReplayed(t *testing.T) {
	sensors, firings := 0, 0
	for file, all := range upstreamObjects(t, "examples") {
		for _, obj := range all {
			if obj.GetKind() != "Sensor" {
				continue
			}
			sensors++
			engine, err := replay.New(objects(obj), replay.Options{})
			require.NoError(t, err, file)
			for _, fault := range engine.Faults() {
				t.Logf("%s: %v", file, fault)
			}
			firings += probe(t, file, obj, engine)
		}
	}
	t.Logf("%d sensors, %d firings", sensors, firings)
	require.Greater(t, sensors, 70)
	require.Greater(t, firings, sensors)
}

// probe sends events for every dependency of a Sensor and returns how often triggers fired.
func probe(t *testing.T, file string, sensor *unstructured.Unstructured, engine *replay.Engine) int {
	t.Helper()
	firings := 0
	dependencies, _, err := unstructured.NestedSlice(sensor.Object, "spec", "dependencies")
	require.NoError(t, err)
	for _, data := range probes {
		s := engine.NewSession(engine.Buses()[0])
		for _, dependency := range dependencies {
			fields, ok := dependency.(map[string]any)
			require.True(t, ok)
			e := event(t, "a", data)
			e.SetSource(fields["eventSourceName"].(string))
			e.SetSubject(fields["eventName"].(string))
			for _, firing := range send(t, s, e).Firings {
				firings++
				if _, err := firing.Action(t.Context()); err != nil {
					require.False(t, errors.As(err, new(*replay.TimeoutError)), "%s: %v", file, err)
				}
			}
		}
	}
	return firings
}

// What Check calls an error in Argo Events' own examples is one: each is in the file of errors, to be read.
func TestErrorsInUpstreamsExamplesAreExplained(t *testing.T) {
	var lines []string
	checked := 0
	for file, all := range upstreamObjects(t, "examples") {
		for _, obj := range all {
			checked++
			for _, found := range eventing.Check(objects(obj)) {
				if found.Severity == eventing.SeverityError {
					lines = append(lines, file+": "+found.Code+" "+found.Path+": "+found.Message)
				}
			}
		}
	}
	slices.Sort(lines)
	require.Greater(t, checked, 100)
	golden.Text(t, "testdata/upstream-errors.txt", strings.Join(slices.Compact(lines), "\n")+"\n")
}

// Check has an error for every Sensor and trigger that stays silent.
func TestCheckFindsWhatKeepsTriggersFromFiring(t *testing.T) {
	silent := 0
	for file, all := range upstreamObjects(t, "examples") {
		for _, obj := range all {
			if obj.GetKind() != "Sensor" {
				continue
			}
			// The examples have few faults of their own: each field that is a text or a list is broken once.
			for _, broken := range append(mutants(obj), obj) {
				engine, err := replay.New(objects(broken), replay.Options{})
				if err != nil || len(engine.Faults()) == 0 {
					continue
				}
				silent++
				findings := eventing.Check(objects(broken))
				require.True(t, slices.ContainsFunc(findings, func(found eventing.Finding) bool {
					return found.Severity == eventing.SeverityError
				}), "%s: %v, and only %v", file, engine.Faults(), findings)
			}
		}
	}
	t.Logf("%d silent sensors", silent)
	require.Greater(t, silent, 500)
}

// mutants returns copies of an object, in each of which one field of the spec is missing or another.
func mutants(obj *unstructured.Unstructured) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	var walk func(path []any, value any)
	walk = func(path []any, value any) {
		if len(path) > 1 {
			for _, replacement := range []any{nil, "", "?(", "other"} {
				if _, text := value.(string); replacement != nil && !text {
					continue
				}
				mutant := obj.DeepCopy()
				set(mutant.Object, path, replacement)
				out = append(out, mutant)
			}
		}
		switch value := value.(type) {
		case map[string]any:
			for key, item := range value {
				walk(append(slices.Clone(path), key), item)
			}
		case []any:
			for i, item := range value {
				walk(append(slices.Clone(path), i), item)
			}
		}
	}
	walk([]any{"spec"}, obj.Object["spec"])
	return out
}

// set replaces the value at a path, or removes a field.
func set(container any, path []any, value any) {
	switch at := container.(type) {
	case map[string]any:
		key, _ := path[0].(string)
		switch {
		case len(path) > 1:
			set(at[key], path[1:], value)
		case value == nil:
			delete(at, key)
		default:
			at[key] = value
		}
	case []any:
		index, _ := path[0].(int)
		if len(path) > 1 {
			set(at[index], path[1:], value)
		} else {
			at[index] = value
		}
	}
}
