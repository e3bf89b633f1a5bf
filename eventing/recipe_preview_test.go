package eventing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/eventing"
)

var previewRecipe = eventing.PreviewPullRequests{
	Name: "preview", Namespace: "previews",
	GitHub: eventing.GitHub{
		Listener: eventing.Listener{Port: 12000, Endpoint: "/github"}, Repositories: map[string][]string{"acme": {"shop"}},
		Secret: &eventing.SecretKey{Name: "preview", Key: "webhook"},
	},
	Workflow: &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": map[string]any{"entrypoint": "test"},
	}},
	Responder: eventing.HTTPTrigger{URL: "https://responder.platform:8443/", SecretHeaders: map[string]eventing.SecretKey{"Authorization": {Name: "preview", Key: "responder"}}},
}

// forge is what the recipe of previews acts on: GitHub with one pull request, and where its preview is.
type forge struct {
	revision string
	closed   bool
	// closes makes the pull request close while its preview is created.
	closes bool
	did    []string
	fail   map[string]int
}

func (f *forge) do(what string) error {
	if f.fail[what] > 0 {
		f.fail[what]--
		return errors.New("not now")
	}
	f.did = append(f.did, what)
	return nil
}

func (f *forge) actions() eventing.PreviewActions {
	return eventing.PreviewActions{
		Current: func(_ context.Context, repository string, number int) (eventing.PullRequest, error) {
			if f.fail["current"] > 0 {
				f.fail["current"]--
				return eventing.PullRequest{}, errors.New("not now")
			}
			return eventing.PullRequest{Repository: repository, Number: number, Revision: f.revision, Open: !f.closed}, nil
		},
		Create: func(_ context.Context, pullRequest eventing.PullRequest) (string, error) {
			f.closed = f.closed || f.closes
			return "https://7.preview.example.com", f.do("create " + pullRequest.Revision)
		},
		Remove: func(_ context.Context, pullRequest eventing.PullRequest) error {
			return f.do(fmt.Sprintf("remove %s#%d", pullRequest.Repository, pullRequest.Number))
		},
		Report: func(_ context.Context, status eventing.PullRequestStatus) error {
			return f.do(strings.TrimSpace(fmt.Sprintf("%s %s %s", status.Revision, status.State, status.URL)))
		},
	}
}

// previewing is a responder of the recipe.
type previewing struct {
	*httptest.Server
	*eventing.Responder
	forge *forge
	sent  int
}

func newPreviewing(t *testing.T, f *forge) *previewing {
	t.Helper()
	if f.fail == nil {
		f.fail = map[string]int{}
	}
	handle, err := previewRecipe.Handle(f.actions())
	require.NoError(t, err)
	responder, err := eventing.NewResponder(eventing.ResponderOptions{Handle: handle, Authentication: eventing.NoAuthentication{}})
	require.NoError(t, err)
	server := httptest.NewServer(responder)
	t.Cleanup(server.Close)
	return &previewing{Server: server, Responder: responder, forge: f}
}

// send posts what the sensor leaves of an event, and returns the status of the answer.
func (p *previewing) send(t *testing.T, data string) int {
	t.Helper()
	p.sent++
	return p.sendAs(t, fmt.Sprint(p.sent), data)
}

