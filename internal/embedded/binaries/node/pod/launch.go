package pod

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/environment"
	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/image"
	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/logfile"
	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/mount"
	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/process"
)

// launch is one start of a container: what its processes run in, and its main
// process once that was started.
type launch struct {
	container   *container
	image       image.Image
	paths       mount.Paths
	environment environment.Environment
	workingDir  string
	arguments   []string
	restart     int32

	process *process.Process
	log     *logfile.File
	streams [2]*logfile.Stream
	began   time.Time
}

// newLaunch makes the container's directories and resolves its environment and
// command line. It fails with what the container has to wait for.
func newLaunch(ctx context.Context, c *container, restart int32) (*launch, error) {
	l := &launch{container: c, restart: restart}
	var err error
	if l.image, err = c.pod.runtime.Images.Image(c.spec.Image); err != nil {
		return nil, &waitingError{reason: reasonNoImage, err: err}
	}
	pod := c.pod.spec()
	if err := c.remake("home", "tmp"); err != nil {
		return nil, err
	}
	// The environment names mount paths, and a mount's subPathExpr names
	// variables of the environment: so paths come first, their sources last.
	root := filepath.Join(c.dir, "root")
	var mounts []mount.Mount
	for _, m := range c.spec.VolumeMounts {
		mounts = append(mounts, mount.Mount{Path: m.MountPath})
	}
	l.paths = mount.NewPaths(root, mounts)
	provided, err := c.provided(pod, root, l.image)
	if err != nil {
		return nil, err
	}
	l.environment, err = environment.Container{
		Pod: pod, Container: c.spec, Objects: objects{ctx: ctx, source: c.pod.runtime.Source, namespace: pod.Namespace},
		Allocatable: c.pod.runtime.Source.Allocatable(), IP: IP, Provided: provided, Rewrite: l.paths.Rewrite,
	}.Resolve()
	if err != nil {
		return nil, err
	}
	for i, m := range c.spec.VolumeMounts {
		expand := func(text string) string { return l.environment.Expand([]string{text})[0] }
		if mounts[i].Source, err = c.pod.volumes.Mounted(pod, m, expand); err != nil {
			return nil, err
		}
	}
	l.paths = mount.NewPaths(root, mounts)
	if err := l.paths.Link(); err != nil {
		return nil, err
	}
	l.workingDir = l.paths.Resolve(c.spec.WorkingDir)
	if err := os.MkdirAll(l.workingDir, 0o755); err != nil {
		return nil, fmt.Errorf("make the working directory: %w", err)
	}
	l.arguments = l.image.Entrypoint
	if len(c.spec.Command) > 0 {
		l.arguments = l.resolve(c.spec.Command)
	}
	l.arguments = append(l.arguments[:len(l.arguments):len(l.arguments)], l.resolve(c.spec.Args)...)
	if len(l.arguments) == 0 {
		return nil, fmt.Errorf("container %s has neither command nor args, and image %q has no entrypoint", c.spec.Name, c.spec.Image)
	}
	return l, nil
}

// resolve turns texts of the container into those of this machine. Paths are
// rewritten before references are expanded, because the values have been
// rewritten already and may name paths of this machine.
func (l *launch) resolve(texts []string) []string {
	return l.environment.Expand(l.paths.RewriteAll(texts))
}

// remake makes the container's private directories anew.
func (c *container) remake(names ...string) error {
	if err := os.RemoveAll(c.tempDir); err != nil {
		return fmt.Errorf("clear the container's private directories: %w", err)
	}
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(c.tempDir, name), 0o700); err != nil {
			return fmt.Errorf("make the container's private directories: %w", err)
		}
	}
	return os.MkdirAll(c.dir, 0o755)
}

// provided are the variables that every container gets.
func (c *container) provided(pod *corev1.Pod, root string, image image.Image) (map[string]string, error) {
	path := os.Getenv("PATH")
	if image.Dir != "" {
		path = image.Dir + string(os.PathListSeparator) + path
	}
	variables := map[string]string{
		"PATH":          path,
		"HOME":          filepath.Join(c.tempDir, "home"),
		"TMPDIR":        filepath.Join(c.tempDir, "tmp"),
		"HOSTNAME":      pod.Name,
		"BACKBONE_ROOT": root,
	}
	server, err := url.Parse(c.pod.runtime.API.Host)
	if err != nil {
		return nil, fmt.Errorf("read the address of the API server: %w", err)
	}
	maps.Copy(variables, map[string]string{"KUBERNETES_SERVICE_HOST": server.Hostname(), "KUBERNETES_SERVICE_PORT": server.Port()})
	if pod.Spec.Hostname != "" {
		variables["HOSTNAME"] = pod.Spec.Hostname
	}
	kubeconfig, err := c.writeKubeconfig(pod)
	if err != nil {
		return nil, err
	}
	if kubeconfig != "" {
		variables["KUBECONFIG"] = kubeconfig
	}
	return variables, nil
}

// command builds a process of the container.
func (l *launch) command(arguments []string) (*exec.Cmd, error) {
	path, err := l.image.Executable(arguments[0])
	if err != nil {
		return nil, err
	}
	return &exec.Cmd{
		Path: path, Args: append([]string{path}, arguments[1:]...),
		Env: l.environment.List(), Dir: l.workingDir,
	}, nil
}

// start starts the container's main process, with its output in a log.
func (l *launch) start() error {
	cmd, err := l.command(l.arguments)
	if err != nil {
		return err
	}
	if l.log, err = logfile.Create(l.container.logPath(l.restart)); err != nil {
		return fmt.Errorf("create the log: %w", err)
	}
	l.streams = [2]*logfile.Stream{l.log.Stdout(), l.log.Stderr()}
	cmd.Stdout, cmd.Stderr = l.streams[0], l.streams[1]
	l.began = time.Now()
	if l.process, err = l.container.pod.runtime.Starter.Start(cmd); err != nil {
		l.close()
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return nil
}

// close ends the log. Call it when the process has ended.
func (l *launch) close() {
	// A log that cannot be written to its end is no reason to change what is
	// said of the container.
	for _, stream := range l.streams {
		_ = stream.Flush()
	}
	_ = l.log.Close()
}

// id names this start of the container as a containerID.
func (l *launch) id() string {
	return fmt.Sprintf("process://%s-%s-%d", l.container.pod.uid, l.container.spec.Name, l.restart)
}

func (c *container) logPath(restart int32) string {
	return filepath.Join(c.dir, fmt.Sprintf("%d.log", restart))
}
