package eventing

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Persistence gives each server of a bus a volume that outlives its pod.
type Persistence struct {
	// StorageClass of the volume. Default: that of the cluster.
	StorageClass string
	// AccessMode of the volume. Default: ReadWriteOnce.
	AccessMode corev1.PersistentVolumeAccessMode
	// Size of the volume. Default: 20Gi for [JetStream], 10Gi for [STAN].
	Size resource.Quantity
}

var accessModes = []corev1.PersistentVolumeAccessMode{
	corev1.ReadWriteOnce, corev1.ReadOnlyMany, corev1.ReadWriteMany, corev1.ReadWriteOncePod,
}

func (p *Persistence) validate(path *field.Path) field.ErrorList {
	if p == nil {
		return nil
	}
	faults := optional(path.Child("storageClass"), p.StorageClass, object.Name)
	faults = append(faults, oneOf(path.Child("accessMode"), p.AccessMode, accessModes)...)
	if p.Size.Sign() < 0 {
		faults = append(faults, field.Invalid(path.Child("size"), p.Size.String(), "must not be negative"))
	}
	return faults
}

func (p *Persistence) spec() map[string]any {
	if p == nil {
		return nil
	}
	spec := object.Compact(map[string]any{
		"storageClassName": p.StorageClass,
		"accessMode":       cmp.Or(p.AccessMode, corev1.ReadWriteOnce),
	})
	if !p.Size.IsZero() {
		spec["volumeSize"] = p.Size.String()
	}
	return spec
}
