package admission

import (
	"errors"
	"fmt"

	"github.com/kyverno/kyverno/pkg/admissionpolicy"
	"github.com/kyverno/kyverno/pkg/cel/matching"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	admissionregistrationv1alpha1 "k8s.io/api/admissionregistration/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
)

// nativePolicies are Kubernetes' own: ValidatingAdmissionPolicies and MutatingAdmissionPolicies, which are in force where
// a binding says so.
type nativePolicies struct {
	cluster    *cluster
	matcher    matching.Matcher
	validating []validatingAdmission
	mutating   []mutatingAdmission
	schemas    *typeSchemas

	asCommandLine bool
}

// nativeVersions are those that Kyverno's types read; the others differ in nothing that they hold.
var nativeVersions = map[string]string{
	"ValidatingAdmissionPolicy": "v1", "ValidatingAdmissionPolicyBinding": "v1",
	"MutatingAdmissionPolicy": "v1alpha1", "MutatingAdmissionPolicyBinding": "v1alpha1",
}

func decodeNative(obj *unstructured.Unstructured, into any) error {
	known := obj.DeepCopy()
	known.SetAPIVersion(nativeGroup + "/" + nativeVersions[obj.GetKind()])
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(known.Object, into, true); err != nil {
		return &CompileError{Policy: refOf(obj), Err: err}
	}
	return nil
}

func compileNative(sorted sortedPolicies, cluster *cluster, options Options) (*nativePolicies, error) {
	n := &nativePolicies{
		cluster: cluster, matcher: matching.NewMatcher(), schemas: &typeSchemas{cluster: cluster}, asCommandLine: options.AsCommandLine,
	}
	var errs []error
	var validatingBindings []admissionregistrationv1.ValidatingAdmissionPolicyBinding
	var mutatingBindings []admissionregistrationv1alpha1.MutatingAdmissionPolicyBinding
	for _, obj := range sorted.native {
		switch obj.GetKind() {
		case "ValidatingAdmissionPolicyBinding":
			binding := admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
			errs = append(errs, decodeNative(obj, &binding))
			validatingBindings = append(validatingBindings, binding)
		case "MutatingAdmissionPolicyBinding":
			binding := admissionregistrationv1alpha1.MutatingAdmissionPolicyBinding{}
			errs = append(errs, decodeNative(obj, &binding))
			mutatingBindings = append(mutatingBindings, binding)
		}
	}
	for _, obj := range sorted.native {
		switch obj.GetKind() {
		case "ValidatingAdmissionPolicy":
			policy, err := compileValidatingAdmission(obj, validatingBindings)
			errs = append(errs, err)
			n.validating = append(n.validating, policy)
		case "MutatingAdmissionPolicy":
			policy, err := n.compileMutatingAdmission(obj, mutatingBindings)
			errs = append(errs, err)
			n.mutating = append(n.mutating, policy)
		case "ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicyBinding":
		default:
			errs = append(errs, &CompileError{Policy: refOf(obj), Err: fmt.Errorf("%s is no kind of policy", obj.GetKind())})
		}
	}
	return n, errors.Join(errs...)
}

// nativeWork is the evaluation of the policies of one kind.
type nativeWork struct {
	*nativePolicies
	work       *evaluation
	attributes admission.Attributes
	labels     map[string]string
	unknown    error
}

func (n *nativePolicies) begin(work *evaluation) *nativeWork {
	w := &nativeWork{nativePolicies: n, work: work}
	w.labels, w.unknown = n.cluster.namespaceLabels(&recorder{}, work.request)
	subject := work.request.subject()
	resource := guessResource(work.resource.kind)
	if work.resource.mapping != nil {
		resource = work.resource.mapping.Resource
	}
	w.attributes = admission.NewAttributesRecord(
		objectOrNil(work.object), objectOrNil(work.request.OldObject), subject.GroupVersionKind(), subject.GetNamespace(),
		subject.GetName(), resource, work.request.Subresource, admission.Operation(work.request.operation()), nil,
		work.request.DryRun, admissionpolicy.NewUser(userInfo(work.request.User)))
	return w
}

// objectOrNil keeps a nil object from becoming an interface that is not nil.
func objectOrNil(obj *unstructured.Unstructured) runtime.Object {
	if obj == nil {
		return nil
	}
	return obj
}

// namespace returns the request's, nil for what has none.
func (w *nativeWork) namespace() *corev1.Namespace {
	name := w.work.request.subject().GetNamespace()
	if name == "" || w.work.request.subject().GetKind() == "Namespace" {
		return nil
	}
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: w.labels}}
}

// matches reports whether constraints hold; none hold always. Labels of the namespace that are not known are an error for
// those that select by them.
func (w *nativeWork) matches(constraints *admissionregistrationv1.MatchResources) (bool, error) {
	if constraints == nil {
		return true, nil
	}
	if selects(constraints.NamespaceSelector) && w.unknown != nil {
		return false, w.unknown
	}
	var namespace runtime.Object
	if found := w.namespace(); found != nil {
		namespace = found
	}
	// A binding may narrow by namespace alone.
	if len(constraints.ResourceRules) == 0 {
		constraints = constraints.DeepCopy()
		constraints.ResourceRules = everything
	}
	return w.matcher.Match(&matching.MatchCriteria{Constraints: constraints}, w.attributes, namespace)
}

// missingIn returns what an error says is missing, nil if it says something else.
func missingIn(err error) error {
	var missing *MissingContextError
	if errors.As(err, &missing) {
		return missing
	}
	return nil
}

var everything = []admissionregistrationv1.NamedRuleWithOperations{{
	RuleWithOperations: admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{"*"},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{"*"}, APIVersions: []string{"*"}, Resources: []string{"*", "*/*"}},
	},
}}
