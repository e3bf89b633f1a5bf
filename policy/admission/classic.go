package admission

import (
	"context"
	"errors"
	"slices"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	kyvernov2 "github.com/kyverno/kyverno/api/kyverno/v2"
	"github.com/kyverno/kyverno/pkg/autogen"
	"github.com/kyverno/kyverno/pkg/config"
	"github.com/kyverno/kyverno/pkg/engine"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	"github.com/kyverno/kyverno/pkg/engine/jmespath"
	"github.com/kyverno/kyverno/pkg/exceptions"
	"github.com/kyverno/kyverno/pkg/imageverifycache"
	"github.com/kyverno/kyverno/pkg/utils/match"
	policyvalidation "github.com/kyverno/kyverno/pkg/validation/policy"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// classicPolicies are those of kyverno.io, evaluated by Kyverno's engine.
type classicPolicies struct {
	policies      []classicPolicy
	cleanups      []cleanupPolicy
	exceptions    exceptionList
	configuration config.Configuration
	jmespath      jmespath.Interface
	cluster       *cluster
	options       Options
}

// classicPolicy is a policy with what is looked up for each request.
type classicPolicy struct {
	kyvernov1.PolicyInterface
	ref PolicyRef
	// kinds are those that its rules match, autogen included; rules without any match every kind.
	kinds    []string
	anyKind  bool
	selects  bool // by the labels of namespaces, or reads them
	mutates  bool // the object of the request
	existing bool // mutates existing objects
	verifies bool
	judges   bool
	makes    bool
	failOpen bool
	// changesOn are operations that rules which change the object of a request name.
	changesOn []kyvernov1.AdmissionOperation
	// conditions of its webhook, nil for none.
	conditions *callConditions
	// authorizes says that expressions ask what the user may do.
	authorizes bool
}

func compileClassic(sorted sortedPolicies, cluster *cluster, options Options) (*classicPolicies, error) {
	configuration, err := configurationIn(cluster)
	if err != nil {
		return nil, err
	}
	out := &classicPolicies{
		configuration: configuration, jmespath: jmespath.New(configuration), cluster: cluster, options: options,
	}
	var errs []error
	for _, obj := range sorted.classic {
		if isCleanup(obj.GetKind()) {
			policy, err := compileCleanup(obj)
			out.cleanups = append(out.cleanups, policy)
			errs = append(errs, err)
			continue
		}
		policy, err := compileClassicPolicy(obj)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out.policies = append(out.policies, policy)
	}
	for _, obj := range sorted.classicExceptions {
		exception := &kyvernov2.PolicyException{}
		if err := decode(obj, exception); err != nil {
			errs = append(errs, err)
			continue
		}
		out.exceptions = append(out.exceptions, exception)
		if selectsNamespaces(obj) {
			out.markSelecting(exception)
		}
	}
	return out, errors.Join(errs...)
}

func compileClassicPolicy(obj *unstructured.Unstructured) (classicPolicy, error) {
	policy := classicPolicy{ref: refOf(obj)}
	if obj.GetKind() == "Policy" {
		policy.PolicyInterface = &kyvernov1.Policy{}
	} else {
		policy.PolicyInterface = &kyvernov1.ClusterPolicy{}
	}
	if err := decode(obj, policy.PolicyInterface); err != nil {
		return policy, err
	}
	// What Kyverno's webhook for policies refuses. Permissions, which need a cluster, are left out.
	account := config.KyvernoUserName(config.KyvernoServiceAccountName())
	checked := policy.CreateDeepCopy()
	if webhook := checked.GetSpec().WebhookConfiguration; webhook != nil {
		webhook.MatchConditions = nil // Kyverno asks the cluster for its version to allow these
	}
	if _, err := policyvalidation.Validate(checked, nil, nil, true, account, account); err != nil {
		return policy, &CompileError{Policy: policy.ref, Err: err}
	}
	spec := policy.GetSpec()
	// Server-side apply needs a server; the merge is the same (kyverno: cmd/cli/kubectl-kyverno/policy/load.go).
	spec.UseServerSideApply = false
	policy.mutates = spec.HasMutateStandard()
	policy.existing = spec.HasMutateExisting()
	policy.verifies = spec.HasVerifyImages()
	policy.makes = spec.HasGenerate()
	policy.judges = slices.ContainsFunc(spec.Rules, func(rule kyvernov1.Rule) bool {
		return rule.HasValidate() || rule.HasVerifyImageChecks()
	})
	policy.failOpen = spec.GetFailurePolicy(context.Background()) == kyvernov1.Ignore //nolint:forbidigo // it only reads a feature flag
	policy.authorizes = authorizes(spec)
	var err error
	if policy.conditions, err = compileConditions(policy.ref, spec, policy.failOpen); err != nil {
		return policy, err
	}
	for _, rule := range autogen.Default.ComputeRules(policy.PolicyInterface, "") {
		kinds := rule.MatchResources.GetKinds()
		policy.anyKind = policy.anyKind || len(kinds) == 0
		policy.kinds = append(policy.kinds, kinds...)
		if rule.HasMutateStandard() || rule.HasVerifyImages() {
			for _, filter := range append(rule.MatchResources.Any, rule.MatchResources.All...) {
				policy.changesOn = append(policy.changesOn, filter.Operations...)
			}
			policy.changesOn = append(policy.changesOn, rule.MatchResources.Operations...)
		}
	}
	policy.selects = selectsNamespaces(obj)
	return policy, nil
}

// selectsNamespaces reports whether a policy or an exception may depend on the labels of namespaces.
func selectsNamespaces(obj *unstructured.Unstructured) bool {
	text, err := obj.MarshalJSON()
	return err != nil || strings.Contains(string(text), `"namespaceSelector"`) || strings.Contains(string(text), "namespaceObject")
}

// markSelecting makes the policies that an exception names depend on what the exception depends on.
func (c *classicPolicies) markSelecting(exception *kyvernov2.PolicyException) {
	for i := range c.policies {
		for _, one := range exception.Spec.Exceptions {
			c.policies[i].selects = c.policies[i].selects || one.PolicyName == c.policies[i].ref.Name ||
				one.PolicyName == c.policies[i].ref.Namespace+"/"+c.policies[i].ref.Name
		}
	}
}

// engineFor returns Kyverno's engine with a client that knows the namespace of the request: the engine asks for it without
// saying on whose behalf.
func (c *classicPolicies) engineFor(work *evaluation) engineapi.Engine {
	live := !c.options.AsCommandLine
	return engine.NewEngine(
		c.configuration, config.NewDefaultMetricsConfiguration(), c.jmespath, requestClient{clusterClient{c.cluster}, work.request, c.options.AsCommandLine},
		registries{c.cluster}, imageverifycache.DisabledImageVerifyCache(), c.loaderFor, exceptions.New(c.exceptions), &live,
	)
}

// requestClient answers with the namespace of a request.
type requestClient struct {
	clusterClient
	request       Request
	asCommandLine bool
}

// GetNamespace implements engineapi.ResourceClient. What depends on labels has been looked up before.
func (c requestClient) GetNamespace(_ context.Context, name string, _ metav1.GetOptions) (*corev1.Namespace, error) {
	if name == "" || c.asCommandLine {
		// The command line has no Namespace to give. Kyverno 1.15 asks for the namespace of objects that have none, and then
		// passes over exceptions.
		return nil, notFound(schema.GroupKind{Kind: "Namespace"}, client.ObjectKey{})
	}
	labels, err := c.namespaceLabels(&recorder{}, c.request)
	if err != nil {
		labels = map[string]string{corev1.LabelMetadataName: name}
	}
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, nil
}

// exceptionList implements the lister of Kyverno's exceptions.
type exceptionList []*kyvernov2.PolicyException

// List implements exceptions.Lister.
func (l exceptionList) List(labels.Selector) ([]*kyvernov2.PolicyException, error) { return l, nil }

// concerns reports whether a rule of the policy may match the kind of a request.
func (p classicPolicy) concerns(r resource) bool {
	return p.anyKind || match.CheckKind(p.kinds, r.kind, r.subresource, true)
}

// isCalledToChange reports whether the webhook that changes objects is called: by default for what is created and updated.
// kyverno: pkg/controllers/webhook/controller.go, mergeWebhook
func (p classicPolicy) isCalledToChange(request Request) bool {
	operation := request.operation()
	return operation == Create || operation == Update || slices.Contains(p.changesOn, kyvernov1.AdmissionOperation(operation))
}

// loaderFor returns the loader of a rule's context.
func (c *classicPolicies) loaderFor(policy kyvernov1.PolicyInterface, rule kyvernov1.Rule) engineapi.ContextLoader {
	loader := contextLoader{cluster: c.cluster, onlyValues: c.options.AsCommandLine}
	for _, variables := range c.options.Data.Variables {
		if variables.Rule == "" || !nameIs(variables.Policy, policy.GetName()) {
			continue
		}
		switch rule.Name {
		case variables.Rule, "autogen-" + variables.Rule, "autogen-cronjob-" + variables.Rule:
			loader.values = merge(loader.values, variables.Values)
			if c.options.AsCommandLine {
				return loader // kyverno: cmd/cli/kubectl-kyverno/store/store.go, GetPolicyRule
			}
		}
	}
	return loader
}

func nameIs(wanted, name string) bool { return wanted == "" || wanted == name }

func merge(into, from map[string]any) map[string]any {
	if into == nil {
		into = map[string]any{}
	}
	for key, value := range from {
		into[key] = value
	}
	return into
}

// classicPhase is what a phase does with one policy.
type classicPhase func(context.Context, engineapi.Engine, classicPolicy, *engine.PolicyContext) error

// each calls do with every policy that a phase is for and that may concern the request.
func (c *classicPolicies) each(ctx context.Context, work *evaluation, wanted func(classicPolicy) bool, do classicPhase) error {
	shared := sharedContext{policies: c, work: work}
	var kyverno engineapi.Engine
	for _, policy := range c.policies {
		if !wanted(policy) || !policy.concerns(work.resource) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		called, err := c.calls(ctx, policy, work)
		if err != nil {
			verdict := Verdict{Policy: policy.ref, Type: policy.firstType(), Status: Error, Enforced: !policy.failOpen, Message: err.Error()}
			if errors.As(err, new(*MissingContextError)) {
				verdict.Err = err
			}
			work.response.add(verdict)
			continue
		}
		if !called {
			continue
		}
		missing := &recorder{}
		ctx := withRecorder(ctx, missing)
		policyContext, err := shared.of(ctx, policy)
		if errors.As(err, new(*MissingContextError)) {
			work.response.add(Verdict{
				Policy: policy.ref, Type: policy.firstType(), Status: Error, Enforced: !policy.failOpen, Message: err.Error(), Err: err,
			})
			continue
		}
		if err != nil {
			return err
		}
		if kyverno == nil {
			kyverno = c.engineFor(work)
		}
		before := len(work.response.Verdicts)
		if err := do(ctx, kyverno, policy, policyContext); err != nil {
			return err
		}
		markMissing(work.response.Verdicts[before:], missing, policy.failOpen)
	}
	return nil
}

// markMissing makes what was judged without data that is missing an error.
func markMissing(verdicts []Verdict, missing *recorder, failOpen bool) {
	err := missing.first()
	if err == nil {
		return
	}
	for i := range verdicts {
		if verdicts[i].Status == Error {
			verdicts[i].Err = err
			verdicts[i].Message = err.Error()
			return
		}
	}
	if len(verdicts) > 0 {
		last := &verdicts[len(verdicts)-1]
		last.Status, last.Err, last.Message, last.Enforced = Error, err, err.Error(), !failOpen
	}
}

func (p classicPolicy) firstType() RuleType {
	switch {
	case p.judges:
		return Validate
	case p.mutates, p.existing:
		return Mutate
	case p.verifies:
		return VerifyImage
	default:
		return Generate
	}
}
