package conformance_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/gitops"
)

// checkedCase is an object, what Check finds in it, and what Argo CD says to it.
type checkedCase struct {
	kind string
	// spec in YAML; %s is the repository.
	spec string
	// code of the error that Check finds; none when it finds nothing wrong.
	code string
	// condition that Argo CD sets; none when it finds nothing wrong.
	condition string
}

const (
	checkedDestination = "destination: {server: 'https://kubernetes.default.svc', namespace: default}"
	checkedSource      = "source: {repoURL: 'file://%s', path: K8s/tools/settings, targetRevision: main}"
	checkedTemplate    = "template: {metadata: {name: 'checked-{{.name}}'}, spec: {project: checked, " + checkedSource + ", " + checkedDestination + "}}"
	// The Applications must not wait for their project when they are deleted after it.
	checkedSet = "goTemplate: true, goTemplateOptions: ['missingkey=error'], syncPolicy: {preserveResourcesOnDeletion: true}, "
)

var checkedCases = map[string]checkedCase{
	"sound":       {kind: "Application", spec: "{project: checked, " + checkedSource + ", " + checkedDestination + ", ignoreDifferences: [{kind: ConfigMap, jqPathExpressions: [.data], jsonPointers: [/data/x]}]}"},
	"project":     {kind: "Application", spec: "{project: missing, " + checkedSource + ", " + checkedDestination + "}", code: "GITOPS002", condition: "InvalidSpecError"},
	"repository":  {kind: "Application", spec: "{project: checked, source: {repoURL: 'https://denied.example.com/%.0s', path: p}, " + checkedDestination + "}", code: "GITOPS004", condition: "InvalidSpecError"},
	"namespace":   {kind: "Application", spec: "{project: checked, " + checkedSource + ", destination: {name: in-cluster, namespace: kube-system}}", code: "GITOPS005", condition: "InvalidSpecError"},
	"both":        {kind: "Application", spec: "{project: checked, " + checkedSource + ", destination: {name: in-cluster, server: 'https://kubernetes.default.svc', namespace: default}}", code: "GITOPS006", condition: "InvalidSpecError"},
	"neither":     {kind: "Application", spec: "{project: checked, " + checkedSource + ", destination: {namespace: default}}", code: "GITOPS006", condition: "InvalidSpecError"},
	"nothing":     {kind: "Application", spec: "{project: checked, source: {repoURL: 'file://%s'}, " + checkedDestination + "}", code: "GITOPS007", condition: "InvalidSpecError"},
	"path":        {kind: "Application", spec: "{project: checked, source: {repoURL: 'file://%s', path: ../outside}, " + checkedDestination + "}", code: "GITOPS009", condition: "ComparisonError"},
	"jq":          {kind: "Application", spec: "{project: checked, " + checkedSource + ", " + checkedDestination + ", ignoreDifferences: [{kind: ConfigMap, jqPathExpressions: ['.data[']}]}", code: "GITOPS021", condition: "ComparisonError"},
	"set-sound":   {kind: "ApplicationSet", spec: "{" + checkedSet + checkedTemplate + ", generators: [{list: {elements: [{name: made}]}}]}"},
	"set-twice":   {kind: "ApplicationSet", spec: "{" + checkedSet + checkedTemplate + ", generators: [{list: {elements: [{name: twice}, {name: twice}]}}]}", code: "GITOPS010", condition: "ErrorOccurred"},
	"set-syntax":  {kind: "ApplicationSet", spec: "{" + checkedSet + checkedTemplate + ", templatePatch: '{{ if }}', generators: [{list: {elements: [{name: syntax}]}}]}", code: "GITOPS015", condition: "ErrorOccurred"},
	"set-matrix":  {kind: "ApplicationSet", spec: "{" + checkedSet + checkedTemplate + ", generators: [{matrix: {generators: [{clusters: {}}]}}]}", code: "GITOPS035", condition: "ErrorOccurred"},
	"set-keys":    {kind: "ApplicationSet", spec: "{" + checkedSet + checkedTemplate + ", generators: [{merge: {mergeKeys: [], generators: [{clusters: {}}, {clusters: {}}]}}]}", code: "GITOPS036", condition: "ErrorOccurred"},
	"set-several": {kind: "ApplicationSet", spec: "{" + checkedSet + checkedTemplate + ", generators: [{matrix: {generators: [{clusters: {}, list: {elements: [{name: several}]}}, {clusters: {}}]}}]}", code: "GITOPS033", condition: "ErrorOccurred"},
	"set-number":  {kind: "ApplicationSet", spec: "{" + checkedTemplate + ", generators: [{list: {elements: [{name: number, port: 1}]}}]}", code: "GITOPS039", condition: "ErrorOccurred"},
}

