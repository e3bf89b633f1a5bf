package defaulting_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/policy/admission/defaulting"
)

func parse(text string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &obj.Object); err != nil {
		panic(err)
	}
	return obj
}

func ExampleObject() {
	pod := parse("{apiVersion: v1, kind: Pod, metadata: {name: app}, spec: {containers: [{name: app, image: app}]}}")
	filled, err := defaulting.Object(pod)
	if err != nil {
		fmt.Println(err)
		return
	}
	containers, _, _ := unstructured.NestedSlice(filled.Object, "spec", "containers")
	fmt.Println(containers[0].(map[string]any)["imagePullPolicy"])
	// Output: Always
}

func TestObjectsAreFilledInAsTheAPIServerDoes(t *testing.T) {
	tests := map[string]struct {
		text  string
		path  []string
		value any
	}{
		"requests from limits": {
			"{apiVersion: v1, kind: Pod, spec: {containers: [{name: a, resources: {limits: {cpu: '1'}}}]}}",
			[]string{"spec", "containers", "0", "resources", "requests", "cpu"}, "1",
		},
		"an empty map is left out": {
			"{apiVersion: v1, kind: Pod, spec: {containers: [{name: a, resources: {limits: {}}}]}}",
			[]string{"spec", "containers", "0", "resources", "limits"}, nil,
		},
		"the template of a Deployment": {
			"{apiVersion: apps/v1, kind: Deployment, spec: {template: {spec: {containers: [{name: a, image: 'a:1'}]}}}}",
			[]string{"spec", "template", "spec", "containers", "0", "imagePullPolicy"}, "IfNotPresent",
		},
		"the replicas of a Deployment": {"{apiVersion: apps/v1, kind: Deployment}", []string{"spec", "replicas"}, int64(1)},
		"the kind of a volume": {
			"{apiVersion: v1, kind: Pod, spec: {volumes: [{name: v}]}}", []string{"spec", "volumes", "0", "emptyDir"}, map[string]any{},
		},
		"what is stated stays": {"{apiVersion: v1, kind: Service, spec: {type: NodePort}}", []string{"spec", "type"}, "NodePort"},
		"other kinds stay":     {"{apiVersion: example.com/v1, kind: Pod, spec: {a: null}}", []string{"spec"}, map[string]any{"a": nil}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			given := parse(test.text)
			filled, err := defaulting.Object(given)
			require.NoError(t, err)
			require.Equal(t, parse(test.text), given, "what was given has changed")
			require.Equal(t, given.GroupVersionKind(), filled.GroupVersionKind())
			require.Equal(t, test.value, at(filled.Object, test.path...))
			again, err := defaulting.Object(filled)
			require.NoError(t, err)
			require.Equal(t, filled, again)
		})
	}
}

func at(value any, path ...string) any {
	for _, step := range path {
		switch node := value.(type) {
		case map[string]any:
			value = node[step]
		case []any:
			value = node[step[0]-'0']
		}
	}
	return value
}

func TestWhatIsNoObjectOfItsKindIsAnError(t *testing.T) {
	_, err := defaulting.Object(parse("{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: b}}"))
	require.ErrorContains(t, err, "Pod a")
	filled, err := defaulting.Object(nil)
	require.NoError(t, err)
	require.Nil(t, filled)
}
