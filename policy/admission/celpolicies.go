package admission

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	policiesv1alpha1 "github.com/kyverno/kyverno/api/policies.kyverno.io/v1alpha1"
	celengine "github.com/kyverno/kyverno/pkg/cel/engine"
	"github.com/kyverno/kyverno/pkg/cel/matching"
	admissionutils "github.com/kyverno/kyverno/pkg/utils/admission"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/admission"
)

// celPolicies are those of policies.kyverno.io, each kind with an engine of its own.
type celPolicies struct {
	cluster    *cluster
	options    Options
	matcher    matching.Matcher
	exceptions []*policiesv1alpha1.PolicyException
	// selecting are the exceptions that depend on the labels of the namespace.
	selecting map[*policiesv1alpha1.PolicyException]bool

	validating validatingPolicies
	mutating   mutatingPolicies
	generating generatingPolicies
	deleting   deletingPolicies
	images     imagePolicies

	schemas *typeSchemas
}

// celPolicy is what is looked up of a policy of any kind for each request.
type celPolicy struct {
	ref PolicyRef
	// only is the namespace that a namespaced policy is for.
	only string
	// constraints are the policy's own, and those of the policies that Kyverno makes of it for pod controllers.
	constraints []*admissionregistrationv1.MatchResources
	// usesNamespace says that the labels of the namespace may count.
	usesNamespace bool
	// readsNamespace says that more of the namespace than its labels may count.
	readsNamespace bool
	// calls says that expressions call services, which cannot be answered.
	calls bool
	// idle says that the policy takes no part in admission.
	idle bool
}

func compileCEL(sorted sortedPolicies, cluster *cluster, options Options) (*celPolicies, error) {
	c := &celPolicies{
		cluster: cluster, options: options, matcher: matching.NewMatcher(), schemas: &typeSchemas{cluster: cluster},
		selecting: map[*policiesv1alpha1.PolicyException]bool{},
	}
	var errs []error
	for _, obj := range sorted.celExceptions {
		exception := &policiesv1alpha1.PolicyException{}
		if err := decode(obj, exception); err != nil {
			errs = append(errs, err)
			continue
		}
		inspected, err := inspect(obj)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c.exceptions = append(c.exceptions, exception)
		c.selecting[exception] = inspected.names["namespaceObject"]
	}
	for _, obj := range sorted.cel {
		var err error
		switch strings.TrimPrefix(obj.GetKind(), "Namespaced") {
		case "ValidatingPolicy":
			err = c.validating.add(c, obj)
		case "MutatingPolicy":
			err = c.mutating.add(c, obj)
		case "GeneratingPolicy":
			err = c.generating.add(c, obj)
		case "DeletingPolicy":
			err = c.deleting.add(c, obj)
		case "ImageValidatingPolicy":
			err = c.images.add(c, obj)
		default:
			err = &CompileError{Policy: refOf(obj), Err: fmt.Errorf("%s is no kind of policy", obj.GetKind())}
		}
		errs = append(errs, err)
	}
	return c, errors.Join(errs...)
}

// common returns what is looked up of a policy.
func (c *celPolicies) common(obj *unstructured.Unstructured, constraints *admissionregistrationv1.MatchResources) (celPolicy, error) {
	out := celPolicy{ref: refOf(obj), constraints: []*admissionregistrationv1.MatchResources{constraints}}
	if strings.HasPrefix(obj.GetKind(), "Namespaced") {
		out.only = obj.GetNamespace()
	}
	inspected, err := inspect(obj)
	if err != nil {
		return out, err
	}
	out.usesNamespace = inspected.names["namespaceObject"] || constraints != nil && selects(constraints.NamespaceSelector)
	out.readsNamespace = readsMoreThanLabels(obj)
	out.calls = inspected.names["http"]
	for _, exception := range c.exceptionsFor(out.ref) {
		out.usesNamespace = out.usesNamespace || c.selecting[exception]
	}
	return out, nil
}

// otherFields finds the use of fields of a namespace other than its name and labels.
var otherFields = regexp.MustCompile(`namespaceObject[^\s,)&|=]*(annotations|finalizers|spec|status|creationTimestamp)`)

func readsMoreThanLabels(policy *unstructured.Unstructured) bool {
	text, err := policy.MarshalJSON()
	return err == nil && otherFields.Match(text)
}

// selects reports whether a selector depends on labels.
func selects(selector *metav1.LabelSelector) bool {
	return selector != nil && len(selector.MatchLabels)+len(selector.MatchExpressions) > 0
}

