package conformance_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	httptrigger "github.com/argoproj/argo-events/pkg/sensors/triggers/http"
	sharedutil "github.com/argoproj/argo-events/pkg/shared/util"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/controlbackbone/backbone/eventing"
)

// Upstream's own trigger sends the events, and its retries see a failure as one.
func TestAResponderReceivesWhatAnHTTPTriggerSends(t *testing.T) {
	var ids []string
	made, err := eventing.NewResponder(eventing.ResponderOptions{
		Authentication: eventing.NoAuthentication{},
		MaxAttempts:    3,
		Handle: func(_ context.Context, event eventing.Event) error {
			ids = append(ids, event.ID)
			if event.Attempt == 1 {
				return errors.New("no luck")
			}
			return nil
		},
	})
	require.NoError(t, err)
	server := httptest.NewServer(made)
	defer server.Close()
	sensor := upstreamSensor(t, nil, eventing.HTTPTrigger{
		URL: server.URL, Payload: []eventing.Parameter{{From: eventing.WholeEvent{Dependency: "push"}}},
	})
	clients := sharedutil.NewStringKeyedMap[*http.Client]()
	trigger, err := httptrigger.NewHTTPTrigger(clients, sensor, &sensor.Spec.Triggers[0], zap.NewNop().Sugar())
	require.NoError(t, err)
	events := map[string]*v1alpha1.Event{"push": {
		Context: &v1alpha1.EventContext{ID: "6b1f", SpecVersion: "1.0", Type: "webhook"}, Data: []byte(`{"body":{"ref":"main"}}`),
	}}
	var got []bool
	for range 3 {
		resource, err := trigger.FetchResource(t.Context())
		require.NoError(t, err)
		resource, err = trigger.ApplyResourceParameters(events, resource)
		require.NoError(t, err)
		response, err := trigger.Execute(t.Context(), events, resource)
		require.NoError(t, err)
		got = append(got, trigger.ApplyPolicy(t.Context(), response) == nil)
	}
	if diff := cmp.Diff([]bool{false, true, true}, got); diff != "" {
		t.Errorf("attempts that upstream takes for a success (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"6b1f", "6b1f"}, ids); diff != "" {
		t.Errorf("what was handled (-want +got):\n%s", diff)
	}
}
