package environment_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/environment"
)

func field(path string) *corev1.EnvVarSource {
	return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}
}

func quantity(name, divisor string) *corev1.EnvVarSource {
	return &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: name, Divisor: resource.MustParse(divisor)}}
}

// container is the subject of the tables; what env refers to in other objects
// is tested on a real API server.
func container(env ...corev1.EnvVar) environment.Container {
	return environment.Container{
		Pod: &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "web-0", Namespace: "shop", UID: "42", Labels: map[string]string{"app": "web", "tier": "1"}, Annotations: map[string]string{"note": "x y"}},
			Spec:       corev1.PodSpec{NodeName: "local", ServiceAccountName: "clerk"},
		},
		Container: &corev1.Container{Name: "main", Env: env, Resources: corev1.ResourceRequirements{
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("100Mi")},
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1200m")},
		}},
		Allocatable: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("8")},
		IP:          "127.0.0.1",
		Provided:    map[string]string{"HOME": "/node/home", "KUBECONFIG": "/node/kubeconfig"},
		Rewrite:     func(text string) string { return strings.ReplaceAll(text, "/mnt", "/node/jail/mnt") },
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		env  []corev1.EnvVar
		want map[string]string
	}{
		"fields of the pod": {
			env: []corev1.EnvVar{
				{Name: "A", ValueFrom: field("metadata.name")}, {Name: "B", ValueFrom: field("metadata.namespace")}, {Name: "C", ValueFrom: field("metadata.uid")},
				{Name: "D", ValueFrom: field("metadata.labels['app']")}, {Name: "E", ValueFrom: field("metadata.annotations['note']")},
				{Name: "F", ValueFrom: field("metadata.labels")}, {Name: "G", ValueFrom: field("metadata.labels['none']")},
				{Name: "H", ValueFrom: field("spec.nodeName")}, {Name: "I", ValueFrom: field("spec.serviceAccountName")},
				{Name: "J", ValueFrom: field("status.podIP")}, {Name: "K", ValueFrom: field("status.hostIPs")},
			},
			want: map[string]string{
				"A": "web-0", "B": "shop", "C": "42", "D": "web", "E": "x y", "F": "app=\"web\"\ntier=\"1\"", "G": "",
				"H": "local", "I": "clerk", "J": "127.0.0.1", "K": "127.0.0.1",
			},
		},
		"resources in units of the divisor, rounded up": {
			env: []corev1.EnvVar{
				{Name: "A", ValueFrom: quantity("requests.cpu", "1")}, {Name: "B", ValueFrom: quantity("requests.cpu", "1m")}, {Name: "C", ValueFrom: quantity("limits.memory", "1Mi")},
			},
			want: map[string]string{"A": "2", "B": "1200", "C": "100"},
		},
		"a limit that is not set is what the node has": {
			env:  []corev1.EnvVar{{Name: "A", ValueFrom: quantity("limits.cpu", "1")}},
			want: map[string]string{"A": "8"},
		},
		"references to earlier and provided variables are expanded": {
			env:  []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "$(A)$(A) $(KUBECONFIG)"}},
			want: map[string]string{"A": "1", "B": "11 /node/kubeconfig"},
		},
		"references to unknown and later variables, and escaped ones, are not": {
			env:  []corev1.EnvVar{{Name: "A", Value: "$(B) $$(A) $A $"}, {Name: "B", Value: "2"}},
			want: map[string]string{"A": "$(B) $(A) $A $", "B": "2"},
		},
		"paths are rewritten once, before references are expanded": {
			env:  []corev1.EnvVar{{Name: "A", Value: "/mnt/a"}, {Name: "B", Value: "$(A):/mnt"}},
			want: map[string]string{"A": "/node/jail/mnt/a", "B": "/node/jail/mnt/a:/node/jail/mnt"},
		},
		"the container's variables win over provided ones": {
			env:  []corev1.EnvVar{{Name: "HOME", Value: "/elsewhere"}},
			want: map[string]string{"HOME": "/elsewhere"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := container(test.env...).Resolve()
			require.NoError(t, err)
			want := environment.Environment{"HOME": "/node/home", "KUBECONFIG": "/node/kubeconfig"}
			for key, value := range test.want {
				want[key] = value
			}
			require.Empty(t, cmp.Diff(want, got))
		})
	}
}

func TestResolveNamesWhatItCannotProvide(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		source *corev1.EnvVarSource
		want   string
	}{
		"a field that does not exist":  {field("spec.none"), "environment variable A: unsupported fieldPath: spec.none"},
		"a resource that is not known": {quantity("limits.none", "1"), "environment variable A: unsupported container resource"},
		"a source that is not known":   {&corev1.EnvVarSource{FileKeyRef: &corev1.FileKeySelector{}}, "environment variable A: this node supports"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := container(corev1.EnvVar{Name: "A", ValueFrom: test.source}).Resolve()
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestExpandAndList(t *testing.T) {
	t.Parallel()
	e := environment.Environment{"B": "2", "A": "1"}
	require.Empty(t, cmp.Diff([]string{"--a=1", "$(A)", "$(C)", "2$x"}, e.Expand([]string{"--a=$(A)", "$$(A)", "$(C)", "$(B)$x"})))
	require.Empty(t, cmp.Diff([]string{"A=1", "B=2"}, e.List()))
}
