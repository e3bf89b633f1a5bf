package replay_test

import (
	"context"
	"errors"
	"testing"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/eventing/replay"
)

// triggering returns a Sensor whose only trigger, on a or b, has the YAML.
func triggering(t testing.TB, trigger string) *unstructured.Unstructured {
	t.Helper()
	return sensor(t, `
dependencies:
- {name: a, eventSourceName: source, eventName: a}
- {name: b, eventSourceName: source, eventName: b}
triggers:
- `+indented(trigger, "  ")[2:])
}

// fired returns the one firing for an event a with the data.
func fired(t testing.TB, options replay.Options, trigger, data string) replay.Firing {
	t.Helper()
	engine, err := replay.New(objects(triggering(t, trigger)), options)
	require.NoError(t, err)
	require.Empty(t, engine.Faults())
	outcome := send(t, engine.NewSession(bus), event(t, "a", data))
	require.Len(t, outcome.Firings, 1)
	return outcome.Firings[0]
}

func object(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(text), &obj.Object))
	return obj
}

const order = `{"body": {"id": 7, "name": "shop", "list": [1, 2], "nothing": null}}`

func TestActionsAreWhatTheTriggerSends(t *testing.T) {
	tests := map[string]struct {
		trigger string
		options replay.Options
		want    string
	}{
		"an HTTP request": {
			trigger: `
template:
  name: notify
  conditions: a || b
  http:
    url: https://user:secret@chat.example.com/hook
    headers: {Content-Type: application/json, X-Api-Key: plain}
    secureHeaders: [{name: Authorization, valueFrom: {secretKeyRef: {name: chat, key: token}}}]
    dynamicHeaders: [{dest: X-Order, src: {dependencyName: a, dataKey: body.id}}]
    payload:
    - {dest: id, src: {dependencyName: a, dataKey: body.id}}
    - {dest: list, src: {dependencyName: a, dataKey: body.list, useRawData: true}}
    - {dest: text, src: {dependencyName: a, dataTemplate: "order {{ .Input.body.name | upper }}"}}
    - {dest: type, src: {dependencyName: a, contextKey: type}}
    - {dest: who, src: {dependencyName: b, dataKey: body.who, value: nobody}}
`,
			want: `
Kind: http
Operation: POST
Target: https://user:xxxxx@chat.example.com/hook
Header: {Content-Type: [application/json], X-Api-Key: ["***"], X-Order: ["7"], Authorization: ["***"]}
Payload: '{"id":"7","list":[1,2],"text":"order SHOP","type":"webhook","who":"nobody"}'
`,
		},
		"a request with basic authentication and parameters": {
			trigger: `
template:
  name: notify
  conditions: a || b
  http:
    url: http://there
    method: PUT
    basicAuth: {password: {name: chat, key: password}}
    parameters: [{dest: url, operation: append, src: {dependencyName: a, dataTemplate: "/{{ .Input.body.name }}"}}]
`,
			want: `
Kind: http
Operation: PUT
Target: http://there/shop
Header: {Authorization: ["Basic ***"]}
Payload: ""
`,
		},
		"template parameters": {
			trigger: `
parameters: [{dest: http.method, src: {dependencyName: a, dataKey: body.verb, value: DELETE}}]
template: {name: notify, conditions: a || b, http: {url: "http://there"}}
`,
			want: `{Kind: http, Operation: DELETE, Target: "http://there", Payload: ""}`,
		},
		"an object is created": {
			trigger: `
template:
  name: record
  conditions: a || b
  k8s:
    source: {resource: {apiVersion: v1, kind: ConfigMap, metadata: {generateName: order-}, data: {id: ""}}}
    parameters: [{dest: data.id, src: {dependencyName: a, dataKey: body.id}}]
`,
			want: `
Kind: k8s
Operation: create
Target: ConfigMap shop/order-*
Object: &created
  apiVersion: v1
  kind: ConfigMap
  metadata:
    generateName: order-
    namespace: shop
    labels: {events.argoproj.io/sensor: orders, events.argoproj.io/trigger: record, events.argoproj.io/action-timestamp: "1772452800000"}
  data: {id: "7"}
Payload: *created
`,
		},
		"an object is patched": {
			trigger: `
template:
  name: pause
  conditions: a || b
  k8s:
    operation: patch
    source: {inline: "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: front}\nspec: {paused: true}"}
`,
			want: `
Kind: k8s
Operation: patch
Target: Deployment front/web
Object: &patched {apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: front}, spec: {paused: true}}
Payload: *patched
`,
		},
		"an object is deleted": {
			trigger: `template: {name: drop, conditions: a || b, k8s: {operation: delete, source: {resource: {apiVersion: v1, kind: Namespace, metadata: {name: preview}}}}}`,
			want:    `{Kind: k8s, Operation: delete, Target: Namespace preview, Object: {apiVersion: v1, kind: Namespace, metadata: {name: preview}}}`,
		},
		"an update is merged into the live object": {
			options: replay.Options{Objects: objects(object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: state, namespace: shop}, data: {id: "6", kept: "yes"}}`))},
			trigger: `
template:
  name: update
  conditions: a || b
  k8s:
    operation: update
    source: {resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: state}, data: {id: ""}}}
    parameters: [{dest: data.id, src: {dependencyName: a, dataKey: body.id}}]
`,
			want: `
Kind: k8s
Operation: update
Target: ConfigMap shop/state
Object: &updated {apiVersion: v1, kind: ConfigMap, metadata: {name: state, namespace: shop}, data: {id: "7", kept: "yes"}}
Payload: *updated
`,
		},
		"an update of the live object": {
			options: replay.Options{Objects: objects(object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: state, namespace: shop}, data: {ids: "6"}}`))},
			trigger: `
template:
  name: update
  conditions: a || b
  k8s:
    operation: update
    liveObject: true
    source: {resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: state, namespace: shop}}}
    parameters: [{dest: data.ids, operation: append, src: {dependencyName: a, dataTemplate: ",{{ .Input.body.id }}"}}]
`,
			want: `
Kind: k8s
Operation: update
Target: ConfigMap shop/state
Object: &updated {apiVersion: v1, kind: ConfigMap, metadata: {name: state, namespace: shop}, data: {ids: "6,7"}}
Payload: *updated
`,
		},
		"the values of a Secret are masked": {
			trigger: `template: {name: secret, conditions: a || b, k8s: {operation: patch, source: {resource: {apiVersion: v1, kind: Secret, metadata: {name: token}, stringData: {token: abc}}}}}`,
			want: `
Kind: k8s
Operation: patch
Target: Secret shop/token
Object: &masked {apiVersion: v1, kind: Secret, metadata: {name: token, namespace: shop}, stringData: {token: "***"}}
Payload: *masked
`,
		},
		"an object in a ConfigMap": {
			options: replay.Options{Objects: objects(object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: jobs, namespace: shop}, data: {job: '{apiVersion: v1, kind: Pod, metadata: {name: job}}'}}`))},
			trigger: `template: {name: run, conditions: a || b, k8s: {operation: delete, source: {configmap: {name: jobs, key: job}}}}`,
			want:    `{Kind: k8s, Operation: delete, Target: Pod shop/job, Object: {apiVersion: v1, kind: Pod, metadata: {name: job, namespace: shop}}}`,
		},
		"an object from elsewhere": {
			options: replay.Options{Artifact: func(_ context.Context, at *v1alpha1.ArtifactLocation) ([]byte, error) {
				return []byte(`{apiVersion: v1, kind: Pod, metadata: {name: ` + at.URL.Path[len("https://there/"):] + `}}`), nil
			}},
			trigger: `template: {name: run, conditions: a || b, k8s: {operation: delete, source: {url: {path: "https://there/job"}}}}`,
			want:    `{Kind: k8s, Operation: delete, Target: Pod shop/job, Object: {apiVersion: v1, kind: Pod, metadata: {name: job, namespace: shop}}}`,
		},
		"a workflow is submitted": {
			trigger: `
template:
  name: build
  conditions: a || b
  argoWorkflow:
    operation: submit
    args: [--wait]
    source: {resource: {apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {generateName: build-}, spec: {arguments: {parameters: [{name: id, value: ""}]}}}}
    parameters: [{dest: spec.arguments.parameters.0.value, src: {dependencyName: a, dataKey: body.id}}]
`,
			want: `
Kind: argoWorkflow
Operation: submit
Target: Workflow shop/build-*
Object:
  apiVersion: argoproj.io/v1alpha1
  kind: Workflow
  metadata:
    generateName: build-
    namespace: shop
    labels: {events.argoproj.io/sensor: orders, events.argoproj.io/trigger: build, events.argoproj.io/action-timestamp: "1772452800000"}
  spec: {arguments: {parameters: [{name: id, value: "7"}]}}
Parts: {args: '["--wait"]'}
`,
		},
		"a Slack message, which upstream sends without its own parameters": {
			trigger: `
parameters: [{dest: slack.message, src: {dependencyName: a, dataTemplate: "order {{ .Input.body.id }}"}}]
template:
  name: say
  conditions: a || b
  slack:
    channel: "#orders"
    slackToken: {name: slack, key: token}
    parameters: [{dest: message, src: {dependencyName: a, dataKey: body.name}}]
`,
			want: `{Kind: slack, Target: orders, Payload: order 7}`,
		},
		"an email": {
			trigger: `template: {name: mail, conditions: a || b, email: {host: smtp, port: 25, to: [a@example.com, b@example.com], from: me@example.com, subject: s, body: text}}`,
			want:    `{Kind: email, Target: "a@example.com, b@example.com", Payload: text, Parts: {from: me@example.com, subject: s}}`,
		},
		"a Kafka message": {
			trigger: `
template:
  name: forward
  conditions: a || b
  kafka:
    url: kafka:9092
    topic: orders
    headers: {kind: order}
    secureHeaders: [{name: signature, valueFrom: {secretKeyRef: {name: kafka, key: signature}}}]
    partitioningKey: shop
    parameters: [{dest: topic, operation: append, src: {dependencyName: a, dataKey: body.id}}]
    payload: [{dest: id, src: {dependencyName: a, dataKey: body.id}}]
`,
			want: `{Kind: kafka, Target: orders7, Header: {kind: [order], signature: ["***"]}, Payload: '{"id":"7"}', Parts: {partitioningKey: shop}}`,
		},
		"a NATS message, whose subject upstream takes from before the parameters": {
			trigger: `
template:
  name: forward
  conditions: a || b
  nats:
    url: nats:4222
    subject: orders
    parameters: [{dest: subject, operation: append, src: {dependencyName: a, dataKey: body.id}}]
    payload: [{dest: id, src: {dependencyName: a, dataKey: body.id}}]
`,
			want: `{Kind: nats, Target: orders, Payload: '{"id":"7"}'}`,
		},
		"a Pulsar message": {
			trigger: `template: {name: forward, conditions: a || b, pulsar: {url: "pulsar:6650", topic: orders, payload: [{dest: "", src: {dependencyName: a, dataKey: body.name}}]}}`,
			want:    `{Kind: pulsar, Target: orders, Payload: shop}`,
		},
		"a Lambda function": {
			trigger: `template: {name: call, conditions: a || b, awsLambda: {functionName: f, region: eu, payload: [{dest: id, src: {dependencyName: a, dataKey: body.id}}]}}`,
			want:    `{Kind: awsLambda, Target: f, Payload: '{"id":"7"}'}`,
		},
		"an event hub": {
			trigger: `template: {name: call, conditions: a || b, azureEventHubs: {fqdn: hubs, hubName: h, sharedAccessKey: {name: s, key: k}, sharedAccessKeyName: {name: s, key: name}, payload: [{dest: id, src: {dependencyName: a, dataKey: body.id}}]}}`,
			want:    `{Kind: azureEventHubs, Target: h, Payload: '{"id":"7"}'}`,
		},
		"a service bus": {
			trigger: `template: {name: call, conditions: a || b, azureServiceBus: {connectionString: {name: s, key: k}, queueName: q, topicName: "", subscriptionName: s, payload: [{dest: id, src: {dependencyName: a, dataKey: body.id}}]}}`,
			want:    `{Kind: azureServiceBus, Target: q, Payload: '{"id":"7"}'}`,
		},
		"an OpenWhisk action": {
			trigger: `template: {name: call, conditions: a || b, openWhisk: {host: whisk, actionName: act, payload: [{dest: id, src: {dependencyName: a, dataKey: body.id}}]}}`,
			want:    `{Kind: openWhisk, Target: act, Payload: '{"id":"7"}'}`,
		},
		"a trigger of one's own": {
			trigger: `template: {name: call, conditions: a || b, custom: {serverURL: "builder:9000", spec: {url: there}, payload: [{dest: id, src: {dependencyName: a, dataKey: body.id}}]}}`,
			want:    `{Kind: custom, Target: "builder:9000", Payload: '{"id":"7"}', Parts: {url: there}}`,
		},
		"a log": {
			trigger: `template: {name: say, conditions: a || b, log: {}}`,
			want:    `{Kind: log, Payload: "a: {\"body\":{\"id\":7,\"name\":\"shop\",\"list\":[1,2],\"nothing\":null}}\n"}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			firing := fired(t, test.options, test.trigger, order)
			action, err := firing.Action(t.Context())
			require.NoError(t, err)
			want := map[string]any{}
			require.NoError(t, yaml.Unmarshal([]byte(test.want), &want))
			if diff := cmp.Diff(want, shown(t, action)); diff != "" {
				t.Errorf("action (-want +got):\n%s", diff)
			}
		})
	}
}

