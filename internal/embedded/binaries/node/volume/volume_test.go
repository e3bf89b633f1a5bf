package volume_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/volume"
)

// Volumes that mirror objects are tested on a real API server.
func TestVolumesOfTheMachine(t *testing.T) {
	t.Parallel()
	existing := t.TempDir()
	create, directory := filepath.Join(existing, "a", "b"), corev1.HostPathDirectoryOrCreate
	volumes := volume.New(filepath.Join(t.TempDir(), "volumes"))
	pod := &corev1.Pod{Spec: corev1.PodSpec{Volumes: []corev1.Volume{
		{Name: "empty", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		{Name: "existing", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: existing}}},
		{Name: "created", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: create, Type: &directory}}},
	}}}
	require.NoError(t, volumes.Write(t.Context(), pod, nil))
	require.DirExists(t, volumes.Path(&pod.Spec.Volumes[0]))
	require.DirExists(t, create)
	require.NoError(t, os.WriteFile(filepath.Join(volumes.Path(&pod.Spec.Volumes[0]), "kept"), nil, 0o600))
	require.NoError(t, volumes.Write(t.Context(), pod, nil))
	require.FileExists(t, filepath.Join(volumes.Path(&pod.Spec.Volumes[0]), "kept"), "writing again must not clear an emptyDir")

	expand := func(text string) string { return strings.ReplaceAll(text, "$(NAME)", "web-0") }
	tests := map[string]struct {
		mount corev1.VolumeMount
		want  string // below the volume's directory
		err   string
	}{
		"the whole volume":                    {corev1.VolumeMount{Name: "existing"}, existing, ""},
		"a part that exists":                  {corev1.VolumeMount{Name: "existing", SubPath: "a"}, filepath.Join(existing, "a"), ""},
		"a part that has to be made":          {corev1.VolumeMount{Name: "existing", SubPathExpr: "logs/$(NAME)"}, filepath.Join(existing, "logs", "web-0"), ""},
		"a part outside of the volume":        {corev1.VolumeMount{Name: "existing", SubPath: "../x"}, "", "leads out of the volume"},
		"a volume that the pod does not have": {corev1.VolumeMount{Name: "none", MountPath: "/x"}, "", `no volume "none"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := volumes.Mounted(pod, test.mount, expand)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got)
			require.DirExists(t, got)
		})
	}
}

func TestWriteNamesTheVolumeItCannotProvide(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		source corev1.VolumeSource
		want   string
	}{
		"a path that does not exist": {corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/no/such/path"}}, `volume "v": stat /no/such/path`},
		"a kind that is not known":   {corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "c"}}, `volume "v": this node has no volumes of kind persistentVolumeClaim`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := &corev1.Pod{Spec: corev1.PodSpec{Volumes: []corev1.Volume{{Name: "v", VolumeSource: test.source}}}}
			require.ErrorContains(t, volume.New(t.TempDir()).Write(t.Context(), pod, nil), test.want)
		})
	}
}
