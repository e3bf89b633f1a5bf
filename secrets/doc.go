// Package secrets turns Go values into External Secrets Operator objects and
// waits for the secrets to arrive.
//
// A [SecretStore] or [ClusterSecretStore] says where secrets are kept and how to
// get at them; an [ExternalSecret] says which of them become keys of a
// Kubernetes Secret. Each is a plain struct with two methods: Validate reports
// every fault with the path of the Go field, in lower camel case, and Build
// returns the object (external-secrets.io/v1), ready for server-side apply.
// Build never changes its receiver and fails with an Invalid API error, the same
// class the API server answers with.
//
// What upstream leaves open is a closed choice here: [Provider], [Auth] and
// [DataSource] are sealed interfaces, so a union with two members cannot be
// written. Each has a Raw member that takes the upstream fragment as it is.
//
// No object, error or log entry of this package holds the value of a secret:
// builders take references only, and a fault in a place where a value may have
// slipped in does not repeat it.
package secrets