func checkedObject(t *testing.T, kind, name, spec string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	document := fmt.Sprintf("apiVersion: argoproj.io/v1alpha1\nkind: %s\nmetadata: {name: checked-%s, namespace: argocd}\nspec: %s\n", kind, name, spec)
	require.NoError(t, yaml.Unmarshal([]byte(document), &obj.Object), document)
	return obj
}

// TestArgoCDRejectsWhatCheckFinds, and accepts what it does not.
func TestArgoCDRejectsWhatCheckFinds(t *testing.T) {
	c := liveKube(t)
	repo := newRepository(t)
	project := checkedProject(t, c)
	for name, test := range checkedCases {
		spec := test.spec
		if strings.Contains(spec, "%") {
			spec = fmt.Sprintf(spec, repo.dir)
		}
		obj := checkedObject(t, test.kind, name, spec)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.code, firstError(gitops.Check([]*unstructured.Unstructured{project, obj})))
			require.NoError(t, c.Create(t.Context(), obj))
			t.Cleanup(func() { _ = c.Delete(context.Background(), obj) })
			require.Eventually(t, func() bool {
				require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(obj), obj))
				return answered(obj)
			}, time.Minute, 100*time.Millisecond)
			if test.condition == "" {
				require.Empty(t, problems(obj))
			} else {
				require.Contains(t, problems(obj), test.condition)
			}
		})
	}
}

// TestArgoCDIgnoresWhatCheckFinds: the object works, without the field.
func TestArgoCDIgnoresWhatCheckFinds(t *testing.T) {
	c := liveKube(t)
	repo := newRepository(t)
	project := checkedProject(t, c)
	create := func(kind, name, spec, code string) *unstructured.Unstructured {
		obj := checkedObject(t, kind, name, strings.ReplaceAll(spec, "%s", repo.dir))
		require.Equal(t, code, firstError(gitops.Check([]*unstructured.Unstructured{project, obj})))
		require.NoError(t, c.Create(t.Context(), obj))
		t.Cleanup(func() { _ = c.Delete(context.Background(), obj) })
		return obj
	}

	beside := create("Application", "beside", "{project: checked, "+checkedSource+", sources: [{repoURL: 'file://%s', path: K8s, targetRevision: main}], "+checkedDestination+"}", "GITOPS008")
	require.Eventually(t, func() bool {
		require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(beside), beside))
		return answered(beside)
	}, time.Minute, 100*time.Millisecond)
	compared, _, err := unstructured.NestedSlice(beside.Object, "status", "sync", "comparedTo", "sources")
	require.NoError(t, err)
	require.Len(t, compared, 1)
	require.Equal(t, "K8s", compared[0].(map[string]any)["path"])

	inner := "{list: {elements: [{name: nested}], template: {metadata: {labels: {ignored: 'true'}}, spec: {project: checked, " + checkedSource + ", " + checkedDestination + "}}}}"
	create("ApplicationSet", "inner", "{"+checkedSet+checkedTemplate+", generators: [{matrix: {generators: ["+inner+", {list: {elements: [{a: b}]}}]}}]}", "GITOPS037")
	made := checkedObject(t, "Application", "nested", "{}")
	require.Eventually(t, func() bool {
		return c.Get(t.Context(), client.ObjectKeyFromObject(made), made) == nil
	}, time.Minute, 100*time.Millisecond)
	require.Empty(t, made.GetLabels())
}

// checkedProject permits the repositories of the tests, and every namespace but Kubernetes' own.
func checkedProject(t *testing.T, c client.Client) *unstructured.Unstructured {
	t.Helper()
	project := checkedObject(t, "AppProject", t.Name(), "{sourceRepos: ['file://**'], destinations: [{server: '*', namespace: '*'}, {server: '*', namespace: '!kube-*'}]}")
	project.SetName("checked")
	require.NoError(t, c.Create(t.Context(), project))
	t.Cleanup(func() { _ = c.Delete(context.Background(), project) })
	return project
}

func firstError(findings []gitops.Finding) string {
	for _, found := range findings {
		if found.Severity == gitops.SeverityError {
			return found.Code
		}
	}
	return ""
}

// answered reports whether Argo CD has looked at the object.
func answered(obj *unstructured.Unstructured) bool {
	if obj.GetKind() == "ApplicationSet" {
		conditions, _, _ := unstructured.NestedSlice(obj.Object, "status", "conditions")
		return len(conditions) > 0
	}
	status, _, _ := unstructured.NestedString(obj.Object, "status", "sync", "status")
	return status != ""
}

// problems returns the types of the conditions that say that something is wrong.
func problems(obj *unstructured.Unstructured) []string {
	conditions, _, _ := unstructured.NestedSlice(obj.Object, "status", "conditions")
	var out []string
	for _, item := range conditions {
		condition, _ := item.(map[string]any)
		kind, _ := condition["type"].(string)
		if obj.GetKind() == "Application" || kind == "ErrorOccurred" && condition["status"] == "True" {
			out = append(out, kind)
		}
	}
	return out
}
