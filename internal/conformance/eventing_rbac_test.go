package conformance_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/eventing"
)

// The API server itself judges what the account of a sensor may do.
func TestSensorRBACGrantsWhatTheTriggersNeedAndNoMore(t *testing.T) {
	c := kube(t)
	home, target := namespace(t, c), namespace(t, c)
	sensor := eventing.Sensor{
		Name: "sync", Namespace: home,
		Dependencies: []eventing.Dependency{{Name: "push", EventSource: "git", Event: "push"}},
		Triggers: []eventing.SensorTrigger{{
			Name: "sync", Trigger: eventing.ArgoCDTrigger{Namespace: target, Application: "shop"},
		}},
	}
	rights, err := sensor.RBAC()
	require.NoError(t, err)
	require.NoError(t, eventing.NewClient(c, eventing.ClientOptions{}).Apply(t.Context(), rights...))

	tests := map[string]struct {
		namespace, verb, resource, name string
		want                            bool
	}{
		"it reads its Application":               {target, "get", "applications", "shop", true},
		"it patches its Application":             {target, "patch", "applications", "shop", true},
		"it does not create its Application":     {target, "create", "applications", "shop", false},
		"it does not delete its Application":     {target, "delete", "applications", "shop", false},
		"it does not list Applications":          {target, "list", "applications", "", false},
		"it does not patch another Application":  {target, "patch", "applications", "bank", false},
		"it does not patch projects":             {target, "patch", "appprojects", "shop", false},
		"it has no rights in its own namespace":  {home, "patch", "applications", "shop", false},
		"it has no rights in the whole cluster":  {"", "patch", "applications", "shop", false},
		"it has no rights in a third namespace ": {"default", "get", "applications", "shop", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: "system:serviceaccount:" + home + ":sync-sensor",
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: test.namespace, Verb: test.verb, Group: "argoproj.io", Version: "v1alpha1", Resource: test.resource, Name: test.name,
				},
			}}
			require.NoError(t, c.Create(t.Context(), review, &client.CreateOptions{}))
			require.Equal(t, test.want, review.Status.Allowed, review.Status.Reason)
		})
	}
}
