package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/argoproj/argo-events/pkg/reconciler"
	"github.com/argoproj/argo-events/pkg/reconciler/eventbus"
	"github.com/argoproj/argo-events/pkg/reconciler/eventsource"
	"github.com/argoproj/argo-events/pkg/reconciler/sensor"
	"github.com/argoproj/argo-events/pkg/shared/logging"
	"github.com/go-logr/zapr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/yaml"
)

// runController reconciles EventBus, EventSource and Sensor objects of every
// namespace until ctx ends. Its flag --health-port is the loopback port of
// /healthz and /readyz. It serves no metrics and holds no election, because
// the embedded target runs one replica.
func runController(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("controller", flag.ContinueOnError)
	healthPort := flags.String("health-port", "8081", "loopback port of /healthz and /readyz")
	if err := flags.Parse(args); err != nil {
		return err
	}
	image, err := requiredEnv("ARGO_EVENTS_IMAGE")
	if err != nil {
		return err
	}
	config, err := readControllerConfig(filepath.Join("/", os.Getenv("BACKBONE_ROOT"), "etc/argo-events/controller-config.yaml"))
	if err != nil {
		return err
	}
	restConfig, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	kubeClient, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return fmt.Errorf("create Kubernetes client: %w", err)
	}
	logger := logging.NewArgoEventsLogger().Named("controller")
	ctrl.SetLogger(zapr.NewLogger(logger.Desugar()))
	mgr, err := newManager(restConfig, *healthPort)
	if err != nil {
		return err
	}
	scheme := mgr.GetScheme()
	for _, c := range []controller{
		{eventbus.ControllerName, &v1alpha1.EventBus{}, []client.Object{&corev1.ConfigMap{}, &appsv1.StatefulSet{}, &corev1.Service{}}, eventbus.NewReconciler(mgr.GetClient(), kubeClient, scheme, config, logger)},
		{eventsource.ControllerName, &v1alpha1.EventSource{}, []client.Object{&appsv1.Deployment{}, &corev1.Service{}}, eventsource.NewReconciler(mgr.GetClient(), scheme, image, logger)},
		{sensor.ControllerName, &v1alpha1.Sensor{}, []client.Object{&appsv1.Deployment{}}, sensor.NewReconciler(mgr.GetClient(), scheme, image, logger)},
	} {
		if err := c.addTo(mgr); err != nil {
			return fmt.Errorf("add controller %s: %w", c.name, err)
		}
	}
	return mgr.Start(ctx)
}

// newManager returns a manager that knows the types of Argo Events and serves
// /healthz and /readyz on a loopback port.
func newManager(restConfig *rest.Config, healthPort string) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("register API types: %w", err)
		}
	}
	mgr, err := ctrl.NewManager(restConfig, ctrl.Options{
		Scheme:                 scheme,
		Metrics:                metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress: net.JoinHostPort("127.0.0.1", healthPort),
	})
	if err != nil {
		return nil, fmt.Errorf("create controller manager: %w", err)
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("add readiness check: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("add liveness check: %w", err)
	}
	return mgr, nil
}

// readControllerConfig reads the file of ConfigMap argo-events-controller-config:
// the versions and default settings of managed event buses.
func readControllerConfig(path string) (*reconciler.GlobalConfig, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read controller configuration: %w", err)
	}
	config := &reconciler.GlobalConfig{}
	if err := yaml.Unmarshal(content, config); err != nil {
		return nil, fmt.Errorf("parse controller configuration %s: %w", path, err)
	}
	if err := reconciler.ValidateConfig(config); err != nil {
		return nil, fmt.Errorf("controller configuration %s: %w", path, err)
	}
	return config, nil
}

// controller is one of the reconcilers and the kinds it watches.
type controller struct {
	name       string
	kind       client.Object
	owned      []client.Object
	reconciler reconcile.Reconciler
}

// addTo registers the controller with the watches upstream has
// (argo-events: pkg/reconciler/cmd/start.go): status changes wake no one.
func (c controller) addTo(mgr ctrl.Manager) error {
	specOrLabels := predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{})
	b := ctrl.NewControllerManagedBy(mgr).Named(c.name).For(c.kind, builder.WithPredicates(specOrLabels))
	for _, kind := range c.owned {
		b = b.Owns(kind, builder.WithPredicates(predicate.GenerationChangedPredicate{}))
	}
	return b.Complete(c.reconciler)
}
