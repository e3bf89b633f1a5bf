package main

import (
	"context"
	"crypto/rand"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/flow"
)

const (
	namespace = "platform-events"
	// name is that of the gate: its event source, its sensor, its Secret, and who syncs.
	name = "sync-gate"
)

// gateStage serves a Responder that decides, and declares how comparisons get there.
func (p *platform) gateStage(ctx context.Context, progress flow.Progress) (string, error) {
	p.argocd = gitops.NewClient(p.Client, gitops.ClientOptions{})
	gate := eventing.GateSync{Name: name, Namespace: namespace, Selector: "sync=gated"}
	token := rand.Text()
	responder, err := p.responder(gate, token)
	if err != nil {
		return "", err
	}
	url, err := p.Serve(ctx, responder)
	if err != nil {
		return "", err
	}
	gate.Responder = eventing.HTTPTrigger{
		URL: url, SecretHeaders: map[string]eventing.SecretKey{"Authorization": {Name: name, Key: "responder"}},
	}
	objects, err := gate.Objects()
	if err != nil {
		return "", err
	}
	secret := map[string]string{"responder": "Bearer " + token}
	if err := p.DeployEvents(ctx, progress, client.ObjectKey{Namespace: namespace, Name: name}, secret, objects...); err != nil {
		return "", err
	}
	return "Application -> event source -> JetStream -> sensor -> Responder, with a token", nil
}

// responder decides, and counts what it was told.
func (p *platform) responder(gate eventing.GateSync, token string) (*eventing.Responder, error) {
	handle, err := gate.Handle(p.actions())
	if err != nil {
		return nil, err
	}
	return eventing.NewResponder(eventing.ResponderOptions{
		Handle: func(ctx context.Context, event eventing.Event) error {
			err := handle(ctx, event)
			p.tally.add(func(t *counts) { t.events++ })
			return err
		},
		Authentication: eventing.Bearer{Tokens: eventing.FixedKeys(token)},
		Store:          eventing.KubernetesStore{Client: p.Client, Namespace: namespace, Name: name},
		DeadLetters:    eventing.KubernetesDeadLetters{Client: p.Client, Namespace: namespace, Name: name},
	})
}
