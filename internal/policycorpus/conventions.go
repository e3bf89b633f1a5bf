package policycorpus

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/controlbackbone/backbone/policy"
)

// conventions are the rules on labels, images, resources, probes and replicas.
var conventions = map[string]policy.Rule{
	"require-labels": policy.RequireLabels{
		Name: "require-labels",
		Labels: append(policy.PlatformLabels("development", "production", "1-5"),
			policy.RequiredLabel{Key: "cost-centre", Pattern: "cc-[0-9]{4}|none"}),
		ExemptNamespaces: []string{"argocd"},
	},
	"require-component-labels": policy.RequireComponentLabels{
		Name: "require-component-labels",
		Labels: []policy.RequiredLabel{
			{Key: "app.kubernetes.io/name"},
			{Key: "example.com/tier", Values: []string{"backend", "frontend"}},
		},
		ExemptNamespaces: []string{"argocd"},
	},
	"immutable-labels": policy.ImmutableLabels{
		Name:             "immutable-labels",
		Labels:           []string{"owner"},
		Annotations:      []string{"example.com/cost-centre"},
		Kinds:            []policy.ResourceKind{{Kind: "Namespace"}, {Kind: "ServiceAccount"}},
		ExemptNamespaces: []string{"argocd"},
	},
	"require-resources": policy.RequireResources{Name: "require-resources", ExemptNamespaces: []string{"argocd"}},
	"require-all-resources": policy.RequireResources{
		Name:     "require-all-resources",
		Requests: []corev1.ResourceName{"cpu", "ephemeral-storage"},
		Limits:   []corev1.ResourceName{"cpu", "memory", "example.com/gpu"},
	},
	"require-pinned-images": policy.RequirePinnedImages{Name: "require-pinned-images", ExemptNamespaces: []string{"argocd"}},
	"require-digests":       policy.RequirePinnedImages{Name: "require-digests", Digests: true},
	"allowed-registries": policy.AllowedRegistries{
		Name:             "allowed-registries",
		Registries:       []string{"registry.example.com/team", "mirror.example.com:5000", "docker.io/library"},
		ExemptNamespaces: []string{"argocd"},
	},
	"require-probes":         policy.RequireProbes{Name: "require-probes", ExemptNamespaces: []string{"argocd"}},
	"require-startup-probes": policy.RequireProbes{Name: "require-startup-probes", Probes: []policy.Probe{policy.Startup}},
	"require-replicas": policy.RequireReplicas{
		Name: "require-replicas", Minimum: 3, ExemptLabel: "example.com/singleton", ExemptNamespaces: []string{"argocd"},
	},
	"require-disruption-budget": policy.RequireDisruptionBudget{
		Name: "require-disruption-budget", ExemptNamespaces: []string{"argocd"},
	},
	"allow-disruptions": policy.AllowDisruptions{Name: "allow-disruptions", ExemptNamespaces: []string{"argocd"}},
}
