package bootstrap

import (
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	definitionKind  = schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}
	apiServiceKind  = schema.GroupKind{Group: "apiregistration.k8s.io", Kind: "APIService"}
	namespaceKind   = schema.GroupKind{Kind: "Namespace"}
	jobKind         = schema.GroupKind{Group: "batch", Kind: "Job"}
	volumeClaimKind = schema.GroupKind{Kind: "PersistentVolumeClaim"}
)

// scopes knows which kinds are namespaced: from the plan's own definitions,
// which may not be installed yet, and else from discovery.
type scopes struct {
	mapper meta.RESTMapper
	// defined by CustomResourceDefinitions of the plan; true is namespaced.
	defined map[schema.GroupKind]bool
	// aggregated are the API groups that APIServices of the plan bring.
	aggregated map[string]bool
	// namespaces that the plan creates.
	namespaces map[string]bool

	mu         sync.Mutex
	discovered map[schema.GroupVersionKind]bool
}

func newScopes(mapper meta.RESTMapper, rendered []Rendered) *scopes {
	s := &scopes{mapper: mapper, defined: map[schema.GroupKind]bool{}, aggregated: map[string]bool{},
		namespaces: map[string]bool{}, discovered: map[schema.GroupVersionKind]bool{}}
	for _, component := range rendered {
		for _, object := range component.Objects {
			s.learn(object)
		}
	}
	return s
}

func (s *scopes) learn(object *unstructured.Unstructured) {
	group, _, _ := unstructured.NestedString(object.Object, "spec", "group")
	switch object.GroupVersionKind().GroupKind() {
	case definitionKind:
		kind, _, _ := unstructured.NestedString(object.Object, "spec", "names", "kind")
		scope, _, _ := unstructured.NestedString(object.Object, "spec", "scope")
		s.defined[schema.GroupKind{Group: group, Kind: kind}] = scope == "Namespaced"
	case apiServiceKind:
		s.aggregated[group] = true
	case namespaceKind:
		s.namespaces[object.GetName()] = true
	}
}

// brought reports whether the plan installs what serves a kind.
func (s *scopes) brought(kind schema.GroupKind) bool {
	_, defined := s.defined[kind]
	return defined || s.aggregated[kind.Group]
}

// namespaced asks discovery about kinds that the plan does not define. The
// error is a meta.NoKindMatchError for a kind that is not served.
func (s *scopes) namespaced(gvk schema.GroupVersionKind) (bool, error) {
	if namespaced, found := s.defined[gvk.GroupKind()]; found {
		return namespaced, nil
	}
	s.mu.Lock()
	namespaced, found := s.discovered[gvk]
	s.mu.Unlock()
	if found {
		return namespaced, nil
	}
	mapping, err := s.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return false, err
	}
	namespaced = mapping.Scope.Name() == meta.RESTScopeNameNamespace
	s.mu.Lock()
	s.discovered[gvk] = namespaced
	s.mu.Unlock()
	return namespaced, nil
}
