package policy

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// PodSecurityStandard guarantees that pods keep to a level of Kubernetes' Pod Security Standards, in the version of
// Kubernetes 1.32 and later. It is for Pods, Deployments, StatefulSets, DaemonSets, ReplicationControllers, Jobs and
// CronJobs, and for all their containers. An update that leaves the pod's spec and its AppArmor annotations as they are
// passes.
//
// The controls are Kubernetes' own, as expressions, so that both generations of Kyverno say the same
// (kubernetes: pod-security-admission/policy/check_*.go).
type PodSecurityStandard struct {
	// Name of the rule and of its policy. Required.
	Name string
	// Level that pods keep to: PodSecurityBaseline or PodSecurityRestricted. Required.
	Level PodSecurityLevel
	// ExemptNamespaces are left alone, in addition to kube-node-lease, kube-public and kube-system.
	ExemptNamespaces []string
	// Action on a request that breaks the rule. Default: Enforce.
	Action Action
}

// Validate reports every fault of the rule.
func (r PodSecurityStandard) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	switch level := field.NewPath("level"); r.Level {
	case PodSecurityBaseline, PodSecurityRestricted:
	case "":
		faults = append(faults, field.Required(level, "baseline or restricted"))
	default:
		faults = append(faults, field.NotSupported(level, r.Level, []PodSecurityLevel{PodSecurityBaseline, PodSecurityRestricted}))
	}
	faults = append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
	return append(faults, validateAction(field.NewPath("action"), r.Action)...)
}

// CEL returns a ValidatingPolicy (Kyverno 1.14 and later).
func (r PodSecurityStandard) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().cel(r.Name, r.Action, kyverno, r.Validate())
}

// Classic returns a ClusterPolicy (Kyverno 1.13 to 1.19).
func (r PodSecurityStandard) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().classic(r.Name, r.Action, kyverno, r.Validate())
}

// RBAC returns the ClusterRole that lets Kyverno report on ephemeral containers.
func (r PodSecurityStandard) RBAC() []*unstructured.Unstructured { return podsRBAC(r.Name) }

// WithAction returns a copy of the rule with the action.
func (r PodSecurityStandard) WithAction(action Action) Rule {
	r.Action = action
	return r
}

// podControl is one control of the standards.
type podControl struct {
	// name is Kubernetes' for the control, in camel case.
	name string
	// pod is an expression that holds for a pod that breaks it by itself; "" if none can.
	pod string
	// container is an expression on the container c that breaks it; "" if none can.
	container string
	// message says what is not allowed.
	message string
}

const (
	apparmorPrefix = "container.apparmor.security.beta.kubernetes.io/"
	containerAdds  = `c.?securityContext.?capabilities.?add.orValue([])`
)

// baselineStandard are those of the level Baseline.
var baselineStandard = []podControl{
	{"hostProcess", hostProcess("variables.pod"), hostProcess("c"), "Windows host processes are not allowed"},
	{"hostNamespaces", "variables.pod.?hostNetwork.orValue(false) || variables.pod.?hostPID.orValue(false) || " +
		"variables.pod.?hostIPC.orValue(false)", "", "the namespaces of the host are not allowed"},
	{"privileged", "", "c.?securityContext.?privileged.orValue(false)", "privileged containers are not allowed"},
	{"capabilities", "", containerAdds + ".exists(a, !(a in " + celList(strings.Fields("AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID "+
		"KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT")) + "))", "capabilities beyond the default ones are not allowed"},
	{"hostPathVolumes", "variables.pod.?volumes.orValue([]).exists(v, has(v.hostPath))", "", "hostPath volumes are not allowed"},
	{"hostPorts", "", "c.?ports.orValue([]).exists(p, p.?hostPort.orValue(0) != 0)", "host ports are not allowed"},
	{"appArmor", badAppArmor("variables.pod") + " || variables.annotations.exists(k, k.startsWith(" + celString(apparmorPrefix) +
		`) && !(variables.annotations[k] in ["", "runtime/default"] || variables.annotations[k].startsWith("localhost/")))`,
		badAppArmor("c"), "AppArmor must stay at its default or a local profile"},
	{"seLinux", badSELinux("variables.pod"), badSELinux("c"), "SELinux types beyond those of containers, users and roles are not allowed"},
	{"procMount", "", `c.?securityContext.?procMount.orValue("Default") != "Default"`, "/proc must be mounted as by default"},
	{"seccomp", unconfined("variables.pod"), unconfined("c"), "seccomp must not be Unconfined"},
	{"sysctls", "variables.pod.?securityContext.?sysctls.orValue([]).exists(s, !(s.name in " + celList(strings.Fields(
		"kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies net.ipv4.ping_group_range "+
			"net.ipv4.ip_unprivileged_port_start net.ipv4.ip_local_reserved_ports net.ipv4.tcp_keepalive_time net.ipv4.tcp_fin_timeout "+
			"net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes net.ipv4.tcp_rmem net.ipv4.tcp_wmem")) + "))",
		"", "sysctls beyond the safe ones are not allowed"},
}