// exceptionsFor returns the exceptions that name a policy.
func (c *celPolicies) exceptionsFor(policy PolicyRef) []*policiesv1alpha1.PolicyException {
	kind := strings.TrimPrefix(policy.Kind, "Namespaced")
	return slices.DeleteFunc(slices.Clone(c.exceptions), func(exception *policiesv1alpha1.PolicyException) bool {
		return !slices.ContainsFunc(exception.Spec.PolicyRefs, func(ref policiesv1alpha1.PolicyRef) bool {
			return ref.Name == policy.Name && strings.TrimPrefix(ref.Kind, "Namespaced") == kind
		})
	})
}

// compileErrors turns what a compiler of Kyverno reports into errors.
func compileErrors(policy PolicyRef, faults field.ErrorList) error {
	var errs []error
	for _, fault := range faults {
		errs = append(errs, &CompileError{Policy: policy, Path: fault.Field, Err: errors.New(fault.ErrorBody())})
	}
	return errors.Join(errs...)
}

// celWork is the evaluation of one phase.
type celWork struct {
	*celPolicies
	work    *evaluation
	context *celContext
	request celengine.EngineRequest
	// wholeNamespace says that the command line shows the policies more of a Namespace than its labels.
	wholeNamespace bool
	// labels of the namespace, and whether they are known.
	labels map[string]string
	known  bool

	// attributes and namespace are what Kyverno's engines make of the request, see load.
	attributes admission.Attributes
	namespace  runtime.Object
}

// begin prepares a phase.
func (c *celPolicies) begin(work *evaluation) (*celWork, error) {
	request, err := admissionRequest(work)
	if err != nil {
		return nil, err
	}
	if work.resource.mapping == nil {
		request.Resource = metav1.GroupVersionResource(guessResource(work.resource.kind))
	}
	if c.options.AsCommandLine {
		request.Kind = metav1.GroupVersionKind(work.resource.kind)
	} else {
		// Of a subresource with a kind of its own, the resource is the parent's, and the kind its own.
		request.RequestResource = &request.Resource
	}
	out := &celWork{celPolicies: c, work: work, context: &celContext{cluster: c.cluster, missing: &recorder{}}}
	out.request = celengine.RequestFromAdmission(out.context, request)
	labels, err := c.cluster.namespaceLabels(&recorder{}, work.request)
	if c.options.AsCommandLine && work.request.NamespaceLabels != nil {
		labels = work.request.NamespaceLabels
	}
	out.labels, out.known = labels, err == nil
	if c.options.AsCommandLine && !out.known {
		out.known = true
	}
	return out, nil
}

// load reads the request as Kyverno's engines do.
func (w *celWork) load() error {
	request := w.request.Request
	object, old, err := admissionutils.ExtractResources(nil, request)
	if err != nil {
		return err
	}
	w.attributes = admission.NewAttributesRecord(&object, &old,
		schema.GroupVersionKind(request.Kind), request.Namespace, request.Name, schema.GroupVersionResource(request.Resource),
		request.SubResource, admission.Operation(request.Operation), nil, w.work.request.DryRun, nil)
	if request.Namespace != "" {
		w.namespace = w.resolve(request.Namespace)
	}
	return nil
}

// resolve implements the resolver of namespaces.
func (w *celWork) resolve(name string) *corev1.Namespace {
	if w.labels == nil && w.options.AsCommandLine && w.work.request.NamespaceLabels == nil {
		return nil
	}
	namespace := &corev1.Namespace{}
	if known := w.cluster.namespace(name); known != nil && (w.wholeNamespace || !w.options.AsCommandLine) {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(known.Object, namespace); err != nil {
			namespace = &corev1.Namespace{}
		}
	}
	namespace.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}
	namespace.Name, namespace.Labels = name, w.labels
	return namespace
}

// concerns reports whether a policy may have something to say about the kind of a request; most have not, and cost no more
// than this.
func (c *celPolicies) concerns(policy celPolicy, work *evaluation) bool {
	if policy.idle || policy.only != "" && policy.only != work.request.subject().GetNamespace() {
		return false
	}
	return policy.mayMatch(work.resource.kind.Group, work.resource.plural())
}

// mayMatch reports whether the resource rules may match a resource; one without a name may be any of the group.
func (p celPolicy) mayMatch(group, resource string) bool {
	return slices.ContainsFunc(p.constraints, func(constraints *admissionregistrationv1.MatchResources) bool {
		return constraints != nil && slices.ContainsFunc(constraints.ResourceRules, func(rule admissionregistrationv1.NamedRuleWithOperations) bool {
			if !slices.Contains(rule.APIGroups, "*") && !slices.Contains(rule.APIGroups, group) {
				return false
			}
			return resource == "" || slices.ContainsFunc(rule.Resources, func(wanted string) bool {
				wanted, _, _ = strings.Cut(wanted, "/")
				return wanted == "*" || wanted == resource
			})
		})
	})
}

