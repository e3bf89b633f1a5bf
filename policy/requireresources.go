package policy

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// RequireResources guarantees that every container of a pod requests what it needs and is limited in what it takes:
// containers, init containers and sidecars of Pods, Deployments, StatefulSets, DaemonSets, ReplicationControllers, Jobs
// and CronJobs. A quantity of zero counts as missing. A limit is a request as well, as it is for Kubernetes. Ephemeral
// containers are left alone, because Kubernetes gives them no resources of their own; so is an update that leaves the
// pod's spec as it is. What a pod states as a whole (spec.resources) does not count.
type RequireResources struct {
	// Name of the rule and of its policy. Required.
	Name string
	// Requests and Limits that each container needs. Default: requests of cpu and memory and a limit of memory, if both
	// are empty. A limit of cpu is not in it: it slows down what could use idle processors.
	Requests []corev1.ResourceName
	Limits   []corev1.ResourceName
	// ExemptNamespaces are left alone, in addition to kube-node-lease, kube-public and kube-system.
	ExemptNamespaces []string
	// Action on a request that breaks the rule. Default: Enforce.
	Action Action
}

// Validate reports every fault of the rule.
func (r RequireResources) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	faults = append(faults, validateResourceNames(field.NewPath("requests"), r.Requests)...)
	faults = append(faults, validateResourceNames(field.NewPath("limits"), r.Limits)...)
	faults = append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
	return append(faults, validateAction(field.NewPath("action"), r.Action)...)
}

// CEL returns a ValidatingPolicy (Kyverno 1.14 and later).
func (r RequireResources) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().cel(r.Name, r.Action, kyverno, r.Validate())
}

// Classic returns a ClusterPolicy (Kyverno 1.13 to 1.19).
func (r RequireResources) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().classic(r.Name, r.Action, kyverno, r.Validate())
}

// RBAC returns the ClusterRole that lets Kyverno report on ephemeral containers.
func (r RequireResources) RBAC() []*unstructured.Unstructured { return podsRBAC(r.Name) }

// WithAction returns a copy of the rule with the action.
func (r RequireResources) WithAction(action Action) Rule {
	r.Action = action
	return r
}

func (r RequireResources) judgement() judgement {
	requests, limits := r.Requests, r.Limits
	if len(requests)+len(limits) == 0 {
		requests = []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory}
		limits = []corev1.ResourceName{corev1.ResourceMemory}
	}
	var checks []Validation
	for _, name := range requests {
		checks = append(checks, everyContainer("request", name, positive("limits", name)+" || "+positive("requests", name)))
	}
	for _, name := range limits {
		checks = append(checks, everyContainer("limit", name, positive("limits", name)))
	}
	return judgePods(r.ExemptNamespaces, []NamedExpression{{
		Name: "containers", Expression: "variables.pod.containers + variables.pod.?initContainers.orValue([])",
	}}, checks...)
}

// everyContainer requires a condition on the variable c of every container, and names those that break it.
func everyContainer(what string, name corev1.ResourceName, condition string) Validation {
	return Validation{
		Expression: "variables.containers.all(c, " + condition + ")",
		MessageExpression: celString(fmt.Sprintf("A container needs a %s of %s: ", what, name)) +
			" + variables.containers.filter(c, !(" + condition + `)).map(c, c.name).join(", ")`,
	}
}

// positive says that the container c states a quantity above zero. Manifests may write quantities as numbers.
func positive(section string, name corev1.ResourceName) string {
	quantity := fmt.Sprintf(`c.?resources.?%s[?%s].orValue(dyn("0"))`, section, celString(string(name)))
	return fmt.Sprintf(`string(%s).matches("^[^eE]*[1-9]")`, quantity)
}

func validateResourceNames(path *field.Path, names []corev1.ResourceName) field.ErrorList {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = string(name)
	}
	return validateKeys(path, keys)
}
