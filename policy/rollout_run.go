package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/apply"
	"github.com/controlbackbone/backbone/internal/object"
)

// rollout is the state of one rule's rollout.
type rollout struct {
	RolledOut
	tolerated int
	// policies to apply, by action.
	policies map[Action]*unstructured.Unstructured
	// unchanged says that the policy is enforced as it is.
	unchanged bool
}

// plan builds the policies and looks what of them is in the cluster.
func (c *Client) plan(ctx context.Context, rules []Enforceable, options RolloutOptions) ([]*rollout, error) {
	var faults field.ErrorList
	var rollouts []*rollout
	names := map[string]bool{}
	for i, rule := range rules {
		at := field.NewPath("rules").Index(i)
		if object.IsNil(rule) {
			faults = append(faults, field.Required(at, "a rule is missing"))
			continue
		}
		next := &rollout{policies: map[Action]*unstructured.Unstructured{}}
		for _, action := range []Action{Audit, Enforce} {
			built, err := buildFor(rule.WithAction(action), options)
			if err != nil {
				return nil, err
			}
			annotations := built.GetAnnotations()
			if annotations == nil {
				annotations = map[string]string{}
			}
			annotations[RolloutAnnotation] = string(action)
			built.SetAnnotations(annotations)
			next.policies[action] = built
			next.Kind, next.Policy = built.GetKind(), built.GetName()
		}
		if names[next.Policy] {
			faults = append(faults, field.Duplicate(at.Child("name"), next.Policy))
		}
		names[next.Policy] = true
		next.tolerated = options.Tolerated[next.Policy]
		rollouts = append(rollouts, next)
	}
	if err := object.Invalid(classicKind.GroupKind(), "rollout", faults); err != nil {
		return nil, err
	}
	for _, next := range rollouts {
		if err := c.look(ctx, next); err != nil {
			return nil, err
		}
	}
	return rollouts, nil
}

func buildFor(rule Rule, options RolloutOptions) (*unstructured.Unstructured, error) {
	if options.Classic {
		return rule.Classic(options.Kyverno)
	}
	return newest(options.Kyverno, rule)
}

// look finds out what action the policy has in the cluster, and whether enforcing would change it.
func (c *Client) look(ctx context.Context, rollout *rollout) error {
	enforced := rollout.policies[Enforce]
	present := &unstructured.Unstructured{}
	present.SetGroupVersionKind(enforced.GroupVersionKind())
	err := c.kube.Get(ctx, client.ObjectKeyFromObject(enforced), present)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for %s %s: %w", rollout.Kind, rollout.Policy, err)
	}
	rollout.Before = actionOf(present)
	rollout.Action = rollout.Before
	tried, err := apply.DryRun(ctx, c.kube, c.fieldManager, enforced)
	if err != nil {
		return err
	}
	rollout.unchanged = rollout.Before == Enforce && tried.GetGeneration() == present.GetGeneration()
	return nil
}

// actionOf reads what a policy does with requests that break it.
func actionOf(obj *unstructured.Unstructured) Action {
	if obj.GroupVersionKind().Group == celGroup {
		actions, _, _ := unstructured.NestedStringSlice(obj.Object, "spec", "validationActions")
		if slices.Contains(actions, string(ActionDeny)) {
			return Enforce
		}
		return Audit
	}
	rules, _, _ := unstructured.NestedSlice(obj.Object, "spec", "rules")
	for _, item := range rules {
		rule, _ := item.(map[string]any)
		action, _, _ := unstructured.NestedString(rule, "validate", "failureAction")
		if strings.EqualFold(action, string(Enforce)) {
			return Enforce
		}
	}
	return Audit
}

// rehearse asks the API server and Kyverno about the policies and reads the reports as they are.
func (c *Client) rehearse(ctx context.Context, rollouts []*rollout) error {
	for _, rollout := range rollouts {
		for _, action := range []Action{Audit, Enforce} {
			if _, err := apply.DryRun(ctx, c.kube, c.fieldManager, rollout.policies[action]); err != nil {
				return err
			}
		}
		failures, err := c.failures(ctx, rollout, time.Time{})
		if err != nil {
			return err
		}
		rollout.Failures = failures
	}
	return nil
}

