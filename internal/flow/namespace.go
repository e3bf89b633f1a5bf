package flow

import "context"

// Ownership are the labels that the platform asks of every namespace.
func Ownership() map[string]string { return map[string]string{"owner": "platform-team"} }

// ApplyNamespace makes a namespace that the platform's policies admit.
func (f *Flow) ApplyNamespace(ctx context.Context, name string) error {
	namespace := NewObject("v1", "Namespace", "", name)
	namespace.SetLabels(Ownership())
	return f.ApplyObjects(ctx, namespace)
}
