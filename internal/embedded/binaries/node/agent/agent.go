// Package agent is the node: it registers a Node, runs the pods that are bound
// to it, and serves the part of the kubelet API that kubectl logs, exec and
// port-forward need.
package agent

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/virtual-kubelet/virtual-kubelet/log"
	"github.com/virtual-kubelet/virtual-kubelet/log/klogv2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/image"
	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/pod"
	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/process"
)

// shutdownGrace is how long containers may take to stop when the node does.
const shutdownGrace = 2 * time.Second

// Config says what node to run.
type Config struct {
	// API reaches the API server, as an administrator.
	API *rest.Config
	// Name is the name of the Node.
	Name string
	// Images says what stands in for images.
	Images *image.Table
	// Dir holds the files and logs of pods. Those of an earlier run are removed.
	Dir string
	// Listen is the address of the kubelet API, on the loopback interface.
	Listen string
	// ClientCA is the file of the authority of the kubelet API's clients.
	// Empty: the API is not served.
	ClientCA string
	// Starter starts the processes of containers.
	Starter *process.Starter
}

// Run runs the node until the context ends, then stops its containers.
func Run(ctx context.Context, config Config) error {
	client, err := kubernetes.NewForConfig(patient(config.API))
	if err != nil {
		return fmt.Errorf("prepare the client of the API server: %w", err)
	}
	for _, stale := range []string{"pods", "tmp"} {
		if err := os.RemoveAll(filepath.Join(config.Dir, stale)); err != nil {
			return fmt.Errorf("remove what an earlier node left: %w", err)
		}
	}
	allocatable, err := resources()
	if err != nil {
		return err
	}
	var listener net.Listener
	var address *net.TCPAddr
	if config.ClientCA != "" {
		if listener, err = listen(config.Listen, config.ClientCA); err != nil {
			return err
		}
		address, _ = listener.Addr().(*net.TCPAddr)
	}
	controller, err := newNodeController(client, nodeObject(config.Name, address, allocatable))
	if err != nil {
		return err
	}

	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&corev1client.EventSinkImpl{Interface: client.CoreV1().Events("")})

	objects := informers.NewSharedInformerFactory(client, 0)
	watched := newSource(client, objects, allocatable)
	live := *watched
	live.live = true
	runtime := &pod.Runtime{
		Dir: config.Dir, Images: config.Images, Starter: config.Starter, API: config.API,
		Source: &live, Watched: watched,
		Events: broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "node", Host: config.Name}),
	}
	objects.Start(ctx.Done())
	objects.WaitForCacheSync(ctx.Done())

	// Pods outlive ctx: they are stopped with some grace after it has ended.
	lifetime, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	all := newPods(client, runtime)
	bound := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTweakListOptions(func(options *metav1.ListOptions) {
		options.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", config.Name).String()
	}))
	informer := bound.Core().V1().Pods().Informer()
	if _, err := informer.AddEventHandler(all.handler(lifetime)); err != nil {
		return fmt.Errorf("follow the pods of the node: %w", err)
	}
	bound.Start(ctx.Done())
	cache.WaitForCacheSync(ctx.Done(), informer.HasSynced)

	failed := make(chan error, 2)
	go func() { failed <- controller.Run(ctx) }()
	if listener != nil {
		go func() { failed <- all.serve(ctx, listener) }()
	} else {
		klog.InfoS("Without --client-ca, the kubelet API is not served: kubectl logs and exec will not work", "logs", filepath.Join(config.Dir, "pods"))
	}
	log.L = klogv2.New(nil) // what the library has to say
	klog.InfoS("Node runs", "node", config.Name, "kubeletAPI", address)
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	bound.Shutdown()
	all.stop(shutdownGrace)
	end()
	all.workers.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}
