package policy

import (
	"fmt"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Cleanup guarantees that objects which have served their purpose do not stay: finished Jobs, failed Pods, preview
// namespaces that are past their time. Kyverno's cleanup controller deletes them by a schedule.
type Cleanup struct {
	// Name of the rule and of its policy. Required.
	Name string
	// Kind of the objects. Required.
	Kind ResourceKind
	// Selector selects by the labels of the objects. Default: all.
	Selector *metav1.LabelSelector
	// Finished has the rule apply to what runs no more: Jobs that are complete or have failed, and other objects, Pods
	// among them, in the phase Succeeded or Failed.
	Finished bool
	// OlderThan is the time since the creation of the objects. Default: any. One of Selector, Finished and OlderThan is
	// needed.
	OlderThan time.Duration
	// Schedule of the deletion, in UTC: five fields of cron. Required.
	Schedule string
	// Propagation to what the objects own: Foreground, Background or Orphan. Default: that of each resource.
	Propagation metav1.DeletionPropagation
	// ExemptNamespaces and what they hold are left alone, in addition to kube-node-lease, kube-public and kube-system.
	ExemptNamespaces []string
}

// Validate reports every fault of the rule.
func (r Cleanup) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	faults = append(faults, r.Kind.validate(field.NewPath("kind"))...)
	if r.Selector == nil && !r.Finished && r.OlderThan == 0 {
		faults = append(faults, field.Required(field.NewPath("olderThan"), "without a selector, finished or an age everything would be deleted"))
	}
	faults = append(faults, validateClassicSelector(field.NewPath("selector"), r.Selector)...)
	if r.OlderThan < 0 {
		faults = append(faults, field.Invalid(field.NewPath("olderThan"), r.OlderThan.String(), "must not be negative"))
	}
	faults = append(faults, validateSchedule(field.NewPath("schedule"), r.Schedule)...)
	faults = append(faults, validateChoice(field.NewPath("propagation"), r.Propagation,
		metav1.DeletePropagationForeground, metav1.DeletePropagationBackground, metav1.DeletePropagationOrphan)...)
	return append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
}

// CEL returns a DeletingPolicy (Kyverno 1.15 and later; 1.17 and later with OlderThan, which needs a clock).
func (r Cleanup) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	kind, err := celKind(r.Name, "DeletingPolicy", kyverno)
	if err != nil {
		return nil, err
	}
	if err := object.Invalid(kind.GroupKind(), r.Name, r.Validate()); err != nil {
		return nil, err
	}
	if r.OlderThan > 0 && !kyverno.atLeast(firstStable) {
		return nil, &UnsupportedError{
			Rule: r.Name, Kind: kind.Kind, Field: "olderThan", Kyverno: kyverno,
			Reason: fmt.Sprintf("its expressions have no clock: time.now came by %s", firstStable),
		}
	}
	selected := selection{kinds: []ResourceKind{r.Kind}, exempt: withSystemNamespaces(r.ExemptNamespaces)}
	conditions := selected.matchConditions()
	if r.Finished {
		conditions = append(conditions, NamedExpression{Name: "finished", Expression: `(object.kind == "Job" ? ` +
			`object.?status.?conditions.orValue([]).exists(c, c.type in ["Complete", "Failed"] && c.status == "True") : ` +
			`object.?status.?phase.orValue("") in ["Succeeded", "Failed"])`})
	}
	if r.OlderThan > 0 {
		conditions = append(conditions, NamedExpression{Name: "old", Expression: fmt.Sprintf(
			"time.now() - timestamp(object.metadata.creationTimestamp) > duration(%s)", celString(r.OlderThan.String()))})
	}
	return DeletingPolicy{
		Name: r.Name,
		Match: MatchResources{
			Rules:          []ResourceRule{{Groups: []string{r.Kind.Group}, Versions: []string{r.Kind.version()}, Resources: []string{r.Kind.resource()}}},
			ObjectSelector: r.Selector,
		},
		Conditions:  conditions,
		Schedule:    r.Schedule,
		Propagation: r.Propagation,
	}.Build(kyverno)
}

// Classic returns a ClusterCleanupPolicy (Kyverno 1.13 to 1.19).
func (r Cleanup) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	if err := classicKindSupported("ClusterCleanupPolicy", r.Name, kyverno); err != nil {
		return nil, err
	}
	if err := object.Invalid(classicKind.GroupKind(), r.Name, r.Validate()); err != nil {
		return nil, err
	}
	conditions := []Condition{{Key: "{{ target.metadata.deletionTimestamp || '' }}", Operator: Equals, Value: ""}}
	switch {
	case r.Finished && r.Kind.Kind == "Job":
		conditions = append(conditions, Condition{
			Key:      "{{ length((target.status.conditions || `[]`)[?(type == 'Complete' || type == 'Failed') && status == 'True']) }}",
			Operator: GreaterThan, Value: 0,
		})
	case r.Finished:
		conditions = append(conditions, Condition{
			Key: "{{ target.status.phase || '' }}", Operator: AnyIn, Value: []string{"Succeeded", "Failed"},
		})
	}
	if r.OlderThan > 0 {
		conditions = append(conditions, Condition{
			Key:      "{{ time_since('', '{{ target.metadata.creationTimestamp }}', '') }}",
			Operator: DurationGreaterThan, Value: r.OlderThan.String(),
		})
	}
	return CleanupPolicy{
		Name:        r.Name,
		Match:       ResourceFilters{Any: []ResourceFilter{{Kinds: []string{r.Kind.selector()}, Selector: r.Selector}}},
		Exclude:     ResourceFilters{Any: []ResourceFilter{{Namespaces: withSystemNamespaces(r.ExemptNamespaces)}}},
		Conditions:  Conditions{All: conditions},
		Schedule:    r.Schedule,
		Propagation: r.Propagation,
	}.Build(kyverno)
}

// RBAC returns the ClusterRole that lets Kyverno's cleanup controller delete objects of the kind.
func (r Cleanup) RBAC() []*unstructured.Unstructured {
	rules := []rbacv1.PolicyRule{{
		APIGroups: []string{r.Kind.Group}, Resources: []string{r.Kind.resource()}, Verbs: cleanupVerbs,
	}}
	return []*unstructured.Unstructured{clusterRole("kyverno:"+r.Name+":cleanup-controller", rules, cleanupController)}
}
