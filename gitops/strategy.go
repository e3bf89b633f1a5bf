package gitops

import (
	"regexp"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Strategy is the order in which the Applications of an ApplicationSet change. The zero value is Argo CD's AllAtOnce:
// in no order. Progressive syncs are off in the ApplicationSet controller unless an administrator switched them on
// (applicationsetcontroller.enable.progressive.syncs).
type Strategy struct {
	// RollingSync syncs the Applications in steps: those of a step after those of the step before are healthy.
	// Applications that no step selects are synced by nobody. Argo CD itself syncs them, so that automated sync of the
	// template is switched off; its prune setting holds. Default: none.
	RollingSync []RolloutStep
	// DeletionOrder of Applications that go away. Only with RollingSync. Default: all at once. Argo CD 3.2 and later only.
	DeletionOrder DeletionOrder
}

// DeletionOrder is the order in which Applications are deleted.
type DeletionOrder string

// The orders that Argo CD knows.
const (
	DeleteAllAtOnce DeletionOrder = "AllAtOnce"
	// DeleteInReverse deletes the Applications of the last step first.
	DeleteInReverse DeletionOrder = "Reverse"
)

// RolloutStep is one step of a rolling sync.
type RolloutStep struct {
	// MatchExpressions select the Applications by label; all of them must match. Default: every Application.
	MatchExpressions []ApplicationMatch
	// MaxUpdate bounds how many of the selected Applications change at a time: a number, or a percentage such as "10%",
	// rounded down but at least one. 0 and "0%" hold them back until somebody syncs them. Default: no bound.
	MaxUpdate *intstr.IntOrString
}

// ApplicationMatch is a condition on a label of an Application.
type ApplicationMatch struct {
	// Key of the label. Required.
	Key string
	// Operator is "In", the label has one of the values, or "NotIn", it has none of them or is missing. Required.
	Operator string
	// Values of the label. At least one.
	Values []string
}

var percentage = regexp.MustCompile(`^[0-9]{1,9}%$`)

func (s Strategy) validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	for i, step := range s.RollingSync {
		faults = append(faults, step.validate(path.Child("rollingSync").Index(i))...)
	}
	switch s.DeletionOrder {
	case "", DeleteAllAtOnce, DeleteInReverse:
	default:
		orders := []DeletionOrder{DeleteAllAtOnce, DeleteInReverse}
		faults = append(faults, field.NotSupported(path.Child("deletionOrder"), s.DeletionOrder, orders))
	}
	if s.DeletionOrder != "" && len(s.RollingSync) == 0 {
		faults = append(faults, field.Forbidden(path.Child("deletionOrder"), "has no meaning without the steps of a rolling sync"))
	}
	return faults
}

func (s RolloutStep) validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	for i, match := range s.MatchExpressions {
		at := path.Child("matchExpressions").Index(i)
		faults = append(faults, object.RequiredText(at.Child("key"), match.Key)...)
		// argo-cd: applicationset/controllers/applicationset_controller.go, labelMatchedExpression, knows no others.
		if match.Operator != "In" && match.Operator != "NotIn" {
			faults = append(faults, field.NotSupported(at.Child("operator"), match.Operator, []string{"In", "NotIn"}))
		}
		if len(match.Values) == 0 {
			faults = append(faults, field.Required(at.Child("values"), "a label is compared with values"))
		}
		for j, value := range match.Values {
			faults = append(faults, object.Text(at.Child("values").Index(j), value)...)
		}
	}
	if s.MaxUpdate == nil {
		return faults
	}
	// Argo CD logs a value that it cannot read, and then updates one Application at a time or none.
	number := s.MaxUpdate.Type == intstr.Int && s.MaxUpdate.IntVal >= 0
	percent := s.MaxUpdate.Type == intstr.String && percentage.MatchString(s.MaxUpdate.StrVal)
	if !number && !percent {
		faults = append(faults, field.Invalid(path.Child("maxUpdate"), s.MaxUpdate.String(), `must be a number or a percentage, such as "10%"`))
	}
	return faults
}

// build returns nil for the zero value.
func (s Strategy) build() map[string]any {
	if len(s.RollingSync) == 0 {
		return nil
	}
	steps := make([]map[string]any, len(s.RollingSync))
	for i, step := range s.RollingSync {
		var matches []map[string]any
		for _, match := range step.MatchExpressions {
			matches = append(matches, map[string]any{"key": match.Key, "operator": match.Operator, "values": match.Values})
		}
		steps[i] = object.Compact(map[string]any{"matchExpressions": matches, "maxUpdate": step.MaxUpdate})
	}
	return object.Compact(map[string]any{
		"type":          "RollingSync",
		"rollingSync":   map[string]any{"steps": steps},
		"deletionOrder": s.DeletionOrder,
	})
}
