package replay_test

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/eventing/replay"
)

// Whatever a Sensor and an event hold, there is an outcome or an error.
func FuzzReplay(f *testing.F) {
	for _, all := range upstreamObjects(f, "examples/sensors") {
		for _, obj := range all {
			raw, err := yaml.Marshal(obj.Object)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(raw), probes[1])
		}
	}
	f.Fuzz(func(t *testing.T, text, data string) {
		obj := &unstructured.Unstructured{}
		if yaml.Unmarshal([]byte(text), &obj.Object) != nil || obj.Object == nil {
			return
		}
		obj.SetKind("Sensor")
		obj.SetAPIVersion("argoproj.io/v1alpha1")
		engine, err := replay.New(objects(obj), replay.Options{ScriptTimeout: 100 * time.Millisecond})
		if err != nil {
			return
		}
		_ = engine.Faults()
		s := engine.NewSession(engine.Buses()[0])
		dependencies, _, _ := unstructured.NestedSlice(obj.Object, "spec", "dependencies")
		for i, dependency := range dependencies {
			fields, _ := dependency.(map[string]any)
			source, _ := fields["eventSourceName"].(string)
			name, _ := fields["eventName"].(string)
			e, err := replay.NewEvent("webhook", source, name, string(rune('a'+i%26)), noon, []byte(data))
			if err != nil {
				return
			}
			outcome, err := s.Send(t.Context(), e)
			if err != nil {
				continue
			}
			for j := range outcome.Decisions {
				_ = outcome.Decisions[j].Why()
			}
			for j := range outcome.Firings {
				_, _ = outcome.Firings[j].Action(t.Context())
				_, _ = outcome.Firings[j].DeadLetter(t.Context())
			}
		}
	})
}
