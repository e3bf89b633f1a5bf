package policycorpus

import "github.com/controlbackbone/backbone/policy"

// protections are the rules on the security of pods and hosts, and those that mutate, generate and clean up.
var protections = map[string]policy.Rule{
	"forbid-host-access": policy.ForbidHostAccess{Name: "forbid-host-access", ExemptNamespaces: []string{"argocd"}},
}
