package eventing

import (
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Until makes a trigger wait for labels on the object it changed, which something
// else puts there.
type Until struct {
	// Labels that the object must have. At least one is required.
	Labels map[string]string
	// Retry says how often the object is looked at. Default: 5 times, with pauses of
	// 1, 2, 4 and 8 seconds.
	Retry *Retry
	// IgnoreTimeout makes the trigger succeed when the labels do not appear.
	// Default: it fails and is tried again. Upstream's default is to succeed.
	IgnoreTimeout bool
}

func (u *Until) validate(path *field.Path) field.ErrorList {
	if u == nil {
		return nil
	}
	var faults field.ErrorList
	if len(u.Labels) == 0 {
		faults = append(faults, field.Required(path.Child("labels"), "at least one label is required"))
	}
	faults = append(faults, metav1validation.ValidateLabels(u.Labels, path.Child("labels"))...)
	return append(faults, u.Retry.validateOptional(path.Child("retry"))...)
}

// policy is upstream's form, or nothing for no wait.
func (u *Until) policy() map[string]any {
	if u == nil {
		return nil
	}
	return map[string]any{"k8s": map[string]any{
		"labels": u.Labels, "backoff": retrySpec(u.Retry), "errorOnBackoffTimeout": !u.IgnoreTimeout,
	}}
}
