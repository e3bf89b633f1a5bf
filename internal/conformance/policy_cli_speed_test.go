package conformance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// speedup is how much faster than the command line a whole process of ours has to be.
const speedup = 5

// TestEvaluationIsFasterThanTheCommandLine compares whole processes on the same files in the same run, 5 classic and 5 CEL
// policies. The bar is for 10,000 resources, which take the command line more than a minute; its time per resource does not
// depend on their number, and start-up weighs more on ours, so that fewer resources are the harder test.
func TestEvaluationIsFasterThanTheCommandLine(t *testing.T) {
	directory := t.TempDir()
	resources := filepath.Join(directory, "resources.yaml")
	require.NoError(t, os.WriteFile(resources, manifests(3000), 0o600))
	policies := "testdata/gate-policies"
	program := filepath.Join(directory, "policy-gate")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../examples/policy-gate").CombinedOutput()
	require.NoError(t, err, string(out))

	results, theirs := runKyvernoApply(t, policies, resources)
	want := make([]string, 0, len(results))
	for _, result := range results {
		want = append(want, fmt.Sprintf("%s %s %s %s", result.Policy, result.Rule, result.Resource, result.Result))
	}
	slices.Sort(want)

	ours := time.Duration(0)
	for range 2 { // the better of two: other processes disturb a short run most
		began := time.Now()
		out, err := exec.CommandContext(t.Context(), program, "--policies", policies, "--manifests", resources, "--output", "json").Output()
		took := time.Since(began)
		// It says by its exit code that some of the resources break some of the policies.
		var exit *exec.ExitError
		if err != nil {
			require.ErrorAs(t, err, &exit)
			require.Equal(t, 2, exit.ExitCode(), "%s", exit.Stderr)
		}
		if ours == 0 || took < ours {
			ours = took
		}
		got := gateVerdicts(t, out)
		slices.Sort(got)
		require.Len(t, got, len(want))
		require.True(t, slices.Equal(want, got), "the verdicts are the same")
	}
	ratio := theirs.Seconds() / ours.Seconds()
	t.Logf("%d verdicts: command line %s, admission %s, ratio %.1f", len(want), theirs.Round(time.Millisecond), ours.Round(time.Millisecond), ratio)
	require.GreaterOrEqual(t, ratio, float64(speedup))
}

// gateVerdicts are those of the program's report, a line each.
func gateVerdicts(t *testing.T, report []byte) []string {
	t.Helper()
	var decoded struct {
		Judgements []struct {
			Kind, Namespace, Name string
			Verdicts              []struct{ Policy, Rule, Status string }
		}
	}
	require.NoError(t, json.Unmarshal(report, &decoded))
	var out []string
	for _, judgement := range decoded.Judgements {
		for _, verdict := range judgement.Verdicts {
			out = append(out, fmt.Sprintf("%s %s %s %s/%s %s",
				verdict.Policy, verdict.Rule, judgement.Kind, judgement.Namespace, judgement.Name, verdict.Status))
		}
	}
	return out
}

// manifests are Services, Pods and Deployments, some of which break some of the policies.
func manifests(count int) []byte {
	var out bytes.Buffer
	for i := range count {
		meta := fmt.Sprintf("metadata: {name: thing-%d, namespace: ns-%d, labels: {app.kubernetes.io/name: app-%d, %s}}",
			i, i%20, i%50, pick(i%5 == 0, "other: x", fmt.Sprintf("owner: team-%d", i%7)))
		container := fmt.Sprintf("{name: app, image: %q, ports: [{containerPort: 8080}], env: [{name: A, value: a}, {name: B, value: b}], "+
			"resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}%s}",
			pick(i%11 == 0, "docker.io/library", "registry.example.com")+"/app:"+pick(i%9 == 0, "latest", fmt.Sprintf("1.%d", i)),
			pick(i%3 == 0, "", ", readinessProbe: {httpGet: {path: /, port: 8080}}"))
		fmt.Fprintln(&out, "---")
		switch i % 4 {
		case 0:
			fmt.Fprintf(&out, "apiVersion: v1\nkind: Service\n%s\nspec: {type: %s, selector: {a: b}, ports: [{port: 80}]}\n",
				meta, pick(i%8 == 0, "ClusterIP", "NodePort"))
		case 1:
			fmt.Fprintf(&out, "apiVersion: v1\nkind: Pod\n%s\nspec: {containers: [%s], hostNetwork: %t}\n", meta, container, i%13 == 0)
		default:
			fmt.Fprintf(&out, "apiVersion: apps/v1\nkind: Deployment\n%s\nspec: {replicas: %d, selector: {matchLabels: {app: a}}, "+
				"template: {metadata: {labels: {app: a}}, spec: {containers: [%s]}}}\n", meta, i%4, container)
		}
	}
	return bytes.TrimPrefix(out.Bytes(), []byte("---\n"))
}

func pick(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}
