package replay_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/eventing/replay"
)

// noon is when the events of the tests come in.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

var bus = replay.Bus{Namespace: "shop", Name: "default"}

// sensor returns a Sensor with the spec, whose dependencies and triggers are YAML in flow style or not.
func sensor(t testing.TB, spec string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{Object: map[string]any{}}
	require.NoError(t, yaml.Unmarshal([]byte(spec), &obj.Object))
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "Sensor",
		"metadata": map[string]any{"name": "orders", "namespace": "shop"},
		"spec":     obj.Object,
	}}
}

// listening returns a Sensor with the dependencies a, b and c on events of the same names, and one log trigger.
func listening(t testing.TB, condition string) *unstructured.Unstructured {
	t.Helper()
	return sensor(t, fmt.Sprintf(`
dependencies:
- {name: a, eventSourceName: source, eventName: a}
- {name: b-1, eventSourceName: source, eventName: b}
- {name: c, eventSourceName: source, eventName: c}
triggers:
- template: {name: fire, conditions: %q, log: {}}
`, condition))
}

// filtered returns a Sensor with one dependency that has the fields, and one log trigger.
func filtered(t testing.TB, fields string) *unstructured.Unstructured {
	t.Helper()
	return sensor(t, `
dependencies:
- name: a
  eventSourceName: source
  eventName: a
`+indented(fields, "  ")+`
triggers:
- template: {name: fire, log: {}}
`)
}

func indented(text, by string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return by + strings.Join(lines, "\n"+by)
}

// event returns an event of the source, with an ID that no other event has.
func event(t testing.TB, name, data string) cloudevents.Event {
	t.Helper()
	ids++
	e, err := replay.NewEvent("webhook", "source", name, fmt.Sprint(ids), noon, []byte(data))
	require.NoError(t, err)
	return e
}

var ids int

func session(t testing.TB, options replay.Options, sensors ...*unstructured.Unstructured) *replay.Session {
	t.Helper()
	engine, err := replay.New(sensors, options)
	require.NoError(t, err)
	return engine.NewSession(bus)
}

// send requires an outcome.
func send(t testing.TB, s *replay.Session, e cloudevents.Event) *replay.Outcome {
	t.Helper()
	outcome, err := s.Send(t.Context(), e)
	require.NoError(t, err)
	return outcome
}

func objects(all ...*unstructured.Unstructured) []*unstructured.Unstructured { return all }
