package replay_test

import (
	"context"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/eventing/replay"
)

// What the event source sends is what the recipe handles, and of it only what Argo CD has compared anew.
func TestTheGateSeesWhatWasComparedAnew(t *testing.T) {
	gate := eventing.GateSync{
		Name: "gate", Namespace: bus.Namespace, Selector: "sync=gated",
		Responder: eventing.HTTPTrigger{URL: "https://responder.platform:8443/"},
	}
	built, err := gate.Objects()
	require.NoError(t, err)
	s := session(t, replay.Options{}, built[len(built)-1])

	const now = `{"metadata":{"name":"shop","namespace":"argocd","uid":"u","resourceVersion":"1"},"spec":{"source":{"path":"deploy"}},
		"status":{"sync":{"status":"OutOfSync","revision":"a"},"reconciledAt":"2026-03-02T01:00:00Z","health":{"status":"Healthy"}}}`
	tests := map[string]struct {
		// old is a merge patch that makes of the Application what it was before; one that appears was not.
		old     string
		appears bool
		want    string
	}{
		"it appears":                         {appears: true, want: "a"},
		"it was in sync":                     {old: `{"status":{"sync":{"status":"Synced"}}}`, want: "a"},
		"it had another revision":            {old: `{"status":{"sync":{"revision":"0"}}}`, want: "a"},
		"it had several revisions":           {old: `{"status":{"sync":{"revisions":["0","1"]}}}`, want: "a"},
		"it was compared before":             {old: `{"status":{"reconciledAt":"2026-03-02T00:57:00Z"}}`, want: "a"},
		"it had never been compared":         {old: `{"status":null}`, want: "a"},
		"it had no status of a comparison":   {old: `{"status":{"sync":null}}`, want: "a"},
		"only its health changes":            {old: `{"status":{"health":{"status":"Progressing"}}}`},
		"only an operation goes on":          {old: `{"operation":{"sync":{}},"status":{"operationState":{"phase":"Running"}}}`},
		"only an annotation changes":         {old: `{"metadata":{"annotations":{"argocd.argoproj.io/refresh":"normal"}}}`},
		"only a version and a label change":  {old: `{"metadata":{"resourceVersion":"0","labels":{"a":"b"}}}`},
		"nothing but its spec":               {old: `{"spec":{"source":{"path":"x"}}}`},
		"its old status is of another shape": {old: `{"status":[]}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			old := "null"
			if !test.appears {
				patched, err := jsonpatch.MergePatch([]byte(now), []byte(test.old))
				require.NoError(t, err)
				old = string(patched)
			}
			e := event(t, "compared", `{"type":"UPDATE","body":`+now+`,"oldBody":`+old+`,"group":"argoproj.io","version":"v1alpha1","resource":"applications"}`)
			e.SetSource("gate")
			outcome := send(t, s, e)
			if test.want == "" {
				require.Empty(t, outcome.Firings)
				return
			}
			require.Len(t, outcome.Firings, 1)
			action, err := outcome.Firings[0].Action(t.Context())
			require.NoError(t, err)
			require.NotContains(t, string(action.Payload), "Healthy")

			var judged []eventing.GatedApplication
			require.NoError(t, handleGate(t, gate, action.Payload, &judged))
			want := eventing.GatedApplication{Revision: test.want, Object: &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
				"metadata": map[string]any{"name": "shop", "namespace": "argocd"},
				"spec":     map[string]any{"source": map[string]any{"path": "deploy"}},
			}}}
			require.Empty(t, cmp.Diff([]eventing.GatedApplication{want}, judged))
		})
	}
}

// handleGate hands what a trigger sends to the recipe, and notes what it syncs.
func handleGate(t *testing.T, gate eventing.GateSync, payload []byte, synced *[]eventing.GatedApplication) error {
	t.Helper()
	handle, err := gate.Handle(eventing.GateActions{
		Render: func(context.Context, eventing.GatedApplication) ([]*unstructured.Unstructured, error) {
			return nil, nil
		},
		Judge: func(context.Context, eventing.GatedApplication, []*unstructured.Unstructured) ([]eventing.Denial, error) {
			return nil, nil
		},
		Sync: func(_ context.Context, application eventing.GatedApplication) error {
			*synced = append(*synced, application)
			return nil
		},
		Report: func(context.Context, eventing.GateReport) error { return nil },
	})
	require.NoError(t, err)
	return handle(t.Context(), eventing.Event{ID: "a", Received: noon, Body: payload})
}
