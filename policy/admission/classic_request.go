package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	kyvernov2 "github.com/kyverno/kyverno/api/kyverno/v2"
	"github.com/kyverno/kyverno/pkg/engine"
	"github.com/kyverno/kyverno/pkg/engine/policycontext"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// faultPath finds the path in a message of the engine, such as "rule r failed at path /spec/containers/0/image/".
var faultPath = regexp.MustCompile(`at path (/\S*)`)

func pathIn(message string) string {
	if found := faultPath.FindStringSubmatch(message); found != nil {
		return found[1]
	}
	return ""
}

// sharedContext makes the engine's context of a request. The policies of a phase share the work, unless values are given
// for some of them.
type sharedContext struct {
	policies *classicPolicies
	work     *evaluation
	built    *engine.PolicyContext
	builtFor *unstructured.Unstructured
}

func (s *sharedContext) of(ctx context.Context, policy classicPolicy) (*engine.PolicyContext, error) {
	namespaceLabels, err := s.namespaceLabels(ctx, policy)
	if err != nil {
		return nil, err
	}
	values := s.policies.valuesFor(policy, s.work.request)
	if s.policies.options.AsCommandLine {
		built, err := s.policies.commandLineContext(s.work, values)
		if err != nil {
			return nil, err
		}
		return built.WithPolicy(policy.PolicyInterface).WithNamespaceLabels(namespaceLabels), nil
	}
	if s.built == nil || s.builtFor != s.work.object || len(values) > 0 {
		built, err := s.policies.admissionContext(s.work)
		if err != nil {
			return nil, err
		}
		for key, value := range values {
			if err := built.JSONContext().AddVariable(key, value); err != nil {
				return nil, fmt.Errorf("variable %s: %w", key, err)
			}
		}
		if len(values) > 0 {
			return built.WithPolicy(policy.PolicyInterface).WithNamespaceLabels(namespaceLabels), nil
		}
		s.built, s.builtFor = built, s.work.object
	}
	return s.built.WithPolicy(policy.PolicyInterface).WithNamespaceLabels(namespaceLabels), nil
}

// namespaceLabels are looked up for policies that select by them only, as the webhook does.
func (s *sharedContext) namespaceLabels(ctx context.Context, policy classicPolicy) (map[string]string, error) {
	if s.policies.options.AsCommandLine {
		labels, err := s.policies.cluster.namespaceLabels(&recorder{}, s.work.request)
		if err != nil {
			return nil, nil //nolint:nilerr // the command line knows no labels then
		}
		if s.work.request.NamespaceLabels != nil {
			return s.work.request.NamespaceLabels, nil
		}
		return labels, nil
	}
	if !policy.selects {
		return nil, nil
	}
	return s.policies.cluster.namespaceLabels(recorderOf(ctx), s.work.request)
}

// valuesFor returns the values that are given for a policy and an object.
func (c *classicPolicies) valuesFor(policy classicPolicy, request Request) map[string]any {
	var values map[string]any
	for _, variables := range c.options.Data.Variables {
		if variables.Rule == "" && nameIs(variables.Policy, policy.GetName()) && nameIs(variables.Resource, request.subject().GetName()) {
			values = merge(values, variables.Values)
		}
	}
	return values
}

// admissionContext is what the webhook makes of the API server's request.
// kyverno: pkg/webhooks/utils/policy_context_builder.go
func (c *classicPolicies) admissionContext(work *evaluation) (*engine.PolicyContext, error) {
	request, err := admissionRequest(work)
	if err != nil {
		return nil, err
	}
	return policycontext.NewPolicyContextFromAdmissionRequest(
		c.jmespath, request, requestInfo(work.request.User, request.UserInfo), work.resource.kind, c.configuration)
}

