// Package drift says where a live cluster departs from what is declared in git, which departures are meant, and what
// became of the others.
//
// [IgnoreRules] name differences that are no drift, such as a replica count that an autoscaler owns; they go into the
// IgnoreDifferences of a gitops.Application. A fault's path names the Go field in lower camel case, relative to the
// list: `[0].jsonPointers[1]`.
//
// [Client] reads Argo CD's Application resources: Report lists what is out of sync now, Watch follows each departure
// from its detection to its end. Both see what Argo CD compares, with its normalization and ignore rules, and need no
// access to git or to the resources themselves. A change to the declaration (a new commit that is not deployed yet) is
// not drift and is not reported.
package drift