// run takes all rules through the stages, so that their scans overlap.
func (c *Client) run(ctx context.Context, rollouts []*rollout, options RolloutOptions) error {
	tell := options.Progress
	if tell == nil {
		tell = func(RolloutEvent) {}
	}
	var audited []*rollout
	for _, rollout := range rollouts {
		if rollout.unchanged {
			if err := c.removeProbes(ctx, rollout.Policy, ""); err != nil {
				return err
			}
			tell(RolloutEvent{Policy: rollout.Policy, Stage: RolloutEnforced})
			continue
		}
		if err := c.act(ctx, rollout, Audit); err != nil {
			return err
		}
		tell(RolloutEvent{Policy: rollout.Policy, Stage: RolloutAudit})
		audited = append(audited, rollout)
	}
	if err := c.scan(ctx, audited, tell); err != nil {
		return err
	}
	blocked := &BlockedError{}
	for _, rollout := range audited {
		err := c.judge(ctx, rollout, options.AuditOnly, tell)
		if errors.Is(err, errBlocked) {
			blocked.Rules = append(blocked.Rules, rollout.RolledOut)
		} else if err != nil {
			return err
		}
	}
	if len(blocked.Rules) > 0 {
		return blocked
	}
	return nil
}

// errBlocked says that too many resources break a rule.
var errBlocked = errors.New("too many resources break the rule")

// judge enforces the rule unless too many resources break it, and removes what the scan needed.
func (c *Client) judge(ctx context.Context, rollout *rollout, auditOnly bool, tell func(RolloutEvent)) error {
	changed, err := c.changedAt(ctx, rollout.policies[Audit])
	if err != nil {
		return err
	}
	if rollout.Failures, err = c.failures(ctx, rollout, changed); err != nil {
		return err
	}
	if len(rollout.Failures) > rollout.tolerated {
		tell(RolloutEvent{Policy: rollout.Policy, Stage: RolloutBlocked, Failures: rollout.Failures})
		// The next rollout needs a new scan, which tells what was corrected since.
		if err := c.removeProbes(ctx, rollout.Policy, ""); err != nil {
			return err
		}
		return errBlocked
	}
	tell(RolloutEvent{Policy: rollout.Policy, Stage: RolloutJudged, Failures: rollout.Failures})
	if !auditOnly {
		if err := c.act(ctx, rollout, Enforce); err != nil {
			return err
		}
		tell(RolloutEvent{Policy: rollout.Policy, Stage: RolloutEnforced})
	}
	return c.removeProbes(ctx, rollout.Policy, "")
}

// act gives the policy an action and waits until that is served.
func (c *Client) act(ctx context.Context, rollout *rollout, action Action) error {
	if err := c.Apply(ctx, rollout.policies[action]); err != nil {
		return err
	}
	rollout.Action = action
	return c.WaitReady(ctx, rollout.policies[action])
}

// failures are the results of the policy that stand against enforcing it. Those from before it was changed are of
// another policy: Kyverno keeps them when the changed one no longer judges a resource.
func (c *Client) failures(ctx context.Context, rollout *rollout, changed time.Time) ([]Reported, error) {
	found, err := c.Reports(ctx, ReportFilter{
		Policies: []string{rollout.Policy}, Results: []ReportResult{ReportFail, ReportError},
	})
	if err != nil {
		return nil, err
	}
	classic := rollout.policies[Audit].GroupVersionKind().Group == classicKind.Group
	return slices.DeleteFunc(found, func(r Reported) bool {
		return (r.Source == classicSource) != classic || r.Time.Before(changed)
	}), nil
}

// classicSource is the source of results of ClusterPolicies: kyverno: pkg/utils/report/source.go.
const classicSource = "kyverno"

// changedAt is when this client has last changed the policy, a little earlier for clocks that differ.
func (c *Client) changedAt(ctx context.Context, policy *unstructured.Unstructured) (time.Time, error) {
	const skew = 2 * time.Second
	present := &unstructured.Unstructured{}
	present.SetGroupVersionKind(policy.GroupVersionKind())
	if err := c.kube.Get(ctx, client.ObjectKeyFromObject(policy), present); err != nil {
		return time.Time{}, fmt.Errorf("look for %s %s: %w", policy.GetKind(), policy.GetName(), err)
	}
	var changed time.Time
	for _, entry := range present.GetManagedFields() {
		if entry.Manager == c.fieldManager && entry.Time != nil && entry.Time.After(changed) {
			changed = entry.Time.Time
		}
	}
	return changed.Add(-skew), nil
}
