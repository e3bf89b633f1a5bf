package policy

import (
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/validation/path"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// DefaultRoleBinding guarantees that each Namespace has a RoleBinding that gives subjects a ClusterRole in it: a platform
// team that may look everywhere, or a deployer that may write in every Namespace but those of the system.
//
// A Namespace gets it when it is created or next changed.
type DefaultRoleBinding struct {
	// Name of the rule and of its policy. Required.
	Name string
	// RoleBinding is the name of the generated object. Default: that of the ClusterRole.
	RoleBinding string
	// ClusterRole that is given. Required.
	ClusterRole string
	// Subjects that get it: users, groups and service accounts, the latter with their namespaces. At least one.
	Subjects []rbacv1.Subject
	// ExemptNamespaces get none, in addition to Kubernetes' own: default, kube-node-lease, kube-public and kube-system.
	ExemptNamespaces []string
	// Once generates the object and then leaves it alone. Default: false; it is kept as declared, restored when it is
	// deleted, and deleted with the policy.
	Once bool
	// Existing generates it at once for Namespaces that exist when the policy is applied. Default: false.
	Existing bool
}

// Validate reports every fault of the rule.
func (r DefaultRoleBinding) Validate() field.ErrorList {
	faults := validateRuleName(r.Name)
	faults = append(faults, validateRoleName(field.NewPath("roleBinding"), r.RoleBinding)...)
	if r.ClusterRole == "" {
		faults = append(faults, field.Required(field.NewPath("clusterRole"), "it is what the subjects get"))
	}
	faults = append(faults, validateRoleName(field.NewPath("clusterRole"), r.ClusterRole)...)
	subjects := field.NewPath("subjects")
	if len(r.Subjects) == 0 {
		faults = append(faults, field.Required(subjects, "a binding without a subject gives nothing to anybody"))
	}
	for i, subject := range r.Subjects {
		faults = append(faults, validateSubject(subjects.Index(i), subject)...)
		if want := subjectGroup(subject.Kind); subject.APIGroup != "" && subject.APIGroup != want {
			faults = append(faults, field.NotSupported(subjects.Index(i).Child("apiGroup"), subject.APIGroup, []string{want}))
		}
	}
	return append(faults, validateExempt(field.NewPath("exemptNamespaces"), r.ExemptNamespaces)...)
}

// validateRoleName lets names such as system:node pass, as Kubernetes does for roles and bindings.
func validateRoleName(at *field.Path, name string) field.ErrorList {
	if name == "" {
		return nil
	}
	faults := object.Text(at, name)
	for _, message := range path.IsValidPathSegmentName(name) {
		faults = append(faults, field.Invalid(at, name, message))
	}
	return faults
}

func subjectGroup(kind string) string {
	if kind == rbacv1.ServiceAccountKind {
		return ""
	}
	return rbacv1.GroupName
}

// CEL returns a GeneratingPolicy (Kyverno 1.15 and later; 1.16 and later unless Once is set).
func (r DefaultRoleBinding) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	return r.namespaceDefault().cel(kyverno, r.Validate())
}

// Classic returns a ClusterPolicy with a generate rule (Kyverno 1.13 to 1.19).
func (r DefaultRoleBinding) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	return r.namespaceDefault().classic(kyverno, r.Validate())
}

// RBAC returns the ClusterRole that lets Kyverno's background controller write RoleBindings, and bind the one role: that
// saves it from holding what the role permits (kubernetes: pkg/registry/rbac/rolebinding/policybased/storage.go).
func (r DefaultRoleBinding) RBAC() []*unstructured.Unstructured { return r.namespaceDefault().rbac() }

func (r DefaultRoleBinding) namespaceDefault() namespaceDefault {
	subjects := make([]any, len(r.Subjects))
	for i, subject := range r.Subjects {
		subjects[i] = object.Compact(map[string]any{
			"kind": subject.Kind, "name": subject.Name, "namespace": subject.Namespace, "apiGroup": subjectGroup(subject.Kind),
		})
	}
	return namespaceDefault{
		rule: r.Name, exempt: r.ExemptNamespaces, once: r.Once, existing: r.Existing,
		kind:     rbacv1.SchemeGroupVersion.WithKind("RoleBinding"),
		resource: "rolebindings",
		name:     orDefault(r.RoleBinding, r.ClusterRole),
		content: map[string]any{
			"roleRef":  map[string]any{"apiGroup": rbacv1.GroupName, "kind": "ClusterRole", "name": r.ClusterRole},
			"subjects": subjects,
		},
		grants: []rbacv1.PolicyRule{{
			APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"},
			ResourceNames: []string{r.ClusterRole}, Verbs: []string{"bind"},
		}},
	}
}
