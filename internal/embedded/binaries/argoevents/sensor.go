package main

import (
	"context"
	"fmt"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/argoproj/argo-events/pkg/metrics"
	"github.com/argoproj/argo-events/pkg/sensors"
	"github.com/argoproj/argo-events/pkg/shared/logging"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"
)

// runSensor executes the triggers of the Sensor found in the environment until
// ctx ends, with the rights of the pod's ServiceAccount.
func runSensor(ctx context.Context, _ []string) error {
	sensor := &v1alpha1.Sensor{}
	if err := decodeEnv(v1alpha1.EnvVarSensorObject, sensor); err != nil {
		return err
	}
	bus, err := busFromEnv()
	if err != nil {
		return err
	}
	if sensor.Spec.GetReplicas() <= 1 {
		skipSensorElection(bus.config)
	}
	restConfig, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	kubeClient, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return fmt.Errorf("create Kubernetes client: %w", err)
	}
	dynamicClient, err := dynamic.NewForConfig(restConfig)
	if err != nil {
		return fmt.Errorf("create dynamic Kubernetes client: %w", err)
	}
	logger := logging.NewArgoEventsLogger().Named("sensor").With("sensorName", sensor.Name)
	execution := sensors.NewSensorContext(kubeClient, dynamicClient, sensor, bus.config, bus.subject, bus.podName, metrics.NewMetrics(sensor.Namespace))
	return execution.Start(logging.WithLogger(ctx, logger))
}

// skipSensorElection makes a sensor start without an election, as a single
// replica has no one to elect against and upstream's election keeps its state
// in one fixed file of the host (shared/leaderelection).
//
// SensorContext.Start skips the election when the bus has a Kafka part, while
// eventbus.GetSensorDriver picks JetStream before Kafka: an empty Kafka part
// therefore changes the first and not the second.
func skipSensorElection(config *v1alpha1.BusConfig) {
	config.Kafka = &v1alpha1.KafkaBus{}
}
