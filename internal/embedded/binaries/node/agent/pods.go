package agent

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/virtual-kubelet/virtual-kubelet/errdefs"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/pod"
)

// pods are the pods of this node, by UID: a StatefulSet's pod and the one that
// replaces it have the same name.
//
// virtual-kubelet has a pod controller too, but it knows pods by name, removes
// the objects of stopped pods only when their whole grace period has passed,
// and writes the status over the conditions that others have set.
type pods struct {
	client  kubernetes.Interface
	runtime *pod.Runtime

	mu      sync.Mutex
	running map[types.UID]*entry
	workers sync.WaitGroup
}

// entry is a pod and what reports on it.
type entry struct {
	pod      *pod.Pod
	reporter *reporter
	// deleted is closed when the pod's object is to go, or has gone.
	deleted chan struct{}
	once    sync.Once
}

func newPods(client kubernetes.Interface, runtime *pod.Runtime) *pods {
	return &pods{client: client, runtime: runtime, running: map[types.UID]*entry{}}
}

// handler follows the pods that are bound to this node.
func (p *pods) handler(ctx context.Context) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { p.sync(ctx, object.(*corev1.Pod)) },
		UpdateFunc: func(old, object any) {
			// A watch that was interrupted can show the replacement of a pod
			// as an update.
			if before, after := old.(*corev1.Pod), object.(*corev1.Pod); before.UID != after.UID {
				p.gone(before)
			}
			p.sync(ctx, object.(*corev1.Pod))
		},
		DeleteFunc: func(object any) {
			if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = tombstone.Obj
			}
			if spec, ok := object.(*corev1.Pod); ok {
				p.gone(spec)
			}
		},
	}
}

// sync brings a pod to what its object says.
func (p *pods) sync(ctx context.Context, spec *corev1.Pod) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, known := p.running[spec.UID]
	switch {
	case !known && spec.DeletionTimestamp != nil:
		// A pod of an earlier life of this node: its processes ended with it.
		p.workers.Go(func() { remove(ctx, p.client, spec) })
		return
	case !known && podutil.IsPodTerminal(spec):
		return
	case !known:
		e = p.start(ctx, spec)
	default:
		e.pod.Update(spec)
	}
	if spec.DeletionTimestamp != nil {
		e.delete(grace(spec))
	}
}

// start runs a new pod.
func (p *pods) start(ctx context.Context, spec *corev1.Pod) *entry {
	klog.InfoS("Starting pod", "pod", klog.KObj(spec), "uid", spec.UID)
	e := &entry{reporter: newReporter(p.client, spec), deleted: make(chan struct{})}
	e.pod = pod.Start(ctx, p.runtime, spec, e.reporter.wake)
	p.running[spec.UID] = e
	p.workers.Go(func() {
		reporting, stop := context.WithCancel(ctx)
		defer stop()
		finished := make(chan struct{})
		go func() {
			defer close(finished)
			e.reporter.run(reporting, e.pod.Status)
		}()
		e.reporter.wake()
		select {
		case <-ctx.Done():
			<-e.pod.Done()
			return
		case <-e.deleted:
		}
		<-e.pod.Done()
		stop()
		<-finished
		p.finish(ctx, spec, e)
	})
	return e
}

// finish removes what is left of a deleted pod.
func (p *pods) finish(ctx context.Context, spec *corev1.Pod, e *entry) {
	e.reporter.last(ctx, e.pod.Status())
	remove(ctx, p.client, spec)
	if err := e.pod.Remove(); err != nil {
		klog.ErrorS(err, "Cannot remove the files of a deleted pod", "pod", klog.KObj(spec))
	}
	p.mu.Lock()
	delete(p.running, spec.UID)
	p.mu.Unlock()
	klog.InfoS("Removed pod", "pod", klog.KObj(spec), "uid", spec.UID)
}

// gone stops a pod whose object exists no more.
func (p *pods) gone(spec *corev1.Pod) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, known := p.running[spec.UID]; known {
		e.delete(grace(spec))
	}
}

// delete has the pod stopped and then removed.
func (e *entry) delete(grace time.Duration) {
	e.pod.Stop(grace)
	e.once.Do(func() { close(e.deleted) })
}

// grace is how long a deleted pod may take to stop.
func grace(spec *corev1.Pod) time.Duration {
	seconds := int64(corev1.DefaultTerminationGracePeriodSeconds)
	if spec.Spec.TerminationGracePeriodSeconds != nil {
		seconds = *spec.Spec.TerminationGracePeriodSeconds
	}
	if spec.DeletionGracePeriodSeconds != nil {
		seconds = *spec.DeletionGracePeriodSeconds
	}
	return time.Duration(seconds) * time.Second
}

// stop ends all pods, whose objects stay, and waits for their processes.
func (p *pods) stop(grace time.Duration) {
	p.mu.Lock()
	for _, e := range p.running {
		e.pod.Stop(grace)
	}
	all := make([]*entry, 0, len(p.running))
	for _, e := range p.running {
		all = append(all, e)
	}
	p.mu.Unlock()
	for _, e := range all {
		<-e.pod.Done()
	}
}

// find looks a pod up by its name; of several, the one that is not deleted.
func (p *pods) find(namespace, name string) (*pod.Pod, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found *entry
	for _, e := range p.running {
		if e.pod.Namespace() != namespace || e.pod.Name() != name {
			continue
		}
		if found == nil || found.isDeleted() {
			found = e
		}
	}
	if found == nil {
		return nil, errdefs.NotFoundf("pod %s/%s does not run on this node", namespace, name)
	}
	return found.pod, nil
}

func (e *entry) isDeleted() bool {
	select {
	case <-e.deleted:
		return true
	default:
		return false
	}
}
