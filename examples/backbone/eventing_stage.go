package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/internal/flow"
	"github.com/controlbackbone/backbone/internal/target"
)

const (
	eventsNamespace = "platform-events"
	// pushes is the name of the event source and of the sensor.
	pushes = "pushes"
	// webhookPort is where the event source listens in a cluster with containers.
	webhookPort = 12000
	// eventTimeout bounds the way of an event from the webhook to the Application.
	eventTimeout = time.Minute
	// resendAfter is how long an event is given before it is sent again.
	resendAfter = 2 * time.Second
)

// eventingStage sends a push event on its way: event source, JetStream, sensor,
// and a trigger that syncs an Application to the commit that was pushed.
func (p platform) eventingStage(ctx context.Context, progress flow.Progress) (string, error) {
	progress.Say("declaring the bus, the source and the sensor")
	webhook, err := p.declareEvents(ctx)
	if err != nil {
		return "", err
	}
	events := eventing.NewClient(p.Client, eventing.ClientOptions{})
	for kind, name := range map[eventing.Kind]string{
		eventing.EventBusKind: eventing.DefaultEventBusName, eventing.EventSourceKind: pushes, eventing.SensorKind: pushes,
	} {
		progress.Say("waiting for the %s %s", kind, name)
		if err := events.WaitReady(ctx, kind, client.ObjectKey{Namespace: eventsNamespace, Name: name}); err != nil {
			return "", err
		}
	}
	endpoint, err := p.Target.Endpoint(ctx, webhook)
	if err != nil {
		return "", err
	}

	if err := p.Repository.Replace("K8s/cicd/pipeline/pipeline.yaml", `release: "1"`, `release: "2"`); err != nil {
		return "", err
	}
	if err := p.Publish(ctx, "Release 2"); err != nil {
		return "", err
	}
	sent := time.Now()
	if err := p.deliver(ctx, "http://"+endpoint.Local+"/push", progress); err != nil {
		return "", err
	}
	return fmt.Sprintf("event -> JetStream -> sensor -> %s synced to %.7s in %s", pipelineApplication, p.Commit, flow.Seconds(time.Since(sent))), nil
}

// deliver sends the push until the Application was synced by it: a sensor that
// has not subscribed yet never learns of what came before.
func (p platform) deliver(ctx context.Context, url string, progress flow.Progress) error {
	ctx, cancel := context.WithTimeoutCause(ctx, eventTimeout, fmt.Errorf("not within %s", eventTimeout))
	defer cancel()
	for {
		progress.Say("sending the push of %.7s", p.Commit)
		if err := push(ctx, url, p.Commit); err != nil {
			return err
		}
		err := p.awaitSyncByEvent(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
	}
}

// declareEvents applies the objects and returns the service of the webhook.
func (p platform) declareEvents(ctx context.Context) (target.Service, error) {
	bus, err := p.Target.Endpoint(ctx, target.Service{Namespace: "nats", Name: "nats", Port: 4222})
	if err != nil {
		return target.Service{}, err
	}
	webhook := target.Service{Namespace: eventsNamespace, Name: pushes + "-eventsource-svc", Port: webhookPort}
	source, err := p.Target.Endpoint(ctx, webhook)
	if err != nil {
		return target.Service{}, err
	}
	sensor := eventing.Sensor{
		Name: pushes, Namespace: eventsNamespace,
		Dependencies: []eventing.Dependency{{
			Name: "push", EventSource: pushes, Event: "push",
			Filters: eventing.Filters{Data: []eventing.DataFilter{eventing.StringIn{Path: "body.ref", Values: []string{"refs/heads/main"}}}},
		}},
		Triggers: []eventing.SensorTrigger{{
			Name: "sync",
			Trigger: eventing.ArgoCDTrigger{
				Application: pipelineApplication,
				Parameters: []eventing.Parameter{{
					From: eventing.DataKey{Dependency: "push", Path: "body.after"},
					To:   "operation.sync.revision",
				}},
			},
		}},
	}
	rights, err := sensor.RBAC()
	if err != nil {
		return target.Service{}, err
	}
	if err := p.ApplyNamespace(ctx, eventsNamespace); err != nil {
		return target.Service{}, err
	}
	if err := p.ApplyObjects(ctx, rights...); err != nil {
		return target.Service{}, err
	}
	return webhook, p.Apply(ctx,
		eventing.EventBus{Namespace: eventsNamespace, Bus: eventing.JetStreamExotic{URL: "nats://" + bus.InCluster}},
		eventing.EventSource{Name: pushes, Namespace: eventsNamespace, Events: map[string]eventing.Source{
			"push": eventing.Webhook{Port: int32(source.Listen), Endpoint: "/push"},
		}},
		sensor,
	)
}

// push sends what a git server says after a push. The event source may still be
// about to open its port, so a refused connection is tried again.
func push(ctx context.Context, url, commit string) error {
	body, err := json.Marshal(map[string]string{"ref": "refs/heads/main", "after": commit})
	if err != nil {
		return err
	}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			answer, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(answer))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("send the event to %s: %w: %w", url, context.Cause(ctx), err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// awaitSyncByEvent waits until the Application was synced to the commit by an
// operation that the sensor started, and the change is in the cluster.
func (p platform) awaitSyncByEvent(ctx context.Context) error {
	application := flow.NewObject("argoproj.io/v1alpha1", "Application", "argocd", pipelineApplication)
	err := p.Await(ctx, application, resendAfter, func(application *unstructured.Unstructured) bool {
		phase, _, _ := unstructured.NestedString(application.Object, "status", "operationState", "phase")
		revision, _, _ := unstructured.NestedString(application.Object, "status", "operationState", "syncResult", "revision")
		// Not the field "automated" beside it: Argo CD merges operation states, so
		// it stays from an earlier one.
		user, _, _ := unstructured.NestedString(application.Object, "status", "operationState", "operation", "initiatedBy", "username")
		return phase == "Succeeded" && revision == p.Commit && user == "sensor/"+eventsNamespace+"/"+pushes
	})
	if err != nil {
		return err
	}
	var pipeline corev1.ConfigMap
	if err := p.Client.Get(ctx, client.ObjectKey{Namespace: pipelineNamespace, Name: "pipeline"}, &pipeline); err != nil {
		return fmt.Errorf("read what was synced: %w", err)
	}
	if release := pipeline.Data["release"]; release != "2" {
		return fmt.Errorf("ConfigMap %s/pipeline says release %q after the sync, want 2", pipelineNamespace, release)
	}
	return nil
}
