package environment

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/api/v1/resource"
	"k8s.io/kubernetes/pkg/fieldpath"
)

// field reads a field of the pod. The fields that only a node knows are here;
// the others are those of kubernetes: pkg/fieldpath.
func (c Container) field(ref *corev1.ObjectFieldSelector) (string, error) {
	switch ref.FieldPath {
	case "spec.nodeName":
		return c.Pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return c.Pod.Spec.ServiceAccountName, nil
	case "status.podIP", "status.podIPs", "status.hostIP", "status.hostIPs":
		return c.IP, nil
	}
	return fieldpath.ExtractFieldPathAsString(c.Pod, ref.FieldPath)
}

// resource reads a request or limit in units of the divisor. A limit that is
// not set is what the node can give.
func (c Container) resource(ref *corev1.ResourceFieldSelector) (string, error) {
	if ref.ContainerName != "" {
		return resource.ExtractResourceValueByContainerNameAndNodeAllocatable(ref, c.Pod, ref.ContainerName, c.Allocatable)
	}
	container := c.Container.DeepCopy()
	resource.MergeContainerResourceLimits(container, c.Allocatable)
	return resource.ExtractContainerResourceValue(ref, container)
}
