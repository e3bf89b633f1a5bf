package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// The annotations and the label of an exception.
const (
	// OwnerAnnotation says who answers for an exception.
	OwnerAnnotation = "policy.backbone.dev/owner"
	// ReasonAnnotation says what an exception is for.
	ReasonAnnotation = "policy.backbone.dev/reason"
	// TTLLabel is when Kyverno's cleanup controller deletes an object (kyverno: api/kyverno/constants.go).
	TTLLabel = "cleanup.kyverno.io/ttl"
)

// ttlLayout is one of those of TTLLabel. kyverno: pkg/controllers/ttl/utils.go
const ttlLayout = "2006-01-02T150405Z"

// Exception exempts objects from rules for a time, and says who answers for it and why. Kyverno heeds exceptions only in
// the namespaces that its configuration names.
//
// At its end Kyverno's cleanup controller deletes the exception. One from rules in the older generation ends by itself
// as well, without that controller. Those of policies.kyverno.io have no clock, and Kyverno 1.15 now and then heeds one
// that is deleted until its policy is next written, because it looks it up in a second cache, which may be behind
// (kyverno: pkg/cel/policies/vpol/engine/provider.go, reconciler.go).
type Exception struct {
	// Name of the exception. Required.
	Name string
	// Namespace of the exception itself. Required.
	Namespace string
	// Rules that the objects are exempt from. At least one.
	Rules []Rule
	// Owner answers for the exception. Required.
	Owner string
	// Reason is what the exception is for. Required.
	Reason string
	// Expires is the end of the exception, to the second. Required.
	Expires time.Time
	// Kinds of the objects. At least one.
	Kinds []ResourceKind
	// Namespaces of the objects; a Namespace is in itself. "*" stands for any characters and "?" for one. Default: all.
	Namespaces []string
	// Names of the objects, with the same wildcards. One of Namespaces and Names is needed.
	Names []string
}

// Expired reports whether the exception has ended.
func (e Exception) Expired(now time.Time) bool { return !now.Before(e.Expires) }

// Validate reports every fault of the exception. Its end may be in the past: ask Expired.
func (e Exception) Validate() field.ErrorList {
	faults := e.meta().Validate()
	if e.Namespace == "" {
		faults = append(faults, field.Required(field.NewPath("namespace"), "an exception is in one that Kyverno's configuration names"))
	}
	rules := field.NewPath("rules")
	if len(e.Rules) == 0 {
		faults = append(faults, field.Required(rules, "an exception is from at least one rule"))
	}
	for i, rule := range e.Rules {
		if object.IsNil(rule) {
			faults = append(faults, field.Required(rules.Index(i), "a rule is missing"))
			continue
		}
		for _, fault := range rule.Validate() {
			fault.Field = rules.Index(i).String() + "." + fault.Field
			faults = append(faults, fault)
		}
	}
	faults = append(faults, object.RequiredText(field.NewPath("owner"), e.Owner)...)
	faults = append(faults, object.RequiredText(field.NewPath("reason"), e.Reason)...)
	if e.Expires.IsZero() {
		faults = append(faults, field.Required(field.NewPath("expires"), "an exception without an end is a rule of its own"))
	}
	if len(e.Kinds) == 0 {
		faults = append(faults, field.Required(field.NewPath("kinds"), "they are those of the objects that are exempt"))
	}
	faults = append(faults, validateKinds(field.NewPath("kinds"), e.Kinds)...)
	if len(e.Namespaces)+len(e.Names) == 0 {
		faults = append(faults, field.Required(field.NewPath("namespaces"), "without namespaces or names all objects would be exempt"))
	}
	faults = append(faults, validateTexts(field.NewPath("namespaces"), e.Namespaces)...)
	return append(faults, validateTexts(field.NewPath("names"), e.Names)...)
}

// Build returns the exceptions, one for each generation that policy.Build has the rules in on that Kyverno version.
func (e Exception) Build(kyverno Version) ([]*unstructured.Unstructured, error) {
	if err := object.Invalid(classicExceptionKind.GroupKind(), e.Name, e.Validate()); err != nil {
		return nil, err
	}
	var cel, classic []Rule
	for _, rule := range e.Rules {
		_, err := rule.CEL(kyverno)
		var unsupported *UnsupportedError
		switch {
		case errors.As(err, &unsupported):
			classic = append(classic, rule)
		case err != nil:
			return nil, err
		default:
			cel = append(cel, rule)
		}
	}
	var out []*unstructured.Unstructured
	for _, part := range []struct {
		rules []Rule
		build func(Exception) (*unstructured.Unstructured, error)
	}{
		{cel, func(e Exception) (*unstructured.Unstructured, error) { return e.CEL(kyverno) }},
		{classic, func(e Exception) (*unstructured.Unstructured, error) { return e.Classic(kyverno) }},
	} {
		if len(part.rules) == 0 {
			continue
		}
		of := e
		of.Rules = part.rules
		built, err := part.build(of)
		if err != nil {
			return nil, err
		}
		out = append(out, built)
	}
	return out, nil
}

