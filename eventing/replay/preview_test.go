package replay_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/eventing/replay"
)

func previews(t testing.TB, allowForks bool) []*unstructured.Unstructured {
	t.Helper()
	built, err := eventing.PreviewPullRequests{
		Name: "preview", Namespace: bus.Namespace, AllowForks: allowForks,
		GitHub: eventing.GitHub{
			Listener: eventing.Listener{Port: 12000, Endpoint: "/github"}, Repositories: map[string][]string{"acme": {"shop"}},
			Secret: &eventing.SecretKey{Name: "gate", Key: "token"},
		},
		Workflow: object(t, `
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {labels: {team: shop}}
spec: {entrypoint: test, arguments: {parameters: [{name: goal, value: all}]}}
`),
		Responder: eventing.HTTPTrigger{URL: "https://responder.platform:8443/"},
	}.Objects()
	require.NoError(t, err)
	return built
}

// pullRequest is what GitHub sends, in the parts that matter; head is the ID of the repository that the branch is in.
func pullRequest(event, action, revision, updated, head string) string {
	return "POST /github\nContent-Type: application/json\nX-GitHub-Delivery: 1\nX-GitHub-Event: " + event + "\nX-Hub-Signature-256: %s\n\n" + fmt.Sprintf(
		`{"action":%q,"number":7,"repository":{"id":1,"full_name":"acme/shop","clone_url":"https://git.example.com/acme/shop.git"},`+
			`"pull_request":{"updated_at":%q,"head":{"sha":%q,"repo":%s}}}`, action, updated, revision, head)
}

func TestPullRequestsOfGitHubStartWorkflows(t *testing.T) {
	const own, fork, gone = `{"id":1}`, `{"id":2}`, "null"
	built := previews(t, false)
	sources, err := replay.NewSources(append(built, gateSecret(t)))
	require.NoError(t, err)
	started := []string{"build", "pending"}
	tests := map[string]struct {
		request    string
		allowForks bool
		want       []string
	}{
		"it is opened":                      {request: pullRequest("pull_request", "opened", "a1", "1", own), want: started},
		"a commit is pushed":                {request: pullRequest("pull_request", "synchronize", "a1", "1", own), want: started},
		"it is reopened":                    {request: pullRequest("pull_request", "reopened", "a1", "1", own), want: started},
		"it is closed":                      {request: pullRequest("pull_request", "closed", "a1", "1", own), want: []string{"close"}},
		"it gets a label":                   {request: pullRequest("pull_request", "labeled", "a1", "1", own)},
		"a comment on it":                   {request: pullRequest("pull_request_review", "opened", "a1", "1", own)},
		"one from a fork":                   {request: pullRequest("pull_request", "opened", "a1", "1", fork)},
		"one from a fork that was deleted":  {request: pullRequest("pull_request", "opened", "a1", "1", gone)},
		"one from a fork that is closed":    {request: pullRequest("pull_request", "closed", "a1", "1", fork), want: []string{"close"}},
		"one from a fork where it is meant": {request: pullRequest("pull_request", "opened", "a1", "1", fork), allowForks: true, want: started},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := received(t, sources, test.request, "s3cret").Event
			outcome := send(t, session(t, replay.Options{}, sensorsOf(previews(t, test.allowForks))...), *e)
			var triggers []string
			for _, firing := range outcome.Firings {
				triggers = append(triggers, firing.Trigger())
				action, err := firing.Action(t.Context())
				require.NoError(t, err)
				if action.Object == nil {
					require.Equal(t, map[string]any{"repository": "acme/shop", "number": 7.0, "revision": "a1"}, kept(t, action.Payload))
				}
			}
			slices.Sort(triggers)
			require.Equal(t, test.want, triggers)
		})
	}

	request, err := replay.ReadRequest([]byte(signedWith(pullRequest("pull_request", "opened", "a1", "1", own), "other")))
	require.NoError(t, err)
	_, err = sources.Receive(request, "1", noon)
	refused := new(replay.RequestError)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusBadRequest, refused.Status)
}

