package policycorpus

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/controlbackbone/backbone/policy"
)

// protections are the rules on the security of pods and hosts, and those that mutate, generate and clean up.
var protections = map[string]policy.Rule{
	"forbid-host-access": policy.ForbidHostAccess{Name: "forbid-host-access", ExemptNamespaces: []string{"argocd"}},
	"pod-security-baseline": policy.PodSecurityStandard{
		Name: "pod-security-baseline", Level: policy.PodSecurityBaseline, ExemptNamespaces: []string{"argocd"},
	},
	"pod-security-restricted": policy.PodSecurityStandard{Name: "pod-security-restricted", Level: policy.PodSecurityRestricted},
	"cleanup-jobs": policy.Cleanup{
		Name: "cleanup-jobs", Kind: policy.ResourceKind{Group: "batch", Kind: "Job"}, Finished: true, Schedule: "0 * * * *",
		ExemptNamespaces: []string{"argocd"},
	},
	"cleanup-pods": policy.Cleanup{
		Name: "cleanup-pods", Kind: policy.ResourceKind{Kind: "Pod"}, Finished: true, Schedule: "0 * * * *",
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "batch"}},
	},
	"cleanup-namespaces": policy.Cleanup{
		Name: "cleanup-namespaces", Kind: policy.ResourceKind{Kind: "Namespace"}, Schedule: "30 3 * * *",
		Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "preview", Operator: metav1.LabelSelectorOpExists},
		}},
		ExemptNamespaces: []string{"argocd"},
	},
	"own-hosts": policy.OwnHosts{
		Name:             "own-hosts",
		Hosts:            map[string][]string{"shop": {"shop.example.com", "*.shop.example.com"}, "billing": {"billing.example.com"}},
		Domains:          []string{"apps.example.com"},
		GatewayAPI:       true,
		ExemptNamespaces: []string{"argocd"},
	},
	"default-labels": policy.DefaultLabels{
		Name: "default-labels", Labels: map[string]string{"example.com/cost-centre": "none", "team": "platform"},
		Kinds:            []policy.ResourceKind{{Kind: "Namespace"}, {Kind: "Pod"}, {Group: "apps", Kind: "Deployment"}},
		ExemptNamespaces: []string{"argocd"},
	},
	"default-security-context": policy.DefaultSecurityContext{
		Name: "default-security-context", ExemptNamespaces: []string{"argocd"},
	},
	"image-pull-policy":      policy.ImagePullPolicy{Name: "image-pull-policy", ExemptNamespaces: []string{"argocd"}},
	"image-pull-if-missing":  policy.ImagePullPolicy{Name: "image-pull-if-missing", PullPolicy: corev1.PullIfNotPresent, Digests: true},
	"default-network-policy": policy.DefaultNetworkPolicy{Name: "default-network-policy", ExemptNamespaces: []string{"argocd"}},
	"default-network-policy-once": policy.DefaultNetworkPolicy{
		Name: "default-network-policy-once", Once: true, NetworkPolicy: "deny-all",
		DNSNamespace: "dns", DNSPodLabels: map[string]string{"app": "coredns"},
	},
	"default-resource-quota": policy.DefaultResourceQuota{
		Name: "default-resource-quota", ResourceQuota: "team",
		Hard: corev1.ResourceList{"requests.cpu": resource.MustParse("4"), "count/deployments.apps": resource.MustParse("20")},
	},
	"default-limit-range": policy.DefaultLimitRange{
		Name:            "default-limit-range",
		DefaultRequests: corev1.ResourceList{"cpu": resource.MustParse("100m")},
		DefaultLimits:   corev1.ResourceList{"cpu": resource.MustParse("1"), "memory": resource.MustParse("256Mi")},
		Min:             corev1.ResourceList{"cpu": resource.MustParse("10m")},
		Max:             corev1.ResourceList{"memory": resource.MustParse("4Gi")},
	},
	"default-role-binding": policy.DefaultRoleBinding{
		Name: "default-role-binding", ClusterRole: "edit", RoleBinding: "deployers",
		Subjects: []rbacv1.Subject{
			{Kind: "Group", Name: "platform"}, {Kind: "ServiceAccount", Name: "deployer", Namespace: "cicd"},
		},
	},
}
