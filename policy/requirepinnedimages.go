package policy

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// RequirePinnedImages guarantees that an image names what runs: by a digest, or by a tag other than latest. It is for
// all containers, init containers, ephemeral containers and image volumes of Pods, Deployments, StatefulSets,
// DaemonSets, ReplicationControllers, Jobs and CronJobs. With a digest the tag is of no account, even latest: runtimes
// go by the digest. An update that leaves the pod's spec as it is passes.
type RequirePinnedImages struct {
	// Name of the rule and of its policy. Required.
	Name string
	// Digests admits no tag without a digest, because tags can be moved. Default: false.
	Digests bool
	// ExemptNamespaces are left alone, in addition to kube-node-lease, kube-public and kube-system.
	ExemptNamespaces []string
	// Action on a request that breaks the rule. Default: Enforce.
	Action Action
}

// Validate reports every fault of the rule.
func (r RequirePinnedImages) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	faults = append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
	return append(faults, validateAction(field.NewPath("action"), r.Action)...)
}

// CEL returns a ValidatingPolicy (Kyverno 1.14 and later).
func (r RequirePinnedImages) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().cel(r.Name, r.Action, kyverno, r.Validate())
}

// Classic returns a ClusterPolicy (Kyverno 1.13 to 1.19).
func (r RequirePinnedImages) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().classic(r.Name, r.Action, kyverno, r.Validate())
}

// RBAC returns the ClusterRole that lets Kyverno report on ephemeral containers.
func (r RequirePinnedImages) RBAC() []*unstructured.Unstructured { return podsRBAC(r.Name) }

// WithAction returns a copy of the rule with the action.
func (r RequirePinnedImages) WithAction(action Action) Rule {
	r.Action = action
	return r
}

// What the OCI's distribution specification takes for a digest, and a reference that ends in a tag. A colon before the
// last slash is that of a registry's port.
const (
	imageDigest = `@[A-Za-z][A-Za-z0-9]*([-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$`
	imageTag    = `^([^@]*/)?[^/:@]+:[0-9A-Za-z_][0-9A-Za-z_.-]*$`
)

func (r RequirePinnedImages) judgement() judgement {
	pinned, message := "i.matches("+celString(imageDigest)+")", "An image needs a digest: "
	if !r.Digests {
		pinned += " || i.matches(" + celString(imageTag) + `) && !i.endsWith(":latest")`
		message = "An image needs a tag other than latest, or a digest: "
	}
	return judgeImages(r.ExemptNamespaces, pinned, message)
}