// shown returns the fields of an action that are set, the payload as an object where the wanted one is.
func shown(t *testing.T, action *replay.Action) map[string]any {
	t.Helper()
	fields := map[string]any{"Kind": action.Kind}
	for name, text := range map[string]string{"Operation": action.Operation, "Target": action.Target} {
		if text != "" {
			fields[name] = text
		}
	}
	if len(action.Header) > 0 {
		fields["Header"] = roundTripped(t, action.Header)
	}
	if len(action.Parts) > 0 {
		fields["Parts"] = roundTripped(t, action.Parts)
	}
	if action.Object != nil {
		fields["Object"] = action.Object.Object
	}
	if action.Payload != nil {
		fields["Payload"] = string(action.Payload)
		if action.Object != nil {
			var content map[string]any
			require.NoError(t, yaml.Unmarshal(action.Payload, &content))
			fields["Payload"] = content
		}
	}
	return roundTripped(t, fields).(map[string]any)
}

// roundTripped returns the value in the types of YAML.
func roundTripped(t *testing.T, value any) any {
	t.Helper()
	raw, err := yaml.Marshal(value)
	require.NoError(t, err)
	var out any
	require.NoError(t, yaml.Unmarshal(raw, &out))
	return out
}

func TestActionsFailAsTheLiveTriggerDoes(t *testing.T) {
	refuse := func(context.Context, *v1alpha1.ArtifactLocation) ([]byte, error) { return nil, errors.New("refused") }
	tests := map[string]struct {
		trigger string
		options replay.Options
		as      any
		says    string
	}{
		"a value that the event does not have": {
			trigger: `template: {name: x, conditions: a || b, http: {url: "http://there", payload: [{dest: id, src: {dependencyName: a, dataKey: body.no}}]}}`,
			says:    "unable to resolve 'a' parameter value",
		},
		"a dependency that has no event crashes the sensor": {
			trigger: `template: {name: x, conditions: a || b, http: {url: "http://there", payload: [{dest: id, src: {dependencyName: b, dataKey: body.id}}]}}`,
			as:      new(*replay.CrashError),
		},
		"a URL that is none": {
			trigger: `template: {name: x, conditions: a || b, http: {url: "there"}}`, says: "the URL is none of http or https",
		},
		"a live object that is not known": {
			trigger: `template: {name: x, conditions: a || b, k8s: {operation: update, source: {resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: state}}}}}`,
			as:      new(*replay.MissingError), says: "configmaps shop/state is not known here: supply it in Options.Objects",
		},
		"a ConfigMap that is not known": {
			trigger: `template: {name: x, conditions: a || b, k8s: {source: {configmap: {name: jobs, key: job}}}}`,
			as:      new(*replay.MissingError), says: "the key job of ConfigMap shop/jobs is not known here",
		},
		"an object from elsewhere": {
			trigger: `template: {name: x, conditions: a || b, k8s: {source: {s3: {endpoint: e, bucket: {name: b, key: k}, accessKey: {name: s, key: a}, secretKey: {name: s, key: s}}}}}`,
			as:      new(*replay.MissingError), says: "Options.Artifact",
		},
		"an object that cannot be fetched": {
			trigger: `template: {name: x, conditions: a || b, k8s: {source: {url: {path: "https://there"}}}}`,
			options: replay.Options{Artifact: refuse}, says: "fetch the object: refused",
		},
		"a source without an object": {
			trigger: `template: {name: x, conditions: a || b, k8s: {source: {inline: ""}}}`, says: "its source holds no object",
		},
		"an object without a name": {
			trigger: `template: {name: x, conditions: a || b, k8s: {operation: patch, source: {resource: {apiVersion: v1, kind: Pod}}}}`, says: "has no name",
		},
		"a workflow without a name": {
			trigger: `template: {name: x, conditions: a || b, argoWorkflow: {operation: retry, source: {resource: {apiVersion: argoproj.io/v1alpha1, kind: Workflow}}}}`,
			says:    "the workflow to retry has no name",
		},
		"a message without text": {
			trigger: `template: {name: x, conditions: a || b, slack: {channel: orders, slackToken: {name: s, key: k}}}`, says: "no text to post",
		},
		"an email to nobody": {trigger: `template: {name: x, conditions: a || b, email: {host: smtp, port: 25, from: me@example.com, subject: s, body: b}}`, says: "to can't be empty"},
		"a template of a parameter that reads the environment": {
			trigger: `template: {name: x, conditions: a || b, http: {url: "http://there", payload: [{dest: id, src: {dependencyName: a, dataTemplate: '{{ env "HOME" }}'}}]}}`,
			as:      new(*replay.UnsafeError), says: "template.http.payload[0].src.dataTemplate uses [env]",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			firing := fired(t, test.options, test.trigger, order)
			_, err := firing.Action(t.Context())
			require.ErrorContains(t, err, "Sensor shop/orders: trigger x: ")
			require.ErrorContains(t, err, test.says)
			if test.as != nil {
				require.ErrorAs(t, err, test.as)
			}
		})
	}
}

func TestADeadLetterIsWhatComesAfterAllTries(t *testing.T) {
	firing := fired(t, replay.Options{}, `
atLeastOnce: true
template: {name: notify, conditions: a || b, http: {url: "http://there"}}
dlqTrigger:
  atLeastOnce: true
  template: {name: keep, http: {url: "http://dead", payload: [{dest: id, src: {dependencyName: a, dataKey: body.id}}]}}
`, order)
	action, err := firing.DeadLetter(t.Context())
	require.NoError(t, err)
	require.Equal(t, "http://dead", action.Target)
	require.JSONEq(t, `{"id":"7"}`, string(action.Payload))
	without := fired(t, replay.Options{}, `template: {name: x, conditions: a || b, log: {}}`, order)
	action, err = without.DeadLetter(t.Context())
	require.NoError(t, err)
	require.Nil(t, action)
}
