package preview

import (
	"encoding/json"
	"fmt"
	"strings"
)

// MissingInputError says which data to add to the [Inputs] so that an ApplicationSet can be expanded without a network.
type MissingInputError struct {
	// ApplicationSet as "namespace/name".
	ApplicationSet string
	// Path of the generator that asks, such as "spec.generators[0].matrix.generators[1].pullRequest", or of the field
	// of the template that refers to something unknown.
	Path string
	// Input is the field of [Inputs] to add to, such as "Repositories".
	Input string
	// Need is what to add: a repository's URL and revision, an object's kind and name. It holds no credentials.
	Need string
}

func (e *MissingInputError) Error() string {
	return fmt.Sprintf("ApplicationSet %s: %s: add %s to Inputs.%s", e.ApplicationSet, e.Path, e.Need, e.Input)
}

// ExpandError says why an ApplicationSet comes to no Applications.
type ExpandError struct {
	// ApplicationSet as "namespace/name".
	ApplicationSet string
	// Path of the generator or field at fault, such as "spec.generators[0].matrix.generators[1].git".
	Path string
	// Parameters that the template could not be rendered with, or that yield an Application that Argo CD refuses. Nil
	// if there are none yet.
	Parameters map[string]any
	// Application that Argo CD refuses. Empty while there is none.
	Application string
	// Reason is the one that the controller gives in the conditions of the ApplicationSet, such as
	// "ApplicationGenerationFromParamsError", "RenderTemplateParamsError" or "ApplicationValidationError". Empty where the
	// API server refuses the Application.
	Reason string
	// Err is the cause.
	Err error
}

func (e *ExpandError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "ApplicationSet %s: %s: ", e.ApplicationSet, e.Path)
	if e.Application != "" {
		fmt.Fprintf(&text, "Application %s: ", e.Application)
	} else if e.Parameters != nil {
		fmt.Fprintf(&text, "with parameters %s: ", shortened(e.Parameters))
	}
	text.WriteString(maskText(e.Err.Error()))
	return text.String()
}

// Unwrap returns the cause.
func (e *ExpandError) Unwrap() error { return e.Err }

// shortened tells parameter sets apart without flooding an error.
func shortened(parameters map[string]any) string {
	const limit = 200
	data, err := json.Marshal(parameters)
	if err != nil {
		return fmt.Sprintf("that are no JSON (%v)", err)
	}
	text := []rune(maskText(string(data)))
	if len(text) > limit {
		return string(text[:limit]) + "..."
	}
	return string(text)
}
