package gitops

import (
	"regexp"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// checkIgnoredKind reports an entry of ignoreDifferences that matches no object, because Argo CD compares group and kind
// without the version.
// argo-cd: util/argo/normalizers/diff_normalizer.go
func checkIgnoredKind(app application, entry node) {
	group, groupKnown := app.literal(entry.child("group"))
	kind, kindKnown := app.literal(entry.child("kind"))
	switch {
	case !groupKnown || !kindKnown:
	case kind == "":
		entry.child("kind").report(ruleIgnoredKind, `no object has an empty kind: write "*" for every kind`)
	case strings.Contains(kind, "/"):
		entry.child("kind").report(ruleIgnoredKind, "no kind is called %q: the group belongs into the field group", kind)
	case strings.Contains(group, "/") || versionName.MatchString(group):
		entry.child("group").report(ruleIgnoredKind, "%q names a version: write the group alone", group)
	case group == "core":
		entry.child("group").report(ruleIgnoredKind, `the core group is written ""`)
	default:
		if of := groupsOf(kind); len(of) > 0 && slices.Contains(keys(builtinKinds), group) && !slices.Contains(of, group) {
			entry.child("group").report(ruleIgnoredKind, "the kind %s is in the group %q", kind, of[0])
		}
	}
}

var versionName = regexp.MustCompile(`^v[0-9]+((alpha|beta)[0-9]+)?$`)

// builtinKinds are the kinds of Kubernetes' own groups, to which nobody else can add any. Kinds that are not listed are
// not checked.
var builtinKinds = map[string][]string{
	"": {
		"ConfigMap", "Endpoints", "LimitRange", "Namespace", "Node", "PersistentVolume", "PersistentVolumeClaim", "Pod",
		"PodTemplate", "ReplicationController", "ResourceQuota", "Secret", "Service", "ServiceAccount",
	},
	"admissionregistration.k8s.io": {
		"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
		"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
	},
	"apiextensions.k8s.io":         {"CustomResourceDefinition"},
	"apiregistration.k8s.io":       {"APIService"},
	"apps":                         {"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"},
	"autoscaling":                  {"HorizontalPodAutoscaler"},
	"batch":                        {"CronJob", "Job"},
	"coordination.k8s.io":          {"Lease"},
	"discovery.k8s.io":             {"EndpointSlice"},
	"flowcontrol.apiserver.k8s.io": {"FlowSchema", "PriorityLevelConfiguration"},
	"networking.k8s.io":            {"Ingress", "IngressClass", "NetworkPolicy"},
	"node.k8s.io":                  {"RuntimeClass"},
	"policy":                       {"PodDisruptionBudget"},
	"rbac.authorization.k8s.io":    {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"},
	"scheduling.k8s.io":            {"PriorityClass"},
	"storage.k8s.io":               {"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"},
}

func groupsOf(kind string) []string {
	var out []string
	for _, group := range keys(builtinKinds) {
		if slices.Contains(builtinKinds[group], kind) {
			out = append(out, group)
		}
	}
	return out
}

// checkIgnoredFields checks the selectors of fields, in an Application as in an ApplicationSet.
func checkIgnoredFields(app application, entry node) {
	pointers, expressions := entry.child("jsonPointers").items(), entry.child("jqPathExpressions").items()
	if len(pointers)+len(expressions)+len(entry.child("managedFieldsManagers").items()) == 0 {
		entry.report(ruleIgnoredNothing, "it selects no fields")
	}
	for _, item := range pointers {
		pointer, known := app.literal(item)
		if problem := pointerProblem(pointer); known && problem != "" {
			item.report(ruleJSONPointer, "%s", problem)
		}
	}
	for _, item := range expressions {
		expression, known := app.literal(item)
		if problem := jqProblem(expression); known && problem != "" {
			item.report(ruleJQ, "%s", problem)
		}
	}
}

// pointerProblem says why a JSON pointer (RFC 6901) selects nothing, or something else than it seems to.
func pointerProblem(pointer string) string {
	parts := strings.Split(pointer, "/")
	switch {
	case parts[0] != "":
		return "a JSON pointer begins with a slash"
	case len(parts) == 1:
		return "an empty JSON pointer is the whole object, which Argo CD cannot ignore"
	case len(parts) > 4 && parts[1] == "metadata" && (parts[2] == "annotations" || parts[2] == "labels"):
		return "the slash in the key of a label or annotation is written ~1"
	}
	return ""
}

// jqProblem says why Argo CD cannot compile an expression.
// argo-cd: util/argo/normalizers/diff_normalizer.go
func jqProblem(expression string) string {
	query, err := gojq.Parse("del(" + expression + ")")
	if err == nil {
		_, err = gojq.Compile(query)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}
