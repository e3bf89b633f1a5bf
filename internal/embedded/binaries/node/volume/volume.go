// Package volume lays the volumes of a pod out as directories and keeps those
// that mirror API objects up to date.
//
// Contents are computed and written by the kubelet's own code: MakePayload and
// CollectData of the volume plugins, and the AtomicWriter that lets readers see
// either the old files or the new ones.
package volume

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	volumeutil "k8s.io/kubernetes/pkg/volume/util"
)

// Source reads what volumes are made of.
type Source interface {
	// ConfigMap and Secret fail with an error that satisfies
	// apierrors.IsNotFound when there is none of that name.
	ConfigMap(ctx context.Context, namespace, name string) (*corev1.ConfigMap, error)
	Secret(ctx context.Context, namespace, name string) (*corev1.Secret, error)
	// Token returns a token of the pod's ServiceAccount that is bound to the
	// pod and has at least a fifth of its life before it.
	Token(pod *corev1.Pod, projection *corev1.ServiceAccountTokenProjection) (string, error)
	// Allocatable are the node's resources, the value of limits that are not set.
	Allocatable() corev1.ResourceList
}

// Volumes are the volumes of one pod.
type Volumes struct {
	dir string
}

// New returns the volumes of a pod, kept below dir.
func New(dir string) *Volumes { return &Volumes{dir: dir} }

// Path is where the content of a volume lies on this machine.
func (v *Volumes) Path(volume *corev1.Volume) string {
	if volume.HostPath != nil {
		return volume.HostPath.Path
	}
	return filepath.Join(v.dir, volume.Name)
}

// Write creates the pod's volumes, or brings them up to date. A volume whose
// objects have not changed is not touched.
func (v *Volumes) Write(ctx context.Context, pod *corev1.Pod, source Source) error {
	for i := range pod.Spec.Volumes {
		if err := v.write(payload{ctx: ctx, pod: pod, source: source}, &pod.Spec.Volumes[i]); err != nil {
			return fmt.Errorf("volume %q: %w", pod.Spec.Volumes[i].Name, err)
		}
	}
	return nil
}

func (v *Volumes) write(payload payload, volume *corev1.Volume) error {
	switch {
	case volume.EmptyDir != nil:
		return os.MkdirAll(v.Path(volume), 0o777)
	case volume.HostPath != nil:
		return checkHostPath(volume.HostPath)
	}
	files, err := payload.volume(volume)
	if err != nil {
		return err
	}
	return v.mirror(v.Path(volume), files)
}

// mirror makes the files the whole visible content of dir, in one step.
func (v *Volumes) mirror(dir string, files map[string]volumeutil.FileProjection) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for path, file := range files {
		// The owner must be able to read a file, or the process that runs
		// as this user, unlike one that runs as root, could not.
		file.Mode |= 0o400
		// Ownership by a file's user needs root; all processes run as this user.
		file.FsUser = nil
		files[path] = file
	}
	writer, err := volumeutil.NewAtomicWriter(dir, "volume "+dir)
	if err != nil {
		return err
	}
	return writer.Write(files, nil)
}

// checkHostPath makes or finds the path of the machine that a pod asks for.
func checkHostPath(source *corev1.HostPathVolumeSource) error {
	kind := corev1.HostPathUnset
	if source.Type != nil {
		kind = *source.Type
	}
	switch kind {
	case corev1.HostPathDirectoryOrCreate:
		return os.MkdirAll(source.Path, 0o755)
	case corev1.HostPathFileOrCreate:
		file, err := os.OpenFile(source.Path, os.O_CREATE|os.O_RDONLY, 0o644)
		if err != nil {
			return err
		}
		return file.Close()
	}
	_, err := os.Stat(source.Path)
	return err
}

// Mounted finds what a volume mount shows: the volume, or the part of it that
// subPath names. A directory that is not there yet is made, as the kubelet does.
func (v *Volumes) Mounted(pod *corev1.Pod, mount corev1.VolumeMount, expand func(string) string) (string, error) {
	for i := range pod.Spec.Volumes {
		volume := &pod.Spec.Volumes[i]
		if volume.Name != mount.Name {
			continue
		}
		sub := mount.SubPath
		if mount.SubPathExpr != "" {
			sub = expand(mount.SubPathExpr)
		}
		if sub == "" {
			return v.Path(volume), nil
		}
		if !filepath.IsLocal(sub) {
			return "", fmt.Errorf("mount of volume %q: subPath %q leads out of the volume", mount.Name, sub)
		}
		path := filepath.Join(v.Path(volume), sub)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		return path, os.MkdirAll(path, 0o755)
	}
	return "", fmt.Errorf("mount at %s: the pod has no volume %q", mount.MountPath, mount.Name)
}

// kind names the source of a volume, as its field is called in manifests.
func kind(volume *corev1.Volume) string {
	fields := map[string]any{}
	if data, err := json.Marshal(volume.VolumeSource); err == nil {
		_ = json.Unmarshal(data, &fields)
	}
	return strings.Join(slices.Collect(maps.Keys(fields)), ", ")
}
