package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/flow"
	"github.com/controlbackbone/backbone/internal/target"
)

const (
	namespace = "platform-events"
	// name is that of the event source, the sensor and the Secret with the tokens of both.
	name = "slo-burn"
	// alertPort is where the event source listens in a cluster with containers.
	alertPort = 12000
)

// recipeStage serves a Responder that acts through gitops, and declares how alerts get there.
func (s *shop) recipeStage(ctx context.Context, progress flow.Progress) (string, error) {
	source, err := s.Target.Endpoint(ctx, target.Service{Namespace: namespace, Name: name + "-eventsource-svc", Port: alertPort})
	if err != nil {
		return "", err
	}
	token := rand.Text()
	mux := http.NewServeMux()
	url, err := s.Serve(ctx, mux)
	if err != nil {
		return "", err
	}
	s.token, s.alerts = rand.Text(), "http://"+source.Local+"/alertmanager"
	recipe := eventing.RollbackOnBurn{
		Name: name, Namespace: namespace,
		Alerts: eventing.Alertmanager{
			Listener: eventing.Listener{Port: int32(source.Listen)}, Auth: &eventing.SecretKey{Name: name, Key: "alertmanager"},
		},
		Responder: eventing.HTTPTrigger{
			URL: url + "/alerts", SecretHeaders: map[string]eventing.SecretKey{"Authorization": {Name: name, Key: "responder"}},
		},
	}
	responder, err := s.responder(recipe, token)
	if err != nil {
		return "", err
	}
	mux.Handle("/alerts", responder)
	mux.Handle("/pages", s.pages)
	s.pages.url = url + "/pages"

	objects, err := recipe.Objects()
	if err != nil {
		return "", err
	}
	secret := map[string]string{"alertmanager": s.token, "responder": "Bearer " + token}
	if err := s.DeployEvents(ctx, progress, client.ObjectKey{Namespace: namespace, Name: name}, secret, objects...); err != nil {
		return "", err
	}
	return "Alertmanager -> event source -> JetStream -> sensor -> Responder, with a token on either side", nil
}

// responder rolls back and restores through gitops. What it remembers is in the cluster: a restart loses nothing.
func (s *shop) responder(recipe eventing.RollbackOnBurn, token string) (*eventing.Responder, error) {
	s.incidents = eventing.KubernetesIncidents{Client: s.Client, Namespace: namespace, Name: name}
	handle, err := recipe.Handle(eventing.RollbackActions{
		RollBack: func(ctx context.Context, application types.NamespacedName) (bool, error) {
			result, err := s.argocd.Rollback(ctx, application.Name, gitops.RollbackRequest{InitiatedBy: name})
			if history := new(gitops.HistoryError); errors.As(err, &history) {
				err = eventing.Permanent(err) // there is nothing to return to, and trying again does not change it
			}
			return len(result.Steps) > 0, err
		},
		Restore: func(ctx context.Context, application types.NamespacedName) error {
			return s.argocd.RestoreAutomation(ctx, application.Name)
		},
		Notify:    s.pages.page,
		Incidents: s.incidents,
	})
	if err != nil {
		return nil, err
	}
	return eventing.NewResponder(eventing.ResponderOptions{
		Handle:         handle,
		Authentication: eventing.Bearer{Tokens: eventing.FixedKeys(token)},
		// A rollback waits until the release is deployed and healthy.
		HandleTimeout: time.Minute,
		Store:         eventing.KubernetesStore{Client: s.Client, Namespace: namespace, Name: name},
		DeadLetters:   eventing.KubernetesDeadLetters{Client: s.Client, Namespace: namespace, Name: name},
	})
}
