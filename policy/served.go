package policy

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/controlbackbone/backbone/internal/listwatch"
)

// mutates reports whether requests have to reach Kyverno for a MutatingPolicy. Kyverno 1.15 reports it ready up to ten
// seconds before it registers the webhook, because it does not watch MutatingPolicies there
// (kyverno: pkg/controllers/webhook/controller.go, NewController).
func mutates(policy *unstructured.Unstructured) bool {
	if kind := policy.GroupVersionKind(); kind.Group != celGroup || strings.TrimPrefix(kind.Kind, "Namespaced") != "MutatingPolicy" {
		return false
	}
	isAdmissionPolicy, _, _ := unstructured.NestedBool(policy.Object, "spec", "autogen", "mutatingAdmissionPolicy", "enabled")
	onRequests, stated, _ := unstructured.NestedBool(policy.Object, "spec", "evaluation", "admission", "enabled")
	return !isAdmissionPolicy && (onRequests || !stated)
}

// waitServed waits until the API server has a webhook for the policy.
func (c *Client) waitServed(ctx context.Context, policy *unstructured.Unstructured) (string, error) {
	served := func(obj *unstructured.Unstructured) (bool, error) {
		var configuration admissionregistrationv1.MutatingWebhookConfiguration
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &configuration); err != nil {
			return false, fmt.Errorf("read %s %s: %w", obj.GetKind(), obj.GetName(), err)
		}
		return slices.ContainsFunc(configuration.Webhooks, func(webhook admissionregistrationv1.MutatingWebhook) bool {
			return serves(webhook, policy)
		}), nil
	}
	err := listwatch.Follow(ctx, c.kube,
		listwatch.Selection{Kind: admissionregistrationv1.SchemeGroupVersion.WithKind("MutatingWebhookConfiguration")},
		listwatch.Follower{
			Listed: func(items []unstructured.Unstructured) (bool, error) {
				for i := range items {
					if done, err := served(&items[i]); done || err != nil {
						return done, err
					}
				}
				return false, nil
			},
			Changed: func(kind watch.EventType, obj *unstructured.Unstructured) (bool, error) {
				if kind == watch.Deleted {
					return false, nil
				}
				return served(obj)
			},
		})
	return "Kyverno has not registered its webhook yet", err
}

// serves reports whether the webhook is for the policy as it is now: for what it matches, and on its conditions.
// kyverno: pkg/controllers/webhook/validating.go, buildWebhookRules
func serves(webhook admissionregistrationv1.MutatingWebhook, policy *unstructured.Unstructured) bool {
	called := ""
	switch config := webhook.ClientConfig; {
	case config.URL != nil:
		called = *config.URL
	case config.Service != nil && config.Service.Path != nil:
		called = *config.Service.Path
	}
	names := strings.Split(path.Clean(called), "/")
	if !slices.Contains(names, "mpol") || !slices.Contains(names, policy.GetName()) {
		return false
	}
	var spec struct {
		MatchConstraints struct {
			ResourceRules []admissionregistrationv1.RuleWithOperations `json:"resourceRules"`
		} `json:"matchConstraints"`
		MatchConditions []admissionregistrationv1.MatchCondition `json:"matchConditions"`
	}
	fields, _, _ := unstructured.NestedMap(policy.Object, "spec")
	if runtime.DefaultUnstructuredConverter.FromUnstructured(fields, &spec) != nil {
		return true // it is not what the API server has stored, and cannot be compared
	}
	for _, rule := range spec.MatchConstraints.ResourceRules {
		isSame := func(other admissionregistrationv1.RuleWithOperations) bool {
			return slices.Equal(rule.APIGroups, other.APIGroups) && slices.Equal(rule.APIVersions, other.APIVersions) &&
				slices.Equal(rule.Resources, other.Resources) && slices.Equal(rule.Operations, other.Operations)
		}
		if !slices.ContainsFunc(webhook.Rules, isSame) {
			return false
		}
	}
	for _, condition := range spec.MatchConditions {
		// What Kyverno derives for the controllers of pods surrounds it.
		isSame := func(other admissionregistrationv1.MatchCondition) bool {
			return strings.Contains(other.Expression, condition.Expression)
		}
		if !slices.ContainsFunc(webhook.MatchConditions, isSame) {
			return false
		}
	}
	return true
}
