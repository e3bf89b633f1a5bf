package policy

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// RolloutAnnotation says on a policy which action a rollout has given it last.
const RolloutAnnotation = "policy.backbone.dev/rollout"

// RolloutOptions configure a [Client.Rollout].
type RolloutOptions struct {
	// Kyverno of the cluster. Required.
	Kyverno Version
	// Classic builds a ClusterPolicy of each rule. Default: the newest kind that the version offers, as by [Build].
	Classic bool
	// Tolerated is the number of resources, by the name of the rule, that may break the rule when it is enforced. Their
	// next change may be denied then. Default: 0.
	Tolerated map[string]int
	// AuditOnly ends when the rules are judged: none is enforced.
	AuditOnly bool
	// DryRun writes nothing: the API server and Kyverno only say whether they accept the policies, and what reports say
	// now is returned.
	DryRun bool
	// Progress is called with every step, from one goroutine at a time. Default: nobody is told.
	Progress func(RolloutEvent)
}

// RolloutStage is a step of a rollout.
type RolloutStage string

const (
	// RolloutAudit means that the policy is in force and admits everything.
	RolloutAudit RolloutStage = "Audit"
	// RolloutScanning means that some resources are scanned with the policy.
	RolloutScanning RolloutStage = "Scanning"
	// RolloutBlocked means that too many resources break the policy, which stays in Audit.
	RolloutBlocked RolloutStage = "Blocked"
	// RolloutJudged means that few enough resources break the policy.
	RolloutJudged RolloutStage = "Judged"
	// RolloutEnforced means that the policy denies requests.
	RolloutEnforced RolloutStage = "Enforced"
)

// RolloutEvent is a step of the rollout of one rule.
type RolloutEvent struct {
	// Policy is the name of the rule's policy.
	Policy string
	// Stage that is reached.
	Stage RolloutStage
	// Scanned and Resources are how many of the existing resources are scanned. Set while Scanning.
	Scanned, Resources int
	// Failures are the results by which the rule was judged. Set when Blocked or Judged.
	Failures []Reported
}

// RolledOut is what became of a rule.
type RolledOut struct {
	// Kind and Policy name the rule's policy.
	Kind, Policy string
	// Before is the action the policy had. Empty if there was none.
	Before Action
	// Action the policy has now.
	Action Action
	// Resources that were scanned with it. Zero for a rule that was enforced before and has not changed.
	Resources int
	// Failures are the results of resources that break the rule, or that it could not be evaluated for.
	Failures []Reported
}

// BlockedError says which rules are not enforced because too many existing resources break them. The others are.
type BlockedError struct {
	// Rules with their failures, in the order they were given.
	Rules []RolledOut
}

func (e *BlockedError) Error() string {
	texts := make([]string, len(e.Rules))
	for i, rule := range e.Rules {
		first := rule.Failures[0]
		texts[i] = fmt.Sprintf("%s %s: %d resources break it, such as %s %s: %s", rule.Kind, rule.Policy,
			len(rule.Failures), first.Resource.Kind, resourceName(first.Resource), first.Message)
	}
	return "enforce policies: " + strings.Join(texts, "; ") + "; correct or exempt the resources and roll out again"
}

func resourceName(resource corev1.ObjectReference) string {
	if resource.Namespace == "" {
		return resource.Name
	}
	return resource.Namespace + "/" + resource.Name
}

// Rollout enforces rules once existing resources keep to them. It puts each rule in Audit, waits until Kyverno has
// scanned all resources of the rule's kinds with this very policy, and enforces the rules that not too many resources
// break. The rules that too many break stay in Audit, and the error is a *BlockedError.
//
// All its state is in the cluster: called again after any interruption it goes on, and calling it for rules that are
// enforced changes nothing. A rule that was enforced and has changed since is audited again first, so until it is
// judged it denies nothing; name a changed rule anew to keep the old one meanwhile.
//
// To know when the scan is over, each rule has a second policy during that time, that matches the same kinds, takes no
// part in admission and passes everything. Its results prove the scan of each resource. The context is the deadline: the
// error then is a *NotScannedError if Kyverno has not scanned some resources, as when its reports controller does not
// run, or a *NotReadyError.
func (c *Client) Rollout(ctx context.Context, rules []Enforceable, options RolloutOptions) ([]RolledOut, error) {
	rollouts, err := c.plan(ctx, rules, options)
	if err != nil {
		return nil, err
	}
	if !options.DryRun {
		err = c.run(ctx, rollouts, options)
	} else {
		err = c.rehearse(ctx, rollouts)
	}
	outcomes := make([]RolledOut, len(rollouts))
	for i, rollout := range rollouts {
		outcomes[i] = rollout.RolledOut
	}
	return outcomes, err
}

// RollBack puts the rules in Audit again, without judging them, and waits until that is served.
func (c *Client) RollBack(ctx context.Context, rules []Enforceable, options RolloutOptions) error {
	rollouts, err := c.plan(ctx, rules, options)
	if err != nil {
		return err
	}
	for _, rollout := range rollouts {
		if err := c.removeProbes(ctx, rollout.Policy, ""); err != nil {
			return err
		}
		if err := c.act(ctx, rollout, Audit); err != nil {
			return err
		}
	}
	return nil
}
