package admission_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	kyvernov2 "github.com/kyverno/kyverno/api/kyverno/v2"
	policiesv1alpha1 "github.com/kyverno/kyverno/api/policies.kyverno.io/v1alpha1"
	celengine "github.com/kyverno/kyverno/pkg/cel/engine"
	"github.com/kyverno/kyverno/pkg/cel/libs"
	"github.com/kyverno/kyverno/pkg/cel/matching"
	vpolcompiler "github.com/kyverno/kyverno/pkg/cel/policies/vpol/compiler"
	vpolengine "github.com/kyverno/kyverno/pkg/cel/policies/vpol/engine"
	"github.com/kyverno/kyverno/pkg/config"
	kyvernoengine "github.com/kyverno/kyverno/pkg/engine"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	"github.com/kyverno/kyverno/pkg/engine/factories"
	"github.com/kyverno/kyverno/pkg/engine/jmespath"
	"github.com/kyverno/kyverno/pkg/engine/policycontext"
	"github.com/kyverno/kyverno/pkg/exceptions"
	"github.com/kyverno/kyverno/pkg/imageverifycache"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/controlbackbone/backbone/policy/admission"
)

// costPolicies are five classic policies and five in CEL, of ordinary size, all for Deployments.
var costPolicies = []string{
	costClassic("labels", `pattern: {metadata: {labels: {app.kubernetes.io/name: "?*", owner: "team-*"}}}`),
	costClassic("images", `pattern: {spec: {template: {spec: {containers: [{image: "registry.example.com/*"}]}}}}`),
	costClassic("limits", `pattern: {spec: {template: {spec: {containers: [{resources: {limits: {memory: "?*"}}}]}}}}`),
	costClassic("replicas", `deny: {conditions: {any: [{key: "{{ request.object.spec.replicas || '1' }}", operator: LessThan, value: 1}]}}`),
	costClassic("latest", `foreach: [{list: request.object.spec.template.spec.containers, deny: {conditions: {any: [{key: "{{ element.image }}", operator: Equals, value: "*:latest"}]}}}]`),
	costCEL("cel-labels", `has(object.metadata.labels) && "owner" in object.metadata.labels && object.metadata.labels["owner"].startsWith("team-")`),
	costCEL("cel-images", `object.spec.template.spec.containers.all(c, c.image.startsWith("registry.example.com/"))`),
	costCEL("cel-limits", `object.spec.template.spec.containers.all(c, c.?resources.?limits[?"memory"].hasValue())`),
	costCEL("cel-replicas", `object.spec.?replicas.orValue(1) >= 1`),
	costCEL("cel-latest", `object.spec.template.spec.containers.all(c, !c.image.endsWith(":latest"))`),
}

func costClassic(name, validate string) string {
	return "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: " + name + "}\nspec:\n  rules:\n  - name: r\n" +
		"    match: {any: [{resources: {kinds: [Deployment]}}]}\n    validate:\n      failureAction: Enforce\n      message: It breaks a rule.\n      " + validate + "\n"
}

func costCEL(name, expression string) string {
	return "apiVersion: policies.kyverno.io/v1alpha1\nkind: ValidatingPolicy\nmetadata: {name: " + name + "}\nspec:\n" +
		"  matchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], resources: [deployments], operations: [CREATE, UPDATE]}]}\n" +
		"  validations:\n  - message: It breaks a rule.\n    expression: '" + expression + "'\n"
}

const costDeployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app.kubernetes.io/name: web, owner: team-a}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example.com/shop/web:1.4.2
        ports: [{containerPort: 8080}]
        env: [{name: A, value: a}, {name: B, value: b}]
        resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
        readinessProbe: {httpGet: {path: /, port: 8080}}
