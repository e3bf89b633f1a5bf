package eventing

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Permission is a right on the Kubernetes API that a pod needs.
type Permission struct {
	// Namespace in which the right holds. Default: that of the pod.
	Namespace string
	// ClusterWide makes the right hold in every namespace and for objects without
	// one. Default: it holds in Namespace only.
	ClusterWide bool
	// Group of the resource. Default: the core group.
	Group string
	// Resource in the plural, for example "workflows". Required.
	Resource string
	// Names of the objects. Default: all. The verbs create, list and watch do not
	// know names.
	Names []string
	// Verbs that are allowed. At least one is required.
	Verbs []string
}

func validatePermissions(path *field.Path, permissions []Permission) field.ErrorList {
	var faults field.ErrorList
	for i, permission := range permissions {
		at := path.Index(i)
		faults = append(faults, optional(at.Child("namespace"), permission.Namespace, object.Namespace)...)
		if permission.ClusterWide && permission.Namespace != "" {
			faults = append(faults, field.Forbidden(at.Child("namespace"), "clusterWide is set"))
		}
		faults = append(faults, object.Text(at.Child("group"), permission.Group)...)
		faults = append(faults, object.RequiredText(at.Child("resource"), permission.Resource)...)
		faults = append(faults, requireTexts(at.Child("names"), permission.Names)...)
		if len(permission.Verbs) == 0 {
			faults = append(faults, field.Required(at.Child("verbs"), ""))
		}
		faults = append(faults, requireTexts(at.Child("verbs"), permission.Verbs)...)
	}
	return faults
}

func requireTexts(path *field.Path, texts []string) field.ErrorList {
	var faults field.ErrorList
	for i, text := range texts {
		faults = append(faults, object.RequiredText(path.Index(i), text)...)
	}
	return faults
}

// leaderElection returns the rights on the Lease that pods use when the
// annotation asks for it. Without the annotation they elect through the bus.
// argo-events: NewElector in pkg/shared/leaderelection/leaderelection.go
func leaderElection(lease string, annotations map[string]string) []Permission {
	if !strings.EqualFold(annotations["events.argoproj.io/leader-election"], "k8s") {
		return nil
	}
	leases := Permission{Group: "coordination.k8s.io", Resource: "leases"}
	named, unnamed := leases, leases
	named.Names, named.Verbs = []string{lease}, []string{"get", "update"}
	unnamed.Verbs = []string{"create"}
	return []Permission{named, unnamed}
}

// account is what a pod acts as.
type account struct {
	// owner is "sensor" or "eventsource".
	owner string
	meta  object.Meta
	// given is the name of the account that the caller manages.
	given       string
	permissions []Permission
}

// name returns the account of the pod, empty for the default of the namespace.
func (a account) name() string {
	if a.given != "" || len(a.permissions) == 0 {
		return a.given
	}
	return a.meta.Name + "-" + a.owner
}

// roleName is unique in every namespace, so that accounts of one name in two
// namespaces can have rights in a third.
func (a account) roleName() string {
	return a.owner + ":" + a.meta.Namespace + ":" + a.meta.Name
}

// objects returns the account, unless it is given, and its roles and bindings.
func (a account) objects() ([]*unstructured.Unstructured, error) {
	if len(a.permissions) == 0 {
		return nil, nil
	}
	var objects []*unstructured.Unstructured
	if a.given == "" {
		objects = append(objects, object.New(serviceAccount, a.metaOf(a.name(), a.meta.Namespace), nil))
	}
	rules := a.rules()
	// The empty namespace, which stands for the cluster, sorts first.
	for _, namespace := range sortedKeys(rules) {
		pair, err := a.bind(namespace, rules[namespace])
		if err != nil {
			return nil, err
		}
		objects = append(objects, pair...)
	}
	return objects, nil
}

// rules returns the rules by namespace, each once; those of the cluster are under
// the empty namespace.
func (a account) rules() map[string][]any {
	rules := map[string][]any{}
	for _, permission := range a.permissions {
		namespace := cmp.Or(permission.Namespace, a.meta.Namespace)
		if permission.ClusterWide {
			namespace = ""
		}
		rule := permission.rule()
		known := func(other any) bool { return reflect.DeepEqual(other, rule) }
		if !slices.ContainsFunc(rules[namespace], known) {
			rules[namespace] = append(rules[namespace], rule)
		}
	}
	return rules
}

// bind returns a role with the rules and its binding to the account.
func (a account) bind(namespace string, rules []any) ([]*unstructured.Unstructured, error) {
	role, binding := "Role", "RoleBinding"
	if namespace == "" {
		role, binding = "ClusterRole", "ClusterRoleBinding"
	}
	roleContent, err := object.Encode(map[string]any{"rules": rules})
	if err != nil {
		return nil, err
	}
	bindingContent, err := object.Encode(map[string]any{
		"roleRef":  map[string]any{"apiGroup": rbacVersion.Group, "kind": role, "name": a.roleName()},
		"subjects": []any{map[string]any{"kind": serviceAccount.Kind, "name": a.name(), "namespace": a.meta.Namespace}},
	})
	if err != nil {
		return nil, err
	}
	meta := a.metaOf(a.roleName(), namespace)
	return []*unstructured.Unstructured{
		object.New(rbacVersion.WithKind(role), meta, roleContent),
		object.New(rbacVersion.WithKind(binding), meta, bindingContent),
	}, nil
}

func (a account) metaOf(name, namespace string) object.Meta {
	return object.Meta{Name: name, Namespace: namespace, Labels: a.meta.Labels}
}

func (p Permission) rule() any {
	rule := map[string]any{
		"apiGroups": []string{p.Group},
		"resources": []string{p.Resource},
		"verbs":     slices.Sorted(slices.Values(p.Verbs)),
	}
	if len(p.Names) > 0 {
		rule["resourceNames"] = slices.Sorted(slices.Values(p.Names))
	}
	return rule
}

var (
	serviceAccount = schema.GroupVersionKind{Version: "v1", Kind: "ServiceAccount"}
	rbacVersion    = schema.GroupVersion{Group: "rbac.authorization.k8s.io", Version: "v1"}
)
