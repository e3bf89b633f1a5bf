package policy

import (
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// ResourceFilters say what a rule or policy of the older generation is for. One of the two is needed where something has
// to be matched.
type ResourceFilters struct {
	// Any are filters of which one has to match.
	Any []ResourceFilter
	// All are filters that all have to match.
	All []ResourceFilter
}

// ResourceFilter matches what all of its fields match. In names, namespaces and the keys and values of annotations and of
// labels that have to match, "*" stands for any characters and "?" for one. Variables are not possible.
type ResourceFilter struct {
	// Kinds as Kind, version/Kind, group/version/Kind, each with or without /subresource; "*" stands for all kinds.
	// Required where something has to be matched.
	Kinds []string
	// Names of objects. Default: all.
	Names []string
	// Namespaces of objects; a Namespace is in itself. A policy that is confined to one has none. Default: all.
	Namespaces []string
	// Annotations that objects have. Default: all objects.
	Annotations map[string]string
	// Selector selects by the labels of objects. Default: all.
	Selector *metav1.LabelSelector
	// NamespaceSelector selects by the labels of the object's namespace. Default: all.
	NamespaceSelector *metav1.LabelSelector
	// Operations are CREATE, UPDATE, DELETE and CONNECT. Default: what rules of the type are for.
	Operations []string
	// Subjects of whom one has made the request. Default: anybody. What is in the cluster already is no request.
	Subjects []rbacv1.Subject
	// Roles of which the user has one, as namespace:name. Default: any or none.
	Roles []string
	// ClusterRoles of which the user has one. Default: any or none.
	ClusterRoles []string
}

func (f ResourceFilters) isEmpty() bool { return len(f.Any) == 0 && len(f.All) == 0 }

func (f ResourceFilters) validate(path *field.Path, scope classicScope) field.ErrorList {
	var faults field.ErrorList
	if len(f.Any) > 0 && len(f.All) > 0 {
		faults = append(faults, field.Forbidden(path.Child("all"), "any is set already: leave out one of the two"))
	}
	f.each(path, func(at *field.Path, filter ResourceFilter) { faults = append(faults, filter.validate(at, scope)...) })
	return faults
}

// each calls the function with every filter.
func (f ResourceFilters) each(path *field.Path, do func(*field.Path, ResourceFilter)) {
	for i, filter := range f.Any {
		do(path.Child("any").Index(i), filter)
	}
	for i, filter := range f.All {
		do(path.Child("all").Index(i), filter)
	}
}

// requireKinds reports filters without a kind, which Kyverno's rules are refused for.
func (f ResourceFilters) requireKinds(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	f.each(path, func(at *field.Path, filter ResourceFilter) {
		if len(filter.Kinds) == 0 {
			faults = append(faults, field.Required(at.Child("kinds"), "a filter names the kinds that it is for"))
		}
	})
	return faults
}

// kyverno: api/kyverno/v1/resource_description_types.go, user_info_types.go; pkg/validation/policy/validate.go
func (f ResourceFilter) validate(path *field.Path, scope classicScope) field.ErrorList {
	var faults field.ErrorList
	if f.isEmpty() {
		faults = append(faults, field.Required(path, "a filter without a field matches nothing"))
	}
	if f.hasVariables() {
		faults = append(faults, field.Invalid(path, field.OmitValueType{}, "filters take no variables: use preconditions"))
	}
	for i, kind := range f.Kinds {
		at := path.Child("kinds").Index(i)
		if _, parses := selectKind(kind); !parses {
			faults = append(faults, field.Invalid(at, kind, "write Kind, version/Kind or group/version/Kind, each with or without /subresource"))
		}
		faults = append(faults, object.Text(at, kind)...)
	}
	if slices.Contains(f.Kinds, anything) && len(f.Kinds) > 1 {
		faults = append(faults, field.Invalid(path.Child("kinds"), f.Kinds, `"*" stands for every kind: leave out the others`))
	}
	faults = append(faults, validateTexts(path.Child("names"), f.Names)...)
	faults = append(faults, validateTexts(path.Child("namespaces"), f.Namespaces)...)
	if scope.namespace != "" && len(f.Namespaces) > 0 {
		faults = append(faults, field.Forbidden(path.Child("namespaces"), "the policy is confined to a namespace already"))
	}
	faults = append(faults, validateTextMap(path.Child("annotations"), f.Annotations)...)
	faults = append(faults, validateClassicSelector(path.Child("selector"), f.Selector)...)
	faults = append(faults, validateClassicSelector(path.Child("namespaceSelector"), f.NamespaceSelector)...)
	for i, operation := range f.Operations {
		if !slices.Contains(operations, operation) {
			faults = append(faults, field.NotSupported(path.Child("operations").Index(i), operation, operations))
		}
	}
	return append(faults, f.validateUser(path, scope)...)
}

func (f ResourceFilter) isEmpty() bool {
	return len(f.Kinds) == 0 && len(f.Names) == 0 && len(f.Namespaces) == 0 && len(f.Annotations) == 0 &&
		f.Selector == nil && f.NamespaceSelector == nil && len(f.Operations) == 0 && !f.asksForUser()
}

// kyverno: pkg/validation/policy/validate.go, ruleForbiddenSectionsHaveVariables
func (f ResourceFilter) hasVariables() bool {
	// Texts that JSON cannot carry are reported one by one.
	document, err := json.Marshal(buildFilters([]ResourceFilter{f}))
	return err == nil && len(variablesIn(string(document))) > 0
}

func (f ResourceFilter) asksForUser() bool {
	return len(f.Subjects)+len(f.Roles)+len(f.ClusterRoles) > 0
}

var subjectKinds = []string{rbacv1.UserKind, rbacv1.GroupKind, rbacv1.ServiceAccountKind}

func (f ResourceFilter) validateUser(path *field.Path, scope classicScope) field.ErrorList {
	var faults field.ErrorList
	if scope.background && f.asksForUser() {
		faults = append(faults, field.Forbidden(path, "nobody requests what is in the cluster already: leave out subjects, roles and clusterRoles, or the background"))
	}
	for i, subject := range f.Subjects {
		faults = append(faults, validateSubject(path.Child("subjects").Index(i), subject)...)
	}
	for i, role := range f.Roles {
		at := path.Child("roles").Index(i)
		faults = append(faults, object.Text(at, role)...)
		if len(strings.Split(role, ":")) != 2 {
			faults = append(faults, field.Invalid(at, role, "write namespace:name"))
		}
	}
	return append(faults, validateTexts(path.Child("clusterRoles"), f.ClusterRoles)...)
}

func validateSubject(path *field.Path, subject rbacv1.Subject) field.ErrorList {
	var faults field.ErrorList
	switch {
	case subject.Kind == "":
		faults = append(faults, field.Required(path.Child("kind"), ""))
	case !slices.Contains(subjectKinds, subject.Kind):
		faults = append(faults, field.NotSupported(path.Child("kind"), subject.Kind, subjectKinds))
	case subject.Kind == rbacv1.ServiceAccountKind && subject.Namespace == "":
		faults = append(faults, field.Required(path.Child("namespace"), "a ServiceAccount is in one"))
	}
	faults = append(faults, object.RequiredText(path.Child("name"), subject.Name)...)
	faults = append(faults, object.Text(path.Child("namespace"), subject.Namespace)...)
	return append(faults, object.Text(path.Child("apiGroup"), subject.APIGroup)...)
}

// validateClassicSelector lets labels with wildcards pass, as Kyverno does.
func validateClassicSelector(path *field.Path, selector *metav1.LabelSelector) field.ErrorList {
	if selector == nil {
		return nil
	}
	if len(selector.MatchLabels)+len(selector.MatchExpressions) == 0 {
		return field.ErrorList{field.Required(path, "a selector without a requirement is refused: leave it out")}
	}
	var faults field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(selector.MatchLabels)) {
		if strings.ContainsAny(key+selector.MatchLabels[key], "*?") {
			for _, text := range []string{key, selector.MatchLabels[key]} {
				faults = append(faults, object.Text(path.Child("matchLabels").Key(key), text)...)
			}
			selector = selector.DeepCopy()
			delete(selector.MatchLabels, key)
		}
	}
	return append(faults, validateSelector(path, selector)...)
}

func (f ResourceFilters) build() map[string]any {
	return object.Compact(map[string]any{"any": buildFilters(f.Any), "all": buildFilters(f.All)})
}

func buildFilters(filters []ResourceFilter) []any {
	out := make([]any, len(filters))
	for i, filter := range filters {
		out[i] = object.Compact(map[string]any{
			"resources": object.Compact(map[string]any{
				"kinds":             filter.Kinds,
				"names":             filter.Names,
				"namespaces":        filter.Namespaces,
				"annotations":       filter.Annotations,
				"selector":          filter.Selector,
				"namespaceSelector": filter.NamespaceSelector,
				"operations":        filter.Operations,
			}),
			"subjects":     filter.Subjects,
			"roles":        filter.Roles,
			"clusterRoles": filter.ClusterRoles,
		})
	}
	return out
}
