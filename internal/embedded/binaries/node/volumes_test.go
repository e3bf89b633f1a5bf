package main_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestVolumesOfAPod(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	createConfigMap(t, ns, "settings", map[string]string{"mode": "fast", "other": "x"})
	createSecret(t, ns, "login", map[string]string{"user": "ada"})

	log := runPod(t, ns, "volumes", `
restartPolicy: Never
initContainers:
- name: first
  image: shell:1
  command: [sh, -c, "echo from init > /scratch/note"]
  volumeMounts: [{name: scratch, mountPath: /scratch}]
containers:
- name: main
  image: shell:1
  workingDir: /scratch
  command: [sh, -c]
  args:
  - |
    cat note
    cat /etc/settings/renamed; echo
    ls /etc/settings
    stat -Lc %a /etc/login/user
    ls /etc/absent | wc -l
    cat /etc/pod/name; echo
    cat /etc/pod/cpu; echo
    cat /etc/all/in/login; echo
    cat /etc/one; echo
    pwd
  resources: {requests: {cpu: 250m}}
  volumeMounts:
  - {name: scratch, mountPath: /scratch}
  - {name: settings, mountPath: /etc/settings}
  - {name: login, mountPath: /etc/login}
  - {name: absent, mountPath: /etc/absent}
  - {name: pod, mountPath: /etc/pod}
  - {name: all, mountPath: /etc/all}
  - {name: settings, mountPath: /etc/one, subPath: renamed}
volumes:
- {name: scratch, emptyDir: {}}
- {name: settings, configMap: {name: settings, items: [{key: mode, path: renamed}]}}
- {name: login, secret: {secretName: login, defaultMode: 0400}}
- {name: absent, secret: {secretName: absent, optional: true}}
- name: pod
  downwardAPI:
    items:
    - {path: name, fieldRef: {fieldPath: metadata.name}}
    - {path: cpu, resourceFieldRef: {containerName: main, resource: requests.cpu, divisor: 1m}}
- name: all
  projected:
    sources:
    - secret: {name: login, items: [{key: user, path: in/login}]}
    - configMap: {name: settings}
`)
	got := lines(log)
	require.Len(t, got, 10)
	require.Regexp(t, "/root/scratch$|/volumes/scratch$", got[9])
	require.Empty(t, cmp.Diff([]string{"from init", "fast", "renamed", "400", "0", "volumes", "250", "ada", "fast"}, got[:9]))
}

func TestVolumeFollowsItsConfigMap(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	createConfigMap(t, ns, "settings", map[string]string{"mode": "old"})
	createPod(t, ns, "follower", `
restartPolicy: Never
containers:
- name: main
  image: shell:1
  command: [sh, -c, "until grep -q new /etc/settings/mode; do sleep 0.1; done; echo seen"]
  volumeMounts: [{name: settings, mountPath: /etc/settings}]
volumes: [{name: settings, configMap: {name: settings}}]
`)
	awaitPod(t, ns, "follower", "running", running)
	_, err := shared.client.CoreV1().ConfigMaps(ns).Patch(t.Context(), "settings", types.MergePatchType, []byte(`{"data":{"mode":"new"}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	awaitPod(t, ns, "follower", "finished", finished)
	require.Equal(t, "seen\n", readLog(t, ns, "follower", &corev1.PodLogOptions{}))
}

func TestPodWaitsForItsVolumes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ volume, message string }{
		"a secret that is missing":            {"secret: {secretName: absent}", `secrets "absent" not found`},
		"a key that is missing":               {"configMap: {name: kube-root-ca.crt, items: [{key: absent, path: a}]}", "absent"},
		"a kind that this node does not have": {"nfs: {server: example.com, path: /}", "this node has no volumes of kind nfs"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := namespace(t)
			createPod(t, ns, "pod", `
containers:
- {name: main, image: shell:1, command: [sleep, "1000"], volumeMounts: [{name: v, mountPath: /v}]}
volumes:
- name: v
  `+test.volume)
			pod := awaitPod(t, ns, "pod", "waiting for its volume", waiting("CreateContainerConfigError"))
			require.Contains(t, pod.Status.ContainerStatuses[0].State.Waiting.Message, test.message)
			require.Equal(t, corev1.PodPending, pod.Status.Phase)
		})
	}
}

func TestContainerActsAsItsServiceAccount(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	_, err := shared.client.CoreV1().ServiceAccounts(ns).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "reader"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = shared.client.RbacV1().Roles(ns).Create(t.Context(), &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list"}}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = shared.client.RbacV1().RoleBindings(ns).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		RoleRef:    rbacv1.RoleRef{Kind: "Role", Name: "reader"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: "reader"}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)

	tests := map[string]struct {
		spec string
		want string
	}{
		"with its rights and no others":       {"", "kubeconfig true\nconfigmaps true\nsecrets false\n"},
		"not at all when no token is mounted": {"automountServiceAccountToken: false", "kubeconfig false\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := "review-" + string(test.want[11])
			log := runPod(t, ns, pod, `
restartPolicy: Never
serviceAccountName: reader
containers: [{name: main, image: programs:1, command: [/usr/bin/review]}]
`+test.spec)
			require.Equal(t, test.want, log)
		})
	}
}
