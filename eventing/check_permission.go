package eventing

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// grants are the rights that the roles and bindings of a set give to service accounts.
type grants struct {
	// known tells whether the set says anything about rights.
	known bool
	// bound are the rules of an account, by "namespace/name". A rule of the cluster has no namespace.
	bound map[string][]boundRule
}

type boundRule struct {
	namespace string
	rule      rbacv1.PolicyRule
}

func grantsOf(objects []*unstructured.Unstructured) grants {
	g := grants{bound: map[string][]boundRule{}}
	rules := map[string][]rbacv1.PolicyRule{}
	for _, obj := range objects {
		switch obj.GetKind() {
		case "ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding":
			g.known = true
		}
		if kind := obj.GetKind(); kind == "Role" || kind == "ClusterRole" {
			var role rbacv1.ClusterRole // It has the fields of a Role, too.
			if runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &role) == nil {
				rules[kind+" "+obj.GetNamespace()+"/"+obj.GetName()] = role.Rules
			}
		}
	}
	for _, obj := range objects {
		if kind := obj.GetKind(); kind != "RoleBinding" && kind != "ClusterRoleBinding" {
			continue
		}
		var binding rbacv1.RoleBinding
		if runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &binding) != nil {
			continue
		}
		from := binding.RoleRef.Kind + " /" + binding.RoleRef.Name
		if binding.RoleRef.Kind == "Role" {
			from = "Role " + binding.Namespace + "/" + binding.RoleRef.Name
		}
		for _, subject := range binding.Subjects {
			if subject.Kind != "ServiceAccount" {
				continue
			}
			key := subject.Namespace + "/" + subject.Name
			for _, rule := range rules[from] {
				g.bound[key] = append(g.bound[key], boundRule{binding.Namespace, rule})
			}
		}
	}
	return g
}

// missing returns the verbs of a permission that an account does not have.
func (g grants) missing(account string, p Permission) []string {
	return slices.DeleteFunc(slices.Clone(p.Verbs), func(verb string) bool {
		return slices.ContainsFunc(g.bound[account], func(bound boundRule) bool {
			within := bound.namespace == "" || !p.ClusterWide && bound.namespace == p.Namespace
			return within && permits(bound.rule, verb, p)
		})
	})
}

func permits(rule rbacv1.PolicyRule, verb string, p Permission) bool {
	holds := func(list []string, value string) bool {
		return slices.Contains(list, value) || slices.Contains(list, "*")
	}
	if !holds(rule.Verbs, verb) || !holds(rule.APIGroups, p.Group) || !holds(rule.Resources, p.Resource) {
		return false
	}
	if len(rule.ResourceNames) == 0 {
		return true
	}
	// A create request has no name to compare.
	return verb != "create" && len(p.Names) > 0 && !slices.ContainsFunc(p.Names, func(name string) bool { return !slices.Contains(rule.ResourceNames, name) })
}

// checkRights finds triggers for which the sensor's account lacks the right.
func (s *sensorCheck) checkRights(root place, obj *unstructured.Unstructured) {
	account := root.Child("spec", "template", "serviceAccountName")
	for _, trigger := range root.Child("spec", "triggers").Items() {
		for _, of := range []place{trigger, trigger.Child("dlqTrigger")} {
			for _, kind := range []string{"k8s", "argoWorkflow"} {
				if action := of.Child("template", kind); action.Present() {
					s.checkNeeds(account, obj.GetNamespace(), action, neededBy(action, kind, obj.GetNamespace()))
				}
			}
		}
	}
}

// neededBy are the rights that a trigger needs, as far as the object is in it and no parameter decides what it is.
func neededBy(action place, kind, namespace string) []Permission {
	obj := inlineObject(action.Child("source"))
	if obj == nil || slices.ContainsFunc(parameterTargets(action.Child("parameters")), decidesScope) {
		return nil
	}
	operation := ObjectOperation(action.Child("operation").Text())
	if operation != "" && !slices.Contains(operations[kind], string(operation)) {
		return nil
	}
	verbs := []string{"get", string(operation)}
	switch {
	case kind == "argoWorkflow":
		// What the argo command asks for differs by operation; all read, and all but a few create.
		verbs = []string{"get"}
		if operation == "submit" || operation == "resubmit" || operation == "submit-from" {
			verbs = []string{"create"}
		}
		obj.SetKind("Workflow")
		obj.SetAPIVersion("argoproj.io/v1alpha1")
	case operation == "" || operation == Create:
		verbs = []string{"create"}
	case operation == "update":
		verbs = []string{"get", "update"}
	}
	gvk := obj.GroupVersionKind()
	p := Permission{Group: gvk.Group, Resource: resourceName(gvk.Kind), Verbs: verbs, Namespace: obj.GetNamespace()}
	if p.Namespace == "" {
		p.Namespace = namespace
	}
	if clusterScoped[p.Resource] {
		p.Namespace, p.ClusterWide = "", true
	}
	if name := obj.GetName(); name != "" && !slices.ContainsFunc(parameterTargets(action.Child("parameters")), func(to string) bool { return writes(to, "metadata.name") }) {
		p.Names = []string{name}
	}
	return []Permission{p}
}

// inlineObject is the object of a source that holds it, or nil.
func inlineObject(source place) *unstructured.Unstructured {
	content, ok := source.Child("resource").Value().(map[string]any)
	if text, inline := source.Child("inline").Value().(string); inline {
		content = map[string]any{}
		ok = yaml.Unmarshal([]byte(text), &content) == nil
	}
	if !ok || content == nil {
		return nil
	}
	obj := (&unstructured.Unstructured{Object: content}).DeepCopy()
	if obj.GetKind() == "" {
		return nil
	}
	return obj
}

// checkSourceRights finds event sources whose account may not watch what they watch.
func (c *checker) checkSourceRights(root place, obj *unstructured.Unstructured) {
	account := root.Child("spec", "template", "serviceAccountName")
	resources := root.Child("spec", "resource")
	for _, name := range resources.Keys() {
		source := resources.Child(name)
		p := Permission{
			Group: source.Child("group").Text(), Resource: source.Child("resource").Text(), Namespace: source.Child("namespace").Text(),
			Verbs: []string{"list", "watch"},
		}
		p.ClusterWide = p.Namespace == ""
		if p.Resource != "" {
			c.checkNeeds(account, obj.GetNamespace(), source, []Permission{p})
		}
	}
}

// checkNeeds reports rights that the account of a pod lacks.
func (c *checker) checkNeeds(account place, namespace string, at place, needs []Permission) {
	for _, need := range needs {
		what := need.Resource
		if need.Group != "" {
			what += "." + need.Group
		}
		where := "in namespace " + need.Namespace
		switch {
		case need.ClusterWide:
			where = "in the cluster"
		case need.Namespace == "":
			where = "in its own namespace"
		}
		verbs := strings.Join(need.Verbs, ", ")
		switch {
		case account.Text() == "":
			at.Report(checkRight, "it has to %s %s %s, and the pod runs as the default account of its namespace", verbs, what, where)
		case !c.granted.known:
		default:
			if missing := c.granted.missing(namespace+"/"+account.Text(), need); len(missing) > 0 {
				at.Report(checkRight, "the account %s may not %s %s %s", account.Text(), strings.Join(missing, ", "), what, where)
			}
		}
	}
}
