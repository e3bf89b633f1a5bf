package conformance_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/internal/policycorpus"
	"github.com/controlbackbone/backbone/policy"
)

// foreign is a policy that is none of the library's.
type foreign struct {
	policy.Rule
	text string
	// cluster is what the policy asks the cluster for.
	cluster string
	mutates bool
	// anyMessage is for messages that hold what the API server adds to objects apart from defaults.
	anyMessage bool
}

// RBAC implements policy.Rule.
func (foreign) RBAC() []*unstructured.Unstructured { return nil }

func foreignClassic(rules string) string {
	return "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: foreign}\nspec: {background: false, rules: [" + rules + "]"
}

func foreignCEL(kind, spec string) string {
	return "apiVersion: policies.kyverno.io/v1alpha1\nkind: " + kind + `
metadata: {name: foreign}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods]}]}
` + spec
}

var foreignPolicies = map[string]foreign{
	"a condition of the webhook": {text: foreignClassic(`
  {name: r, match: {any: [{resources: {kinds: [Pod, Namespace]}}]}, validate: {failureAction: Enforce, message: refused, deny: {}}}`) +
		`, webhookConfiguration: {matchConditions: [{name: c, expression: 'object.metadata.name.startsWith("a")'}]}}`},
	"a condition of the webhook that fails": {text: foreignClassic(`
  {name: r, match: {any: [{resources: {kinds: [Pod, Deployment]}}]}, validate: {failureAction: Enforce, message: refused, deny: {}}}`) +
		`, webhookConfiguration: {matchConditions: [{name: c, expression: 'object.metadata.labels["app"] == "batch"'}]}}`},
	"the groups of the user": {text: foreignClassic(`
  {name: r, match: {any: [{resources: {kinds: [Namespace]}, subjects: [{kind: Group, name: 'system:masters'}]}]},
   validate: {failureAction: Enforce, message: refused, deny: {conditions: {any: [{key: '{{ request.operation }}', operator: AnyIn, value: [CREATE, DELETE]}]}}}}`) + "}"},
	"the deletion of namespaces": {text: foreignClassic(`
  {name: r, match: {any: [{resources: {kinds: [Namespace], operations: [DELETE]}}]}, exclude: {any: [{resources: {names: ['*-1']}}]},
   validate: {failureAction: Enforce, message: 'not {{ request.oldObject.metadata.name }}', deny: {}}}`) + "}"},
	"containers, one by one": {anyMessage: true, text: foreignClassic(`
  {name: r, match: {all: [{resources: {kinds: [Pod], namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: [argocd]}]}}}]},
   validate: {failureAction: Enforce, message: refused, foreach: [{list: 'request.object.spec.containers', pattern: {image: '*.example.com/*:*', =(imagePullPolicy): 'IfNotPresent'}}]}}`) + "}"},
	"several patterns": {text: foreignClassic(`
  {name: r, match: {any: [{resources: {kinds: [apps/v1/Deployment, StatefulSet]}}]},
   validate: {failureAction: Enforce, message: refused, anyPattern: [{spec: {replicas: '>2'}}, {spec: {template: {spec: {^(containers): [{resources: {limits: {memory: '?*'}}}]}}}}]}}`) + "}"},
	"a config map": {text: foreignClassic(`
  {name: r, match: {any: [{resources: {kinds: [Pod]}}]}, context: [{name: settings, configMap: {name: foreign, namespace: shop}}],
   preconditions: {all: [{key: '{{ request.object.metadata.namespace }}', operator: Equals, value: '{{ settings.data.namespace }}'}]},
   validate: {failureAction: Enforce, message: refused, deny: {conditions: {any: [{key: '{{ request.object.spec.containers[].name }}', operator: AnyIn, value: ['{{ settings.data.container }}']}]}}}}`) + "}",
		cluster: "{apiVersion: v1, kind: ConfigMap, metadata: {name: foreign, namespace: shop}, data: {namespace: shop, container: app}}"},
	"ephemeral containers": {text: foreignClassic(`
  {name: r, match: {any: [{resources: {kinds: [Pod/ephemeralcontainers]}}]}, validate: {failureAction: Enforce, message: refused, deny: {}}}`) + "}"},
	"pods, and by themselves their controllers": {text: foreignClassic(`
  {name: r, match: {any: [{resources: {kinds: [Pod]}}]}, validate: {failureAction: Enforce, message: refused, pattern: {spec: {containers: [{resources: {requests: {cpu: '?*'}}}]}}}}`) + "}"},
	"a level of pod security": {anyMessage: true, text: foreignClassic(`
  {name: r, match: {any: [{resources: {kinds: [Pod]}}]}, validate: {failureAction: Enforce, message: refused, podSecurity: {level: baseline, version: v1.29}}}`) + "}"},
	"a merge with anchors": {mutates: true, text: foreignClassic(`
  {name: r, match: {any: [{resources: {kinds: [Pod, Deployment]}}]},
   mutate: {patchStrategicMerge: {metadata: {annotations: {+(seen): 'by-{{ request.userInfo.username }}', kind: '{{ request.kind.kind }}'}}}}}`) + "}"},
	"patches, one by one": {mutates: true, text: foreignClassic(`
  {name: r, match: {any: [{resources: {kinds: [Pod], operations: [CREATE]}}]},
   mutate: {foreach: [{list: 'request.object.spec.containers', patchesJson6902: "- {op: add, path: '/spec/containers/{{elementIndex}}/env/-', value: {name: NAME, value: '{{ element.name }}'}}"}]}}`) + "}"},
	"conditions and variables": {text: foreignCEL("ValidatingPolicy", `
  matchConditions: [{name: masters, expression: '"system:masters" in request.userInfo.groups'}]
  variables: [{name: own, expression: 'namespaceObject.metadata.name == request.namespace'}]
  validations: [{expression: 'variables.own && object.spec.containers.all(c, c.image.contains(":"))', messageExpression: '"not in " + request.namespace'}]`)},
	"pods and their controllers, by expressions": {text: foreignCEL("ValidatingPolicy", `
  validations: [{expression: 'object.spec.containers.all(c, c.?resources.?limits.?memory.hasValue())', message: limits}]`)},
	"an applied configuration": {mutates: true, text: foreignCEL("MutatingPolicy", `
  mutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: 'Object{metadata: Object.metadata{labels: Object.metadata.labels{seen: "yes"}}}'}}]`)},
}

// TestForeignPoliciesAreJudgedAsTheControllerDoes is TestOfflineVerdictsAreTheControllers for policies that use what the
// library does not. They look at fields that the API server fills in.
func TestForeignPoliciesAreJudgedAsTheControllerDoes(t *testing.T) {
	stage := newVerdictStage(t, liveKube(t))
	stage.defaults = true
	for name, item := range foreignPolicies {
		t.Run(name, func(t *testing.T) {
			sample := policycorpus.Sample{Name: "foreign", Rule: item}
			if item.cluster != "" {
				sample.Cluster = append(sample.Cluster, fromYAML(t, item.cluster))
			}
			if item.mutates {
				sample.Cases = []policycorpus.Case{{Expect: policycorpus.Mutated}}
			}
			stage.anyMessage = item.anyMessage
			stage.compare(t, sample, fromYAML(t, item.text))
		})
	}
}

func fromYAML(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(text), &obj.Object))
	return obj
}
