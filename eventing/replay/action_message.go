package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/argoproj/argo-events/pkg/sensors/triggers"
)

// withParameters returns a copy of a template's trigger with its parameters applied, as all of upstream's triggers do it.
func withParameters[T any](r *actionRun, spec *T, parameters []v1alpha1.TriggerParameter) (*T, error) {
	if parameters == nil {
		return spec, nil
	}
	raw, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	if raw, err = triggers.ApplyParams(raw, parameters, r.events); err != nil {
		return nil, err
	}
	out := new(T)
	if err := json.Unmarshal(raw, out); err != nil {
		return nil, fmt.Errorf("the parameters do not fit: %w", err)
	}
	return out, nil
}

// message makes what a trigger sends that needs a payload.
func (r *actionRun) message() (*Action, error) {
	action := &Action{}
	template := r.trigger.Template
	var payload []v1alpha1.TriggerParameter
	optional := false
	var err error
	switch {
	case template.AWSLambda != nil:
		var spec *v1alpha1.AWSLambdaTrigger
		if spec, err = withParameters(r, template.AWSLambda, template.AWSLambda.Parameters); err == nil {
			action.Kind, action.Target, payload = "awsLambda", spec.FunctionName, spec.Payload
		}
	case template.AzureEventHubs != nil:
		var spec *v1alpha1.AzureEventHubsTrigger
		if spec, err = withParameters(r, template.AzureEventHubs, template.AzureEventHubs.Parameters); err == nil {
			action.Kind, action.Target, payload = "azureEventHubs", template.AzureEventHubs.HubName, spec.Payload
		}
	case template.AzureServiceBus != nil:
		var spec *v1alpha1.AzureServiceBusTrigger
		if spec, err = withParameters(r, template.AzureServiceBus, template.AzureServiceBus.Parameters); err == nil {
			target := template.AzureServiceBus.QueueName
			if target == "" {
				target = template.AzureServiceBus.TopicName
			}
			action.Kind, action.Target, payload = "azureServiceBus", target, spec.Payload
		}
	case template.Kafka != nil:
		var spec *v1alpha1.KafkaTrigger
		if spec, err = withParameters(r, template.Kafka, template.Kafka.Parameters); err == nil {
			action.Kind, action.Target, payload = "kafka", spec.Topic, spec.Payload
			action.kafka(spec)
		}
	case template.Pulsar != nil:
		var spec *v1alpha1.PulsarTrigger
		if spec, err = withParameters(r, template.Pulsar, template.Pulsar.Parameters); err == nil {
			action.Kind, action.Target, payload = "pulsar", template.Pulsar.Topic, spec.Payload
		}
	case template.NATS != nil:
		var spec *v1alpha1.NATSTrigger
		if spec, err = withParameters(r, template.NATS, template.NATS.Parameters); err == nil {
			// Upstream takes the subject from before the parameters.
			action.Kind, action.Target, payload = "nats", template.NATS.Subject, spec.Payload
		}
	case template.OpenWhisk != nil:
		var spec *v1alpha1.OpenWhiskTrigger
		if spec, err = withParameters(r, template.OpenWhisk, template.OpenWhisk.Parameters); err == nil {
			action.Kind, action.Target, payload, optional = "openWhisk", spec.ActionName, spec.Payload, true
		}
	default:
		return nil, errors.New("its template names no trigger")
	}
	if err != nil {
		return nil, err
	}
	if payload == nil && !optional {
		return nil, errors.New("payload parameters are not specified")
	}
	action.Payload, err = triggers.ConstructPayload(r.events, payload)
	return action, err
}

func (a *Action) kafka(spec *v1alpha1.KafkaTrigger) {
	a.Header = http.Header{}
	for name, value := range spec.Headers {
		a.Header[name] = []string{value}
	}
	a.Header = masked(a.Header)
	for _, header := range spec.SecureHeaders {
		a.Header[header.Name] = []string{Masked}
	}
	if spec.PartitioningKey != nil {
		a.Parts = map[string]string{"partitioningKey": *spec.PartitioningKey}
	}
}

// custom makes the payload. What the server of the trigger answers, and the parameters change, is not known.
func (r *actionRun) custom() (*Action, error) {
	spec := r.trigger.Template.CustomTrigger
	payload, err := triggers.ConstructPayload(r.events, spec.Payload)
	if err != nil {
		return nil, err
	}
	return &Action{Kind: "custom", Target: spec.ServerURL, Payload: payload, Parts: spec.Spec}, nil
}

// slack makes the message. Upstream applies the parameters of the slack trigger itself, and then sends it without them.
// argo-events: Execute in pkg/sensors/triggers/slack/slack.go
func (r *actionRun) slack() (*Action, error) {
	spec := r.trigger.Template.Slack
	if _, err := withParameters(r, spec, spec.Parameters); err != nil {
		return nil, err
	}
	switch {
	case spec.Channel == "":
		return nil, errors.New("no slack channel provided")
	case spec.Message == "" && spec.Attachments == "" && spec.Blocks == "":
		return nil, errors.New("no text to post: it needs a message, attachments or blocks")
	}
	action := &Action{Kind: "slack", Target: strings.TrimPrefix(spec.Channel, "#"), Payload: []byte(spec.Message), Parts: map[string]string{}}
	for name, value := range map[string]string{"attachments": spec.Attachments, "blocks": spec.Blocks, "thread": spec.Thread.MessageAggregationKey} {
		if value != "" {
			action.Parts[name] = value
		}
	}
	return action, nil
}

// email makes the message. As with slack, the parameters of the email trigger itself have no effect.
// argo-events: Execute in pkg/sensors/triggers/email/email.go
func (r *actionRun) email() (*Action, error) {
	spec := r.trigger.Template.Email
	if _, err := withParameters(r, spec, spec.Parameters); err != nil {
		return nil, err
	}
	switch {
	case len(spec.To) == 0:
		return nil, errors.New("to can't be empty")
	case spec.Body == "":
		return nil, errors.New("body can't be empty")
	case spec.Subject == "":
		return nil, errors.New("subject can't be empty")
	}
	return &Action{
		Kind: "email", Target: strings.Join(spec.To, ", "), Payload: []byte(spec.Body),
		Parts: map[string]string{"from": spec.From, "subject": spec.Subject},
	}, nil
}

// log shows the events. The interval of the trigger is not looked at.
func (r *actionRun) log() (*Action, error) {
	var text strings.Builder
	names := make([]string, 0, len(r.events))
	for name := range r.events {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&text, "%s: %s\n", name, r.events[name].DataString())
	}
	return &Action{Kind: "log", Payload: []byte(text.String())}, nil
}
