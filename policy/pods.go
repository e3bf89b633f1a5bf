package policy

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// podShape is where kinds have the spec of their pods.
type podShape struct {
	// name tells the rules of a ClusterPolicy apart.
	name  string
	kinds []ResourceKind
	// path of the spec.
	path []string
	// immutable says that the spec cannot be changed later on.
	immutable bool
}

// podShapes are Pods and the kinds that hold a template of pods, except ReplicaSets: Kyverno's default configuration
// passes those over (kyverno: charts/kyverno/values.yaml, resourceFilters), and their pods are judged anyway. The kinds
// are matched by name rather than by Kyverno's generation of rules for controllers, because that differs between the
// generations of policies: for a ValidatingPolicy it knows no ReplicationController and leaves out ephemeral containers
// (kyverno: pkg/cel/autogen/data.go, pkg/autogen/v1/autogen.go).
var podShapes = []podShape{
	{name: "pods", kinds: []ResourceKind{{Kind: "Pod"}}, path: []string{"spec"}, immutable: true},
	{name: "controllers", kinds: []ResourceKind{
		{Kind: "ReplicationController"},
		{Group: "apps", Kind: "DaemonSet"},
		{Group: "apps", Kind: "Deployment"},
		{Group: "apps", Kind: "StatefulSet"},
	}, path: []string{"spec", "template", "spec"}},
	{
		name: "cron-jobs", kinds: []ResourceKind{{Group: "batch", Kind: "CronJob"}},
		path: []string{"spec", "jobTemplate", "spec", "template", "spec"},
	},
	{name: "jobs", kinds: []ResourceKind{{Group: "batch", Kind: "Job"}}, path: []string{"spec", "template", "spec"}, immutable: true},
}

func podKinds() []ResourceKind {
	var kinds []ResourceKind
	for _, shape := range podShapes {
		kinds = append(kinds, shape.kinds...)
	}
	return kinds
}

// systemNamespaces are exempt from every rule on what runs in a namespace: a cluster whose own components are denied
// does not start again. Kyverno's default configuration leaves them out as well.
var systemNamespaces = []string{"kube-node-lease", "kube-public", "kube-system"}

// judgePods returns the judgement of pods and of the templates of pods outside of the exempt namespaces. The checks
// find the pod's spec in variables.pod. An update that leaves the pod's spec as it is passes unjudged, so that a rule
// that is new stops nobody from labelling or finishing what runs already.
func judgePods(exempt []string, variables []NamedExpression, checks ...Validation) judgement {
	return judgement{
		selection: selection{
			kinds:  podKinds(),
			exempt: withSystemNamespaces(exempt),
			conditions: []NamedExpression{{
				Name: "pod-changed", Expression: `request.operation != "UPDATE" || ` + podSpec("object") + " != " + podSpec("oldObject"),
			}},
		},
		variables: append([]NamedExpression{{Name: "pod", Expression: podSpec("object")}}, variables...),
		checks:    checks,
	}
}

// judgeImages returns the judgement of all images of pods, each in the variable i of the condition. The message goes on
// with those that break it.
func judgeImages(exempt []string, condition, message string) judgement {
	const containers = "(variables.pod.containers + variables.pod.?initContainers.orValue([])" +
		" + variables.pod.?ephemeralContainers.orValue([]))"
	variables := []NamedExpression{
		{Name: "images", Expression: containers + `.map(c, c.?image.orValue("")) + ` +
			`variables.pod.?volumes.orValue([]).filter(v, has(v.image)).map(v, v.image.?reference.orValue(""))`},
		{Name: "refused", Expression: "variables.images.filter(i, !(" + condition + "))"},
	}
	return judgePods(exempt, variables, Validation{
		Expression:        "size(variables.refused) == 0",
		MessageExpression: celString(message) + ` + variables.refused.join(", ")`,
	})
}

// podsRBAC returns what Kyverno's controllers need for a rule on pods beyond the view of a cluster that they have.
func podsRBAC(rule string) []*unstructured.Unstructured {
	return []*unstructured.Unstructured{reportsRole(rule, map[string][]string{"": {"pods/ephemeralcontainers"}})}
}

// podSpec returns the expression for the spec of the pods that a variable describes.
func podSpec(variable string) string {
	const format = `(%[1]s.kind == "Pod" ? %[1]s : ` +
		`%[1]s.kind == "CronJob" ? %[1]s.spec.jobTemplate.spec.template : %[1]s.spec.template).spec`
	return fmt.Sprintf(format, variable)
}

// withSystemNamespaces returns the names of all namespaces that a rule leaves alone, in order and once each.
func withSystemNamespaces(own []string) []string {
	all := slices.Concat(systemNamespaces, own)
	slices.Sort(all)
	return slices.Compact(all)
}
