package admission_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/policy"
	"github.com/controlbackbone/backbone/policy/admission"
)

func TestExceptionsExemptWhatTheyCover(t *testing.T) {
	rule := policy.RequireResources{Name: "require-resources"}
	exception := policy.Exception{
		Name: "batch", Namespace: "exceptions", Rules: []policy.Rule{rule}, Owner: "team-batch", Reason: "a test",
		Expires: time.Now().Add(time.Hour), Kinds: []policy.ResourceKind{{Kind: "Pod"}},
		Namespaces: []string{"batch-*"}, Names: []string{"legacy-?"},
	}
	for generation, build := range generations {
		t.Run(generation, func(t *testing.T) {
			engineWith := func(exception policy.Exception) *admission.Engine {
				obj, err := build(rule)
				require.NoError(t, err)
				exempt, err := map[string]func(policy.Version) (*unstructured.Unstructured, error){
					"CEL": exception.CEL, "classic": exception.Classic,
				}[generation](policy.Kyverno(1, 15))
				require.NoError(t, err)
				engine, err := admission.New([]*unstructured.Unstructured{obj}, admission.Options{Exceptions: []*unstructured.Unstructured{exempt}})
				require.NoError(t, err)
				return engine
			}
			pod := func(namespace, name string) admission.Request {
				return admission.Request{NamespaceLabels: map[string]string{}, Object: &unstructured.Unstructured{Object: map[string]any{
					"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": name, "namespace": namespace},
					"spec": map[string]any{"containers": []any{map[string]any{"name": "app", "image": "app:1"}}},
				}}}
			}
			engine := engineWith(exception)
			response := admission.RequireAllowed(t, engine, pod("batch-a", "legacy-1"))
			require.Equal(t, admission.Skip, response.Verdicts[0].Status)
			require.Equal(t, []string{"exceptions/batch"}, response.Verdicts[0].Exceptions)
			admission.RequireDenied(t, engine, pod("batch-a", "legacy-10"))
			admission.RequireDenied(t, engine, pod("batch", "legacy-1"))
			job := pod("batch-a", "legacy-1")
			job.Object.SetAPIVersion("batch/v1")
			job.Object.SetKind("Job")
			job.Object.Object["spec"] = map[string]any{"template": map[string]any{"spec": job.Object.Object["spec"]}}
			admission.RequireDenied(t, engine, job)

			if generation == "classic" { // the other generation has no clock
				ended := exception
				ended.Expires = time.Now().Add(-time.Hour)
				admission.RequireDenied(t, engineWith(ended), pod("batch-a", "legacy-1"))
			}
		})
	}
}
