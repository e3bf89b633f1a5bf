package flow

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/internal/target"
)

// DeployEvents deploys event sources and sensors, with what they need to run, into their own namespace, with a bus on the
// NATS of the target and a Secret for their credentials, and waits until all of them are ready. What [eventing.Check] calls
// an error is not deployed.
func (f *Flow) DeployEvents(ctx context.Context, progress Progress, secret client.ObjectKey, values map[string]string, objects ...*unstructured.Unstructured) error {
	nats, err := f.Target.Endpoint(ctx, target.Service{Namespace: "nats", Name: "nats", Port: 4222})
	if err != nil {
		return err
	}
	bus, err := eventing.EventBus{Namespace: secret.Namespace, Bus: eventing.JetStreamExotic{URL: "nats://" + nats.InCluster}}.Build()
	if err != nil {
		return err
	}
	objects = append([]*unstructured.Unstructured{bus}, objects...)
	for _, finding := range eventing.Check(objects) {
		if finding.Severity == eventing.SeverityError {
			return fmt.Errorf("check the events: %s", finding)
		}
	}
	progress.Say("deploying the bus, event sources and sensors")
	if err := f.ApplyNamespace(ctx, secret.Namespace); err != nil {
		return err
	}
	if err := f.Client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: secret.Namespace, Name: secret.Name}, StringData: values,
	}); err != nil {
		return fmt.Errorf("create Secret %s: %w", secret, err)
	}
	if err := f.ApplyObjects(ctx, objects...); err != nil {
		return err
	}
	events := eventing.NewClient(f.Client, eventing.ClientOptions{})
	for _, obj := range objects {
		switch kind := eventing.Kind(obj.GetKind()); kind {
		case eventing.EventBusKind, eventing.EventSourceKind, eventing.SensorKind:
			progress.Say("waiting for the %s %s", kind, obj.GetName())
			if err := events.WaitReady(ctx, kind, client.ObjectKeyFromObject(obj)); err != nil {
				return err
			}
		}
	}
	return nil
}
