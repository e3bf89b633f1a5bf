// Package pod runs one pod: its volumes, and its containers as processes of
// this machine, through their whole life.
package pod

import (
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/image"
	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/process"
	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/volume"
)

// IP is the address of every pod and of the node: processes share the loopback
// interface.
const IP = "127.0.0.1"

// The delays of retries.
const (
	// firstRetry and lastRetry bound the delay, which doubles, before looking
	// again for an object that a pod waits for.
	firstRetry = 100 * time.Millisecond
	lastRetry  = time.Second
	// refresh is how often volumes are compared with the objects they mirror.
	refresh = time.Second
)

// Runtime is what all pods of a node share.
type Runtime struct {
	// Dir holds the directories of all pods.
	Dir     string
	Images  *image.Table
	Starter *process.Starter
	// Source reads objects from the API server as far as they are not watched
	// yet, for starting containers; Watched only knows those it has seen, and
	// so costs nothing to ask again and again.
	Source, Watched volume.Source
	Events          record.EventRecorder
	// API is how this node reaches the API server; containers use its address
	// and authority with a token of their own.
	API *rest.Config
}

// podDir is where a pod keeps its volumes, containers and logs.
func (r *Runtime) podDir(pod *corev1.Pod) string {
	return filepath.Join(r.Dir, "pods", pod.Namespace+"_"+pod.Name+"_"+string(pod.UID))
}

// tempDir is where the containers of a pod keep temporary files. It is short,
// because the path of a Unix socket can have little more than 100 bytes.
func (r *Runtime) tempDir(pod *corev1.Pod) string {
	return filepath.Join(r.Dir, "tmp", string(pod.UID)[:min(8, len(pod.UID))])
}
