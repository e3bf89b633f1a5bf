package policy

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ForbidHostAccess guarantees that pods stay apart from the node they run on: no host network, process or IPC
// namespace, no hostPath volume, no host port and no Windows host process. It is for Pods, Deployments, StatefulSets,
// DaemonSets, ReplicationControllers, Jobs and CronJobs, and for all their containers. Local PersistentVolumes are left
// alone, and so is an update that leaves the pod's spec as it is.
//
// The controls are those of the Baseline level (kubernetes: pod-security-admission/policy/check_hostNamespaces.go,
// check_hostPathVolumes.go, check_hostPorts.go, check_windowsHostProcess.go).
type ForbidHostAccess struct {
	// Name of the rule and of its policy. Required.
	Name string
	// ExemptNamespaces are left alone, in addition to kube-node-lease, kube-public and kube-system. Agents that look
	// after nodes need one.
	ExemptNamespaces []string
	// Action on a request that breaks the rule. Default: Enforce.
	Action Action
}

// Validate reports every fault of the rule.
func (r ForbidHostAccess) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	faults = append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
	return append(faults, validateAction(field.NewPath("action"), r.Action)...)
}

// CEL returns a ValidatingPolicy (Kyverno 1.14 and later).
func (r ForbidHostAccess) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().cel(r.Name, r.Action, kyverno, r.Validate())
}

// Classic returns a ClusterPolicy (Kyverno 1.13 to 1.19).
func (r ForbidHostAccess) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().classic(r.Name, r.Action, kyverno, r.Validate())
}

// RBAC returns the ClusterRole that lets Kyverno report on ephemeral containers.
func (r ForbidHostAccess) RBAC() []*unstructured.Unstructured { return podsRBAC(r.Name) }

// WithAction returns a copy of the rule with the action.
func (r ForbidHostAccess) WithAction(action Action) Rule {
	r.Action = action
	return r
}

func (r ForbidHostAccess) judgement() judgement {
	variables := []NamedExpression{
		{Name: "containers", Expression: "variables.pod.containers + variables.pod.?initContainers.orValue([])" +
			" + variables.pod.?ephemeralContainers.orValue([])"},
		{Name: "hostPaths", Expression: "variables.pod.?volumes.orValue([]).filter(v, has(v.hostPath)).map(v, v.name)"},
		{Name: "hostPorts", Expression: "variables.containers.filter(c, " +
			"c.?ports.orValue([]).exists(p, p.?hostPort.orValue(0) != 0)).map(c, c.name)"},
		{Name: "hostProcesses", Expression: "variables.containers.filter(c, " +
			"c.?securityContext.?windowsOptions.?hostProcess.orValue(false)).map(c, c.name)"},
	}
	return judgePods(r.ExemptNamespaces, variables,
		Validation{
			Expression: "!variables.pod.?hostNetwork.orValue(false)",
			Message:    "A pod must not use its node's network: remove hostNetwork.",
		},
		Validation{
			Expression: "!variables.pod.?hostPID.orValue(false)",
			Message:    "A pod must not see its node's processes: remove hostPID.",
		},
		Validation{
			Expression: "!variables.pod.?hostIPC.orValue(false)",
			Message:    "A pod must not share its node's memory: remove hostIPC.",
		},
		Validation{
			Expression:        "size(variables.hostPaths) == 0",
			MessageExpression: `"A volume must not be a hostPath: " + variables.hostPaths.join(", ")`,
		},
		Validation{
			Expression:        "size(variables.hostPorts) == 0",
			MessageExpression: `"A container must not use a hostPort: " + variables.hostPorts.join(", ")`,
		},
		Validation{
			Expression: "!variables.pod.?securityContext.?windowsOptions.?hostProcess.orValue(false)",
			Message:    "A pod must not run as host processes: remove windowsOptions.hostProcess.",
		},
		Validation{
			Expression:        "size(variables.hostProcesses) == 0",
			MessageExpression: `"A container must not be a host process: " + variables.hostProcesses.join(", ")`,
		},
	)
}
