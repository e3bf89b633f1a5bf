package conformance_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/policy"
)

// upstreamFaults are the errors that Check rightly finds in policies that Kyverno's own tests use: what its command line,
// which has no API server, does not look at.
var upstreamFaults = map[string][]string{
	"cli/test-deleting-policy/deleting-json/policy.yaml": {"POLICY010"}, // it is for JSON, and matches nothing in a cluster
}

// notOfTheCommandLine are faults that show in a cluster only: permissions, and what 1.15 loses.
var notOfTheCommandLine = []string{"POLICY040", "POLICY081"}

// TestCheckFindsNoFaultInWhatKyvernoAccepts holds against the policies of Kyverno's command line tests, all of which it
// takes.
func TestCheckFindsNoFaultInWhatKyvernoAccepts(t *testing.T) {
	root := filepath.Join(moduleDir(t, kyvernoModule), "test")
	checked := 0
	for _, folder := range []string{"cli", "best_practices", "more"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".yaml") {
				return err
			}
			raw, err := os.ReadFile(path)
			require.NoError(t, err)
			var policies []*unstructured.Unstructured
			for _, document := range bytes.Split(raw, []byte("\n---")) {
				obj := &unstructured.Unstructured{}
				if yaml.Unmarshal(document, &obj.Object) != nil || obj.Object == nil {
					continue
				}
				if group := obj.GroupVersionKind().Group; group == "kyverno.io" || group == "policies.kyverno.io" {
					policies = append(policies, obj)
				}
			}
			checked += len(policies)
			name, err := filepath.Rel(root, path)
			require.NoError(t, err)
			for _, finding := range policy.Check(kyverno, policies) {
				known := slices.Contains(notOfTheCommandLine, finding.Code) || slices.Contains(upstreamFaults[filepath.ToSlash(name)], finding.Code)
				if finding.Severity == policy.SeverityError && !known {
					t.Errorf("%s: %s", name, finding)
				}
			}
			return nil
		}))
	}
	require.Greater(t, checked, 200)
}
