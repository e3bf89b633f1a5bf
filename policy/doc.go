// Package policy states the conventions of a platform as guarantees that Kyverno enforces.
//
// A [Rule] is a Go value. It yields a policy of either of Kyverno's generations: CEL gives the kinds of
// policies.kyverno.io, Classic gives a ClusterPolicy for clusters that still need it. [Build] takes the rules of a
// platform and a Kyverno version and returns everything to apply: each rule in the newest generation that the version
// offers, in the right API version, with the permissions that Kyverno's controllers need for it.
//
// Rules judge requests (such as [RequireLabels], [PodSecurityStandard] or [OwnHosts]), change them ([DefaultLabels],
// [DefaultSecurityContext], [ImagePullPolicy]), generate objects in each Namespace ([DefaultNetworkPolicy] and others) and
// delete what has served its purpose ([Cleanup]). An [Exception] exempts from rules for a time. For everything else there
// are builders with all the fields of each kind, such as [ValidatingPolicy] and [ClusterPolicy].
//
// Validate reports all faults of a rule at once; a fault's path names the Go field in lower camel case, with indices and
// keys in brackets: `labels[0].key`.
//
// [Check] finds what Kyverno would reject or silently ignore in policies, whoever wrote them, and [RequiredRBAC] returns the
// permissions that they lack. What the rules say about a manifest, package policy/admission answers without a cluster.
//
// [Client] applies policies and waits until Kyverno serves them, reads policy reports and denials, and rolls rules out: they
// audit first, and enforce once the reports of what exists already say that nothing breaks them ([Client.Rollout]).
package policy
