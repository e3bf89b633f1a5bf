package logfile

import (
	"context"
	"io"
	"time"

	"github.com/virtual-kubelet/virtual-kubelet/node/api"
	internalapi "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/cri-client/pkg/logs"
)

// Read returns the log at path as kubectl logs wants it. When following, it
// ends soon after running reports false.
func Read(ctx context.Context, path string, options api.ContainerLogOpts, running func() bool) io.ReadCloser {
	ctx, cancel := context.WithCancel(ctx)
	reader, writer := io.Pipe()
	go func() {
		defer cancel()
		writer.CloseWithError(logs.ReadLogs(ctx, path, path, toLogs(options), &runtime{running: running}, writer, writer))
	}()
	return &stream{PipeReader: reader, cancel: cancel}
}

// toLogs translates the options; zero values mean that an option is not set.
func toLogs(options api.ContainerLogOpts) *logs.LogOptions {
	out := &logs.LogOptions{Since: options.SinceTime, Follow: options.Follow, Timestamp: options.Timestamps}
	if options.SinceSeconds > 0 {
		out.Since = time.Now().Add(-time.Duration(options.SinceSeconds) * time.Second)
	}
	if options.Tail > 0 {
		tail := int64(options.Tail)
		out.TailLines = &tail
	}
	if options.LimitBytes > 0 {
		limit := int64(options.LimitBytes)
		out.LimitBytes = &limit
	}
	return out
}

// stream is a log that stops being read when it is closed.
type stream struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (s *stream) Close() error {
	s.cancel()
	return s.PipeReader.Close()
}

// runtime answers the one question that logs.ReadLogs asks of a container
// runtime: whether the container still runs.
type runtime struct {
	internalapi.RuntimeService
	running func() bool
}

func (r *runtime) ContainerStatus(context.Context, string, bool) (*runtimeapi.ContainerStatusResponse, error) {
	state := runtimeapi.ContainerState_CONTAINER_EXITED
	if r.running() {
		state = runtimeapi.ContainerState_CONTAINER_RUNNING
	}
	return &runtimeapi.ContainerStatusResponse{Status: &runtimeapi.ContainerStatus{State: state}}, nil
}
