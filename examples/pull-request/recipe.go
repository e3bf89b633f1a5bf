package main

import (
	"context"
	"crypto/rand"
	"embed"
	"io/fs"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/flow"
	"github.com/controlbackbone/backbone/internal/target"
)

//go:embed platform
var platform embed.FS

const (
	namespace = "platform-events"
	// name is that of the recipe and of its Secret.
	name = "preview"
	// hookPort is where the event source listens in a cluster with containers.
	hookPort = 12000
	// buildImage has a shell and git.
	buildImage = "alpine/git:v2.49.1"
)

// build is the Workflow of a commit: it builds, which is to clone here, and tests.
const build = `
apiVersion: argoproj.io/v1alpha1
kind: Workflow
spec:
  entrypoint: all
  serviceAccountName: builder
  ttlStrategy: {secondsAfterCompletion: 3600}
  templates:
  - name: all
    container:
      image: ` + buildImage + `
      # Not into the script, where it could become a part of it.
      env:
      - {name: URL, value: "{{workflow.parameters.url}}"}
      - {name: REVISION, value: "{{workflow.parameters.revision}}"}
      command: [sh, -ec]
      args:
      - |
        cd "$(mktemp -d)"
        git clone --quiet "$URL" .
        git checkout --quiet "$REVISION"
        grep -q 'release: "[0-9]*"' shop/shop.yaml
`

// builder is the account of the Workflow's pods, with the rights of the executor.
var builder = []*unstructured.Unstructured{
	{Object: map[string]any{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": "builder", "namespace": namespace}}},
	{Object: map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": map[string]any{"name": "builder", "namespace": namespace},
		"rules": []any{map[string]any{
			"apiGroups": []any{"argoproj.io"}, "resources": []any{"workflowtaskresults"}, "verbs": []any{"create", "patch"},
		}},
	}},
	{Object: map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": map[string]any{"name": "builder", "namespace": namespace},
		"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "builder"},
		"subjects": []any{map[string]any{"kind": "ServiceAccount", "name": "builder", "namespace": namespace}},
	}},
}

// repositoryStage makes the repository, whose one branch is that of the pull request, and the project of its previews.
func (s *shop) repositoryStage(ctx context.Context, progress flow.Progress) (string, error) {
	files, err := fs.Sub(platform, "platform")
	if err != nil {
		return "", err
	}
	if err := s.CreateRepository(ctx, files, "Release 1"); err != nil {
		return "", err
	}
	s.argocd = gitops.NewClient(s.Client, gitops.ClientOptions{})
	project, err := gitops.AppProject{
		Name: "previews", SourceRepos: []string{s.RepositoryURL}, Destinations: []gitops.Destination{{Namespace: "preview-*"}},
		AllowClusterKinds: []metav1.GroupKind{{Kind: "Namespace"}}, // A preview brings its own.
	}.Build()
	if err != nil {
		return "", err
	}
	progress.Say("applying the project of previews")
	return "previews may deploy this repository to namespaces preview-*, and nothing else", s.argocd.Apply(ctx, project)
}

// recipeStage serves GitHub's API and a Responder that previews through gitops, and declares how webhooks get there.
func (s *shop) recipeStage(ctx context.Context, progress flow.Progress) (string, error) {
	source, err := s.Target.Endpoint(ctx, target.Service{Namespace: namespace, Name: name + "-eventsource-svc", Port: hookPort})
	if err != nil {
		return "", err
	}
	workflow := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(build), &workflow.Object); err != nil {
		return "", err
	}
	mux := http.NewServeMux()
	url, err := s.Serve(ctx, mux)
	if err != nil {
		return "", err
	}
	recipe := eventing.PreviewPullRequests{
		Name: name, Namespace: namespace, Workflow: workflow,
		GitHub: eventing.GitHub{
			Listener:     eventing.Listener{Port: int32(source.Listen), Endpoint: "/github"},
			Repositories: map[string][]string{"acme": {"shop"}}, Secret: &eventing.SecretKey{Name: name, Key: "webhook"},
		},
		Responder: eventing.HTTPTrigger{
			URL: url + "/events", SecretHeaders: map[string]eventing.SecretKey{"Authorization": {Name: name, Key: "responder"}},
		},
	}
	token := rand.Text()
	responder, err := s.responder(recipe, token)
	if err != nil {
		return "", err
	}
	mux.Handle("/events", responder)
	mux.Handle("/repos/", s.github)
	s.github.hook, s.github.secret, s.github.cloneURL, s.github.url = "http://"+source.Local+"/github", rand.Text(), s.RepositoryURL, url

	objects, err := recipe.Objects()
	if err != nil {
		return "", err
	}
	secret := map[string]string{"webhook": s.github.secret, "responder": "Bearer " + token}
	if err := s.DeployEvents(ctx, progress, client.ObjectKey{Namespace: namespace, Name: name}, secret, append(builder, objects...)...); err != nil {
		return "", err
	}
	return "GitHub -> event source -> JetStream -> sensor -> Workflow and Responder, signed and with a token", nil
}

func (s *shop) responder(recipe eventing.PreviewPullRequests, token string) (*eventing.Responder, error) {
	handle, err := recipe.Handle(eventing.PreviewActions{
		Current: s.github.current, Create: s.createPreview, Remove: s.removePreview, Report: s.github.report,
	})
	if err != nil {
		return nil, err
	}
	return eventing.NewResponder(eventing.ResponderOptions{
		Handle:         handle,
		Authentication: eventing.Bearer{Tokens: eventing.FixedKeys(token)},
		// A preview is created when it is deployed and healthy.
		HandleTimeout: time.Minute,
		Store:         eventing.KubernetesStore{Client: s.Client, Namespace: namespace, Name: name},
		DeadLetters:   eventing.KubernetesDeadLetters{Client: s.Client, Namespace: namespace, Name: name},
	})
}
