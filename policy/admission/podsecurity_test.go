package admission_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/pod-security-admission/api"
	standards "k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/internal/policycorpus"
	"github.com/controlbackbone/backbone/policy"
	"github.com/controlbackbone/backbone/policy/admission"
)

// podSecurityEngines are engines for a level, by generation.
func podSecurityEngines(t *testing.T, level policy.PodSecurityLevel) map[string]*admission.Engine {
	t.Helper()
	return enginesOf(t, policycorpus.Sample{Rule: policy.PodSecurityStandard{Name: "standard", Level: level}}, generations)
}

// Kubernetes' own fixtures are pods that keep to a level, and pods that break one control of it each.
func TestPodSecurityStandardJudgesTheFixturesOfKubernetes(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/pod-security-admission").Output()
	require.NoError(t, err)
	fixtures := filepath.Join(strings.TrimSpace(string(out)), "test", "testdata")
	for _, level := range []policy.PodSecurityLevel{policy.PodSecurityBaseline, policy.PodSecurityRestricted} {
		for generation, engine := range podSecurityEngines(t, level) {
			for _, folder := range []string{"pass", "fail"} {
				files, err := filepath.Glob(filepath.Join(fixtures, string(level), "v1.32", folder, "*.yaml"))
				require.NoError(t, err)
				require.NotEmpty(t, files)
				for _, file := range files {
					raw, err := os.ReadFile(file)
					require.NoError(t, err)
					pod := &unstructured.Unstructured{}
					require.NoError(t, yaml.Unmarshal(raw, &pod.Object))
					response, err := engine.Evaluate(t.Context(), admission.Request{Object: pod, NamespaceLabels: map[string]string{}})
					require.NoError(t, err)
					require.Equal(t, folder == "pass", response.Allowed(), "%s, %s: %v", generation, file, response.Verdicts)
				}
			}
		}
	}
}

// The pods of the corpus, of which most are about something else, are judged as Kubernetes judges them.
func TestPodSecurityStandardAgreesWithKubernetes(t *testing.T) {
	evaluator, err := standards.NewEvaluator(standards.DefaultChecks())
	require.NoError(t, err)
	for _, level := range []policy.PodSecurityLevel{policy.PodSecurityBaseline, policy.PodSecurityRestricted} {
		engines := podSecurityEngines(t, level)
		for _, manifest := range policycorpus.Manifests(t) {
			obj := manifest.Object
			if obj.GetKind() != "Pod" || obj.GetDeletionTimestamp() != nil || strings.HasPrefix(obj.GetNamespace(), "kube-") {
				continue
			}
			pod := &corev1.Pod{}
			require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, pod))
			for i, volume := range pod.Spec.Volumes {
				if volume.VolumeSource == (corev1.VolumeSource{}) { // the API server's default
					pod.Spec.Volumes[i].EmptyDir = &corev1.EmptyDirVolumeSource{}
				}
			}
			want := true
			for _, result := range evaluator.EvaluatePod(api.LevelVersion{Level: api.Level(level), Version: api.LatestVersion()}, &pod.ObjectMeta, &pod.Spec) {
				want = want && result.Allowed
			}
			for generation, engine := range engines {
				response, err := engine.Evaluate(t.Context(), admission.Request{Object: obj})
				require.NoError(t, err)
				require.Equal(t, want, response.Allowed(), "%s, %s, %s: %v", level, generation, manifest.Name, response.Verdicts)
			}
		}
	}
}
