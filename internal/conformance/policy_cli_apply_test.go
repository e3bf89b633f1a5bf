package conformance_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/policy/admission"
)

// cliResult is a result in the report of `kyverno apply`, with the resource that it is about.
type cliResult struct{ Policy, Rule, Resource, Result, Message string }

// runKyvernoApply applies policies to resources and returns the results and the time that it took.
func runKyvernoApply(t *testing.T, policies, resources string) ([]cliResult, time.Duration) {
	t.Helper()
	program, err := kyvernoCLI()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), program, "apply", policies, "--resource", resources, "--policy-report", "--output-format", "json")
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	began := time.Now()
	err = command.Run()
	took := time.Since(began)
	start := strings.Index(stdout.String(), `{"kind":"ClusterReport"`)
	if start < 0 {
		start = strings.Index(stdout.String(), `{"kind":`)
	}
	if start < 0 {
		output := stdout.String() + stderr.String()
		if at := strings.Index(output, "panic: "); at >= 0 {
			output = output[at:min(at+3000, len(output))]
		}
		require.NoError(t, err, output[max(0, len(output)-3000):])
		require.Fail(t, "the command line prints no report")
	}
	var report struct {
		Results []struct {
			Policy, Rule, Result, Message string
			Resources                     []struct{ Kind, Namespace, Name string }
		}
	}
	require.NoError(t, json.NewDecoder(strings.NewReader(stdout.String()[start:])).Decode(&report))
	results := make([]cliResult, 0, len(report.Results))
	for _, result := range report.Results {
		resource := result.Resources[0]
		results = append(results, cliResult{
			result.Policy, result.Rule, resource.Kind + " " + resource.Namespace + "/" + resource.Name, result.Result, result.Message,
		})
	}
	return results, took
}

// TestPoliciesOfKyvernoGiveTheVerdictsOfItsCommandLine evaluates every policy of Kyverno's own tests that asks for nothing
// but the resource on every resource of them.
func TestPoliciesOfKyvernoGiveTheVerdictsOfItsCommandLine(t *testing.T) {
	upstream := moduleDir(t, "github.com/kyverno/kyverno")
	policies, resources := map[string]*unstructured.Unstructured{}, map[string]*unstructured.Unstructured{}
	for _, directory := range []string{"test/best_practices", "test/policy", "test/cli", "test/resources", "test/conformance/chainsaw"} {
		collect(t, filepath.Join(upstream, directory), policies, resources)
	}
	objects := slices.SortedFunc(maps.Values(resources), func(a, b *unstructured.Unstructured) int {
		return cmp.Compare(keyOf(a), keyOf(b))
	})
	objects = sample(objects, 60) // the command line compiles every policy for every resource
	var compared []*unstructured.Unstructured
	var got []cliResult
	for _, name := range slices.Sorted(maps.Keys(policies)) {
		results, err := evaluateAll(t.Context(), policies[name], objects)
		if err != nil {
			t.Logf("left out, as Kyverno refuses it: policy %s: %v", name, err)
			continue
		}
		compared, got = append(compared, policies[name]), append(got, results...)
	}
	directory := t.TempDir()
	writeObjects(t, filepath.Join(directory, "policies.yaml"), compared...)
	writeObjects(t, filepath.Join(directory, "resources.yaml"), objects...)
	want, _ := runKyvernoApply(t, filepath.Join(directory, "policies.yaml"), filepath.Join(directory, "resources.yaml"))
	require.NotEmpty(t, want)
	if differing := difference(want, got); len(differing) > 0 {
		t.Errorf("%d verdicts of the command line (-) and of admission (+) differ, such as:\n%s",
			len(differing), strings.Join(differing[:min(60, len(differing))], "\n"))
	}
	t.Logf("%d policies, %d resources, %d verdicts", len(compared), len(objects), len(want))
}

// evaluateAll evaluates one policy on each object.
func evaluateAll(ctx context.Context, policy *unstructured.Unstructured, objects []*unstructured.Unstructured) ([]cliResult, error) {
	engine, err := admission.New([]*unstructured.Unstructured{policy}, admission.Options{AsCommandLine: true})
	if err != nil {
		return nil, err
	}
	var results []cliResult
	for _, object := range objects {
		answer, err := engine.Evaluate(ctx, admission.Request{Object: object})
		if err != nil {
			return nil, err
		}
		for _, verdict := range answer.Verdicts {
			name := strings.TrimPrefix(verdict.Policy.Namespace+"/"+verdict.Policy.Name, "/")
			results = append(results, cliResult{name, verdict.Rule, keyOf(object), string(verdict.Status), verdict.Message})
		}
	}
	return results, nil
}

