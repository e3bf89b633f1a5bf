package admission_test

import (
	"encoding/json"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/policycorpus"
	"github.com/controlbackbone/backbone/policy"
	"github.com/controlbackbone/backbone/policy/admission"
)

// ways are ways to build a rule, by name.
type ways map[string]func(policy.Rule) (*unstructured.Unstructured, error)

// generations are the two ways to build a rule for the release line of the engine.
var generations = ways{
	"CEL":     func(rule policy.Rule) (*unstructured.Unstructured, error) { return rule.CEL(policy.Kyverno(1, 15)) },
	"classic": func(rule policy.Rule) (*unstructured.Unstructured, error) { return rule.Classic(policy.Kyverno(1, 15)) },
}

// newer is how later release lines have a rule.
var newer = ways{
	"CEL for 1.17": func(rule policy.Rule) (*unstructured.Unstructured, error) { return rule.CEL(policy.Kyverno(1, 17)) },
}

func TestRulesOfTheLibraryJudgeTheirSamples(t *testing.T) {
	for _, sample := range policycorpus.Samples(t) {
		t.Run(sample.Name, func(t *testing.T) {
			engines := enginesOf(t, sample, generations)
			maps.Copy(engines, enginesOf(t, sample, newer))
			require.NotEmpty(t, engines, "no generation can express the rule")
			for name, engine := range engines {
				t.Run(name, func(t *testing.T) {
					for _, item := range sample.Cases {
						t.Run(item.Name, func(t *testing.T) { judge(t, engine, item) })
					}
				})
			}
		})
	}
}

