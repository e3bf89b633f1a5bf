package pod

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/kubelet/events"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/volume"
)

// Pod is a pod that runs, or has run, on this node.
type Pod struct {
	runtime *Runtime
	dir     string
	volumes *volume.Volumes
	changed func()

	// stop has the containers end politely, kill at once.
	stop, kill   context.CancelFunc
	done         chan struct{}
	inits, mains []*container
	startTime    time.Time
	// What never changes in a pod's object.
	uid           types.UID
	restartPolicy corev1.RestartPolicy

	// mu guards what follows and the state of all containers.
	mu  sync.Mutex
	pod *corev1.Pod
	// status is the last one computed; conditions keep their times from it.
	status corev1.PodStatus
	// failed, if set, says why the pod has failed whatever its containers say.
	failed *failure
}

// failure is the reason and message of a failed pod.
type failure struct{ reason, message string }

// Start runs a pod until Stop, or by force until the context ends. Whenever its
// status has changed it calls changed, which must not block.
func Start(ctx context.Context, runtime *Runtime, spec *corev1.Pod, changed func()) *Pod {
	p := &Pod{
		runtime: runtime, dir: runtime.podDir(spec), changed: changed,
		done: make(chan struct{}), pod: spec, status: spec.Status, startTime: time.Now(), uid: spec.UID, restartPolicy: spec.Spec.RestartPolicy,
	}
	if spec.Status.StartTime != nil {
		p.startTime = spec.Status.StartTime.Time
	}
	kill, cancelKill := context.WithCancel(ctx)
	stop, cancelStop := context.WithCancel(kill)
	p.kill, p.stop = cancelKill, cancelStop
	p.volumes = volume.New(filepath.Join(p.dir, "volumes"))
	for i := range spec.Spec.InitContainers {
		p.inits = append(p.inits, newContainer(p, &spec.Spec.InitContainers[i], len(p.inits)))
	}
	for i := range spec.Spec.Containers {
		p.mains = append(p.mains, newContainer(p, &spec.Spec.Containers[i], len(p.inits)+len(p.mains)))
	}
	go func() {
		defer p.changed()
		defer close(p.done)
		defer cancelKill()
		p.run(stop, kill)
	}()
	return p
}

// Done is closed when no container runs or will run any more.
func (p *Pod) Done() <-chan struct{} { return p.done }

func (p *Pod) isDone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Update takes over what has changed in the pod's object: labels, annotations,
// and the conditions that others set.
func (p *Pod) Update(pod *corev1.Pod) {
	p.mu.Lock()
	p.pod = pod
	p.mu.Unlock()
	p.changed()
}

// Stop begins to end the pod: containers are asked to stop and killed after
// grace. A later call can only shorten the time that is left.
func (p *Pod) Stop(grace time.Duration) {
	if grace <= 0 {
		p.kill()
		return
	}
	time.AfterFunc(grace, p.kill)
	p.stop()
}

// Remove deletes the pod's files. Call it when the pod is done.
func (p *Pod) Remove() error {
	if err := os.RemoveAll(p.runtime.tempDir(p.spec())); err != nil {
		return err
	}
	return os.RemoveAll(p.dir)
}

// spec is the pod as last seen in the API server. It must not be changed.
func (p *Pod) spec() *corev1.Pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pod
}

// grace is how long the pod's containers may take to stop.
func (p *Pod) grace() time.Duration {
	if seconds := p.spec().Spec.TerminationGracePeriodSeconds; seconds != nil {
		return time.Duration(*seconds) * time.Second
	}
	return corev1.DefaultTerminationGracePeriodSeconds * time.Second
}

// run takes the pod from its volumes to the end of its last container.
func (p *Pod) run(stop, kill context.Context) {
	if seconds := p.spec().Spec.ActiveDeadlineSeconds; seconds != nil {
		timer := time.AfterFunc(time.Until(p.startTime.Add(time.Duration(*seconds)*time.Second)), p.exceedDeadline)
		defer timer.Stop()
	}
	// Sidecars outlive the other containers: they do not end with stop.
	sidecars, stopSidecars := context.WithCancel(kill)
	defer stopSidecars()
	var running sync.WaitGroup
	if p.writeVolumes(stop) {
		running.Go(func() { p.refreshVolumes(sidecars) })
		if p.initialize(stop, sidecars, kill, &running) {
			p.runMains(stop, kill)
		}
	}
	// Sidecars of a pod whose work is done have its grace period, those of a
	// stopped one what is left of it.
	timer := time.AfterFunc(p.grace(), p.kill)
	defer timer.Stop()
	stopSidecars()
	running.Wait()
}

// writeVolumes makes the volumes, waiting for objects that are missing. It
// reports false when the pod was stopped before.
func (p *Pod) writeVolumes(stop context.Context) bool {
	for delay := firstRetry; ; delay = min(2*delay, lastRetry) {
		err := p.volumes.Write(stop, p.spec(), p.runtime.Source)
		if err == nil {
			p.resetWaiting()
			return true
		}
		if stop.Err() == nil && p.setAllWaiting(reasonConfigError, err.Error()) {
			p.event(corev1.EventTypeWarning, events.FailedMountVolume, "%v", err)
		}
		if !sleep(stop, delay) {
			return false
		}
	}
}

// refreshVolumes has volumes follow their objects until the context ends. An
// object that is gone leaves the files as they are.
func (p *Pod) refreshVolumes(ctx context.Context) {
	for sleep(ctx, refresh) {
		_ = p.volumes.Write(ctx, p.spec(), p.runtime.Watched)
	}
}

// initialize runs the init containers one after the other, and reports whether
// the main containers may start. Sidecars are left running.
func (p *Pod) initialize(stop, sidecars, kill context.Context, running *sync.WaitGroup) bool {
	for _, c := range p.inits {
		if !c.sidecar {
			if code, ended := c.run(stop, kill); !ended || code != 0 {
				return false
			}
			continue
		}
		running.Go(func() { c.run(sidecars, kill) })
		select {
		case <-c.hasStarted:
		case <-stop.Done():
			return false
		}
	}
	return stop.Err() == nil
}

func (p *Pod) runMains(stop, kill context.Context) {
	var running sync.WaitGroup
	for _, c := range p.mains {
		running.Go(func() { c.run(stop, kill) })
	}
	running.Wait()
}

func (p *Pod) exceedDeadline() {
	p.mu.Lock()
	p.failed = &failure{reason: "DeadlineExceeded", message: "the pod was active for longer than its activeDeadlineSeconds"}
	p.mu.Unlock()
	p.Stop(p.grace())
}

// event records an event of the pod.
func (p *Pod) event(kind, reason, format string, args ...any) {
	p.runtime.Events.Event(p.spec(), kind, reason, fmt.Sprintf(format, args...))
}

// sleep reports whether d passed before the context ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Namespace of the pod.
func (p *Pod) Namespace() string { return p.spec().Namespace }

// Name of the pod.
func (p *Pod) Name() string { return p.spec().Name }

// Object is the pod's object with the status that this node knows.
func (p *Pod) Object() *corev1.Pod {
	object := p.spec().DeepCopy()
	object.Status = p.Status()
	return object
}
