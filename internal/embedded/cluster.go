package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// startTimeout bounds the start of a cluster once everything is built.
const startTimeout = 90 * time.Second

// Options say what a cluster consists of. The zero value is a bare Kubernetes.
type Options struct {
	// Components are made available to the cluster: their programs are built
	// and their images are known to the local node. Nothing of them runs until
	// [Cluster.Manifests] are applied.
	Components []Component
	// Images adds to the local node's image table, by exact image reference.
	Images map[string]Image
	// Progress is called with each step, from one goroutine at a time.
	// Default: nobody is told.
	Progress func(Event)
	// Keep leaves the cluster's directory, with its logs, in place on Stop.
	Keep bool
}

// Cluster is a running Kubernetes of this process.
type Cluster struct {
	plane     controlPlane
	config    *rest.Config
	starter   *starter
	ports     *portPool
	workdir   *workdir
	tokens    tokens
	images    imageTable
	keep      bool
	available map[Component]bool

	mu        sync.Mutex
	processes map[string]*process
	stopped   bool
}

// Start builds what is missing and brings a cluster up: API server, controllers
// and scheduler answer and the local node is Ready when it returns. The cluster
// ends with Stop, and at the latest with this process, however that dies.
func Start(ctx context.Context, options Options) (*Cluster, error) {
	if err := checkPlatform(); err != nil {
		return nil, err
	}
	if options.Progress == nil {
		options.Progress = func(Event) {}
	}
	dirs, err := Build(ctx, options.Components, options.Progress)
	if err != nil {
		return nil, err
	}
	cluster := &Cluster{keep: options.Keep, processes: map[string]*process{}, available: map[Component]bool{}, tokens: newTokens()}
	cluster.plane.kubernetes, cluster.plane.node = dirs[kubernetesModule.name], dirs[nodeModule.name]
	for _, component := range options.Components {
		cluster.available[component] = true
	}
	if cluster.ports, err = newPortPool(); err != nil {
		return nil, err
	}
	cluster.images = newImageTable(options, dirs)
	if err := cluster.prepare(); err != nil {
		return nil, errors.Join(err, cluster.discard())
	}
	started := time.Now()
	startCtx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not ready after %s", startTimeout))
	defer cancel()
	if err := cluster.start(startCtx, options.Progress); err != nil {
		cluster.Retain() // the logs are the evidence
		return nil, errors.Join(fmt.Errorf("%w (logs: %s)", err, cluster.LogDir()), cluster.Stop(context.WithoutCancel(ctx)))
	}
	options.Progress(Event{Kind: Ready, Duration: time.Since(started)})
	return cluster, nil
}

// prepare lays out the cluster's directory.
func (c *Cluster) prepare() error {
	var err error
	if c.workdir, err = newWorkdir(); err != nil {
		return err
	}
	c.plane.layout = layout{dir: c.workdir.path}
	for _, dir := range []string{c.plane.pki(), c.plane.logs(), c.plane.layout.node()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("lay out the cluster's directory: %w", err)
		}
	}
	if err := c.plane.issue(); err != nil {
		return err
	}
	c.starter = newStarter(c.plane.logs())
	return c.images.write(c.plane.images())
}

// portAttempts is how often a start is tried with other ports when another
// program was faster to take one.
const portAttempts = 3

func (c *Cluster) start(ctx context.Context, progress func(Event)) error {
	var err error
	for range portAttempts {
		if err = c.startOnce(ctx, progress); err == nil {
			return nil
		}
		var exit *ExitError
		if !errors.As(err, &exit) || !strings.Contains(exit.LogTail, "address already in use") {
			return err
		}
		c.kill(ctx)
	}
	return err
}

func (c *Cluster) startOnce(ctx context.Context, progress func(Event)) error {
	if err := c.plane.allocate(c.ports); err != nil {
		return err
	}
	for path, user := range map[string]keyPair{
		c.plane.kubeconfig(): c.plane.admin,
		filepath.Join(c.plane.pki(), controllerManager+".kubeconfig"): c.plane.managerID,
		filepath.Join(c.plane.pki(), scheduler+".kubeconfig"):         c.plane.schedID,
	} {
		if err := c.plane.writeKubeconfig(path, user); err != nil {
			return err
		}
	}
	var err error
	if c.config, err = c.plane.restConfig(); err != nil {
		return err
	}
	for _, p := range []program{c.plane.etcd(), c.plane.apiServer()} {
		if err := c.run(p, progress); err != nil {
			return err
		}
	}
	if err := c.plane.waitHealthy(ctx, c.config, c.process(apiServer)); err != nil {
		if early := c.firstExit(); early != nil {
			return early // etcd's end explains the API server's
		}
		return err
	}
	for _, p := range []program{c.plane.controllerManager(), c.plane.scheduler(), c.plane.localNode()} {
		if err := c.run(p, progress); err != nil {
			return err
		}
	}
	return c.waitUsable(ctx)
}

func (c *Cluster) run(p program, progress func(Event)) error {
	progress(Event{Kind: Starting, Name: p.name})
	proc, err := c.starter.start(p)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.processes[p.name] = proc
	return nil
}

func (c *Cluster) process(name string) *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.processes[name]
}

// Config is the administrator's client configuration.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.config) }

// Kubeconfig is the path of the administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return c.plane.kubeconfig() }

// Dir is the cluster's directory. Stop removes it unless told to keep it.
func (c *Cluster) Dir() string { return c.plane.dir }

// LogDir is where the control plane's programs log; pods log below [Cluster.Dir]/node.
func (c *Cluster) LogDir() string { return c.plane.logs() }

// Port returns a loopback port that nothing listens on: for one name always the
// same, and for each name another.
func (c *Cluster) Port(name string) (int, error) { return c.ports.port(name) }

// RestartAPIServer kills the API server and returns when it serves again.
func (c *Cluster) RestartAPIServer(ctx context.Context) error {
	c.process(apiServer).stop(ctx, 0)
	if err := c.run(c.plane.apiServer(), func(Event) {}); err != nil {
		return err
	}
	return c.plane.waitHealthy(ctx, c.config, c.process(apiServer))
}

// nodeGrace is how long the local node may take to end its pods' processes.
const nodeGrace = 5 * time.Second

// Retain leaves the cluster's directory in place on Stop, as [Options].Keep does.
func (c *Cluster) Retain() { c.keep = true }

// Stop ends everything the cluster started and removes its directory, unless it
// is to be kept. A second call does nothing.
func (c *Cluster) Stop(ctx context.Context) error {
	c.mu.Lock()
	stopped := c.stopped
	c.stopped = true
	c.mu.Unlock()
	if stopped {
		return nil
	}
	c.kill(ctx)
	return c.discard()
}

// kill ends the programs. An API server that is asked politely lingers for up to
// a minute, and its data is about to be deleted: only the node is asked.
func (c *Cluster) kill(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range []string{localNode, scheduler, controllerManager, apiServer, etcd} {
		proc := c.processes[name]
		if proc == nil {
			continue
		}
		grace := time.Duration(0)
		if name == localNode {
			grace = nodeGrace
		}
		proc.stop(ctx, grace)
		delete(c.processes, name)
	}
}

// discard gives back everything that is not a process.
func (c *Cluster) discard() error {
	if c.starter != nil {
		c.starter.close()
	}
	errs := []error{c.ports.release()}
	if c.workdir != nil {
		errs = append(errs, c.workdir.close(c.keep))
	}
	return errors.Join(errs...)
}
