package eventing

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Pod shapes the pods that upstream runs for an object. The zero value changes
// nothing.
type Pod struct {
	// Labels and Annotations are put on the pods.
	Labels      map[string]string
	Annotations map[string]string
	// Container shapes the container that does the work.
	Container Container
	// Volumes that the container may mount. Forbidden in the pods of an
	// [EventBus].
	Volumes []corev1.Volume
	// SecurityContext of the pod. Default: none.
	SecurityContext *corev1.PodSecurityContext
	// NodeSelector, Tolerations and Affinity say on which nodes the pods may run.
	NodeSelector map[string]string
	Tolerations  []corev1.Toleration
	Affinity     *corev1.Affinity
	// ImagePullSecrets are the names of Secrets for the registry.
	ImagePullSecrets []string
	// PriorityClass is the name of the priority class. Default: that of the
	// cluster.
	PriorityClass string
	// Priority is the number of the priority class, for clusters whose admission
	// does not fill it in. Default: filled in.
	Priority *int32
}

// Container shapes one container of a [Pod].
type Container struct {
	// Resources that the container requests and is limited to.
	Resources corev1.ResourceRequirements
	// ImagePullPolicy of the image. Default: upstream's.
	ImagePullPolicy corev1.PullPolicy
	// SecurityContext of the container. Default: none.
	SecurityContext *corev1.SecurityContext
	// VolumeMounts, Env and EnvFrom are added to those of upstream. Credentials
	// belong in a Secret that Env or EnvFrom refers to. Forbidden in the pods of
	// an [EventBus].
	VolumeMounts []corev1.VolumeMount
	Env          []corev1.EnvVar
	EnvFrom      []corev1.EnvFromSource
}

func (p Pod) validate(path *field.Path) field.ErrorList {
	faults := metav1validation.ValidateLabels(p.Labels, path.Child("labels"))
	faults = append(faults, object.Annotations(path.Child("annotations"), p.Annotations)...)
	for i, secret := range p.ImagePullSecrets {
		faults = append(faults, object.Name(path.Child("imagePullSecrets").Index(i), secret)...)
	}
	faults = append(faults, metav1validation.ValidateLabels(p.NodeSelector, path.Child("nodeSelector"))...)
	return append(faults, optional(path.Child("priorityClass"), p.PriorityClass, object.Name)...)
}

// validateWorker checks the pod of an event source or a sensor.
func (p Pod) validateWorker(path *field.Path) field.ErrorList {
	return append(p.validate(path), p.Container.validate(path.Child("container"))...)
}

// validateBus checks the pod of a bus, which upstream gives fewer fields.
func (p Pod) validateBus(path *field.Path) field.ErrorList {
	faults := p.validate(path)
	if len(p.Volumes) > 0 {
		faults = append(faults, field.Forbidden(path.Child("volumes"), noBusField))
	}
	return append(faults, p.Container.validateBus(path.Child("container"))...)
}

const noBusField = "upstream has no such field for the pods of a bus"

var pullPolicies = []corev1.PullPolicy{corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever}

func (c Container) validate(path *field.Path) field.ErrorList {
	return oneOf(path.Child("imagePullPolicy"), c.ImagePullPolicy, pullPolicies)
}

// validateBus also refuses what upstream cannot give the containers of a bus.
func (c Container) validateBus(path *field.Path) field.ErrorList {
	faults := c.validate(path)
	if len(c.VolumeMounts) > 0 {
		faults = append(faults, field.Forbidden(path.Child("volumeMounts"), noBusField))
	}
	if len(c.Env) > 0 {
		faults = append(faults, field.Forbidden(path.Child("env"), noBusField))
	}
	if len(c.EnvFrom) > 0 {
		faults = append(faults, field.Forbidden(path.Child("envFrom"), noBusField))
	}
	return faults
}

// spec is the part of upstream's pod template that all kinds of objects share.
func (p Pod) spec() map[string]any {
	secrets := make([]any, 0, len(p.ImagePullSecrets))
	for _, name := range p.ImagePullSecrets {
		secrets = append(secrets, map[string]any{"name": name})
	}
	return object.Compact(map[string]any{
		"metadata":          metadata(p.Labels, p.Annotations),
		"securityContext":   p.SecurityContext,
		"nodeSelector":      p.NodeSelector,
		"tolerations":       p.Tolerations,
		"affinity":          p.Affinity,
		"imagePullSecrets":  secrets,
		"priorityClassName": p.PriorityClass,
		"priority":          p.Priority,
	})
}

func metadata(labels, annotations map[string]string) map[string]any {
	return object.Compact(map[string]any{"labels": labels, "annotations": annotations})
}

func (c Container) spec() map[string]any {
	return object.Compact(map[string]any{
		"resources":       resources(c.Resources),
		"imagePullPolicy": c.ImagePullPolicy,
		"securityContext": c.SecurityContext,
		"volumeMounts":    c.VolumeMounts,
		"env":             c.Env,
		"envFrom":         c.EnvFrom,
	})
}

func resources(requirements corev1.ResourceRequirements) map[string]any {
	return object.Compact(map[string]any{
		"limits":   requirements.Limits,
		"requests": requirements.Requests,
		"claims":   requirements.Claims,
	})
}

// podSpec returns the part of a spec that sensors and event sources share.
func podSpec(eventBus string, account account, pod Pod, replicas int32) map[string]any {
	template := pod.spec()
	maps.Copy(template, object.Compact(map[string]any{
		"serviceAccountName": account.name(),
		"container":          pod.Container.spec(),
		"volumes":            pod.Volumes,
	}))
	return object.Compact(map[string]any{"eventBusName": eventBus, "replicas": replicas, "template": template})
}
