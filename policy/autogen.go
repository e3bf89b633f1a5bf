package policy

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Autogen says for which controllers of pods Kyverno derives rules from those of a policy that matches nothing but Pods:
// it replaces object.spec and object.metadata in the text of the expressions.
// kyverno: pkg/cel/autogen/support.go (CanAutoGen), replacement.go
type Autogen struct {
	// Controllers are resources: cronjobs, daemonsets, deployments, jobs, replicasets and statefulsets. Default: all.
	Controllers []string
	// None leaves Pods alone with the policy. Controllers have to be empty.
	None bool
}

// kyverno: pkg/cel/autogen/data.go, ConfigsMap; others are silently left out
var autogenControllers = []string{"cronjobs", "daemonsets", "deployments", "jobs", "replicasets", "statefulsets"}

func (a Autogen) validate(path *field.Path, match MatchResources) field.ErrorList {
	controllers := path.Child("controllers")
	if len(a.Controllers) == 0 {
		return nil
	}
	if a.None {
		return field.ErrorList{field.Forbidden(controllers, "none is set: leave out one of the two")}
	}
	var faults field.ErrorList
	if !match.isPodsAlone() {
		faults = append(faults, field.Forbidden(controllers,
			`Kyverno derives rules only from one rule for "pods" of the core group's v1, without names, exclusions and selectors`))
	}
	for i, name := range a.Controllers {
		switch {
		case slices.Contains(a.Controllers[:i], name):
			faults = append(faults, field.Duplicate(controllers.Index(i), name))
		case !slices.Contains(autogenControllers, name):
			faults = append(faults, field.NotSupported(controllers.Index(i), name, autogenControllers))
		}
	}
	return faults
}

// isPodsAlone reports whether Kyverno derives rules for controllers from the match block.
func (m MatchResources) isPodsAlone() bool {
	if len(m.Rules) != 1 || len(m.Exclude) != 0 {
		return false
	}
	for _, selector := range []*metav1.LabelSelector{m.NamespaceSelector, m.ObjectSelector} {
		if selector != nil && (len(selector.MatchLabels) > 0 || len(selector.MatchExpressions) > 0) {
			return false
		}
	}
	rule := m.Rules[0]
	return len(rule.Names) == 0 && slices.Equal(listOrDefault(rule.Groups, []string{""}), []string{""}) &&
		slices.Equal(listOrDefault(rule.Versions, []string{"v1"}), []string{"v1"}) && slices.Equal(rule.Resources, []string{"pods"})
}

// build returns the autogen block. An empty list of controllers, unlike none, stands for no controller.
func (a Autogen) build() map[string]any {
	switch {
	case a.None:
		return map[string]any{"podControllers": map[string]any{"controllers": []any{}}}
	case len(a.Controllers) > 0:
		return map[string]any{"podControllers": map[string]any{"controllers": a.Controllers}}
	default:
		return map[string]any{}
	}
}

// buildAutogen returns the autogen block of a policy that Kyverno may turn into one of Kubernetes' own.
func buildAutogen(a Autogen, admissionPolicy string, on bool) map[string]any {
	block := a.build()
	if on {
		block[admissionPolicy] = switchedOn(true)
	}
	return block
}
