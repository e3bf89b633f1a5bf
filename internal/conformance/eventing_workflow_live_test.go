package conformance_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/internal/embedded"
)

const buildAndTest = `
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: build}
spec:
  entrypoint: all
  serviceAccountName: builder
  arguments: {parameters: [{name: revision, value: "1"}]}
  templates:
  - name: all
    dag:
      tasks:
      - {name: build, template: run, arguments: {parameters: [{name: script, value: "echo {{workflow.parameters.revision}}"}]}}
      - {name: test, template: run, depends: build, arguments: {parameters: [{name: script, value: "test {{workflow.parameters.revision}} = 1"}]}}
  - name: run
    inputs: {parameters: [{name: script}]}
    container: {image: "busybox:1.37", command: [sh, -c], args: ["{{inputs.parameters.script}}"]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: builder}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: builder}
rules: [{apiGroups: [argoproj.io], resources: [workflowtaskresults], verbs: [create, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: builder}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: builder}
subjects: [{kind: ServiceAccount, name: builder}]
`

// The real controller and executor of Argo Workflows run a Workflow to its end.
func TestWorkflowsRunToTheirEnd(t *testing.T) {
	cluster, err := startCluster(embedded.Options{
		Components: []embedded.Component{embedded.ArgoWorkflows}, Images: map[string]embedded.Image{"busybox:1.37": {}},
	})
	if cluster != nil {
		t.Cleanup(func() { require.NoError(t, cluster.Stop(context.Background())) })
	}
	require.NoError(t, err)
	c := newClient(t, cluster)
	for revision, want := range map[string]string{"1": "Succeeded", "2": "Failed"} {
		t.Run(want, func(t *testing.T) {
			home := namespace(t, c)
			workflow := &unstructured.Unstructured{}
			for _, text := range strings.Split(buildAndTest, "---\n") {
				obj := &unstructured.Unstructured{}
				require.NoError(t, yaml.Unmarshal([]byte(text), obj))
				obj.SetNamespace(home)
				if obj.GetKind() == "Workflow" {
					require.NoError(t, unstructured.SetNestedSlice(obj.Object, []any{map[string]any{"name": "revision", "value": revision}}, "spec", "arguments", "parameters"))
					workflow = obj
				}
				require.NoError(t, c.Create(t.Context(), obj))
			}
			phase := ""
			require.Eventually(t, func() bool {
				require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(workflow), workflow))
				phase, _, _ = unstructured.NestedString(workflow.Object, "status", "phase")
				return phase == "Succeeded" || phase == "Failed" || phase == "Error"
			}, time.Minute, 200*time.Millisecond)
			require.Equal(t, want, phase, "%v", workflow.Object["status"])
		})
	}
}