func (p *previewing) sendAs(t *testing.T, id, data string) int {
	t.Helper()
	event, err := json.Marshal(v1alpha1.Event{Context: &v1alpha1.EventContext{ID: id, SpecVersion: "1.0"}, Data: []byte(data)})
	require.NoError(t, err)
	response, err := http.Post(p.URL, "application/json", strings.NewReader(string(event))) //nolint:noctx // it is the test's own server
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

func pullRequestOf(action, revision string) string {
	return fmt.Sprintf(`{"action":%q,"repository":"acme/shop","number":7,"revision":%q}`, action, revision)
}

func workflowOf(phase, revision string) string {
	return fmt.Sprintf(`{"phase":%q,"repository":"acme/shop","number":7,"revision":%q,"workflow":"preview-7-0","message":"child failed"}`, phase, revision)
}

func TestPullRequestsArePreviewed(t *testing.T) {
	const success = "a1 success https://7.preview.example.com"
	tests := map[string]struct {
		forge forge
		data  []string
		want  []string
	}{
		"it is opened":                    {forge{revision: "a1"}, []string{pullRequestOf("opened", "a1")}, []string{"a1 pending"}},
		"its Workflow succeeds":           {forge{revision: "a1"}, []string{workflowOf("Succeeded", "a1")}, []string{"create a1", success}},
		"its Workflow succeeds twice":     {forge{revision: "a1"}, []string{workflowOf("Succeeded", "a1"), workflowOf("Succeeded", "a1")}, []string{"create a1", success, "create a1", success}},
		"its Workflow fails":              {forge{revision: "a1"}, []string{workflowOf("Failed", "a1")}, []string{"a1 failure"}},
		"its Workflow cannot run":         {forge{revision: "a1"}, []string{workflowOf("Error", "a1")}, []string{"a1 error"}},
		"a newer commit was pushed":       {forge{revision: "b2"}, []string{workflowOf("Succeeded", "a1")}, []string{"a1 success"}},
		"it is closed":                    {forge{revision: "a1", closed: true}, []string{pullRequestOf("closed", "a1")}, []string{"remove acme/shop#7"}},
		"it was reopened since":           {forge{revision: "a1"}, []string{pullRequestOf("closed", "a1")}, nil},
		"it was closed before it was run": {forge{revision: "a1", closed: true}, []string{workflowOf("Succeeded", "a1")}, []string{"remove acme/shop#7", "a1 success"}},
		"it closes while it is deployed":  {forge{revision: "a1", closes: true}, []string{workflowOf("Succeeded", "a1")}, []string{"create a1", "remove acme/shop#7", "a1 success"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPreviewing(t, &test.forge)
			for _, data := range test.data {
				require.Equal(t, http.StatusOK, p.send(t, data))
			}
			if diff := cmp.Diff(test.want, p.forge.did); diff != "" {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatFailsOfAPreviewIsDoneAgain(t *testing.T) {
	p := newPreviewing(t, &forge{revision: "a1", fail: map[string]int{"current": 1, "create a1": 1, "a1 success https://7.preview.example.com": 1}})
	for range 3 {
		require.Equal(t, http.StatusInternalServerError, p.sendAs(t, "a", workflowOf("Succeeded", "a1")))
	}
	require.Equal(t, http.StatusOK, p.sendAs(t, "a", workflowOf("Succeeded", "a1")))
	require.Equal(t, []string{"create a1", "create a1", "a1 success https://7.preview.example.com"}, p.forge.did)

	p = newPreviewing(t, &forge{revision: "a1", closed: true, fail: map[string]int{"remove acme/shop#7": 1}})
	require.Equal(t, http.StatusInternalServerError, p.sendAs(t, "b", pullRequestOf("closed", "a1")))
	require.Equal(t, http.StatusOK, p.sendAs(t, "b", pullRequestOf("closed", "a1")))
	require.Equal(t, []string{"remove acme/shop#7"}, p.forge.did)
}

func TestADescriptionIsAsLongAsGitHubTakes(t *testing.T) {
	var descriptions []string
	handle, err := previewRecipe.Handle(eventing.PreviewActions{
		Current: (&forge{}).actions().Current, Create: (&forge{}).actions().Create, Remove: (&forge{}).actions().Remove,
		Report: func(_ context.Context, status eventing.PullRequestStatus) error {
			descriptions = append(descriptions, status.Description)
			return nil
		},
	})
	require.NoError(t, err)
	body, err := json.Marshal(v1alpha1.Event{Data: []byte(strings.Replace(workflowOf("Failed", "a1"), "child failed", strings.Repeat("ü", 500), 1))})
	require.NoError(t, err)
	require.NoError(t, handle(t.Context(), eventing.Event{ID: "a", Body: body}))
	require.Len(t, descriptions, 1)
	require.Len(t, []rune(descriptions[0]), 140)
}

func TestWhatIsNoPullRequestIsKeptAsADeadLetter(t *testing.T) {
	for name, data := range map[string]string{
		"another object":        `{"hello":1}`,
		"no object":             `[1]`,
		"no number":             `{"action":"opened","repository":"acme/shop","revision":"a1"}`,
		"a number that is none": `{"action":"opened","repository":"acme/shop","revision":"a1","number":"seven"}`,
		"no commit":             pullRequestOf("opened", ""),
		"neither kind":          pullRequestOf("", "a1"),
	} {
		t.Run(name, func(t *testing.T) {
			p := newPreviewing(t, &forge{})
			require.Equal(t, http.StatusOK, p.send(t, data))
			require.Empty(t, p.forge.did)
			letters, err := p.DeadLetters(t.Context())
			require.NoError(t, err)
			require.Len(t, letters, 1)
		})
	}
}

func TestThePreviewRecipeIsASoundSet(t *testing.T) {
	recipe := previewRecipe
	recipe.Workflow = recipe.Workflow.DeepCopy()
	recipe.Workflow.SetNamespace("builds")
	objects, err := recipe.Objects()
	require.NoError(t, err)
	require.Empty(t, previewRecipe.Workflow.GetLabels(), "the recipe is not changed")
	bus, err := eventing.EventBus{Namespace: recipe.Namespace, Bus: eventing.JetStream{}}.Build()
	require.NoError(t, err)
	require.Empty(t, eventing.Check(append(objects, bus)))

	var rules []string
	for _, obj := range objects {
		if obj.GetKind() == "Role" {
			for _, rule := range obj.Object["rules"].([]any) {
				rules = append(rules, fmt.Sprint(obj.GetNamespace(), " ", rule.(map[string]any)["resources"], " ", rule.(map[string]any)["verbs"]))
			}
		}
	}
	slices.Sort(rules)
	require.Equal(t, []string{"builds [workflows] [create]", "builds [workflows] [get patch]", "builds [workflows] [list watch]"}, rules)
}

func TestFaultsOfThePreviewRecipeHaveTheirPaths(t *testing.T) {
	workflow := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "batch/v1", "kind": "Job", "metadata": map[string]any{"name": "a", "generateName": "b", "namespace": "A"},
		"spec": map[string]any{"arguments": map[string]any{"parameters": []any{map[string]any{"name": "goal"}, map[string]any{"name": "revision"}}}},
	}}
	for name, test := range map[string]struct {
		recipe eventing.PreviewPullRequests
		want   []string
	}{
		"nothing is set": {eventing.PreviewPullRequests{}, []string{"name", "namespace", "gitHub.listener.port", "gitHub.secret", "workflow", "responder.url"}},
		"much is wrong": {
			eventing.PreviewPullRequests{
				Name: strings.Repeat("a", 33), Namespace: "a", EventBus: "A", Workflow: workflow,
				Responder: eventing.HTTPTrigger{URL: "https://a", Payload: []eventing.Parameter{{From: eventing.WholeEvent{Dependency: "x"}}}},
			},
			[]string{
				"name", "eventBus", "workflow.kind", "workflow.metadata.name", "workflow.metadata.generateName", "workflow.metadata.namespace",
				"workflow.spec.arguments.parameters[1].name", "responder.payload",
			},
		},
		"arguments that are no list": {
			eventing.PreviewPullRequests{Workflow: &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"arguments": "x"}}}},
			[]string{"workflow.spec.arguments.parameters"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var paths []string
			for _, fault := range test.recipe.Validate() {
				paths = append(paths, fault.Field)
			}
			require.Subset(t, paths, test.want)
			_, err := test.recipe.Objects()
			require.Error(t, err)
		})
	}
	_, err := previewRecipe.Handle(eventing.PreviewActions{})
	require.Error(t, err)
}
