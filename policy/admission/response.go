package admission

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Status is how a rule judges a request.
type Status string

// The statuses, as in policy reports.
const (
	Pass  Status = "pass"
	Fail  Status = "fail"
	Warn  Status = "warn"
	Error Status = "error"
	Skip  Status = "skip"
)

// RuleType is what a rule does.
type RuleType string

// The types of rules.
const (
	Validate    RuleType = "validate"
	Mutate      RuleType = "mutate"
	VerifyImage RuleType = "verifyImage"
	Generate    RuleType = "generate"
	Cleanup     RuleType = "delete"
)

// PolicyRef names a policy.
type PolicyRef struct {
	Kind      string
	Namespace string
	Name      string
}

// String returns "Kind namespace/name", or "Kind name".
func (p PolicyRef) String() string {
	if p.Namespace != "" {
		return p.Kind + " " + p.Namespace + "/" + p.Name
	}
	return p.Kind + " " + p.Name
}

// Verdict is what one rule says about a request.
type Verdict struct {
	Policy PolicyRef
	// Rule is its name, with the prefix "autogen-" or "autogen-cronjob-" where Kyverno made it of a rule for pods. Policies
	// of policies.kyverno.io have no named rules.
	Rule   string
	Type   RuleType
	Status Status
	// Enforced says that a verdict of Fail or Error denies the request.
	Enforced bool
	// Message is the rule's, or says what went wrong.
	Message string
	// Path of the field at fault, where the engine names one, such as "/spec/containers/0/image/".
	Path string
	// Exceptions are the keys, "namespace/name", of those that the rule was skipped for.
	Exceptions []string
	// Properties are those that the policy adds to reports.
	Properties map[string]string
	// Target is an existing object as the rule changes it, for rules that mutate others than the object of the request.
	Target *unstructured.Unstructured
	// Generated are the objects that the rule makes.
	Generated []*unstructured.Unstructured
	// Err is a *MissingContextError when data is missing, nil otherwise.
	Err error
}

// denies reports whether the verdict alone denies the request.
func (v Verdict) denies() bool {
	return v.Enforced && (v.Status == Fail || v.Status == Error)
}

// Response is what all policies together say about a request.
type Response struct {
	// Verdicts in the order of admission: mutate, verify images, validate, generate, delete. Rules that do not match the
	// request give none.
	Verdicts []Verdict
	// Object is the object of the request after all mutations, nil for Delete.
	Object *unstructured.Unstructured
	// Generated are the objects that policies make because of the request.
	Generated []*unstructured.Unstructured
	// Warnings are what the client is told of a request that is admitted.
	Warnings []string

	original *unstructured.Unstructured
}

// Allowed reports whether the request is admitted.
func (r *Response) Allowed() bool { return !slices.ContainsFunc(r.Verdicts, Verdict.denies) }

// Denials returns the verdicts that deny the request.
func (r *Response) Denials() []Verdict {
	return slices.DeleteFunc(slices.Clone(r.Verdicts), func(v Verdict) bool { return !v.denies() })
}

func (r *Response) add(verdicts ...Verdict) {
	r.Verdicts = append(r.Verdicts, verdicts...)
	for _, verdict := range verdicts {
		r.Generated = append(r.Generated, verdict.Generated...)
	}
}
