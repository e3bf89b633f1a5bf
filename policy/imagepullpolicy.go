package policy

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ImagePullPolicy guarantees that containers whose image can change behind its tag have a pull policy: with Always, no
// node runs an older image than the tag names, nor one that the pod could not pull itself. It is for Pods, Deployments,
// StatefulSets, DaemonSets, ReplicationControllers, Jobs and CronJobs. Kubernetes sets a default before Kyverno sees the
// request, so what a manifest states is replaced.
//
// Pods and Jobs are changed when they are created, other templates whenever they are written: a workload that is there
// already gets new pods with its next update. Ephemeral containers are left alone.
type ImagePullPolicy struct {
	// Name of the rule and of its policy. Required.
	Name string
	// PullPolicy of the containers: Always, IfNotPresent or Never. Default: Always.
	PullPolicy corev1.PullPolicy
	// Digests has the rule apply to images with a digest, too. Default: false, they cannot change.
	Digests bool
	// ExemptNamespaces are left alone, in addition to kube-node-lease, kube-public and kube-system.
	ExemptNamespaces []string
}

// Validate reports every fault of the rule.
func (r ImagePullPolicy) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	faults = append(faults, validateChoice(field.NewPath("pullPolicy"), r.PullPolicy,
		corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)...)
	return append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
}

// CEL returns a MutatingPolicy (Kyverno 1.15 and later).
func (r ImagePullPolicy) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	return r.mutation().cel(r.Name, kyverno, r.Validate())
}

// Classic returns a ClusterPolicy (Kyverno 1.13 to 1.19).
func (r ImagePullPolicy) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	return r.mutation().classic(r.Name, kyverno, r.Validate())
}

// RBAC returns nothing: the rule looks at requests alone.
func (r ImagePullPolicy) RBAC() []*unstructured.Unstructured { return nil }

func (r ImagePullPolicy) mutation() mutation {
	pull := string(orDefault(r.PullPolicy, corev1.PullAlways))
	condition := fmt.Sprintf(`c.?imagePullPolicy.orValue("") != %s`, celString(pull))
	preconditions := []Condition{{Key: "{{ element.imagePullPolicy || '' }}", Operator: NotEquals, Value: pull}}
	if !r.Digests {
		condition += ` && !c.?image.orValue("").contains("@")`
		preconditions = append(preconditions, Condition{Key: "{{ contains(element.image || '', '@') }}", Operator: Equals, Value: false})
	}
	return podMutation{
		exempt:  r.ExemptNamespaces,
		patches: patchContainers(condition, "imagePullPolicy", celString(pull)),
		each: func(query, pointer string) []ForEachMutation {
			return eachContainer(query, pointer, preconditions, "imagePullPolicy", pull)
		},
	}.mutation()
}
