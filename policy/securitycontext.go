package policy

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// DefaultSecurityContext guarantees that pods which say nothing else run as the Restricted level of the Pod Security
// Standards asks: not as root, with the runtime's seccomp profile, without a way to more privileges and without
// capabilities. It is for Pods, Deployments, StatefulSets, DaemonSets, ReplicationControllers, Jobs and CronJobs.
//
// What a manifest states is kept. A pod of which any container states the user 0 may run as root, a privileged container
// is left alone, one that adds SYS_ADMIN may gain privileges, and Windows pods are only kept from running as their
// administrator, because Kubernetes would refuse the rest. Ephemeral containers are left alone. An image that runs as root
// without saying so does not start any more.
//
// Pods and Jobs are changed when they are created, other templates whenever they are written: a workload that is there
// already gets new pods with its next update.
type DefaultSecurityContext struct {
	// Name of the rule and of its policy. Required.
	Name string
	// ExemptNamespaces are left alone, in addition to kube-node-lease, kube-public and kube-system.
	ExemptNamespaces []string
}

// Validate reports every fault of the rule.
func (r DefaultSecurityContext) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	return append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
}

// CEL returns a MutatingPolicy (Kyverno 1.15 and later).
func (r DefaultSecurityContext) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	return r.mutation().cel(r.Name, kyverno, r.Validate())
}

// Classic returns a ClusterPolicy (Kyverno 1.13 to 1.19).
func (r DefaultSecurityContext) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	return r.mutation().classic(r.Name, kyverno, r.Validate())
}

// RBAC returns nothing: the rule looks at requests alone.
func (r DefaultSecurityContext) RBAC() []*unstructured.Unstructured { return nil }

// What is added to a container c.
const (
	addsNoEscalation = "(!variables.windows && !c.?securityContext.?allowPrivilegeEscalation.hasValue()" +
		" && !c.?securityContext.?privileged.orValue(false)" +
		` && !c.?securityContext.?capabilities.?add.orValue([]).exists(a, a in ["SYS_ADMIN", "CAP_SYS_ADMIN"]))`
	addsDrop = "(!variables.windows && !c.?securityContext.?capabilities.?drop.hasValue()" +
		" && !c.?securityContext.?privileged.orValue(false))"
)

func (r DefaultSecurityContext) mutation() mutation {
	ofPod := func(condition, field, value string) string {
		return fmt.Sprintf(`(%s ? [JSONPatch{op: "add", path: variables.at + "/%s", value: %s}] : [])`, condition, field, value)
	}
	// A patch needs the object that it adds to.
	return podMutation{
		exempt: r.ExemptNamespaces,
		variables: []NamedExpression{
			{Name: "windows", Expression: `variables.pod.?os.?name.orValue("") == "windows"`},
			{Name: "root", Expression: "variables.pod.?securityContext.?runAsUser.orValue(1) == 0 || " +
				"(variables.pod.containers + variables.pod.?initContainers.orValue([]))" +
				".exists(c, c.?securityContext.?runAsUser.orValue(1) == 0)"},
			{Name: "addsNonRoot", Expression: "!variables.root && !variables.pod.?securityContext.?runAsNonRoot.hasValue()"},
			{Name: "addsSeccomp", Expression: "!variables.windows && !variables.pod.?securityContext.?seccompProfile.hasValue()"},
		},
		patches: slices.Concat(
			[]string{
				ofPod("!has(variables.pod.securityContext) && (variables.addsNonRoot || variables.addsSeccomp)", "securityContext", "{}"),
				ofPod("variables.addsNonRoot", "securityContext/runAsNonRoot", "true"),
				ofPod("variables.addsSeccomp", "securityContext/seccompProfile", `{"type": "RuntimeDefault"}`),
			},
			patchContainers("!has(c.securityContext) && ("+addsNoEscalation+" || "+addsDrop+")", "securityContext", "{}"),
			patchContainers(addsNoEscalation, "securityContext/allowPrivilegeEscalation", "false"),
			patchContainers("!c.?securityContext.?capabilities.hasValue() && "+addsDrop, "securityContext/capabilities", "{}"),
			patchContainers(addsDrop, "securityContext/capabilities/drop", `["ALL"]`),
		),
		each: defaultSecurityPatches,
	}.mutation()
}

func defaultSecurityPatches(query, pointer string) []ForEachMutation {
	const anyRoot = "{{ length([element.securityContext.runAsUser, element.containers[].securityContext.runAsUser, " +
		"element.initContainers[].securityContext.runAsUser][] | [?@ == `0`]) }}"
	notWindows := Condition{Key: "{{ " + query + ".os.name || '' }}", Operator: NotEquals, Value: "windows"}
	notPrivileged := Condition{Key: "{{ element.securityContext.privileged || `false` }}", Operator: Equals, Value: false}
	noSysAdmin := Condition{
		Key: "{{ element.securityContext.capabilities.add || `[]` }}", Operator: AllNotIn, Value: []string{"SYS_ADMIN", "CAP_SYS_ADMIN"},
	}
	// The pod's own fields are patched as those of the one element of a list.
	pod := func(preconditions []Condition, field, value string) ForEachMutation {
		return ForEachMutation{
			List: "[" + query + "]", Preconditions: Conditions{All: preconditions}, Patch: addPatch(pointer+"/"+field, value),
		}
	}
	const escalation, drop = "securityContext/allowPrivilegeEscalation", "securityContext/capabilities/drop"
	each := []ForEachMutation{
		pod([]Condition{isUnset("securityContext.runAsNonRoot"), {Key: anyRoot, Operator: Equals, Value: 0}},
			"securityContext/runAsNonRoot", "true"),
		pod([]Condition{isUnset("securityContext.seccompProfile"), notWindows},
			"securityContext/seccompProfile", "{type: RuntimeDefault}"),
	}
	each = append(each, eachContainer(query, pointer, []Condition{
		notWindows, isUnset("securityContext.allowPrivilegeEscalation"), notPrivileged, noSysAdmin,
	}, escalation, "false")...)
	return append(each, eachContainer(query, pointer, []Condition{
		notWindows, isUnset("securityContext.capabilities.drop"), notPrivileged,
	}, drop, "[ALL]")...)
}
