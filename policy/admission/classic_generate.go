package admission

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/kyverno/kyverno/api/kyverno"
	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"github.com/kyverno/kyverno/pkg/autogen"
	"github.com/kyverno/kyverno/pkg/background/generate"
	"github.com/kyverno/kyverno/pkg/clients/dclient"
	"github.com/kyverno/kyverno/pkg/config"
	"github.com/kyverno/kyverno/pkg/engine"
	"github.com/kyverno/kyverno/pkg/engine/adapters"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	"github.com/kyverno/kyverno/pkg/imageverifycache"
	"github.com/kyverno/kyverno/pkg/logging"
	webhookutils "github.com/kyverno/kyverno/pkg/webhooks/utils"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
)

// generate makes what the background controller would make of an admitted request.
func (c *classicPolicies) generate(ctx context.Context, work *evaluation) error {
	return c.each(ctx, work, func(p classicPolicy) bool { return p.makes },
		func(ctx context.Context, engine engineapi.Engine, policy classicPolicy, policyContext *engine.PolicyContext) error {
			response := engine.ApplyBackgroundChecks(ctx, policyContext)
			if response.IsEmpty() {
				return nil
			}
			made, err := c.carryOut(response, policyContext)
			if err != nil {
				work.response.add(Verdict{Policy: policy.ref, Type: Generate, Status: Error, Message: err.Error()})
				return nil //nolint:nilerr // it is the verdict
			}
			if response.PolicyResponse.Rules = made; len(made) > 0 {
				c.add(work, policy, response)
			}
			return nil
		})
}

// carryOut has the controller of Kyverno that generates write into memory, beside the objects that Data gives as sources.
// kyverno: cmd/cli/kubectl-kyverno/processor/generate.go
func (c *classicPolicies) carryOut(response engineapi.EngineResponse, policyContext *engine.PolicyContext) ([]engineapi.RuleResponse, error) {
	trigger := policyContext.NewResource()
	if trigger.Object == nil {
		trigger = policyContext.OldResource()
		policyContext = policyContext.WithNewResource(trigger)
	}
	objects := []runtime.Object{trigger.DeepCopy()}
	for _, byName := range c.cluster.objects {
		for _, obj := range byName {
			if obj.GetKind() != trigger.GetKind() || obj.GetName() != trigger.GetName() || obj.GetNamespace() != trigger.GetNamespace() {
				objects = append(objects, obj.DeepCopy())
			}
		}
	}
	resources := sets.New[schema.GroupVersionResource]()
	lists := map[schema.GroupVersionResource]string{}
	for _, obj := range objects {
		gvk := obj.GetObjectKind().GroupVersionKind()
		plural, _ := meta.UnsafeGuessKindToResource(gvk)
		resources.Insert(plural)
		lists[plural] = gvk.Kind + "List"
	}
	onDeletion := map[string]bool{}
	for _, rule := range autogen.Default.ComputeRules(policyContext.Policy(), "") {
		if rule.HasGenerate() {
			addCloned(lists, rule)
			onDeletion[rule.Name] = webhookutils.MatchDeleteOperation(rule)
		}
	}
	client, err := dclient.NewFakeClient(runtime.NewScheme(), lists, objects...)
	if err != nil {
		return nil, err
	}
	client.SetDiscovery(dclient.NewFakeDiscoveryClient(resources.UnsortedList()))
	controller := generate.NewGenerateControllerWithOnlyClient(client, engine.NewEngine(
		c.configuration, config.NewDefaultMetricsConfiguration(), c.jmespath, adapters.Client(client), registries{c.cluster},
		imageverifycache.DisabledImageVerifyCache(), c.loaderFor, nil, nil,
	))
	var out []engineapi.RuleResponse
	for _, rule := range response.PolicyResponse.Rules {
		if !c.options.AsCommandLine {
			switch {
			case rule.Status() == engineapi.RuleStatusPass:
			case rule.Status() != engineapi.RuleStatusFail:
				out = append(out, rule)
				continue
			case policyContext.Operation() != kyvernov1.Delete || !onDeletion[rule.Name()]:
				continue // the request ends what the rule was for: Kyverno deletes what it keeps synchronised
			default:
				rule = *engineapi.RulePass(rule.Name(), engineapi.Generation, "", nil)
			}
		}
		made, err := controller.ApplyGeneratePolicy(logging.GlobalLogger(), policyContext, []string{rule.Name()})
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", rule.Name(), err)
		}
		var specs []kyvernov1.ResourceSpec
		for _, spec := range made {
			specs = append(specs, spec...)
		}
		generated, err := controller.GetUnstrResources(specs)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", rule.Name(), err)
		}
		if !c.options.AsCommandLine {
			for _, obj := range generated {
				dropBookkeeping(obj)
			}
		}
		out = append(out, *rule.WithGeneratedResources(generated))
	}
	return out, nil
}

// dropBookkeeping removes the labels by which Kyverno finds what it has generated.
// kyverno: pkg/background/common/labels.go, ManageLabels; pkg/background/generate/generate.go
func dropBookkeeping(obj *unstructured.Unstructured) {
	labels := obj.GetLabels()
	maps.DeleteFunc(labels, func(key, value string) bool {
		return strings.HasPrefix(key, "generate.kyverno.io/") || key == kyverno.LabelAppManagedBy && value == kyverno.ValueKyvernoApp
	})
	if obj.SetLabels(labels); len(labels) == 0 {
		unstructured.RemoveNestedField(obj.Object, "metadata", "labels")
	}
}

// addCloned makes the kinds of a rule's clone list known, which may have no object.
func addCloned(lists map[schema.GroupVersionResource]string, rule kyvernov1.Rule) {
	for _, selector := range rule.Generation.CloneList.Kinds {
		version, kind, found := cutLast(selector, "/")
		group, err := schema.ParseGroupVersion(version)
		if !found || err != nil {
			continue
		}
		plural, _ := meta.UnsafeGuessKindToResource(group.WithKind(kind))
		lists[plural] = kind + "List"
	}
}

func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return "", text, false
	}
	return text[:i], text[i+len(separator):], true
}
