package policy

import (
	"github.com/gobwas/glob"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// ImageValidatingPolicy verifies the signatures and attestations of the images in requests, and in what is in the cluster
// already (Kyverno 1.14 and later).
type ImageValidatingPolicy struct {
	// Name of the policy. Required.
	Name string
	// Namespace to which the policy is confined; it becomes a NamespacedImageValidatingPolicy (Kyverno 1.16 and later).
	// Default: none, it holds in all of the cluster.
	Namespace string
	// Labels and Annotations of the policy itself.
	Labels      map[string]string
	Annotations map[string]string

	// Match selects the requests. Rules without operations are for CREATE and UPDATE. Required.
	Match MatchResources
	// MatchConditions select further: all have to be true. At most 64.
	MatchConditions []NamedExpression
	// Variables are there for what follows, as variables.<name>. Each can use those before it.
	Variables []NamedExpression
	// References select the images that are verified; others pass. Default: all.
	References []ImageReference
	// Images are expressions that yield the images of an object, as images.<name>, for kinds other than Pods and their
	// controllers.
	Images []NamedExpression
	// Attestors are those who are trusted, as attestors.<name>. Default: none.
	Attestors []Attestor
	// Attestations are what can be asked for, as attestations.<name>.
	Attestations []Attestation
	// Validations that all have to be true. At least one.
	Validations []Validation
	// AuditAnnotations of the reports.
	AuditAnnotations []AuditAnnotation
	// Checks beyond the validations, which no release up to 1.17.1 looks at. Default: all.
	Checks ImageChecks
	// Credentials for the registries. Default: none.
	Credentials ImageCredentials
	// Actions on a request that breaks the policy. Default: ActionDeny.
	Actions []ValidationAction
	// FailurePolicy while Kyverno cannot answer. Default: FailClosed.
	FailurePolicy FailurePolicy
	// Autogen derives rules for the controllers of pods. Default: for all that Kyverno knows.
	Autogen Autogen
	// Evaluation says when the policy is evaluated. Default: on requests and in the background.
	Evaluation Evaluation
	// Webhook is how the API server calls Kyverno.
	Webhook Webhook
	// Raw is merged over the spec as a JSON merge patch, for what this struct has no field for.
	Raw map[string]any
}

// ImageReference selects images. One of the two is needed.
type ImageReference struct {
	// Glob over the whole reference, in which "*" stands for anything: "registry.example.com/*".
	Glob string
	// Expression in CEL over the reference, which is the text ref: ref.startsWith("registry.example.com/").
	Expression string
}

// ImageChecks leave out what the API has Kyverno do beyond the validations (spec.validationConfigurations). The code of
// 1.15.2 and of 1.17.1 looks at none of them: say in the validations what has to hold.
type ImageChecks struct {
	// KeepTags leaves the tags of verified images instead of replacing them by digests (mutateDigest). Default: false.
	KeepTags bool
	// AllowTags passes images without a digest (verifyDigest). Default: false.
	AllowTags bool
	// AllowUnverified passes images that no attestor has signed (required). Default: false.
	AllowUnverified bool
}

// ImageCredentials are for the registries that hold the images.
type ImageCredentials struct {
	// AllowInsecureRegistry allows HTTP and certificates that nobody vouches for. Default: false.
	AllowInsecureRegistry bool
	// Providers of credentials: default, amazon, azure, google and github.
	Providers []string
	// Secrets by name, in Kyverno's namespace.
	Secrets []string
}

var credentialProviders = []string{"default", "amazon", "azure", "google", "github"}

// Validate reports every fault that Kyverno or the API server would find, except those in expressions.
func (p ImageValidatingPolicy) Validate() field.ErrorList {
	faults := p.meta().Validate()
	faults = append(faults, p.Match.validate(field.NewPath("match"))...)
	faults = append(faults, validateMatchConditions(field.NewPath("matchConditions"), p.MatchConditions)...)
	faults = append(faults, validateIdentifiers(field.NewPath("variables"), p.Variables)...)
	for i, reference := range p.References {
		faults = append(faults, reference.validate(field.NewPath("references").Index(i))...)
	}
	faults = append(faults, validateIdentifiers(field.NewPath("images"), p.Images)...)
	faults = append(faults, validateAttestors(field.NewPath("attestors"), p.Attestors)...)
	faults = append(faults, validateAttestations(field.NewPath("attestations"), p.Attestations)...)
	if len(p.Validations) == 0 {
		faults = append(faults, field.Required(field.NewPath("validations"), "a policy without a validation verifies nothing"))
	}
	faults = append(faults, validateValidations(field.NewPath("validations"), p.Validations)...)
	faults = append(faults, validateAuditAnnotations(field.NewPath("auditAnnotations"), p.AuditAnnotations)...)
	faults = append(faults, p.Credentials.validate(field.NewPath("credentials"))...)
	faults = append(faults, validateActions(field.NewPath("actions"), p.Actions)...)
	faults = append(faults, validateFailurePolicy(field.NewPath("failurePolicy"), p.FailurePolicy)...)
	faults = append(faults, p.Autogen.validate(field.NewPath("autogen"), p.Match)...)
	faults = append(faults, p.Evaluation.validate(field.NewPath("evaluation"))...)
	faults = append(faults, p.Webhook.validate(field.NewPath("webhook"))...)
	return append(faults, validateRaw(p.Raw)...)
}

// Build returns the policy in the API version that the Kyverno version serves. The error is Invalid, or an
// *UnsupportedError if that version lacks the kind.
func (p ImageValidatingPolicy) Build(kyverno Version) (*unstructured.Unstructured, error) {
	kind, err := celKindIn(p.Namespace, p.Name, "ImageValidatingPolicy", kyverno)
	if err != nil {
		return nil, err
	}
	return celPolicy{kind: kind, meta: p.meta(), spec: p.spec, raw: p.Raw}.build(kyverno, p.Validate())
}

func (p ImageValidatingPolicy) spec() map[string]any {
	spec := object.Compact(map[string]any{
		"matchConstraints":         p.Match.build(writingOperations),
		"matchConditions":          buildNamed(p.MatchConditions),
		"variables":                buildNamed(p.Variables),
		"matchImageReferences":     buildReferences(p.References),
		"images":                   buildNamed(p.Images),
		"attestations":             buildAttestations(p.Attestations),
		"validations":              buildValidations(p.Validations),
		"auditAnnotations":         buildAuditAnnotations(p.AuditAnnotations),
		"validationConfigurations": p.Checks.build(),
		"credentials":              p.Credentials.build(),
		"validationActions":        p.Actions,
		"failurePolicy":            p.FailurePolicy,
		"autogen":                  p.Autogen.build(),
		"evaluation":               p.Evaluation.build(),
		"webhookConfiguration":     p.Webhook.build(),
	})
	// The CRD requires the field, be it empty.
	spec["attestors"] = buildAttestors(p.Attestors)
	return spec
}

func (p ImageValidatingPolicy) meta() object.Meta {
	return object.Meta{Name: p.Name, Namespace: p.Namespace, Labels: p.Labels, Annotations: p.Annotations}
}

// validate compiles the glob as Kyverno does.
// kyverno: pkg/cel/compiler/compiler.go, CompileMatchImageReference
func (r ImageReference) validate(path *field.Path) field.ErrorList {
	faults := validateOneOf(path, texts{{"glob", r.Glob}, {"expression", r.Expression}})
	if len(faults) > 0 || r.Glob == "" {
		return faults
	}
	if _, err := glob.Compile(r.Glob); err != nil {
		return field.ErrorList{field.Invalid(path.Child("glob"), r.Glob, err.Error())}
	}
	return nil
}

func (c ImageCredentials) validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	for i, provider := range c.Providers {
		if provider == "" {
			faults = append(faults, field.Required(path.Child("providers").Index(i), ""))
			continue
		}
		faults = append(faults, validateChoice(path.Child("providers").Index(i), provider, credentialProviders...)...)
	}
	for i, secret := range c.Secrets {
		faults = append(faults, object.Name(path.Child("secrets").Index(i), secret)...)
	}
	return faults
}

func (c ImageCredentials) build() map[string]any {
	return object.Compact(map[string]any{
		"allowInsecureRegistry": c.AllowInsecureRegistry, "providers": c.Providers, "secrets": c.Secrets,
	})
}

func (c ImageChecks) build() map[string]any {
	fields := map[string]any{}
	for name, off := range map[string]bool{"mutateDigest": c.KeepTags, "verifyDigest": c.AllowTags, "required": c.AllowUnverified} {
		if off {
			fields[name] = false
		}
	}
	return fields
}

func buildReferences(references []ImageReference) []any {
	out := make([]any, len(references))
	for i, reference := range references {
		out[i] = object.Compact(map[string]any{"glob": reference.Glob, "expression": reference.Expression})
	}
	return out
}