// CEL returns the exception from the rules as policies of policies.kyverno.io. The error is Invalid, or an
// *UnsupportedError when the Kyverno version has a rule in the older generation only.
func (e Exception) CEL(kyverno Version) (*unstructured.Unstructured, error) {
	if err := object.Invalid(classicExceptionKind.GroupKind(), e.Name, e.Validate()); err != nil {
		return nil, err
	}
	policies := make([]ExceptedPolicy, len(e.Rules))
	for i, rule := range e.Rules {
		built, err := rule.CEL(kyverno)
		if err != nil {
			return nil, fmt.Errorf("rules[%d]: %w", i, err)
		}
		policies[i] = ExceptedPolicy{Kind: built.GetKind(), Name: built.GetName()}
	}
	kinds := make([]string, len(e.Kinds))
	for i, kind := range e.Kinds {
		version := kind.version()
		if kind.Group != "" {
			version = kind.Group + "/" + version
		}
		kinds[i] = fmt.Sprintf("object.apiVersion == %s && object.kind == %s", celString(version), celString(kind.Kind))
	}
	conditions := []NamedExpression{{Name: "kinds", Expression: strings.Join(kinds, " || ")}}
	if len(e.Namespaces) > 0 {
		namespace := selection{kinds: e.Kinds}.namespace()
		conditions = append(conditions, NamedExpression{Name: "namespaces", Expression: matchesAny(namespace, e.Namespaces)})
	}
	if len(e.Names) > 0 {
		conditions = append(conditions, NamedExpression{
			Name: "names", Expression: matchesAny(`object.metadata.?name.orValue("")`, e.Names),
		})
	}
	meta := e.meta()
	return CELException{
		Name: meta.Name, Namespace: meta.Namespace, Labels: meta.Labels, Annotations: meta.Annotations,
		Policies: policies, MatchConditions: conditions,
	}.Build(kyverno)
}

// Classic returns the exception from the rules as ClusterPolicies. The error is Invalid, or an *UnsupportedError when the
// Kyverno version cannot express it.
func (e Exception) Classic(kyverno Version) (*unstructured.Unstructured, error) {
	if err := object.Invalid(classicExceptionKind.GroupKind(), e.Name, e.Validate()); err != nil {
		return nil, err
	}
	exceptions := make([]ExceptedRules, len(e.Rules))
	for i, rule := range e.Rules {
		built, err := rule.Classic(kyverno)
		if err != nil {
			return nil, fmt.Errorf("rules[%d]: %w", i, err)
		}
		exceptions[i] = ExceptedRules{Policy: built.GetName(), Rules: []string{anything}}
	}
	kinds := make([]string, len(e.Kinds))
	for i, kind := range e.Kinds {
		kinds[i] = kind.selector()
		if kind.isNamespace() && !kyverno.atLeast(firstStable) {
			return nil, &UnsupportedError{
				Rule: e.Name, Kind: exceptionKind, Field: fmt.Sprintf("kinds[%d]", i), Kyverno: kyverno,
				Reason: "before 1.17 exceptions are ignored for objects without a namespace",
			}
		}
	}
	meta := e.meta()
	return ClassicException{
		Name: meta.Name, Namespace: meta.Namespace, Labels: meta.Labels, Annotations: meta.Annotations,
		Match: ResourceFilters{Any: []ResourceFilter{{Kinds: kinds, Namespaces: e.Namespaces, Names: e.Names}}},
		Conditions: Conditions{All: []Condition{{
			Key:      fmt.Sprintf("{{ time_before('{{ time_now_utc() }}', '%s') }}", e.Expires.UTC().Format(time.RFC3339)),
			Operator: Equals, Value: true,
		}}},
		Exceptions: exceptions,
	}.Build(kyverno)
}

// RBAC returns the ClusterRole that lets Kyverno's cleanup controller delete exceptions that have ended.
func (e Exception) RBAC() []*unstructured.Unstructured {
	rules := []rbacv1.PolicyRule{{
		APIGroups: []string{classicKind.Group, celGroup}, Resources: []string{"policyexceptions"},
		Verbs: []string{"delete", "get", "list", "watch"},
	}}
	return []*unstructured.Unstructured{clusterRole("kyverno:exceptions:cleanup-controller", rules, cleanupController)}
}

func (e Exception) meta() object.Meta {
	return object.Meta{
		Name: e.Name, Namespace: e.Namespace,
		Labels:      map[string]string{TTLLabel: e.Expires.UTC().Format(ttlLayout)},
		Annotations: map[string]string{OwnerAnnotation: e.Owner, ReasonAnnotation: e.Reason},
	}
}

// matchesAny returns the expression for a text that matches one of several patterns with wildcards.
func matchesAny(text string, patterns []string) string {
	alternatives := make([]string, len(patterns))
	for i, pattern := range patterns {
		alternatives[i] = strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	}
	return text + ".matches(" + celString("^("+strings.Join(alternatives, "|")+")$") + ")"
}
