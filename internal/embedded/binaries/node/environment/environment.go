// Package environment computes the environment variables of a container from
// its env and envFrom, by the kubelet's rules (kubernetes:
// pkg/kubelet/kubelet_pods.go, makeEnvironmentVariables).
package environment

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"
)

// Objects looks up what env and envFrom refer to, in the pod's namespace. A
// missing object is an error that satisfies apierrors.IsNotFound.
type Objects interface {
	ConfigMap(name string) (*corev1.ConfigMap, error)
	Secret(name string) (*corev1.Secret, error)
}

// Container is what the environment depends on.
type Container struct {
	Pod       *corev1.Pod
	Container *corev1.Container
	Objects   Objects
	// Allocatable are the node's resources, the value of limits that are not set.
	Allocatable corev1.ResourceList
	// IP is the address of the pod and of the node.
	IP string
	// Provided are the variables that the node itself sets. The container's own win.
	Provided map[string]string
	// Rewrite turns the container's paths in a value into paths of this
	// machine. It sees each value before references in it are expanded.
	Rewrite func(string) string
}

// Environment is the result: names to values.
type Environment map[string]string

// List renders the environment as NAME=value, sorted by name.
func (e Environment) List() []string {
	list := make([]string, 0, len(e))
	for _, name := range slices.Sorted(maps.Keys(e)) {
		list = append(list, name+"="+e[name])
	}
	return list
}

// Expand replaces $(NAME) in each of texts; $$ stands for one dollar sign and a
// reference to an unknown name is left as it is.
func (e Environment) Expand(texts []string) []string {
	mapping := expansion.MappingFuncFor(e)
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = expansion.Expand(text, mapping)
	}
	return out
}

// Resolve computes the environment. Its errors name objects and keys, never values.
func (c Container) Resolve() (Environment, error) {
	result := maps.Clone(c.Provided)
	if result == nil {
		result = Environment{}
	}
	for _, source := range c.Container.EnvFrom {
		values, err := c.from(source)
		if err != nil {
			return nil, err
		}
		for name, value := range values {
			result[source.Prefix+name] = c.Rewrite(value)
		}
	}
	mapping := expansion.MappingFuncFor(result)
	for _, variable := range c.Container.Env {
		if variable.ValueFrom == nil {
			result[variable.Name] = expansion.Expand(c.Rewrite(variable.Value), mapping)
			continue
		}
		value, found, err := c.value(variable.ValueFrom)
		if err != nil {
			return nil, fmt.Errorf("environment variable %s: %w", variable.Name, err)
		}
		if found {
			result[variable.Name] = value
		}
	}
	return result, nil
}

// from reads a whole ConfigMap or Secret.
func (c Container) from(source corev1.EnvFromSource) (map[string]string, error) {
	switch {
	case source.ConfigMapRef != nil:
		object, err := c.Objects.ConfigMap(source.ConfigMapRef.Name)
		if err != nil {
			return nil, unlessOptional(err, source.ConfigMapRef.Optional)
		}
		return object.Data, nil
	case source.SecretRef != nil:
		object, err := c.Objects.Secret(source.SecretRef.Name)
		if err != nil {
			return nil, unlessOptional(err, source.SecretRef.Optional)
		}
		return texts(object.Data), nil
	}
	return nil, nil
}

// value reads one source; it reports false for an optional one that is missing.
func (c Container) value(source *corev1.EnvVarSource) (string, bool, error) {
	switch {
	case source.FieldRef != nil:
		value, err := c.field(source.FieldRef)
		return value, err == nil, err
	case source.ResourceFieldRef != nil:
		value, err := c.resource(source.ResourceFieldRef)
		return value, err == nil, err
	case source.ConfigMapKeyRef != nil:
		ref := source.ConfigMapKeyRef
		object, err := c.Objects.ConfigMap(ref.Name)
		if err != nil {
			return "", false, unlessOptional(err, ref.Optional)
		}
		return c.key(object.Data, "ConfigMap", ref.Name, ref.Key, ref.Optional)
	case source.SecretKeyRef != nil:
		ref := source.SecretKeyRef
		object, err := c.Objects.Secret(ref.Name)
		if err != nil {
			return "", false, unlessOptional(err, ref.Optional)
		}
		return c.key(texts(object.Data), "Secret", ref.Name, ref.Key, ref.Optional)
	}
	return "", false, fmt.Errorf("this node supports fieldRef, resourceFieldRef, configMapKeyRef and secretKeyRef only")
}

func (c Container) key(data map[string]string, kind, name, key string, optional *bool) (string, bool, error) {
	value, ok := data[key]
	if !ok && (optional == nil || !*optional) {
		return "", false, fmt.Errorf("%s %s/%s has no key %q", kind, c.Pod.Namespace, name, key)
	}
	return c.Rewrite(value), ok, nil
}

func unlessOptional(err error, optional *bool) error {
	if optional != nil && *optional && apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func texts(data map[string][]byte) map[string]string {
	out := make(map[string]string, len(data))
	for key, value := range data {
		out[key] = string(value)
	}
	return out
}
