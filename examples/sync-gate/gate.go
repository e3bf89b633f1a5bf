package main

import (
	"context"
	"crypto/rand"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/flow"
	"github.com/controlbackbone/backbone/internal/target"
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
	progress.Say("declaring the bus, the event source and the sensor")
	if err := p.declare(ctx, gate, token); err != nil {
		return "", err
	}
	events := eventing.NewClient(p.Client, eventing.ClientOptions{})
	for kind, name := range map[eventing.Kind]string{
		eventing.EventBusKind: eventing.DefaultEventBusName, eventing.EventSourceKind: name, eventing.SensorKind: name,
	} {
		progress.Say("waiting for the %s %s", kind, name)
		if err := events.WaitReady(ctx, kind, client.ObjectKey{Namespace: namespace, Name: name}); err != nil {
			return "", err
		}
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

// declare applies the gate with its bus and the token.
func (p *platform) declare(ctx context.Context, gate eventing.GateSync, token string) error {
	objects, err := gate.Objects()
	if err != nil {
		return err
	}
	nats, err := p.Target.Endpoint(ctx, target.Service{Namespace: "nats", Name: "nats", Port: 4222})
	if err != nil {
		return err
	}
	bus, err := eventing.EventBus{Namespace: namespace, Bus: eventing.JetStreamExotic{URL: "nats://" + nats.InCluster}}.Build()
	if err != nil {
		return err
	}
	if err := p.ApplyNamespace(ctx, namespace); err != nil {
		return err
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		StringData: map[string]string{"responder": "Bearer " + token},
	}
	if err := p.Client.Create(ctx, secret); err != nil {
		return fmt.Errorf("create the Secret of the token: %w", err)
	}
	return p.ApplyObjects(ctx, append(objects, bus)...)
}
