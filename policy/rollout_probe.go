package policy

import (
	"context"
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/object"
)

// A probe is a policy of the same kind as a rule's, made after it, that passes every resource of the same kinds in
// background scans. Kyverno scans a resource with all policies that its cache holds, and learns of policies of one kind
// in the order they were made: a resource with a result of the probe was scanned with the rule's policy too, whether
// that has judged it or left it alone.
// kyverno: pkg/controllers/report/background/controller.go (reconcileReport)
const (
	// probeLabel holds the name of the policy that a probe is for.
	probeLabel = "policy.backbone.dev/scan-of"
	// probeAnnotation holds the identity and generation of that policy.
	probeAnnotation = "policy.backbone.dev/scanned-version"
)

// ensureProbe returns the name of the probe of the policy, which an interrupted rollout may have left, and the kinds of
// resources it scans.
func (c *Client) ensureProbe(
	ctx context.Context, policy *unstructured.Unstructured,
) (string, []schema.GroupVersionKind, error) {
	present := &unstructured.Unstructured{}
	present.SetGroupVersionKind(policy.GroupVersionKind())
	if err := c.kube.Get(ctx, client.ObjectKeyFromObject(policy), present); err != nil {
		return "", nil, fmt.Errorf("look for %s %s: %w", policy.GetKind(), policy.GetName(), err)
	}
	kinds, err := c.scannedKinds(present)
	if err != nil {
		return "", nil, err
	}
	if len(kinds) == 0 {
		return "", nil, nil
	}
	version := string(present.GetUID()) + "/" + strconv.FormatInt(present.GetGeneration(), 10)
	if err := c.removeProbes(ctx, policy.GetName(), version); err != nil {
		return "", nil, err
	}
	left, err := c.probes(ctx, policy.GetName(), present.GroupVersionKind())
	if err != nil {
		return "", nil, err
	}
	if len(left) > 0 {
		return left[0].GetName(), kinds, nil
	}
	probe := c.buildProbe(present, version, kinds)
	// A name of its own for each scan: results of an earlier probe prove nothing.
	probe.SetGenerateName("backbone-scan-")
	if err := c.kube.Create(ctx, probe, client.FieldOwner(c.fieldManager)); err != nil {
		return "", nil, fmt.Errorf("create the policy that proves the scan with %s: %w", policy.GetName(), err)
	}
	return probe.GetName(), kinds, nil
}

// removeProbes deletes the probes of the policy, except those of a version.
func (c *Client) removeProbes(ctx context.Context, policy, except string) error {
	for _, kind := range probeKinds {
		mapping, err := c.kube.RESTMapper().RESTMapping(kind)
		if meta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("look for kind %s: %w", kind.Kind, err)
		}
		probes, err := c.probes(ctx, policy, mapping.GroupVersionKind)
		if err != nil {
			return err
		}
		for i := range probes {
			if except != "" && probes[i].GetAnnotations()[probeAnnotation] == except {
				continue
			}
			if err := client.IgnoreNotFound(c.kube.Delete(ctx, &probes[i])); err != nil {
				return fmt.Errorf("delete %s %s: %w", kind.Kind, probes[i].GetName(), err)
			}
		}
	}
	return nil
}

var probeKinds = []schema.GroupKind{{Group: celGroup, Kind: "ValidatingPolicy"}, classicKind.GroupKind()}

func (c *Client) probes(
	ctx context.Context, policy string, kind schema.GroupVersionKind,
) ([]unstructured.Unstructured, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	if err := c.kube.List(ctx, list, client.MatchingLabels{probeLabel: policy}); err != nil {
		return nil, fmt.Errorf("list the policies that prove scans: %w", err)
	}
	return list.Items, nil
}

func (c *Client) buildProbe(
	policy *unstructured.Unstructured, version string, kinds []schema.GroupVersionKind,
) *unstructured.Unstructured {
	info := object.Meta{
		Labels:      map[string]string{probeLabel: policy.GetName()},
		Annotations: map[string]string{probeAnnotation: version},
	}
	if policy.GroupVersionKind().Group == celGroup {
		return object.New(policy.GroupVersionKind(), info, map[string]any{"spec": celProbe(c.kube.RESTMapper(), kinds)})
	}
	info.Annotations["pod-policies.kyverno.io/autogen-controllers"] = "none"
	return object.New(policy.GroupVersionKind(), info, map[string]any{"spec": classicProbe(kinds)})
}

func celProbe(mapper meta.RESTMapper, kinds []schema.GroupVersionKind) map[string]any {
	rules := make([]any, 0, len(kinds))
	for _, kind := range kinds {
		// The kinds were mapped a moment ago: what has gone since needs no scan.
		mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if err != nil {
			continue
		}
		rules = append(rules, map[string]any{
			"apiGroups": []any{kind.Group}, "apiVersions": []any{kind.Version}, "resources": []any{mapping.Resource.Resource},
			"operations": []any{"CREATE", "UPDATE"},
		})
	}
	return map[string]any{
		"autogen": map[string]any{"podControllers": map[string]any{"controllers": []any{}}},
		"evaluation": map[string]any{
			"admission": map[string]any{"enabled": false}, "background": map[string]any{"enabled": true},
		},
		"matchConstraints":  map[string]any{"resourceRules": rules},
		"validationActions": []any{"Audit"},
		"validations":       []any{map[string]any{"expression": "true", "message": "Everything passes."}},
	}
}

func classicProbe(kinds []schema.GroupVersionKind) map[string]any {
	names := make([]any, len(kinds))
	for i, kind := range kinds {
		names[i] = ResourceKind{Group: kind.Group, Version: kind.Version, Kind: kind.Kind}.selector()
	}
	return map[string]any{
		"admission":  false,
		"background": true,
		"rules": []any{map[string]any{
			"name":  "scanned",
			"match": map[string]any{"any": []any{map[string]any{"resources": map[string]any{"kinds": names}}}},
			"validate": map[string]any{
				"failureAction": "Audit",
				"message":       "Everything passes.",
				"cel":           map[string]any{"expressions": []any{map[string]any{"expression": "true"}}},
			},
		}},
	}
}
