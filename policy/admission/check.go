package admission

import (
	"errors"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/validation/strfmt"

	"github.com/controlbackbone/backbone/internal/finding"
	"github.com/controlbackbone/backbone/policy"
)

var (
	checkCompiles = finding.Rule{
		Code: "POLICY100", Severity: finding.Error,
		Summary: "A policy or an exception does not compile by Kyverno's own code.",
		Fix:     "correct the field",
		Source:  "kyverno: pkg/validation/policy, pkg/cel/policies/*/compiler",
	}
	checkCompilesLater = finding.Rule{
		Code: "POLICY101", Severity: finding.Warning,
		Summary: "A policy or an exception for a later release does not compile by the code of Kyverno 1.15.",
		Fix:     "see whether it uses what that release has added; if not, correct the field",
		Source:  "kyverno: pkg/validation/policy, pkg/cel/policies/*/compiler",
	}
	checkExpired = finding.Rule{
		Code: "POLICY102", Severity: finding.Warning,
		Summary: "An exception has come to its end.",
		Fix:     "remove it, or agree on another end with its owner",
		Source:  "kyverno: pkg/controllers/ttl/utils.go",
	}
)

// CheckRules returns the rules that Check has in addition to those of policy.CheckRules, ordered by code.
func CheckRules() []policy.CheckRule {
	return []policy.CheckRule{checkCompiles, checkCompilesLater, checkExpired}
}

// Check reports what [policy.Check] does, and what takes Kyverno's own code to find: expressions, variables and functions
// that do not compile, and all that Kyverno's webhooks refuse without asking a cluster. That code is of Kyverno 1.15; what
// it makes of policies for a later version is a warning. Exceptions that have ended by the time are found, too; the zero
// time leaves that out.
func Check(kyverno policy.Version, objects []*unstructured.Unstructured, now time.Time) []policy.Finding {
	findings := policy.Check(kyverno, objects)
	rule := checkCompiles
	if kyverno.Major > 1 || kyverno.Minor > 15 {
		rule = checkCompilesLater
	}
	var policies []*unstructured.Unstructured
	var exceptions []*unstructured.Unstructured
	for _, obj := range objects {
		switch {
		case obj == nil || obj.Object == nil:
		case isException(obj):
			exceptions = append(exceptions, obj)
		case isPolicy(obj.GroupVersionKind()):
			if _, err := New([]*unstructured.Unstructured{obj}, Options{}); err != nil {
				findings = append(findings, unknown(findings, faultsOf(rule, err))...)
				continue
			}
			policies = append(policies, obj)
		}
	}
	for _, exception := range exceptions {
		// An exception is compiled with the policies that it is from.
		if _, err := New(policies, Options{Exceptions: []*unstructured.Unstructured{exception}}); err != nil {
			findings = append(findings, unknown(findings, faultsOf(rule, err))...)
		}
		if ends, stated := endOf(exception); stated && !now.IsZero() && !now.Before(ends) {
			findings = append(findings, checkExpired.At(finding.NameOf(exception),
				"metadata.labels["+policy.TTLLabel+"]", "it ended at "+ends.Format(time.RFC3339)))
		}
	}
	finding.Sort(findings)
	return findings
}

func isException(obj *unstructured.Unstructured) bool {
	group := obj.GroupVersionKind().Group
	return obj.GetKind() == "PolicyException" && (group == classicGroup || group == celGroup)
}

func isPolicy(kind schema.GroupVersionKind) bool {
	return kind.Group == nativeGroup && !strings.HasSuffix(kind.Kind, "Binding") || kind.Group == celGroup ||
		kind.Group == classicGroup && (kind.Kind == "ClusterPolicy" || kind.Kind == "Policy" || isCleanup(kind.Kind))
}

// faultsOf returns a finding for each fault that compiling has found.
func faultsOf(rule finding.Rule, err error) []policy.Finding {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		var out []policy.Finding
		for _, one := range joined.Unwrap() {
			out = append(out, faultsOf(rule, one)...)
		}
		return out
	}
	var fault *CompileError
	if !errors.As(err, &fault) {
		return nil // it is not about a policy
	}
	return []policy.Finding{rule.At(fault.Policy.String(), fault.Path, fault.Err.Error())}
}

// unknown leaves out what is an error already: at the same place, or anywhere in an object whose fault has no place.
func unknown(known, found []policy.Finding) []policy.Finding {
	return slices.DeleteFunc(found, func(f policy.Finding) bool {
		return slices.ContainsFunc(known, func(k policy.Finding) bool {
			return k.Severity == policy.SeverityError && k.Object == f.Object && (f.Path == "" || k.Path == f.Path)
		})
	})
}

// endOf returns when Kyverno deletes an object.
func endOf(obj *unstructured.Unstructured) (time.Time, bool) {
	text := obj.GetLabels()[policy.TTLLabel]
	for _, layout := range []string{"2006-01-02T150405Z", time.DateOnly} {
		if ends, err := time.Parse(layout, text); err == nil {
			return ends, true
		}
	}
	lives, err := strfmt.ParseDuration(text)
	if created := obj.GetCreationTimestamp(); err == nil && !created.IsZero() {
		return created.Add(lives), true
	}
	return time.Time{}, false
}
