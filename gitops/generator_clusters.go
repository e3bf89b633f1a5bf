package gitops

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Clusters yields one set of parameters for each cluster that Argo CD knows: `.name`, `.nameNormalized`, `.server`,
// `.metadata.labels`, `.metadata.annotations`.
type Clusters struct {
	// Selector of the clusters' Secrets by label. Default: every cluster, the one that Argo CD runs in included.
	Selector metav1.LabelSelector
	// FlatList yields a single set with all clusters in `.clusters`, for one Application over all of them. Default:
	// false, one set for each.
	FlatList bool
	// Values are further parameters, as `.values.<key>`; they may be templates themselves.
	Values map[string]string
}

// ClusterDecisionResource yields one set of parameters for each cluster that another controller has decided for: `.name`
// and `.server` of the cluster, and the fields of the decision. The decisions are in the status of a resource, such as a
// PlacementDecision of Open Cluster Management.
type ClusterDecisionResource struct {
	// ConfigMap in Argo CD's namespace that says which kind the resource has and where its status holds the decisions.
	// Required.
	ConfigMap string
	// Name of the resource, or Selector of several by label. Exactly one of them.
	Name     string
	Selector metav1.LabelSelector
	// Values are further parameters, as `.values.<key>`.
	Values map[string]string
	// RequeueAfter is the time between looks at the resource, in whole seconds. Default: Argo CD's own, 3 min.
	RequeueAfter time.Duration
}

func (g Clusters) validate(path *field.Path, _ depth) field.ErrorList {
	faults := validateSelector(path.Child("selector"), g.Selector)
	return append(faults, validateValues(path.Child("values"), g.Values)...)
}

func (g Clusters) build() map[string]any {
	out := object.Compact(map[string]any{"values": g.Values, "flatList": g.FlatList})
	if !isEmptySelector(g.Selector) {
		out["selector"] = g.Selector
	}
	return map[string]any{"clusters": out}
}

func (g ClusterDecisionResource) validate(path *field.Path, _ depth) field.ErrorList {
	faults := requireText(path.Child("configMap"), g.ConfigMap, templated{})
	faults = append(faults, templated{}.text(path.Child("name"), g.Name)...)
	// argo-cd: applicationset/generators/duck_type.go rejects both and neither.
	switch selects := !isEmptySelector(g.Selector); {
	case g.Name == "" && !selects:
		faults = append(faults, field.Required(path.Child("name"), "the decisions are read from a resource with a name or a selector"))
	case g.Name != "" && selects:
		faults = append(faults, field.Forbidden(path.Child("selector"), "resources are found by name or by selector, not both"))
	}
	faults = append(faults, validateSelector(path.Child("selector"), g.Selector)...)
	faults = append(faults, validateValues(path.Child("values"), g.Values)...)
	return append(faults, validateRequeue(path.Child("requeueAfter"), g.RequeueAfter)...)
}

func (g ClusterDecisionResource) build() map[string]any {
	out := object.Compact(map[string]any{
		"configMapRef":        g.ConfigMap,
		"name":                g.Name,
		"values":              g.Values,
		"requeueAfterSeconds": seconds(g.RequeueAfter),
	})
	if !isEmptySelector(g.Selector) {
		out["labelSelector"] = g.Selector
	}
	return map[string]any{"clusterDecisionResource": out}
}
