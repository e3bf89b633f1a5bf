package eventing

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// rollout says why the pods of the current spec do not run, or nothing.
func (r *readiness) rollout() *Condition {
	unmet := &Condition{Type: ConditionRolledOut, Status: "False"}
	for _, candidate := range r.deployments {
		if !ownedBy(candidate, r.object) {
			continue
		}
		name := candidate.GetName()
		current, err := carriesSpec(candidate, r.object)
		waiting := unavailable(candidate)
		switch {
		case err != nil:
			unmet.Reason, unmet.Message = "Unreadable", fmt.Sprintf("Deployment %s: %v", name, err)
		case !current:
			unmet.Reason, unmet.Message = "Outdated", fmt.Sprintf("Deployment %s carries an earlier spec", name)
		case waiting != "":
			unmet.Reason, unmet.Message = "Unavailable", fmt.Sprintf("Deployment %s: %s", name, waiting)
		default:
			return nil
		}
		return unmet
	}
	unmet.Reason, unmet.Message = "NoDeployment", "the controller has not created a Deployment"
	return unmet
}

func ownedBy(obj, owner *unstructured.Unstructured) bool {
	for _, reference := range obj.GetOwnerReferences() {
		if reference.UID == owner.GetUID() {
			return true
		}
	}
	return false
}

// carriesSpec tells whether the pods of a Deployment get the spec of the object,
// which upstream hands to them in an environment variable.
func carriesSpec(deployment, obj *unstructured.Unstructured) (bool, error) {
	encoded := podEnv(deployment)
	for variable, decode := range specDecoders {
		value, ok := encoded[variable]
		if !ok {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return false, fmt.Errorf("decode %s: %w", variable, err)
		}
		got, err := decode(raw)
		if err != nil {
			return false, fmt.Errorf("decode %s: %w", variable, err)
		}
		current, err := obj.MarshalJSON()
		if err != nil {
			return false, err
		}
		want, err := decode(current)
		if err != nil {
			return false, err
		}
		return reflect.DeepEqual(got, want), nil
	}
	return false, nil
}

// specDecoders return the spec in an object in a form that two can be compared
// in. Passing through upstream's type makes the defaults and number formats
// equal that the controller's own encoding introduces.
var specDecoders = map[string]func([]byte) (any, error){
	v1alpha1.EnvVarEventSourceObject: func(raw []byte) (any, error) {
		var typed v1alpha1.EventSource
		return normalize(raw, &typed, func() any { return typed.Spec })
	},
	v1alpha1.EnvVarSensorObject: func(raw []byte) (any, error) {
		var typed v1alpha1.Sensor
		return normalize(raw, &typed, func() any { return typed.Spec })
	},
}

func normalize(raw []byte, typed any, spec func() any) (any, error) {
	if err := json.Unmarshal(raw, typed); err != nil {
		return nil, err
	}
	normal, err := json.Marshal(spec())
	if err != nil {
		return nil, err
	}
	var value any
	if err := json.Unmarshal(normal, &value); err != nil {
		return nil, err
	}
	return value, nil
}

// podEnv returns the literal environment of all containers of a Deployment.
func podEnv(deployment *unstructured.Unstructured) map[string]string {
	env := map[string]string{}
	containers, _, _ := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	for _, container := range containers {
		fields, ok := container.(map[string]any)
		if !ok {
			continue
		}
		entries, _, _ := unstructured.NestedSlice(fields, "env")
		for _, entry := range entries {
			if variable, ok := entry.(map[string]any); ok {
				name, _ := variable["name"].(string)
				env[name], _ = variable["value"].(string)
			}
		}
	}
	return env
}

// unavailable says what a Deployment waits for, or nothing.
func unavailable(deployment *unstructured.Unstructured) string {
	count := func(fields ...string) int64 {
		value, _, _ := unstructured.NestedInt64(deployment.Object, fields...)
		return value
	}
	desired := count("spec", "replicas")
	updated, available, all := count("status", "updatedReplicas"), count("status", "availableReplicas"), count("status", "replicas")
	switch {
	case count("status", "observedGeneration") < deployment.GetGeneration():
		return "the change has not been observed yet"
	case updated < desired || available < desired:
		if failure := replicaFailure(deployment); failure != "" {
			return failure
		}
		return fmt.Sprintf("%d of %d pods are available", min(updated, available), desired)
	case all > updated:
		return fmt.Sprintf("%d pods of an earlier spec still run", all-updated)
	}
	return ""
}

// replicaFailure says why pods cannot be created, for example because their
// ServiceAccount is missing.
func replicaFailure(deployment *unstructured.Unstructured) string {
	for _, condition := range conditionsOf(deployment) {
		if condition.Type == "ReplicaFailure" && condition.Status == "True" {
			return condition.Message
		}
	}
	return ""
}
