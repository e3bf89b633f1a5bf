package admission_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	policiesv1alpha1 "github.com/kyverno/kyverno/api/policies.kyverno.io/v1alpha1"
	celengine "github.com/kyverno/kyverno/pkg/cel/engine"
	"github.com/kyverno/kyverno/pkg/cel/libs"
	"github.com/kyverno/kyverno/pkg/cel/matching"
	vpolcompiler "github.com/kyverno/kyverno/pkg/cel/policies/vpol/compiler"
	vpolengine "github.com/kyverno/kyverno/pkg/cel/policies/vpol/engine"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/policy/admission"
)

// Ten ValidatingPolicies on one Pod, here and in Kyverno's bare engine; the other kinds of policies find nothing to do.
func BenchmarkValidatingPolicies(b *testing.B) {
	var texts []string
	for i := range 10 {
		texts = append(texts, celPolicy("ValidatingPolicy", "", "pods", fmt.Sprintf(`
  autogen: {podControllers: {controllers: []}}
  validations: [{expression: 'object.spec.containers.all(c, c.image.startsWith("registry.example.com/")) && %d >= 0'}]`, i)))
	}
	b.Run("backbone", func(b *testing.B) {
		e := engine(b, admission.Options{}, texts...)
		request := admission.Request{Object: object(b, pod)}
		for b.Loop() {
			response, err := e.Evaluate(b.Context(), request)
			require.NoError(b, err)
			require.Len(b, response.Verdicts, 10)
		}
	})
	b.Run("bare engine", func(b *testing.B) {
		var policies []vpolengine.Policy
		for _, text := range texts {
			policy := policiesv1alpha1.ValidatingPolicy{}
			require.NoError(b, yaml.Unmarshal([]byte(text), &policy))
			compiled, faults := vpolcompiler.NewCompiler().Compile(&policy, nil)
			require.Empty(b, faults)
			policies = append(policies, vpolengine.Policy{
				Actions: sets.New(admissionregistrationv1.Deny), Policy: policy, CompiledPolicy: compiled,
			})
		}
		provider := vpolengine.ProviderFunc(func(context.Context) ([]vpolengine.Policy, error) { return policies, nil })
		bare := vpolengine.NewEngine(provider, func(name string) *corev1.Namespace {
			return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		}, matching.NewMatcher())
		obj := object(b, pod)
		for b.Loop() {
			raw, err := json.Marshal(obj.Object)
			require.NoError(b, err)
			request := admissionv1.AdmissionRequest{
				UID:  "00000000-0000-0000-0000-000000000000",
				Kind: metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}, Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
				Name: obj.GetName(), Namespace: obj.GetNamespace(), Operation: admissionv1.Create, DryRun: new(bool),
				Object: runtime.RawExtension{Raw: raw},
			}
			request.RequestKind, request.RequestResource = &request.Kind, &request.Resource
			response, err := bare.Handle(b.Context(), celengine.RequestFromAdmission(libs.NewFakeContextProvider(), request), nil)
			require.NoError(b, err)
			require.Len(b, response.Policies, 10)
		}
	})
}
