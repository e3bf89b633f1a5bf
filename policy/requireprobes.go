package policy

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// RequireProbes guarantees that Kubernetes can tell whether every container of a pod works: the containers of Pods,
// Deployments, StatefulSets, DaemonSets and ReplicationControllers. Init containers and sidecars are left alone, and so
// are pods that run to an end (with a restartPolicy other than Always: those of Jobs and CronJobs too) and an update
// that leaves the pod's spec as it is.
type RequireProbes struct {
	// Name of the rule and of its policy. Required.
	Name string
	// Probes that each container needs. Default: Liveness and Readiness.
	Probes []Probe
	// ExemptNamespaces are left alone, in addition to kube-node-lease, kube-public and kube-system.
	ExemptNamespaces []string
	// Action on a request that breaks the rule. Default: Enforce.
	Action Action
}

// Probe is a way in which Kubernetes looks whether a container works.
type Probe string

const (
	// Liveness restarts a container that fails.
	Liveness Probe = "liveness"
	// Readiness sends no requests to a container that fails.
	Readiness Probe = "readiness"
	// Startup holds the others back until a container has started.
	Startup Probe = "startup"
)

// Validate reports every fault of the rule.
func (r RequireProbes) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	all := []Probe{Liveness, Readiness, Startup}
	for i, probe := range r.Probes {
		at := field.NewPath("probes").Index(i)
		if !slices.Contains(all, probe) {
			faults = append(faults, field.NotSupported(at, probe, all))
		}
		if slices.Contains(r.Probes[:i], probe) {
			faults = append(faults, field.Duplicate(at, probe))
		}
	}
	faults = append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
	return append(faults, validateAction(field.NewPath("action"), r.Action)...)
}

// CEL returns a ValidatingPolicy (Kyverno 1.14 and later).
func (r RequireProbes) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().cel(r.Name, r.Action, kyverno, r.Validate())
}

// Classic returns a ClusterPolicy (Kyverno 1.13 to 1.19).
func (r RequireProbes) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().classic(r.Name, r.Action, kyverno, r.Validate())
}

// RBAC returns the ClusterRole that lets Kyverno report on ephemeral containers.
func (r RequireProbes) RBAC() []*unstructured.Unstructured { return podsRBAC(r.Name) }

// WithAction returns a copy of the rule with the action.
func (r RequireProbes) WithAction(action Action) Rule {
	r.Action = action
	return r
}

func (r RequireProbes) judgement() judgement {
	probes := r.Probes
	if len(probes) == 0 {
		probes = []Probe{Liveness, Readiness}
	}
	checks := make([]Validation, len(probes))
	for i, probe := range probes {
		missing := fmt.Sprintf("variables.containers.filter(c, !has(c.%sProbe))", probe)
		checks[i] = Validation{
			Expression: "size(" + missing + ") == 0",
			MessageExpression: celString(fmt.Sprintf("A container needs a %sProbe: ", probe)) +
				" + " + missing + `.map(c, c.name).join(", ")`,
		}
	}
	return judgePods(r.ExemptNamespaces, []NamedExpression{{
		Name:       "containers",
		Expression: `variables.pod.?restartPolicy.orValue("Always") == "Always" ? variables.pod.containers : []`,
	}}, checks...)
}
