package policy

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Version is a Kyverno release line, such as 1.15.
type Version struct {
	Major int
	Minor int
}

// Kyverno returns the version of a release line: Kyverno(1, 15).
func Kyverno(major, minor int) Version { return Version{Major: major, Minor: minor} }

// String returns "1.15".
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

func (v Version) atLeast(other Version) bool {
	return v.Major > other.Major || v.Major == other.Major && v.Minor >= other.Minor
}

// UnsupportedError says that a Kyverno version cannot express a rule in the generation that was asked for, or a policy
// with a field that was set.
type UnsupportedError struct {
	// Rule is the name of the rule or policy.
	Rule string
	// Kind of policy that would have been needed.
	Kind string
	// Field of the policy that the version lacks, as in faults: "evaluation.mode". Empty if it is the kind.
	Field string
	// Kyverno is the version that lacks it.
	Kyverno Version
	// Reason is a sentence that says which versions have it.
	Reason string
}

func (e *UnsupportedError) Error() string {
	if e.Field != "" {
		return fmt.Sprintf("%s of %s %s on Kyverno %s: %s", e.Field, e.Kind, e.Rule, e.Kyverno, e.Reason)
	}
	return fmt.Sprintf("rule %s as %s on Kyverno %s: %s", e.Rule, e.Kind, e.Kyverno, e.Reason)
}

const celGroup = "policies.kyverno.io"

var classicKind = schema.GroupVersionKind{Group: "kyverno.io", Version: "v1", Kind: "ClusterPolicy"}

// The releases that brought the kinds: those that validate came with 1.14, the others with 1.15, the group's v1beta1 with
// 1.16 and v1 with 1.17. ClusterPolicy is deprecated since 1.17 and planned to go with 1.20.
//
// Of the namespaced kinds, which v1alpha1 never had, those that mutate and generate were proposed after 1.16
// (kyverno/kyverno: pull requests 14388 and 14399); that 1.16 has the other three is inferred from its documentation and
// from the notes of who upgraded. All are in the CRDs of 1.17.1, none in those of 1.15.2.
var (
	firstCEL = map[string]Version{
		"ValidatingPolicy":                Kyverno(1, 14),
		"ImageValidatingPolicy":           Kyverno(1, 14),
		"PolicyException":                 Kyverno(1, 14),
		"GeneratingPolicy":                Kyverno(1, 15),
		"MutatingPolicy":                  Kyverno(1, 15),
		"DeletingPolicy":                  Kyverno(1, 15),
		"NamespacedValidatingPolicy":      Kyverno(1, 16),
		"NamespacedImageValidatingPolicy": Kyverno(1, 16),
		"NamespacedDeletingPolicy":        Kyverno(1, 16),
		"NamespacedGeneratingPolicy":      Kyverno(1, 17),
		"NamespacedMutatingPolicy":        Kyverno(1, 17),
	}
	// firstSynchronized is the first release that is trusted to keep what a GeneratingPolicy has generated. Seen in
	// 1.15.2: kyverno: pkg/background/gpol/dynamic_watcher.go (SyncWatchers) takes a request that generates nothing for
	// the end of the policy.
	firstSynchronized = Kyverno(1, 16)

	firstBeta      = Kyverno(1, 16)
	firstStable    = Kyverno(1, 17)
	withoutClassic = Kyverno(1, 20)
	// firstClassic is the oldest release whose ClusterPolicy takes the failure action per rule.
	firstClassic = Kyverno(1, 13)
)

// celKind returns the kind in the newest API version of the group that the Kyverno version serves.
func celKind(rule, kind string, kyverno Version) (schema.GroupVersionKind, error) {
	gvk := schema.GroupVersionKind{Group: celGroup, Kind: kind}
	first := firstCEL[kind]
	switch {
	case !kyverno.atLeast(first):
		return gvk, &UnsupportedError{Rule: rule, Kind: kind, Kyverno: kyverno, Reason: fmt.Sprintf("the kind came with %s", first)}
	case kyverno.atLeast(firstStable):
		gvk.Version = "v1"
	case kyverno.atLeast(firstBeta):
		gvk.Version = "v1beta1"
	default:
		gvk.Version = "v1alpha1"
	}
	return gvk, nil
}

// celKindIn returns the kind for a namespace, which has a name of its own, or for the cluster.
func celKindIn(namespace, name, kind string, kyverno Version) (schema.GroupVersionKind, error) {
	if namespace != "" {
		kind = "Namespaced" + kind
	}
	return celKind(name, kind, kyverno)
}

func classicSupported(rule string, kyverno Version) error {
	return classicKindSupported(classicKind.Kind, rule, kyverno)
}

// classicKindSupported reports a kind of the older generation that the Kyverno version has no more, or not yet in the
// form that is built.
func classicKindSupported(kind, name string, kyverno Version) error {
	switch {
	case kyverno.atLeast(withoutClassic):
		return &UnsupportedError{Rule: name, Kind: kind, Kyverno: kyverno, Reason: fmt.Sprintf("the kind is removed in %s", withoutClassic)}
	case !kyverno.atLeast(firstClassic):
		return &UnsupportedError{Rule: name, Kind: kind, Kyverno: kyverno, Reason: fmt.Sprintf("versions before %s are not supported", firstClassic)}
	}
	return nil
}
