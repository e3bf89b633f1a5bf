package admission_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/policy"
	"github.com/controlbackbone/backbone/policy/admission"
)

func TestACreationIsNoCleanup(t *testing.T) {
	rule := policy.Cleanup{Name: "pods", Kind: policy.ResourceKind{Kind: "Pod"}, Finished: true, Schedule: "@daily"}
	for name, build := range generations {
		t.Run(name, func(t *testing.T) {
			obj, err := build(rule)
			require.NoError(t, err)
			engine, err := admission.New([]*unstructured.Unstructured{obj}, admission.Options{})
			require.NoError(t, err)
			pod := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "app", "namespace": "shop"},
			}}
			report, err := engine.Judge(t.Context(), []admission.Document{{Object: pod}})
			require.NoError(t, err)
			require.Empty(t, report.Judgements[0].Verdicts)
			require.True(t, report.Judgements[0].Allowed)
		})
	}
}