// matchesAnyResource reports whether some rule needs no name of the resource.
func (p celPolicy) matchesAnyResource() bool {
	return slices.ContainsFunc(p.constraints, func(constraints *admissionregistrationv1.MatchResources) bool {
		return constraints != nil && slices.ContainsFunc(constraints.ResourceRules, func(rule admissionregistrationv1.NamedRuleWithOperations) bool {
			return slices.Contains(rule.Resources, "*") || slices.Contains(rule.Resources, "*/*")
		})
	})
}

// admits reports whether a policy that may match can be evaluated. If it cannot, a verdict says so.
func (w *celWork) admits(policy celPolicy, does RuleType, enforced bool) bool {
	missing := w.obstacle(policy)
	if missing == nil {
		return true
	}
	w.work.response.add(Verdict{
		Policy: policy.ref, Type: does, Status: Error, Enforced: enforced, Message: missing.Error(), Err: missing,
	})
	return false
}

// obstacle returns what is missing to evaluate a policy that may match, nil if nothing is.
func (w *celWork) obstacle(policy celPolicy) *MissingContextError {
	switch {
	case policy.calls:
		return &MissingContextError{What: "the answer of a service that the policy calls", Supply: "a cluster: it cannot be given"}
	case w.options.AsCommandLine || w.work.request.Payload != nil:
		return nil
	case w.work.resource.mapping == nil && !policy.matchesAnyResource():
		return &MissingContextError{
			What: "the kind " + w.work.resource.kind.GroupKind().String(), Supply: "Data.Objects, as its CustomResourceDefinition",
		}
	case policy.usesNamespace && !w.known:
		return &MissingContextError{
			What: "the labels of Namespace " + w.work.request.subject().GetNamespace(), Supply: "Request.NamespaceLabels or Data.Objects",
		}
	case policy.readsNamespace && w.lacksNamespace():
		return &MissingContextError{What: "Namespace " + w.work.request.subject().GetNamespace(), Supply: "Data.Objects"}
	}
	return nil
}

// lacksNamespace reports whether nothing but the labels of the object's namespace is known.
func (w *celWork) lacksNamespace() bool {
	subject := w.work.request.subject()
	return subject.GetNamespace() != "" && subject.GetKind() != "Namespace" && w.cluster.namespace(subject.GetNamespace()) == nil
}

// settle makes what was judged without data that is missing an error, and forgets it.
func (w *celWork) settle(verdict *Verdict) {
	if err := w.context.missing.first(); err != nil {
		verdict.Status, verdict.Message, verdict.Err = Error, err.Error(), err
	}
	w.context.missing.forget()
}

// phaseOf is what one kind of policies does in a phase.
type phaseOf func(context.Context, *celPolicies, *evaluation) error

// bounded runs a phase and gives up on it when the context ends: Kyverno's programs do not look at the context.
func (c *celPolicies) bounded(ctx context.Context, run phaseOf, work *evaluation) error {
	if ctx.Done() == nil {
		return run(ctx, c, work)
	}
	private := *work
	private.response = &Response{}
	done := make(chan error, 1)
	go func() {
		defer func() {
			// Kyverno's engine is not proof against all that may be in an object.
			if fault := recover(); fault != nil {
				done <- fmt.Errorf("the engine failed: %v", fault)
			}
		}()
		done <- run(ctx, c, &private)
	}()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case err := <-done:
		if err != nil {
			return err
		}
	}
	work.object = private.object
	work.response.add(private.response.Verdicts...)
	work.response.Warnings = append(work.response.Warnings, private.response.Warnings...)
	return nil
}

func (c *celPolicies) mutate(ctx context.Context, work *evaluation) error {
	return c.phase(ctx, len(c.mutating.policies), c.mutating.evaluate, work)
}

func (c *celPolicies) verifyImages(ctx context.Context, work *evaluation) error {
	return c.phase(ctx, len(c.images.policies), c.images.evaluate, work)
}

func (c *celPolicies) validate(ctx context.Context, work *evaluation) error {
	return c.phase(ctx, len(c.validating.policies), c.validating.evaluate, work)
}

func (c *celPolicies) generate(ctx context.Context, work *evaluation) error {
	return c.phase(ctx, len(c.generating.policies), c.generating.evaluate, work)
}

func (c *celPolicies) delete(ctx context.Context, work *evaluation) error {
	return c.phase(ctx, len(c.deleting.policies), c.deleting.evaluate, work)
}

// phase runs a phase that has policies.
func (c *celPolicies) phase(ctx context.Context, policies int, run phaseOf, work *evaluation) error {
	if policies == 0 {
		return nil
	}
	return c.bounded(ctx, run, work)
}