// admissionRequest is the request as the API server sends it, for the object as it is now.
func admissionRequest(work *evaluation) (admissionv1.AdmissionRequest, error) {
	subject := work.request.subject()
	request := admissionv1.AdmissionRequest{
		UID:         types.UID("00000000-0000-0000-0000-000000000000"),
		Kind:        metav1.GroupVersionKind(subject.GroupVersionKind()),
		SubResource: work.request.Subresource,
		Name:        subject.GetName(),
		Namespace:   subject.GetNamespace(),
		Operation:   work.request.admissionOperation(),
		UserInfo:    userInfo(work.request.User),
		DryRun:      &work.request.DryRun,
	}
	// For Namespaces themselves the API server names their own.
	if subject.GetKind() == "Namespace" && subject.GroupVersionKind().Group == "" {
		request.Namespace = subject.GetName()
	}
	if work.resource.mapping != nil {
		request.Resource = metav1.GroupVersionResource(work.resource.mapping.Resource)
	}
	request.RequestKind, request.RequestResource = &request.Kind, &request.Resource
	request.RequestSubResource = request.SubResource
	for _, part := range []struct {
		from *unstructured.Unstructured
		into *runtime.RawExtension
	}{{work.object, &request.Object}, {work.request.OldObject, &request.OldObject}} {
		if part.from == nil {
			continue
		}
		raw, err := json.Marshal(part.from.Object)
		if err != nil {
			return request, fmt.Errorf("encode the object: %w", err)
		}
		part.into.Raw = raw
	}
	return request, nil
}

// admissionRequestOf is a request again, for the object as it is now.
func admissionRequestOf(work *evaluation, request admissionv1.AdmissionRequest) (admissionv1.AdmissionRequest, error) {
	fresh, err := admissionRequest(work)
	request.Object = fresh.Object
	return request, err
}

func userInfo(user User) authenticationv1.UserInfo {
	out := authenticationv1.UserInfo{Username: user.Name, UID: user.UID, Groups: slices.Clone(user.Groups)}
	for key, values := range user.Extra {
		if out.Extra == nil {
			out.Extra = map[string]authenticationv1.ExtraValue{}
		}
		out.Extra[key] = slices.Clone(values)
	}
	return out
}

func requestInfo(user User, info authenticationv1.UserInfo) kyvernov2.RequestInfo {
	return kyvernov2.RequestInfo{Roles: user.Roles, ClusterRoles: user.ClusterRoles, AdmissionUserInfo: info}
}

// commandLineContext is what the command line makes of an object, with values that may even replace it.
// kyverno: cmd/cli/kubectl-kyverno/processor/policy_processor.go, makePolicyContext
func (c *classicPolicies) commandLineContext(work *evaluation, values map[string]any) (*engine.PolicyContext, error) {
	operation := kyvernov1.Create
	switch values["request.operation"] {
	case "DELETE":
		operation = kyvernov1.Delete
	case "UPDATE":
		operation = kyvernov1.Update
	}
	var info *kyvernov2.RequestInfo
	if user := work.request.User; user.Name != "" || len(user.Groups)+len(user.Roles)+len(user.ClusterRoles)+len(user.Extra) > 0 || user.UID != "" {
		requested := requestInfo(user, userInfo(user))
		info = &requested
	}
	object := *work.object
	built, err := engine.NewPolicyContext(c.jmespath, object, operation, info, c.configuration)
	if err != nil {
		return nil, err
	}
	if operation != kyvernov1.Create {
		old := *object.DeepCopy()
		built = built.WithOldResource(old)
		if err := built.JSONContext().AddOldResource(old.Object); err != nil {
			return nil, err
		}
	}
	built = built.WithResourceKind(work.resource.kind, work.resource.subresource)
	if _, given := values["request.operation"]; !given {
		values = merge(map[string]any{"request.operation": "CREATE"}, values)
	}
	for key, value := range values {
		if err := built.JSONContext().AddVariable(key, value); err != nil {
			return nil, fmt.Errorf("variable %s: %w", key, err)
		}
	}
	if operation != kyvernov1.Delete {
		replaced, err := objectAt(built, "request.object")
		if err != nil {
			return nil, err
		}
		built = built.WithNewResource(replaced)
	}
	if operation != kyvernov1.Create {
		replaced, err := objectAt(built, "request.oldObject")
		if err != nil {
			return nil, err
		}
		built = built.WithOldResource(replaced)
	}
	return built, nil
}

// objectAt returns an object of the context, which values may have changed.
func objectAt(built *engine.PolicyContext, path string) (unstructured.Unstructured, error) {
	value, err := built.JSONContext().Query(path)
	if err != nil || value == nil {
		return unstructured.Unstructured{}, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return unstructured.Unstructured{}, fmt.Errorf("the value of %s is no object", path)
	}
	return unstructured.Unstructured{Object: object}, nil
}
