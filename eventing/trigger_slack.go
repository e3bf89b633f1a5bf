package eventing

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// SlackTrigger posts a message to a channel of Slack.
type SlackTrigger struct {
	// Token selects the token of a Slack application. Required.
	Token SecretKey
	// Channel that the message is posted to. Required, unless a parameter sets
	// "channel".
	Channel string
	// Message is the text.
	Message string
	// Attachments and Blocks are JSON arrays in the form of Slack's API. A message,
	// attachments or blocks are required, unless a parameter sets one of them.
	Attachments string
	Blocks      string
	// Thread gathers messages.
	Thread SlackThread
	// Sender is who the message seems to come from.
	Sender SlackSender
	// Parameters copy values of the event into the trigger, for example to
	// "message". Build makes them parameters of the template: upstream ignores
	// those of the trigger itself.
	// argo-events: Execute in pkg/sensors/triggers/slack/slack.go
	Parameters []Parameter
}

// SlackThread gathers the messages of one key.
type SlackThread struct {
	// Key of the thread. Default: every message stands alone.
	Key string
	// Broadcast also shows the message in the channel.
	Broadcast bool
}

// SlackSender replaces the name and the picture of the application.
type SlackSender struct {
	// Username is the name. Default: that of the application.
	Username string
	// Icon is an emoji such as ":robot_face:", or the URL of a picture.
	// Default: that of the application.
	Icon string
}

func (s SlackTrigger) validateTrigger(path *field.Path, dependencies map[string]bool) field.ErrorList {
	faults := s.Token.validate(path.Child("token"))
	faults = append(faults, textOrParameter(path, "channel", s.Channel, s.Parameters)...)
	faults = append(faults, object.Text(path.Child("message"), s.Message)...)
	faults = append(faults, validateList(path.Child("attachments"), s.Attachments)...)
	faults = append(faults, validateList(path.Child("blocks"), s.Blocks)...)
	said := s.Message != "" || s.Attachments != "" || s.Blocks != ""
	if !said && !sets(s.Parameters, "message") && !sets(s.Parameters, "attachments") && !sets(s.Parameters, "blocks") {
		faults = append(faults, field.Required(path.Child("message"), "message, attachments or blocks"))
	}
	faults = append(faults, object.Text(path.Child("thread", "key"), s.Thread.Key)...)
	faults = append(faults, object.Text(path.Child("sender", "username"), s.Sender.Username)...)
	faults = append(faults, object.Text(path.Child("sender", "icon"), s.Sender.Icon)...)
	return append(faults, validateParameters(path.Child("parameters"), s.Parameters, dependencies, false)...)
}

// textOrParameter checks a text that a parameter may set instead.
func textOrParameter(path *field.Path, name, text string, parameters []Parameter) field.ErrorList {
	if text == "" && sets(parameters, name) {
		return nil
	}
	return object.RequiredText(path.Child(name), text)
}

// validateList checks a JSON array in a text.
func validateList(path *field.Path, text string) field.ErrorList {
	if text == "" {
		return nil
	}
	var list []any
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return field.ErrorList{field.Invalid(path, text, "must be a JSON array")}
	}
	return object.Text(path, text)
}

func (s SlackTrigger) template(Sensor) (string, map[string]any) {
	return "slack", object.Compact(map[string]any{
		"slackToken":  s.Token.selector(),
		"channel":     s.Channel,
		"message":     s.Message,
		"attachments": s.Attachments,
		"blocks":      s.Blocks,
		"thread": object.Compact(map[string]any{
			"messageAggregationKey": s.Thread.Key, "broadcastMessageToChannel": s.Thread.Broadcast,
		}),
		"sender": object.Compact(map[string]any{"username": s.Sender.Username, "icon": s.Sender.Icon}),
	})
}

func (s SlackTrigger) traits() traits {
	return traits{templateParameters: under("slack", s.Parameters)}
}

// under moves the destinations of parameters into a field of the template.
func under(kind string, parameters []Parameter) []Parameter {
	moved := make([]Parameter, 0, len(parameters))
	for _, parameter := range parameters {
		parameter.To = kind + "." + parameter.To
		moved = append(moved, parameter)
	}
	return moved
}