`

// noExceptions is what Kyverno's engine looks exceptions up in.
type noExceptions struct{}

func (noExceptions) List(labels.Selector) ([]*kyvernov2.PolicyException, error) { return nil, nil }

// bareEngine evaluates the policies as Kyverno's webhooks do, with nothing around its engines: the yardstick.
func bareEngine(t testing.TB) func(*unstructured.Unstructured) int {
	t.Helper()
	configuration := config.NewDefaultConfiguration(false)
	language := jmespath.New(configuration)
	classic := kyvernoengine.NewEngine(configuration, config.NewDefaultMetricsConfiguration(), language, nil, nil,
		imageverifycache.DisabledImageVerifyCache(), factories.DefaultContextLoaderFactory(nil), exceptions.New(noExceptions{}), nil)
	var policies []kyvernov1.PolicyInterface
	var compiled []vpolengine.Policy
	for _, text := range costPolicies {
		obj := object(t, text)
		if obj.GetKind() == "ClusterPolicy" {
			policy := &kyvernov1.ClusterPolicy{}
			require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, policy))
			policies = append(policies, policy)
			continue
		}
		policy := policiesv1alpha1.ValidatingPolicy{}
		require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &policy))
		one, faults := vpolcompiler.NewCompiler().Compile(&policy, nil)
		require.Empty(t, faults)
		compiled = append(compiled, vpolengine.Policy{Policy: policy, CompiledPolicy: one})
	}
	provider := vpolengine.ProviderFunc(func(context.Context) ([]vpolengine.Policy, error) { return compiled, nil })
	cel := vpolengine.NewEngine(provider, func(name string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	}, matching.NewMatcher())
	return func(obj *unstructured.Unstructured) int {
		raw, err := json.Marshal(obj.Object)
		require.NoError(t, err)
		request := admissionv1.AdmissionRequest{
			Kind:     metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
			Resource: metav1.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"},
			Name:     obj.GetName(), Namespace: obj.GetNamespace(), Operation: admissionv1.Create, DryRun: new(bool),
			Object: runtime.RawExtension{Raw: raw},
		}
		request.RequestKind, request.RequestResource = &request.Kind, &request.Resource
		policyContext, err := policycontext.NewPolicyContextFromAdmissionRequest(
			language, request, kyvernov2.RequestInfo{}, obj.GroupVersionKind(), configuration)
		require.NoError(t, err)
		passed := 0
		for _, policy := range policies {
			response := classic.Validate(context.Background(), policyContext.WithPolicy(policy))
			for _, rule := range response.PolicyResponse.Rules {
				if rule.Status() == engineapi.RuleStatusPass {
					passed++
				}
			}
		}
		answer, err := cel.Handle(context.Background(), celengine.RequestFromAdmission(libs.NewFakeContextProvider(), request), nil)
		require.NoError(t, err)
		for _, part := range answer.Policies {
			for _, rule := range part.Rules {
				if rule.Status() == engineapi.RuleStatusPass {
					passed++
				}
			}
		}
		return passed
	}
}

func ourEngine(t testing.TB) func(*unstructured.Unstructured) int {
	t.Helper()
	e := engine(t, admission.Options{}, costPolicies...)
	return func(obj *unstructured.Unstructured) int {
		response, err := e.Evaluate(context.Background(), admission.Request{Object: obj})
		require.NoError(t, err)
		passed := 0
		for _, verdict := range response.Verdicts {
			if verdict.Status == admission.Pass {
				passed++
			}
		}
		return passed
	}
}

func BenchmarkEvaluate(b *testing.B) {
	obj := object(b, costDeployment)
	for name, evaluate := range map[string]func(*unstructured.Unstructured) int{"backbone": ourEngine(b), "bare": bareEngine(b)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				require.Equal(b, len(costPolicies), evaluate(obj))
			}
		})
	}
}

// TestEvaluationCostsLittleMoreThanTheEngine guards the promise that what is around Kyverno's engines costs at most 30 % of
// what they cost. Both take turns, so that what else runs on the machine hits both, and the best turn of each counts.
func TestEvaluationCostsLittleMoreThanTheEngine(t *testing.T) {
	obj := object(t, costDeployment)
	ours, bare := ourEngine(t), bareEngine(t)
	require.Equal(t, len(costPolicies), ours(obj))
	require.Equal(t, len(costPolicies), bare(obj))
	const evaluations = 10 // short enough for a turn that nothing interrupts
	turn := func(evaluate func(*unstructured.Unstructured) int) time.Duration {
		began := time.Now()
		for range evaluations {
			evaluate(obj)
		}
		return time.Since(began)
	}
	best := func(least, took time.Duration) time.Duration {
		if least == 0 || took < least {
			return took
		}
		return least
	}
	var leastOurs, leastBare time.Duration
	for range 300 {
		leastOurs, leastBare = best(leastOurs, turn(ours)), best(leastBare, turn(bare))
	}
	ratio := leastOurs.Seconds() / leastBare.Seconds()
	t.Logf("an evaluation takes %v, in the bare engine %v: %.2f times as long", leastOurs/evaluations, leastBare/evaluations, ratio)
	require.LessOrEqual(t, ratio, 1.3)
}
