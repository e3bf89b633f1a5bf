package admission

import (
	"fmt"

	"github.com/kyverno/kyverno/pkg/config"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// configurationIn returns Kyverno's configuration: the ConfigMap kyverno/kyverno of Data, or one that filters nothing.
func configurationIn(c *cluster) (config.Configuration, error) {
	out := config.NewDefaultConfiguration(false)
	obj := c.objects[schema.GroupKind{Kind: "ConfigMap"}][client.ObjectKey{Namespace: "kyverno", Name: "kyverno"}]
	if obj == nil {
		return out, nil
	}
	settings := &corev1.ConfigMap{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, settings); err != nil {
		return nil, fmt.Errorf("read ConfigMap kyverno/kyverno: %w", err)
	}
	out.Load(settings)
	return out, nil
}

// filters reports whether the configuration keeps a request from all policies of Kyverno.
// kyverno: pkg/webhooks/handlers/filter.go
func (c *classicPolicies) filters(work *evaluation) bool {
	if c.options.AsCommandLine {
		return false
	}
	user, subject := work.request.User, work.request.subject()
	namespace := subject.GetNamespace()
	if subject.GetKind() == "Namespace" {
		namespace = subject.GetName()
	}
	return c.configuration.IsExcluded(user.Name, user.Groups, user.Roles, user.ClusterRoles) ||
		c.configuration.ToFilter(work.resource.kind, work.resource.subresource, namespace, subject.GetName())
}
