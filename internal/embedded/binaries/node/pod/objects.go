package pod

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/volume"
)

// objects looks up what the environment of a pod refers to, for the time of
// one start.
type objects struct {
	ctx       context.Context
	source    volume.Source
	namespace string
}

func (o objects) ConfigMap(name string) (*corev1.ConfigMap, error) {
	return o.source.ConfigMap(o.ctx, o.namespace, name)
}

func (o objects) Secret(name string) (*corev1.Secret, error) {
	return o.source.Secret(o.ctx, o.namespace, name)
}