func TestEachEventOfAPullRequestHasOneWorkflow(t *testing.T) {
	built := previews(t, false)
	sources, err := replay.NewSources(append(built, gateSecret(t)))
	require.NoError(t, err)
	workflow := func(revision, updated string) *unstructured.Unstructured {
		e := received(t, sources, pullRequest("pull_request", "synchronize", revision, updated, `{"id":1}`), "s3cret").Event
		outcome := send(t, session(t, replay.Options{}, sensorsOf(built)...), *e)
		for _, firing := range outcome.Firings {
			if firing.Trigger() == "build" {
				action, err := firing.Action(t.Context())
				require.NoError(t, err)
				require.Equal(t, "patch", action.Operation)
				return action.Object
			}
		}
		require.Fail(t, "no Workflow")
		return nil
	}
	first := workflow("a1", "1")
	require.Regexp(t, `^preview-7-[0-9a-f]{12}$`, first.GetName())
	want := object(t, `
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {namespace: shop, labels: {team: shop, eventing.backbone.dev/recipe: preview}}
spec:
  entrypoint: test
  arguments:
    parameters:
    - {name: goal, value: all}
    - {name: repository, value: acme/shop}
    - {name: url, value: "https://git.example.com/acme/shop.git"}
    - {name: number, value: "7"}
    - {name: revision, value: a1}
`)
	want.SetName(first.GetName())
	for name, value := range first.GetLabels() {
		if strings.HasPrefix(name, "events.argoproj.io/") { // set by upstream
			labels := want.GetLabels()
			labels[name] = value
			want.SetLabels(labels)
		}
	}
	if diff := cmp.Diff(want.Object, first.Object); diff != "" {
		t.Errorf("Workflow (-want +got):\n%s", diff)
	}
	require.Equal(t, first.GetName(), workflow("a1", "1").GetName(), "a second delivery")
	require.NotEqual(t, first.GetName(), workflow("a1", "2").GetName(), "the same commit, reopened")
	require.NotEqual(t, first.GetName(), workflow("b2", "1").GetName(), "another commit")
}

func TestWorkflowsThatEndAreSentOnce(t *testing.T) {
	const arguments = `"spec":{"arguments":{"parameters":[{"name":"repository","value":"acme/shop"},{"name":"number","value":"7"},{"name":"revision","value":"a1"}]}}`
	workflow := func(status string) string {
		return `{"metadata":{"name":"preview-7-0"},` + arguments + `,"status":` + status + `}`
	}
	for name, test := range map[string]struct {
		old  string
		want int
	}{
		"it was running":           {workflow(`{"phase":"Running"}`), 1},
		"it had no status":         {workflow("null"), 1},
		"it is there after a stop": {"null", 1},
		"it had ended before":      {workflow(`{"phase":"Failed","message":"x"}`), 0},
	} {
		t.Run(name, func(t *testing.T) {
			e := event(t, "build", `{"type":"UPDATE","body":`+workflow(`{"phase":"Failed","message":"child failed"}`)+`,"oldBody":`+test.old+`}`)
			e.SetSource("preview-builds")
			outcome := send(t, session(t, replay.Options{}, sensorsOf(previews(t, false))...), e)
			require.Len(t, outcome.Firings, test.want)
			if test.want == 0 {
				return
			}
			require.Equal(t, "result", outcome.Firings[0].Trigger())
			action, err := outcome.Firings[0].Action(t.Context())
			require.NoError(t, err)
			require.Equal(t, map[string]any{
				"repository": "acme/shop", "number": 7.0, "revision": "a1", "workflow": "preview-7-0", "phase": "Failed", "message": "child failed",
			}, kept(t, action.Payload))
		})
	}
}

func sensorsOf(all []*unstructured.Unstructured) []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(all), func(obj *unstructured.Unstructured) bool { return obj.GetKind() != "Sensor" })
}

func signedWith(request, secret string) string {
	_, body, _ := strings.Cut(request, "\n\n")
	return fmt.Sprintf(request, signature(secret, body))
}

func received(t *testing.T, sources *replay.Sources, request, secret string) replay.Received {
	t.Helper()
	read, err := replay.ReadRequest([]byte(signedWith(request, secret)))
	require.NoError(t, err)
	got, err := sources.Receive(read, "1", noon)
	require.NoError(t, err)
	require.NotNil(t, got.Event)
	return got
}

// kept is what the event of a payload holds of a commit.
func kept(t *testing.T, payload []byte) map[string]any {
	t.Helper()
	var whole struct{ Data []byte }
	require.NoError(t, json.Unmarshal(payload, &whole))
	data := map[string]any{}
	require.NoError(t, json.Unmarshal(whole.Data, &data))
	for _, name := range []string{"action", "ended", "event", "fork", "updated", "url"} {
		delete(data, name)
	}
	return data
}
