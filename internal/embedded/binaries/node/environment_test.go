package main_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func createConfigMap(t *testing.T, namespace, name string, data map[string]string) {
	t.Helper()
	_, err := shared.client.CoreV1().ConfigMaps(namespace).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}, metav1.CreateOptions{})
	require.NoError(t, err)
}

func createSecret(t *testing.T, namespace, name string, data map[string]string) {
	t.Helper()
	_, err := shared.client.CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: data}, metav1.CreateOptions{})
	require.NoError(t, err)
}

func TestEnvironmentOfAContainer(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	createConfigMap(t, ns, "settings", map[string]string{"mode": "fast", "file": "/etc/settings/mode"})
	createSecret(t, ns, "login", map[string]string{"user": "ada", "password": "pässwörd"})

	log := runPod(t, ns, "env", `
restartPolicy: Never
containers:
- name: main
  image: shell:1
  args: ["-c", "env; echo 'arg=$(GREETING)'"]
  resources: {limits: {cpu: 1500m, memory: 64Mi}}
  envFrom:
  - {prefix: CM_, configMapRef: {name: settings}}
  - {secretRef: {name: login}}
  - {configMapRef: {name: absent, optional: true}}
  env:
  - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
  - {name: NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
  - {name: LABEL, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app']"}}}
  - {name: ANNOTATION, valueFrom: {fieldRef: {fieldPath: "metadata.annotations['note']"}}}
  - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
  - {name: ACCOUNT, valueFrom: {fieldRef: {fieldPath: spec.serviceAccountName}}}
  - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
  - {name: POD_IPS, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}
  - {name: HOST_IP, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}
  - {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
  - {name: MEMORY, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}
  - {name: MODE, valueFrom: {configMapKeyRef: {name: settings, key: mode}}}
  - {name: USER_NAME, valueFrom: {secretKeyRef: {name: login, key: user}}}
  - {name: ABSENT, valueFrom: {secretKeyRef: {name: login, key: absent, optional: true}}}
  - {name: GREETING, value: "hello $(USER_NAME) $$(NAME) $(UNKNOWN)"}
  - {name: HOME, value: /nowhere}
  volumeMounts: [{name: settings, mountPath: /etc/settings}]
volumes: [{name: settings, configMap: {name: settings}}]
`)

	got := map[string]string{}
	for _, line := range lines(log) {
		name, value, _ := strings.Cut(line, "=")
		got[name] = value
	}
	root := got["BACKBONE_ROOT"]
	require.NotEmpty(t, root)
	want := map[string]string{
		"CM_mode": "fast", "CM_file": filepath.Join(root, "etc/settings/mode"), "user": "ada", "password": "pässwörd",
		"NAME": "env", "NAMESPACE": ns, "LABEL": "env", "ANNOTATION": "a b", "NODE": "local", "ACCOUNT": "default",
		"POD_IP": "127.0.0.1", "POD_IPS": "127.0.0.1", "HOST_IP": "127.0.0.1", "CPU": "2", "MEMORY": "64",
		"MODE": "fast", "USER_NAME": "ada", "GREETING": "hello ada $(NAME) $(UNKNOWN)", "arg": "hello ada $(NAME) $(UNKNOWN)",
		"HOME": "/nowhere", "HOSTNAME": "env", "KUBERNETES_SERVICE_HOST": "127.0.0.1",
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			delete(got, name)
		}
	}
	require.Empty(t, cmp.Diff(want, got))
}

func TestContainerWaitsForWhatItsEnvironmentNeeds(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	createPod(t, ns, "late", `
restartPolicy: Never
containers:
- name: main
  image: shell:1
  command: [sh, -c, "echo $MODE"]
  env: [{name: MODE, valueFrom: {configMapKeyRef: {name: settings, key: mode}}}]
`)
	pod := awaitPod(t, ns, "late", "waiting for the ConfigMap", waiting("CreateContainerConfigError"))
	require.Contains(t, pod.Status.ContainerStatuses[0].State.Waiting.Message, `configmaps "settings" not found`)
	require.Equal(t, corev1.PodPending, pod.Status.Phase)

	createConfigMap(t, ns, "settings", map[string]string{"mode": "slow"})
	awaitPod(t, ns, "late", "finished", finished)
	require.Equal(t, "slow\n", readLog(t, ns, "late", &corev1.PodLogOptions{}))
}
