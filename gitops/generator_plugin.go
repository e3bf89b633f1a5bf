package gitops

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// PluginGenerator yields the sets of parameters that a service of the platform answers with, and
// `.generator.input.parameters`. The tool of the same name is [Plugin].
type PluginGenerator struct {
	// ConfigMap in Argo CD's namespace that holds the service's address and names its token. Required.
	ConfigMap string
	// Parameters that the service is asked with: anything that JSON can express.
	Parameters map[string]any
	// Values are further parameters, as `.values.<key>`, which the service does not see; they may be templates.
	Values map[string]string
	// RequeueAfter is the time between questions, in whole seconds. Default: Argo CD's own, 30 min.
	RequeueAfter time.Duration
}

func (g PluginGenerator) validate(path *field.Path, _ depth) field.ErrorList {
	faults := requireText(path.Child("configMap"), g.ConfigMap, templated{})
	faults = append(faults, validateRaw(path.Child("parameters"), g.Parameters, templated{})...)
	faults = append(faults, validateValues(path.Child("values"), g.Values)...)
	return append(faults, validateRequeue(path.Child("requeueAfter"), g.RequeueAfter)...)
}

func (g PluginGenerator) build() map[string]any {
	return map[string]any{"plugin": object.Compact(map[string]any{
		"configMapRef":        map[string]any{"name": g.ConfigMap},
		"input":               object.Compact(map[string]any{"parameters": g.Parameters}),
		"values":              g.Values,
		"requeueAfterSeconds": seconds(g.RequeueAfter),
	})}
}
