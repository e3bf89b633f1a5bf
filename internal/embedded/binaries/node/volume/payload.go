package volume

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	kubevolume "k8s.io/kubernetes/pkg/volume"
	"k8s.io/kubernetes/pkg/volume/configmap"
	"k8s.io/kubernetes/pkg/volume/downwardapi"
	"k8s.io/kubernetes/pkg/volume/secret"
	volumeutil "k8s.io/kubernetes/pkg/volume/util"
)

// files are the contents of a volume by their path in it.
type files = map[string]volumeutil.FileProjection

// payload computes the files of a pod's volumes.
type payload struct {
	ctx    context.Context
	pod    *corev1.Pod
	source Source
}

func (p payload) volume(volume *corev1.Volume) (files, error) {
	switch {
	case volume.ConfigMap != nil:
		s := volume.ConfigMap
		return p.configMap(s.Name, s.Items, s.DefaultMode, s.Optional)
	case volume.Secret != nil:
		s := volume.Secret
		return p.secret(s.SecretName, s.Items, s.DefaultMode, s.Optional)
	case volume.DownwardAPI != nil:
		return p.downwardAPI(volume.DownwardAPI.Items, volume.DownwardAPI.DefaultMode)
	case volume.Projected != nil:
		return p.projected(volume.Projected)
	}
	return nil, fmt.Errorf("this node has no volumes of kind %s; it has configMap, secret, downwardAPI, projected, emptyDir and hostPath", kind(volume))
}

func (p payload) configMap(name string, items []corev1.KeyToPath, mode *int32, optional *bool) (files, error) {
	object, err := p.source.ConfigMap(p.ctx, p.pod.Namespace, name)
	if missing(err, optional) {
		object, err = &corev1.ConfigMap{}, nil
	}
	if err != nil {
		return nil, err
	}
	found, err := configmap.MakePayload(items, object, mode, nil, isTrue(optional))
	if err != nil {
		return nil, fmt.Errorf("ConfigMap %s/%s: %w", p.pod.Namespace, name, err)
	}
	return found, nil
}

func (p payload) secret(name string, items []corev1.KeyToPath, mode *int32, optional *bool) (files, error) {
	object, err := p.source.Secret(p.ctx, p.pod.Namespace, name)
	if missing(err, optional) {
		object, err = &corev1.Secret{}, nil
	}
	if err != nil {
		return nil, err
	}
	found, err := secret.MakePayload(items, object, mode, nil, isTrue(optional))
	if err != nil {
		return nil, fmt.Errorf("Secret %s/%s: %w", p.pod.Namespace, name, err)
	}
	return found, nil
}

func (p payload) downwardAPI(items []corev1.DownwardAPIVolumeFile, mode *int32) (files, error) {
	return downwardapi.CollectData(items, p.pod, host{allocatable: p.source.Allocatable()}, mode, nil)
}

// projected merges its sources; of two with the same path the later wins.
func (p payload) projected(volume *corev1.ProjectedVolumeSource) (files, error) {
	all := files{}
	for _, source := range volume.Sources {
		found, err := p.projection(source, volume.DefaultMode)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, found)
	}
	return all, nil
}

func (p payload) projection(source corev1.VolumeProjection, mode *int32) (files, error) {
	switch {
	case source.ConfigMap != nil:
		return p.configMap(source.ConfigMap.Name, source.ConfigMap.Items, mode, source.ConfigMap.Optional)
	case source.Secret != nil:
		return p.secret(source.Secret.Name, source.Secret.Items, mode, source.Secret.Optional)
	case source.DownwardAPI != nil:
		return p.downwardAPI(source.DownwardAPI.Items, mode)
	case source.ServiceAccountToken != nil:
		token, err := p.source.Token(p.pod, source.ServiceAccountToken)
		if err != nil {
			return nil, fmt.Errorf("request a token of ServiceAccount %s/%s: %w", p.pod.Namespace, p.pod.Spec.ServiceAccountName, err)
		}
		return files{source.ServiceAccountToken.Path: {Data: []byte(token), Mode: 0o600}}, nil
	}
	return nil, fmt.Errorf("this node projects configMap, secret, downwardAPI and serviceAccountToken only")
}

// host answers the one question that downwardapi.CollectData asks of the kubelet.
type host struct {
	kubevolume.VolumeHost
	allocatable corev1.ResourceList
}

func (h host) GetNodeAllocatable() (corev1.ResourceList, error) { return h.allocatable, nil }

func missing(err error, optional *bool) bool { return apierrors.IsNotFound(err) && isTrue(optional) }

func isTrue(b *bool) bool { return b != nil && *b }