// restrictedStandard are those that the level Restricted adds.
var restrictedStandard = []podControl{
	// A volume of no type is an emptyDir by default.
	{"volumeTypes", "variables.pod.?volumes.orValue([]).exists(v, size(v) > 1 && !(has(v.configMap) || has(v.csi) || has(v.downwardAPI) || has(v.emptyDir) || " +
		"has(v.ephemeral) || has(v.persistentVolumeClaim) || has(v.projected) || has(v.secret)))", "", "volumes of this type are not allowed"},
	{"privilegeEscalation", "", "!variables.windows && c.?securityContext.?allowPrivilegeEscalation.orValue(true)",
		"allowPrivilegeEscalation must be false"},
	{"runAsNonRoot", "!variables.pod.?securityContext.?runAsNonRoot.orValue(true)",
		"!c.?securityContext.?runAsNonRoot.orValue(variables.pod.?securityContext.?runAsNonRoot.orValue(false))", "runAsNonRoot must be true"},
	{"runAsUser", "variables.pod.?securityContext.?runAsUser.orValue(1) == 0", "c.?securityContext.?runAsUser.orValue(1) == 0", "runAsUser must not be 0"},
	{"seccompProfile", "", `!variables.windows && !(c.?securityContext.?seccompProfile.?type.orValue(` +
		`variables.pod.?securityContext.?seccompProfile.?type.orValue("")) in ["RuntimeDefault", "Localhost"])`,
		"the seccomp profile must be RuntimeDefault or Localhost"},
	{"capabilitiesDropped", "", `!variables.windows && (!("ALL" in c.?securityContext.?capabilities.?drop.orValue([])) || ` +
		containerAdds + `.exists(a, a != "NET_BIND_SERVICE"))`, "all capabilities must be dropped, and none but NET_BIND_SERVICE added"},
}

func hostProcess(of string) string {
	return of + ".?securityContext.?windowsOptions.?hostProcess.orValue(false)"
}

func badAppArmor(of string) string {
	return fmt.Sprintf(`!(%s.?securityContext.?appArmorProfile.?type.orValue("RuntimeDefault") in ["RuntimeDefault", "Localhost"])`, of)
}

func badSELinux(of string) string {
	return fmt.Sprintf(`!(%[1]s.?securityContext.?seLinuxOptions.?type.orValue("") in ["", "container_t", "container_init_t", "container_kvm_t", `+
		`"container_engine_t"]) || %[1]s.?securityContext.?seLinuxOptions.?user.orValue("") != "" || `+
		`%[1]s.?securityContext.?seLinuxOptions.?role.orValue("") != ""`, of)
}

func unconfined(of string) string {
	return of + `.?securityContext.?seccompProfile.?type.orValue("") == "Unconfined"`
}

func (r PodSecurityStandard) judgement() judgement {
	controls := baselineStandard
	if r.Level == PodSecurityRestricted {
		controls = append(controls[:len(controls):len(controls)], restrictedStandard...)
	}
	variables := []NamedExpression{
		{Name: "annotations", Expression: podAnnotations("object")},
		{Name: "windows", Expression: `variables.pod.?os.?name.orValue("") == "windows"`},
		{Name: "containers", Expression: "variables.pod.containers + variables.pod.?initContainers.orValue([])" +
			" + variables.pod.?ephemeralContainers.orValue([])"},
	}
	var checks []Validation
	for _, control := range controls {
		var parts []string
		if control.pod != "" {
			parts = append(parts, "("+control.pod+` ? ["the pod"] : [])`)
		}
		if control.container != "" {
			parts = append(parts, "variables.containers.filter(c, "+control.container+").map(c, c.name)")
		}
		variables = append(variables, NamedExpression{Name: control.name, Expression: strings.Join(parts, " + ")})
		checks = append(checks, Validation{
			Expression: fmt.Sprintf("size(variables.%s) == 0", control.name),
			MessageExpression: fmt.Sprintf(`%s + variables.%s.join(", ")`,
				celString(fmt.Sprintf("Pod Security %s: %s: ", r.Level, control.message)), control.name),
		})
	}
	out := judgePods(r.ExemptNamespaces, variables, checks...)
	// The older form of AppArmor's settings is beside the spec.
	out.conditions[0].Expression += " || " + appArmorOf("object") + " != " + appArmorOf("oldObject")
	return out
}

// podAnnotations returns the expression for the annotations of the pods that a variable describes.
func podAnnotations(variable string) string {
	return strings.TrimSuffix(podSpec(variable), ".spec") + ".?metadata.?annotations.orValue({})"
}

func appArmorOf(variable string) string {
	annotations := podAnnotations(variable)
	return fmt.Sprintf("%[1]s.filter(k, k.startsWith(%[2]s)).map(k, k + %[1]s[k])", annotations, celString(apparmorPrefix))
}
