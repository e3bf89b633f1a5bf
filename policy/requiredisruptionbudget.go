package policy

import (
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// RequireDisruptionBudget guarantees that a service outlives the drain of a node: a Deployment or StatefulSet that asks
// for more than one replica has a PodDisruptionBudget that selects its pods. The budget must be there first; Argo CD
// applies budgets before workloads of the same wave (gitops-engine: pkg/sync/sync_tasks.go). An update that leaves the
// spec as it is passes, and so does scaling through the scale subresource.
type RequireDisruptionBudget struct {
	// Name of the rule and of its policy. Required.
	Name string
	// ExemptNamespaces are left alone, in addition to kube-node-lease, kube-public and kube-system.
	ExemptNamespaces []string
	// Action on a request that breaks the rule. Default: Enforce.
	Action Action
}

const budgetMissing = "A workload of several replicas needs a PodDisruptionBudget that selects its pods, created before it."

// Validate reports every fault of the rule.
func (r RequireDisruptionBudget) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	faults = append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
	return append(faults, validateAction(field.NewPath("action"), r.Action)...)
}

// CEL returns a ValidatingPolicy (Kyverno 1.14 and later).
func (r RequireDisruptionBudget) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().cel(r.Name, r.Action, kyverno, r.Validate())
}

// Classic returns a ClusterPolicy (Kyverno 1.13 to 1.19). Unlike those of other rules, it judges by conditions in
// JMESPath: CEL expressions of a ClusterPolicy cannot look into the cluster.
func (r RequireDisruptionBudget) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	return r.judgement().classicRule(r.Name, kyverno, r.Validate(), ClassicRule{
		Context: []ContextEntry{
			{Name: "podLabels", Source: VariableContext{
				JMESPath: "request.object.spec.template.metadata.labels || `{}`", Default: map[string]any{},
			}},
			{Name: "budgets", Source: APICallContext{
				Call:     APICall{URLPath: "/apis/policy/v1/namespaces/{{ request.object.metadata.namespace }}/poddisruptionbudgets"},
				JMESPath: selectingBudgets,
			}},
		},
		Preconditions: Conditions{All: []Condition{
			{Key: "{{ request.object.metadata.deletionTimestamp || '' }}", Operator: Equals, Value: ""},
			{Key: "{{ request.object.spec.replicas || `1` }}", Operator: GreaterThan, Value: 1},
			{Key: "{{ (request.oldObject || `{}`).spec == request.object.spec }}", Operator: Equals, Value: false},
		}},
		Validate: &ClassicValidate{
			Action:  r.Action,
			Message: budgetMissing,
			// By default Kyverno lets a workload that breaks the rule already be changed; a ValidatingPolicy does not.
			DenyExistingViolations: true,
			Check: DenyCheck{Conditions: Conditions{All: []Condition{
				{Key: "{{ length(budgets) }}", Operator: Equals, Value: 0},
			}}},
		},
	})
}

// selectingBudgets returns the budgets that select the pods: those with all the labels that they ask for and with none
// of the expressions unmet. A budget without selector selects none, with an empty one all.
const selectingBudgets = "items[?spec.selector != `null`" +
	" && label_match(spec.selector.matchLabels || `{}`, `{{ podLabels }}`)" +
	" && length((spec.selector.matchExpressions || `[]`)[?" +
	"operator == 'In' && !contains(values, lookup(`{{ podLabels }}`, key))" +
	" || operator == 'NotIn' && contains(values, lookup(`{{ podLabels }}`, key))" +
	" || operator == 'Exists' && lookup(`{{ podLabels }}`, key) == `null`" +
	" || operator == 'DoesNotExist' && lookup(`{{ podLabels }}`, key) != `null`" +
	"]) == `0`].metadata.name"

// RBAC returns the ClusterRole that lets Kyverno look at PodDisruptionBudgets, for requests and for reports.
func (r RequireDisruptionBudget) RBAC() []*unstructured.Unstructured {
	rules := []rbacv1.PolicyRule{{
		APIGroups: []string{"policy"}, Resources: []string{"poddisruptionbudgets"}, Verbs: []string{"get", "list"},
	}}
	return []*unstructured.Unstructured{clusterRole("kyverno:"+r.Name, rules, admissionController, reportsController)}
}

// WithAction returns a copy of the rule with the action.
func (r RequireDisruptionBudget) WithAction(action Action) Rule {
	r.Action = action
	return r
}

func (r RequireDisruptionBudget) judgement() judgement {
	return judgement{
		selection: selection{
			kinds:  []ResourceKind{{Group: "apps", Kind: "Deployment"}, {Group: "apps", Kind: "StatefulSet"}},
			exempt: withSystemNamespaces(r.ExemptNamespaces),
			conditions: []NamedExpression{
				specChanged,
				{Name: "replicated", Expression: "object.spec.?replicas.orValue(1) > 1"},
			},
		},
		variables: []NamedExpression{
			{Name: "labels", Expression: "object.spec.template.?metadata.?labels.orValue({})"},
			{Name: "budgets", Expression: `dyn(resource.List("policy/v1", "poddisruptionbudgets", object.metadata.namespace).items)` +
				".filter(b, has(b.spec.selector)).map(b, b.spec.selector)"},
		},
		checks: []Validation{{
			Expression: "variables.budgets.exists(s," +
				" s.?matchLabels.orValue({}).all(k, k in variables.labels && variables.labels[k] == s.matchLabels[k])" +
				" && s.?matchExpressions.orValue([]).all(e," +
				` e.operator == "In" ? e.key in variables.labels && variables.labels[e.key] in e.values` +
				` : e.operator == "NotIn" ? !(e.key in variables.labels && variables.labels[e.key] in e.values)` +
				` : e.operator == "Exists" ? e.key in variables.labels` +
				` : !(e.key in variables.labels)))`,
			Message: budgetMissing,
		}},
	}
}
