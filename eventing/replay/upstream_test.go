package replay_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/eventing/replay"
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
