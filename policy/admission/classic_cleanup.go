package admission

import (
	"context"
	"errors"

	kyvernov2 "github.com/kyverno/kyverno/api/kyverno/v2"
	enginecontext "github.com/kyverno/kyverno/pkg/engine/context"
	"github.com/kyverno/kyverno/pkg/logging"
	"github.com/kyverno/kyverno/pkg/utils/conditions"
	controllerutils "github.com/kyverno/kyverno/pkg/utils/controller"
	"github.com/kyverno/kyverno/pkg/utils/match"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// cleanupPolicy is a CleanupPolicy or a ClusterCleanupPolicy. They act on a schedule, not on requests: their verdict is
// Pass for an object that they would delete and Fail for one that they would keep.
type cleanupPolicy struct {
	ref  PolicyRef
	spec *kyvernov2.CleanupPolicySpec
	// selects is whether the labels of namespaces matter.
	selects bool
}

func isCleanup(kind string) bool { return kind == "CleanupPolicy" || kind == "ClusterCleanupPolicy" }

func compileCleanup(obj *unstructured.Unstructured) (cleanupPolicy, error) {
	var policy kyvernov2.CleanupPolicyInterface = &kyvernov2.ClusterCleanupPolicy{}
	if obj.GetKind() == "CleanupPolicy" {
		policy = &kyvernov2.CleanupPolicy{}
	}
	if err := decode(obj, policy); err != nil {
		return cleanupPolicy{}, err
	}
	if faults := policy.Validate(nil); len(faults) > 0 {
		return cleanupPolicy{}, compileErrors(refOf(obj), faults)
	}
	return cleanupPolicy{refOf(obj), policy.GetSpec(), selectsNamespaces(obj)}, nil
}

// cleanup says what would become of the object of a request.
// kyverno: pkg/controllers/cleanup/controller.go, cleanup
func (c *classicPolicies) cleanup(ctx context.Context, work *evaluation) error {
	if work.object == nil || controllerutils.IsManagedByKyverno(work.object) {
		return nil
	}
	for _, policy := range c.cleanups {
		if policy.ref.Namespace != "" && policy.ref.Namespace != work.object.GetNamespace() {
			continue
		}
		missing := &recorder{}
		deletes, err := c.deletes(withRecorder(ctx, missing), policy, work)
		if found := missing.first(); found != nil {
			err = found
		}
		verdict := Verdict{Policy: policy.ref, Rule: policy.ref.Name, Type: Cleanup, Status: Fail, Message: "resource did not match"}
		switch {
		case err != nil:
			verdict.Status, verdict.Message = Error, err.Error()
			if errors.As(err, new(*MissingContextError)) {
				verdict.Err = err
			}
		case deletes:
			verdict.Status, verdict.Message = Pass, "resource matched"
		}
		work.response.add(verdict)
	}
	return nil
}

func (c *classicPolicies) deletes(ctx context.Context, policy cleanupPolicy, work *evaluation) (bool, error) {
	var labels map[string]string
	if policy.selects {
		var err error
		if labels, err = c.cluster.namespaceLabels(recorderOf(ctx), work.request); err != nil {
			return false, err
		}
	}
	matches := func(filters kyvernov2.MatchResources) bool {
		return match.CheckMatchesResources(*work.object, filters, labels, kyvernov2.RequestInfo{}, work.object.GroupVersionKind(), "") == nil
	}
	if !matches(policy.spec.MatchResources) || policy.spec.ExcludeResources != nil && matches(*policy.spec.ExcludeResources) {
		return false, nil
	}
	if policy.spec.Conditions == nil {
		return true, nil
	}
	variables := enginecontext.NewContext(c.jmespath)
	loader := contextLoader{cluster: c.cluster, onlyValues: c.options.AsCommandLine}
	if err := loader.Load(ctx, c.jmespath, nil, nil, policy.spec.Context, variables); err != nil {
		return false, err
	}
	if err := variables.SetTargetResource(work.object.Object); err != nil {
		return false, err
	}
	if err := variables.AddNamespace(work.object.GetNamespace()); err != nil {
		return false, err
	}
	if err := variables.AddImageInfos(work.object, c.configuration); err != nil {
		return false, err
	}
	return conditions.CheckAnyAllConditions(logging.GlobalLogger(), variables, *policy.spec.Conditions)
}
