package policy

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Evaluation says when a policy is evaluated, and on what.
type Evaluation struct {
	// Mode is what the policy is for. Default: ModeKubernetes.
	Mode EvaluationMode
	// SkipAdmission leaves out requests. Default: false, requests are judged.
	SkipAdmission bool
	// SkipBackground leaves out the reports on what is in the cluster already, which expressions that need the request's
	// user cannot be evaluated for. Default: false, it is reported on.
	SkipBackground bool
}

// EvaluationMode is what a policy is for.
type EvaluationMode string

const (
	// ModeKubernetes is for requests to a cluster and what is in it.
	ModeKubernetes EvaluationMode = "Kubernetes"
	// ModeJSON is for any document that Kyverno's command line or library is given. The cluster leaves the policy alone.
	ModeJSON EvaluationMode = "JSON"
)

func (e Evaluation) validate(path *field.Path) field.ErrorList {
	return validateChoice(path.Child("mode"), e.Mode, ModeKubernetes, ModeJSON)
}

func (e Evaluation) build() map[string]any {
	return object.Compact(map[string]any{
		"mode":       e.Mode,
		"admission":  switchedOff(e.SkipAdmission),
		"background": switchedOff(e.SkipBackground),
	})
}

// Webhook is how the API server calls Kyverno for a policy.
type Webhook struct {
	// TimeoutSeconds after which the call fails, 1 to 30. Default: Kyverno's own, 10.
	TimeoutSeconds int32
}

const longestTimeout = 30

func (w Webhook) validate(path *field.Path) field.ErrorList {
	if w.TimeoutSeconds < 0 || w.TimeoutSeconds > longestTimeout {
		return field.ErrorList{field.Invalid(path.Child("timeoutSeconds"), w.TimeoutSeconds, "the API server takes 1 to 30")}
	}
	return nil
}

func (w Webhook) build() map[string]any {
	return object.Compact(map[string]any{"timeoutSeconds": w.TimeoutSeconds})
}
