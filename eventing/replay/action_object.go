package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/argoproj/argo-events/pkg/sensors/triggers"
	standardk8s "github.com/argoproj/argo-events/pkg/sensors/triggers/standard-k8s"
	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The labels that upstream puts on what it creates.
const (
	sensorLabel    = "events.argoproj.io/sensor"
	triggerLabel   = "events.argoproj.io/trigger"
	timestampLabel = "events.argoproj.io/action-timestamp"
)

// object has upstream's trigger talk to an API server that keeps what it is asked.
func (r *actionRun) object(ctx context.Context) (*Action, error) {
	spec := r.trigger.Template.K8s
	if err := r.inline(ctx, spec.Source); err != nil {
		return nil, err
	}
	calls := &apiCalls{assume: spec.Operation != v1alpha1.Update}
	ctx = withCalls(ctx, calls)
	trigger := standardk8s.NewStandardK8sTrigger(nil, r.firing.engine.api, r.firing.trigger.sensor.spec, r.trigger, zap.NewNop().Sugar())
	fetched, err := trigger.FetchResource(ctx)
	if err != nil {
		return nil, calls.cause(err)
	}
	resource, err := trigger.ApplyResourceParameters(r.events, fetched)
	if err != nil {
		return nil, err
	}
	obj, ok := resource.(*unstructured.Unstructured)
	if !ok || obj.Object == nil {
		return nil, errors.New("its source holds no object")
	}
	operation := spec.Operation
	if operation == "" {
		operation = v1alpha1.Create
	}
	if operation != v1alpha1.Create && obj.GetName() == "" {
		return nil, fmt.Errorf("the object to %s has no name", operation)
	}
	if _, err := trigger.Execute(ctx, r.events, obj); err != nil {
		return nil, calls.cause(err)
	}
	action := &Action{Kind: "k8s", Operation: string(operation), Object: obj}
	if sent := calls.written(); sent != nil {
		action.Payload = sent
		if operation == v1alpha1.Update {
			action.Object = &unstructured.Unstructured{}
			if err := action.Object.UnmarshalJSON(sent); err != nil {
				return nil, err
			}
		}
	}
	return action, r.finish(action)
}

// workflow makes what upstream hands to the argo command.
// argo-events: pkg/sensors/triggers/argo-workflow/argo-workflow.go
func (r *actionRun) workflow(ctx context.Context) (*Action, error) {
	spec := r.trigger.Template.ArgoWorkflow
	if err := r.inline(ctx, spec.Source); err != nil {
		return nil, err
	}
	obj, err := triggers.FetchKubernetesResource(spec.Source)
	if err != nil {
		return nil, err
	}
	if obj.Object == nil {
		return nil, errors.New("its source holds no object")
	}
	if err := triggers.ApplyResourceParameters(r.events, spec.Parameters, obj); err != nil {
		return nil, err
	}
	operation := spec.Operation // The controller refuses a trigger without one.
	switch {
	case operation != v1alpha1.Submit && obj.GetName() == "":
		return nil, fmt.Errorf("the workflow to %s has no name", operation)
	case obj.GetName() == "" && obj.GetGenerateName() == "":
		return nil, errors.New("the workflow has neither name nor generateName")
	}
	if obj.GetNamespace() == "" {
		obj.SetNamespace(r.firing.trigger.sensor.key.Namespace)
	}
	if operation == v1alpha1.Submit {
		labels := obj.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[sensorLabel], labels[triggerLabel], labels[timestampLabel] = r.firing.trigger.sensor.key.Name, r.trigger.Template.Name, r.timestamp()
		obj.SetLabels(labels)
	}
	action := &Action{Kind: "argoWorkflow", Operation: string(operation), Object: obj}
	if len(spec.Args) > 0 {
		raw, err := json.Marshal(spec.Args)
		if err != nil {
			return nil, err
		}
		action.Parts = map[string]string{"args": string(raw)}
	}
	return action, r.finish(action)
}

// finish names the target, gives the time of the event to what upstream stamps with the clock, and masks secrets.
func (r *actionRun) finish(action *Action) error {
	r.show(action.Object)
	action.Target = action.Object.GetKind() + " " + nameOf(action.Object)
	if action.Payload == nil {
		return nil
	}
	sent := &unstructured.Unstructured{}
	if err := sent.UnmarshalJSON(action.Payload); err != nil {
		return err
	}
	r.show(sent)
	var err error
	action.Payload, err = sent.MarshalJSON()
	return err
}

func (r *actionRun) show(obj *unstructured.Unstructured) {
	if labels := obj.GetLabels(); labels[timestampLabel] != "" {
		labels[timestampLabel] = r.timestamp()
		obj.SetLabels(labels)
	}
	maskSecret(obj)
}

func (r *actionRun) timestamp() string { return strconv.FormatInt(r.firing.at.UnixMilli(), 10) }

func nameOf(obj *unstructured.Unstructured) string {
	name := obj.GetName()
	if name == "" {
		name = obj.GetGenerateName() + "*"
	}
	if obj.GetNamespace() == "" {
		return name
	}
	return obj.GetNamespace() + "/" + name
}

func maskSecret(obj *unstructured.Unstructured) {
	if obj.GetKind() != "Secret" || obj.GroupVersionKind().Group != "" {
		return
	}
	for _, field := range []string{"data", "stringData"} {
		if values, ok := obj.Object[field].(map[string]any); ok {
			for key := range values {
				values[key] = Masked
			}
		}
	}
}

// inline puts into the source what upstream would fetch. Of several sources upstream takes the first in this order: S3,
// inline, file, URL, Git, ConfigMap, resource.
// argo-events: GetArtifactReader in pkg/sensors/artifacts/store.go
func (r *actionRun) inline(ctx context.Context, source *v1alpha1.ArtifactLocation) error {
	if source == nil || source.Inline != nil && source.S3 == nil {
		return nil
	}
	if source.S3 == nil && source.File == nil && source.URL == nil && source.Git == nil {
		if source.Configmap == nil {
			return nil
		}
		text, err := r.configMap(source.Configmap.Name, source.Configmap.Key)
		*source = v1alpha1.ArtifactLocation{Inline: &text}
		return err
	}
	if r.firing.engine.options.Artifact == nil {
		return &MissingError{What: "the object that the trigger fetches", Option: "Artifact"}
	}
	raw, err := r.firing.engine.options.Artifact(ctx, source.DeepCopy())
	if err != nil {
		return fmt.Errorf("fetch the object: %w", err)
	}
	text := string(raw)
	*source = v1alpha1.ArtifactLocation{Inline: &text}
	return nil
}

// configMap returns what the pod of the sensor would find in a mounted ConfigMap.
func (r *actionRun) configMap(name, key string) (string, error) {
	namespace := r.firing.trigger.sensor.key.Namespace
	missing := &MissingError{What: fmt.Sprintf("the key %s of ConfigMap %s/%s", key, namespace, name), Option: "Objects"}
	obj := r.firing.engine.objects[objectKey{resource: "configmaps", namespace: namespace, name: name}]
	if obj == nil {
		return "", missing
	}
	text, found, err := unstructured.NestedString(obj.Object, "data", key)
	if err != nil || !found {
		return "", missing
	}
	return text, nil
}