func judge(t *testing.T, engine *admission.Engine, item policycorpus.Case) {
	t.Helper()
	switch item.Expect {
	case policycorpus.Denied:
		response := admission.RequireDenied(t, engine, requestOf(item))
		for _, denial := range response.Denials() {
			require.Equal(t, admission.Fail, denial.Status, "%s", denial.Message)
		}
	case policycorpus.Allowed:
		response := admission.RequireAllowed(t, engine, requestOf(item))
		require.Empty(t, failed(response))
	case policycorpus.Mutated:
		response := admission.RequireAllowed(t, engine, requestOf(item))
		if diff := cmp.Diff(item.Want[0].Object, response.Object.Object); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		request := requestOf(item)
		request.Object = response.Object
		again := admission.RequireAllowed(t, engine, request)
		require.Equal(t, response.Object.Object, again.Object.Object, "the mutation is not idempotent")
	case policycorpus.Generated:
		response := admission.RequireAllowed(t, engine, requestOf(item))
		if diff := cmp.Diff(contents(item.Want), contents(response.Generated)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	default:
		response, err := engine.Evaluate(t.Context(), requestOf(item))
		require.NoError(t, err)
		deleted := false
		for _, verdict := range response.Verdicts {
			require.NotEqual(t, admission.Error, verdict.Status, "%s", verdict.Message)
			deleted = deleted || verdict.Type == admission.Cleanup && verdict.Status == admission.Pass
		}
		require.Equal(t, item.Expect == policycorpus.Deleted, deleted)
	}
}

// Whatever is asked of it, a rule says the same in both generations.
func TestBothGenerationsAgree(t *testing.T) {
	samples := policycorpus.Samples(t)
	requests := map[string]admission.Request{}
	for _, sample := range samples {
		for _, item := range sample.Cases {
			request := requestOf(item)
			key, err := json.Marshal(request)
			require.NoError(t, err)
			requests[string(key)] = request
		}
	}
	for _, sample := range samples {
		t.Run(sample.Name, func(t *testing.T) {
			engines := enginesOf(t, sample, generations)
			if len(engines) < 2 {
				return // the rule has one generation only
			}
			for content, request := range requests {
				cel, classic := ask(t, engines["CEL"], request), ask(t, engines["classic"], request)
				if diff := cmp.Diff(cel, classic); diff != "" {
					t.Errorf("%s (-CEL +classic):\n%s", content, diff)
				}
			}
		})
	}
}

// answer is what a client sees of an evaluation, and which objects there are then.
type answer struct {
	Allowed   bool
	Failed    bool
	Errors    []string
	Object    map[string]any
	Generated []map[string]any
}

func ask(t *testing.T, engine *admission.Engine, request admission.Request) answer {
	t.Helper()
	response, err := engine.Evaluate(t.Context(), request)
	require.NoError(t, err)
	out := answer{Allowed: response.Allowed(), Failed: len(failed(response)) > 0, Generated: contents(response.Generated)}
	for _, verdict := range response.Verdicts {
		if verdict.Status == admission.Error {
			out.Errors = append(out.Errors, verdict.Message)
		}
	}
	if response.Object != nil {
		out.Object = response.Object.Object
	}
	return out
}

func failed(response *admission.Response) []string {
	var messages []string
	for _, verdict := range response.Verdicts {
		if verdict.Status == admission.Fail {
			messages = append(messages, verdict.Message)
		}
	}
	return messages
}

// enginesOf returns an engine for each generation that can express the rule.
func enginesOf(t *testing.T, sample policycorpus.Sample, builds ways) map[string]*admission.Engine {
	t.Helper()
	engines := map[string]*admission.Engine{}
	for name, build := range builds {
		obj, err := build(sample.Rule)
		var unsupported *policy.UnsupportedError
		if errors.As(err, &unsupported) {
			continue
		}
		require.NoError(t, err)
		data := admission.Data{Objects: sample.Cluster}
		engine, err := admission.New([]*unstructured.Unstructured{obj}, admission.Options{Data: data})
		require.NoError(t, err)
		engines[name] = engine
	}
	return engines
}

func requestOf(item policycorpus.Case) admission.Request {
	return admission.Request{
		Operation: admission.Operation(item.Operation), Object: item.Object, OldObject: item.Old, Subresource: item.Subresource,
	}
}

func contents(objects []*unstructured.Unstructured) []map[string]any {
	out := make([]map[string]any, len(objects))
	for i, obj := range objects {
		out[i] = obj.Object
	}
	return out
}

// The corpus holds what every API server accepts.
func TestManifestsThatNotEveryServerAcceptsAreJudged(t *testing.T) {
	tests := map[string]struct {
		rule policy.Rule
		spec map[string]any
	}{
		"an image volume from elsewhere is denied": {
			rule: policy.AllowedRegistries{Name: "registries", Registries: []string{"registry.example.com"}},
			spec: map[string]any{
				"containers": []any{map[string]any{"name": "app", "image": "registry.example.com/app:1"}},
				"volumes":    []any{map[string]any{"name": "model", "image": map[string]any{"reference": "evil.example.com/model:1"}}},
			},
		},
		"an image volume without a tag is denied": {
			rule: policy.RequirePinnedImages{Name: "pinned"},
			spec: map[string]any{
				"containers": []any{map[string]any{"name": "app", "image": "registry.example.com/app:1"}},
				"volumes":    []any{map[string]any{"name": "model", "image": map[string]any{"reference": "registry.example.com/model"}}},
			},
		},
		"a container without an image is denied": {
			rule: policy.RequirePinnedImages{Name: "pinned"},
			spec: map[string]any{"containers": []any{map[string]any{"name": "app"}}},
		},
	}
	for name, test := range tests {
		for generation, build := range generations {
			t.Run(name+" in "+generation, func(t *testing.T) {
				obj, err := build(test.rule)
				require.NoError(t, err)
				engine, err := admission.New([]*unstructured.Unstructured{obj}, admission.Options{})
				require.NoError(t, err)
				request := admission.Request{Object: &unstructured.Unstructured{Object: map[string]any{
					"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "app", "namespace": "shop"}, "spec": test.spec,
				}}}
				admission.RequireDenied(t, engine, request)
			})
		}
	}
}

// A DeletingPolicy of Kyverno 1.15 has no clock.
func TestCleanupByAge(t *testing.T) {
	rule := policy.Cleanup{
		Name: "old", Kind: policy.ResourceKind{Kind: "Namespace"}, OlderThan: 72 * time.Hour, Schedule: "@daily",
	}
	_, err := rule.CEL(policy.Kyverno(1, 15))
	require.ErrorAs(t, err, new(*policy.UnsupportedError))
	obj, err := rule.Classic(policy.Kyverno(1, 15))
	require.NoError(t, err)
	engine, err := admission.New([]*unstructured.Unstructured{obj}, admission.Options{})
	require.NoError(t, err)
	for age, want := range map[time.Duration]admission.Status{71 * time.Hour: admission.Fail, 73 * time.Hour: admission.Pass} {
		namespace := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{
			"name": "orders", "creationTimestamp": time.Now().Add(-age).UTC().Format(time.RFC3339),
		}}}
		response, err := engine.Evaluate(t.Context(), admission.Request{Object: namespace})
		require.NoError(t, err)
		require.Len(t, response.Verdicts, 1)
		require.Equal(t, want, response.Verdicts[0].Status, "%s: %s", age, response.Verdicts[0].Message)
	}
}

// The API server sets the time of deletion itself, so the corpus cannot hold it.
func TestWhatIsBeingDeletedCanLoseItsFinalizers(t *testing.T) {
	namespace := func(deleted bool, finalizers ...any) *unstructured.Unstructured {
		metadata := map[string]any{"name": "store", "finalizers": finalizers}
		if deleted {
			metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
		}
		return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}}
	}
	for name, build := range generations {
		t.Run(name, func(t *testing.T) {
			obj, err := build(policy.RequireLabels{Name: "require-labels", Labels: policy.PlatformLabels()})
			require.NoError(t, err)
			engine, err := admission.New([]*unstructured.Unstructured{obj}, admission.Options{})
			require.NoError(t, err)
			for deleted, judge := range map[bool]func(admission.Request){
				true:  func(r admission.Request) { admission.RequireAllowed(t, engine, r) },
				false: func(r admission.Request) { admission.RequireDenied(t, engine, r) },
			} {
				judge(admission.Request{OldObject: namespace(deleted, "example.com/a"), Object: namespace(deleted)})
			}
		})
	}
}