// sample takes about as many, evenly.
func sample(objects []*unstructured.Unstructured, count int) []*unstructured.Unstructured {
	var taken []*unstructured.Unstructured
	for i := 0; i < len(objects); i += max(1, len(objects)/count) {
		taken = append(taken, objects[i])
	}
	return taken
}

// difference lists what only one side has, with the side's sign. The order of what a message about pod security lists
// changes from run to run.
func difference(want, got []cliResult) []string {
	count := map[cliResult]int{}
	for sign, results := range map[int][]cliResult{1: want, -1: got} {
		for _, result := range results {
			if strings.Contains(result.Message, "violates PodSecurity") {
				result.Message = ""
			}
			count[result] += sign
		}
	}
	var out []string
	for result, left := range count {
		if left != 0 {
			out = append(out, fmt.Sprintf("%+d %+v", -left, result))
		}
	}
	slices.Sort(out)
	return out
}

func keyOf(object *unstructured.Unstructured) string {
	return object.GetKind() + " " + object.GetNamespace() + "/" + object.GetName()
}

// appliedKinds are those of the resources.
var appliedKinds = []string{
	"Pod", "Service", "ConfigMap", "Secret", "Namespace", "Deployment.apps", "StatefulSet.apps", "DaemonSet.apps",
	"Job.batch", "CronJob.batch", "Ingress.networking.k8s.io", "NetworkPolicy.networking.k8s.io",
	"Role.rbac.authorization.k8s.io", "ClusterRoleBinding.rbac.authorization.k8s.io",
}

// collect finds the policies that ask for nothing but the resource, and the resources of Kubernetes' own kinds.
func collect(t *testing.T, directory string, policies, resources map[string]*unstructured.Unstructured) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
		for {
			object := &unstructured.Unstructured{}
			if err := decoder.Decode(&object.Object); err != nil {
				return nil //nolint:nilerr // the end, or no YAML: some files are broken on purpose
			}
			switch {
			case object.GetName() == "" || object.Object["spec"] == nil && strings.HasSuffix(object.GetKind(), "Policy"):
			case object.GetKind() == "ClusterPolicy" || object.GetKind() == "ValidatingPolicy":
				if isPlain(object) && policies[object.GetName()] == nil {
					policies[object.GetName()] = object
				}
			case slices.Contains(appliedKinds, object.GroupVersionKind().GroupKind().String()) && object.GroupVersionKind().Version == "v1":
				if object.GetNamespace() == "" {
					object.SetNamespace("default") // as the command line does
				}
				if strictly(object) && resources[keyOf(object)] == nil {
					resources[keyOf(object)] = object
				}
			}
		}
	}))
}

// isPlain tells policies that judge and that ask for nothing but the resource.
func isPlain(policy *unstructured.Unstructured) bool {
	text := fmt.Sprint(policy.Object)
	for _, word := range []string{
		"mutate:", "generate:", "verifyImages:", "webhookConfiguration:", "configMap:", "apiCall:", "imageRegistry:", "globalReference:",
		"resource.", "globalContext.", "http.", "image(", "image.Get", "authorizer.", "manifests:", "/scale", "paramKind:",
	} {
		if strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// strictly tells resources that Kubernetes' types can hold: the command line does not read others.
func strictly(object *unstructured.Unstructured) bool {
	raw, err := object.MarshalJSON()
	if err != nil {
		return false
	}
	_, _, err = scheme.Codecs.UniversalDeserializer().Decode(raw, nil, nil)
	return err == nil
}

func writeObjects(t *testing.T, path string, objects ...*unstructured.Unstructured) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	var content bytes.Buffer
	for _, object := range objects {
		raw, err := sigsyaml.Marshal(object.Object)
		require.NoError(t, err)
		content.WriteString("---\n")
		content.Write(raw)
	}
	require.NoError(t, os.WriteFile(path, content.Bytes(), 0o600))
}
