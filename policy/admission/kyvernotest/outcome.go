package kyvernotest

import (
	"strings"

	"github.com/kyverno/kyverno/api/kyverno"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// outcome is everything the engine said about the resources of a test.
type outcome struct {
	// triggers are the resources that the policies were applied to, targets those that a policy mutated besides.
	triggers, targets []subject
}

// subject is a resource with what the policies said about it.
type subject struct {
	resource  Resource
	responses []response
}

// response is what one policy said about one resource: no rules when it does not apply.
type response struct {
	policy *unstructured.Unstructured
	// object is the resource as the policy found it, patched as the policy left it.
	object, patched *unstructured.Unstructured
	rules           []ruleResponse
}

// ruleResponse is the verdict of a rule.
type ruleResponse struct {
	name      string
	kind      engineapi.RuleType
	status    engineapi.RuleStatus
	message   string
	generated []*unstructured.Unstructured
	// target is a resource other than the one in question that the rule mutated.
	target *unstructured.Unstructured
	// podSecurity and exceptions are what assertions can ask for besides.
	podSecurity *engineapi.PodSecurityChecks
	exceptions  []engineapi.GenericException
}

// result is the status as it appears in reports: the violation of a rule that does not count is a warning.
func (r response) result(rule ruleResponse) string {
	if rule.status == engineapi.RuleStatusFail && r.policy.GetAnnotations()[kyverno.AnnotationPolicyScored] == "false" {
		return string(engineapi.RuleStatusWarn)
	}
	return string(rule.status)
}

// called says whether the resource is meant by a name, with or without a namespace, in an expectation.
func (r Resource) called(name string) bool {
	switch parts := strings.Split(name, "/"); len(parts) {
	case 1:
		return r.Name == name
	case 2:
		return r.Namespace == parts[0] && r.Name == parts[1]
	default:
		return false
	}
}

func resourceOf(obj *unstructured.Unstructured) Resource {
	return Resource{APIVersion: obj.GetAPIVersion(), Kind: obj.GetKind(), Namespace: obj.GetNamespace(), Name: obj.GetName()}
}
