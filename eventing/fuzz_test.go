package eventing_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/eventing"
)

// requireSound checks that Build either fails as Invalid or makes an object that
// survives the way to the API server and back.
func requireSound(t *testing.T, value builder) {
	t.Helper()
	obj, err := value.Build()
	if err != nil {
		require.True(t, apierrors.IsInvalid(err), "%v", err)
		return
	}
	encoded, err := obj.MarshalJSON()
	require.NoError(t, err)
	var decoded unstructured.Unstructured
	require.NoError(t, decoded.UnmarshalJSON(encoded))
	if diff := cmp.Diff(obj.Object, decoded.Object); diff != "" {
		t.Errorf("the object changes on its way (-built +decoded):\n%s", diff)
	}
}

func FuzzEventBusBuild(f *testing.F) {
	f.Add("default", "events", "nats://nats:4222", "key", int64(0), int32(0))
	f.Add("a.b", "", "nats://a:b@c", "a/b", int64(-2), int32(2))
	f.Add("\xff", "\x00", "://", "..", int64(math.MinInt64), int32(math.MinInt32))
	f.Fuzz(func(t *testing.T, name, namespace, url, key string, limit int64, replicas int32) {
		stream := eventing.Stream{MaxMessages: limit, MaxBytes: limit, MaxAge: time.Duration(limit), Duplicates: time.Duration(limit), Replicas: int(replicas)}
		text := map[string]string{key: url}
		for _, bus := range []eventing.Bus{
			nil,
			eventing.JetStream{Version: name, Replicas: replicas, Stream: stream},
			eventing.JetStreamExotic{URL: url, Auth: &eventing.SecretKey{Name: name, Key: key}, Stream: stream},
			eventing.RawBus{Spec: map[string]any{key: url}},
		} {
			requireSound(t, eventing.EventBus{Name: name, Namespace: namespace, Labels: text, Annotations: text, Bus: bus})
			requireSound(t, eventing.EventBus{Namespace: namespace, Bus: bus})
		}
	})
}

func FuzzEventSourceBuild(f *testing.F) {
	f.Add("git", "events", "push", "/push", "POST", int32(12000))
	f.Add("1git", "a b", "a.b", "{", "put", int32(0))
	f.Add("\xff", "\x00", "\xff", "/\xff", "", int32(-1))
	f.Fuzz(func(t *testing.T, name, namespace, event, endpoint, method string, port int32) {
		for _, source := range []eventing.Source{
			nil,
			eventing.Webhook{Port: port, Endpoint: endpoint, Method: method, Filter: event, Auth: &eventing.SecretKey{Name: name, Key: event}},
			eventing.RawSource{Kind: event, Spec: map[string]any{method: endpoint}, Permissions: []eventing.Permission{{Namespace: namespace, Group: method, Resource: event, Verbs: []string{method}}}},
		} {
			value := eventing.EventSource{
				Name: name, Namespace: namespace, EventBus: event, ServiceAccountName: event,
				Events: map[string]eventing.Source{event: source, "other": source},
			}
			requireSound(t, value)
			if _, err := value.RBAC(); err != nil {
				require.True(t, apierrors.IsInvalid(err), "%v", err)
			}
		}
	})
}

func FuzzSensorBuild(f *testing.F) {
	f.Add("sync", "events", "push", "push && push", "body.ref", "shop", 1.0)
	f.Add("a.b", "", "1st", "((", "", "metadata", math.Inf(1))
	f.Add("\xff", "\x00", "\xff", "\xff", "\xff", "\xff", math.NaN())
	f.Fuzz(func(t *testing.T, name, namespace, dependency, when, path, text string, number float64) {
		parameters := []eventing.Parameter{
			{From: eventing.DataKey{Dependency: dependency, Path: path}, To: text, Default: &text},
			{From: eventing.DataTemplate{Dependency: dependency, Template: path}, To: path, Operation: eventing.ParameterOperation(text)},
			{From: eventing.ContextKey{Dependency: dependency, Path: path}, To: path},
			{From: eventing.ContextTemplate{Dependency: dependency, Template: path}, To: path},
			{From: eventing.WholeEvent{Dependency: dependency}, To: text},
			{From: eventing.RawParameterSource{Source: map[string]any{"dependencyName": dependency, path: text}}, To: text},
		}
		filters := []eventing.DataFilter{
			eventing.StringIn{Path: path, Values: []string{text}},
			eventing.StringNotIn{Path: path, Values: []string{text, when}},
			eventing.StringMatches{Path: path, Pattern: text},
			eventing.Number{Path: path, Is: eventing.Comparator(when), Value: number},
			eventing.Bool{Path: path, Value: number > 0},
			eventing.RawDataFilter{Filter: map[string]any{path: text}},
		}
		object := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": path, "kind": text, "metadata": map[string]any{"name": name, "namespace": text}, "value": number,
		}}
		for _, trigger := range []eventing.Trigger{
			nil,
			eventing.ArgoCDTrigger{Application: text, Namespace: namespace, Revision: path, SyncOptions: []string{text}, Parameters: parameters},
			eventing.ObjectTrigger{Operation: eventing.ObjectOperation(when), Object: object, Parameters: parameters},
			eventing.ObjectTrigger{Operation: eventing.Patch, Object: object},
			eventing.ObjectTrigger{Object: &unstructured.Unstructured{}},
			eventing.HTTPTrigger{URL: text, Method: when, Headers: map[string]string{path: text}, SecretHeaders: map[string]eventing.SecretKey{path: {Name: name, Key: text}}, Payload: parameters, Timeout: time.Duration(number), Statuses: []int32{int32(len(text))}},
			eventing.LogTrigger{Interval: time.Duration(number)},
			eventing.RawTrigger{Kind: text, Spec: map[string]any{path: number}, Policy: map[string]any{text: path}},
		} {
			value := eventing.Sensor{
				Name: name, Namespace: namespace, EventBus: text, ServiceAccountName: text,
				Dependencies: []eventing.Dependency{{Name: dependency, EventSource: name, Event: text, Filters: eventing.Filters{Data: filters}}},
				Triggers: []eventing.SensorTrigger{{
					Name: text, When: when, Trigger: trigger, Delivery: eventing.Delivery(path),
					Retry: &eventing.Retry{Attempts: int32(len(text)), Pause: time.Duration(number), Factor: number, Jitter: number},
				}},
			}
			requireSound(t, value)
			if _, err := value.RBAC(); err != nil {
				require.True(t, apierrors.IsInvalid(err), "%v", err)
			}
			plain := eventing.Sensor{
				Name: name, Namespace: namespace,
				Dependencies: []eventing.Dependency{{Name: dependency, EventSource: "a", Event: "b"}},
				Triggers:     []eventing.SensorTrigger{{Name: "t", When: when, Trigger: trigger}},
			}
			requireSound(t, plain)
		}
	})
}
