package eventing_test

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/eventing"
)

func TestFaultsOfEveryKindOfTrigger(t *testing.T) {
	generated := objectOf("argoproj.io/v1alpha1", "Workflow", "", "")
	generated.SetGenerateName("build-")
	tests := map[string]struct {
		trigger eventing.SensorTrigger
		want    []string
	}{
		"a request says nothing upstream would not send": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.HTTPTrigger{URL: "https://chat", Host: "\xff", TLS: &eventing.TLS{Key: privateKey}, BasicAuth: &eventing.BasicAuth{}, SecretHeaders: map[string]eventing.SecretKey{"authorization": *certificate}, ConfigMapHeaders: map[string]eventing.ConfigMapKey{"Cookie": {Name: "a", Key: "b"}, "a b": {}}, EventHeaders: []eventing.Parameter{{From: ref, To: "a:b", Operation: eventing.Append}, {From: ref}}, Parameters: []eventing.Parameter{{}}}},
			want: []string{
				`triggers[0].trigger.host: Invalid value: "\xff": must be valid UTF-8`,
				`triggers[0].trigger.configMapHeaders[Cookie]: Forbidden: carries credentials: use secretHeaders`,
				`triggers[0].trigger.configMapHeaders[a b]: Invalid value: "a b": is no HTTP header name`,
				`triggers[0].trigger.configMapHeaders[a b].name: Required value: the object needs a name`,
				`triggers[0].trigger.configMapHeaders[a b].key: Required value`,
				`triggers[0].trigger.eventHeaders[1].to: Required value`,
				`triggers[0].trigger.eventHeaders[0].to: Invalid value: "a:b": is no HTTP header name`,
				`triggers[0].trigger.eventHeaders[0].operation: Forbidden: upstream always overwrites a header`,
				`triggers[0].trigger.secretHeaders[authorization]: Forbidden: basicAuth is set`,
				`triggers[0].trigger.basicAuth.username.name: Required value: the object needs a name`,
				`triggers[0].trigger.basicAuth.username.key: Required value`,
				`triggers[0].trigger.basicAuth.password.name: Required value: the object needs a name`,
				`triggers[0].trigger.basicAuth.password.key: Required value`,
				`triggers[0].trigger.tls.certificate: Required value: the key has no certificate`,
				`triggers[0].trigger.parameters[0].from: Required value`,
				`triggers[0].trigger.parameters[0].to: Required value`,
			},
		},
		"conditions are reset on a schedule": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.LogTrigger{}, Resets: []eventing.Reset{{}, {Schedule: "@daily", Timezone: "Mars"}}},
			want: []string{
				`triggers[0].resets[0].schedule: Required value`,
				`triggers[0].resets[1].schedule: Invalid value: "@daily": parser does not accept descriptors: @daily`,
				`triggers[0].resets[1].timezone: Invalid value: "Mars": must be a name of the IANA time zone database, such as Europe/Berlin`,
			},
		},
		"a rate is per second, minute or hour": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.LogTrigger{}, RateLimit: &eventing.RateLimit{Per: time.Millisecond}},
			want: []string{
				`triggers[0].rateLimit.requests: Invalid value: 0: must be at least 1`,
				`triggers[0].rateLimit.per: Invalid value: "1ms": must be a second, a minute or an hour`,
			},
		},
		"a dead letter needs a name, an action and at least once": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.LogTrigger{}, Delivery: eventing.AtMostOnce, DeadLetter: &eventing.DeadLetterTrigger{Retry: &eventing.Retry{}, Parameters: []eventing.Parameter{{}}}},
			want: []string{
				`triggers[0].deadLetter: Forbidden: upstream refuses it unless delivery is AtLeastOnce`,
				`triggers[0].deadLetter.name: Required value`,
				`triggers[0].deadLetter.trigger: Required value: HTTPTrigger, ObjectTrigger, ArgoCDTrigger or another trigger`,
				`triggers[0].deadLetter.parameters[0].from: Required value`,
				`triggers[0].deadLetter.parameters[0].to: Required value`,
				`triggers[0].deadLetter.retry.attempts: Invalid value: 0: must be at least 1`,
			},
		},
		"a dead letter has a name of its own": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.LogTrigger{}, DeadLetter: &eventing.DeadLetterTrigger{Name: "t", Trigger: eventing.LogTrigger{}}},
			want: []string{
				`triggers[0].deadLetter.name: Duplicate value: "t"`,
			},
		},
		"parameters of the template are checked": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.LogTrigger{}, Parameters: []eventing.Parameter{{}}},
			want: []string{
				`triggers[0].parameters[0].from: Required value`,
				`triggers[0].parameters[0].to: Required value`,
			},
		},
		"only a patch has a strategy, and only an update is live": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.ObjectTrigger{Object: objectOf("v1", "ConfigMap", "", "a"), PatchStrategy: eventing.MergePatch, Live: true}},
			want: []string{
				`triggers[0].trigger.patchStrategy: Forbidden: operation is not patch`,
				`triggers[0].trigger.live: Forbidden: operation is not update`,
				`triggers[0].trigger.object.metadata.namespace: Required value: upstream needs one to fetch the live object`,
			},
		},
		"server-side apply and JSON patches do not work upstream": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.ObjectTrigger{Operation: eventing.Patch, Object: objectOf("v1", "ConfigMap", "", "a"), PatchStrategy: "application/apply-patch+yaml"}},
			want: []string{
				`triggers[0].trigger.patchStrategy: Unsupported value: "application/apply-patch+yaml": supported values: "application/merge-patch+json", "application/strategic-merge-patch+json"`,
			},
		},
		"a live object is found by its own name": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.ObjectTrigger{Operation: eventing.Update, Live: true, Object: objectOf("v1", "ConfigMap", "shop", ""), Parameters: []eventing.Parameter{{From: ref, To: "metadata.name"}}}},
			want: []string{
				`triggers[0].trigger.object.metadata.name: Required value`,
			},
		},
		"a live Node has no namespace": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.ObjectTrigger{Operation: eventing.Update, Live: true, Object: objectOf("v1", "Node", "", "a")}},
		},
		"labels are waited for where there is an object": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.ObjectTrigger{Operation: eventing.Delete, Object: objectOf("v1", "ConfigMap", "", "a"), Until: &eventing.Until{Retry: &eventing.Retry{}}, Permissions: []eventing.Permission{{}}}},
			want: []string{
				`triggers[0].trigger.until.labels: Required value: at least one label is required`,
				`triggers[0].trigger.until.retry.attempts: Invalid value: 0: must be at least 1`,
				`triggers[0].trigger.until: Forbidden: upstream has no object to look at after a deletion`,
				`triggers[0].trigger.permissions[0].resource: Required value`,
				`triggers[0].trigger.permissions[0].verbs: Required value`,
			},
		},
		"an object is given or fetched": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.ObjectTrigger{Object: objectOf("v1", "ConfigMap", "", "a"), Source: eventing.RawObjectSource{}}},
			want: []string{
				`triggers[0].trigger.source.source: Required value`,
				`triggers[0].trigger.source: Forbidden: there is an object already`,
			},
		},
		"a bucket has an address, a key and credentials": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.ObjectTrigger{Source: eventing.S3Object{Endpoint: "https://me:hunter2@s3"}}},
			want: []string{
				`triggers[0].trigger.source.endpoint: Invalid value: must be a host, without scheme, path or credentials`,
				`triggers[0].trigger.source.bucket: Required value`,
				`triggers[0].trigger.source.key: Required value`,
				`triggers[0].trigger.source.accessKey.name: Required value: the object needs a name`,
				`triggers[0].trigger.source.accessKey.key: Required value`,
				`triggers[0].trigger.source.secretKey.name: Required value: the object needs a name`,
				`triggers[0].trigger.source.secretKey.key: Required value`,
			},
		},
		"a repository is reached without a password in its URL": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.ObjectTrigger{Source: eventing.GitFile{URL: "ssh://git:hunter2@git.example.com/a.git", Branch: "main", Tag: "v1", Directory: "~/a", Auth: basicAuth, SSHKey: &eventing.SecretKey{Name: "a"}, Remote: &eventing.GitRemote{}}}},
			want: []string{
				`triggers[0].trigger.source.url: Invalid value: must not carry credentials: reference a Secret instead`,
				`triggers[0].trigger.source.file: Required value`,
				`triggers[0].trigger.source.directory: Invalid value: "~/a": must not contain ~`,
				`triggers[0].trigger.source: Forbidden: at most one of branch, tag and ref may be set`,
				`triggers[0].trigger.source.sshKey.key: Required value`,
				`triggers[0].trigger.source.sshKey: Forbidden: auth is set`,
				`triggers[0].trigger.source.remote.name: Required value`,
				`triggers[0].trigger.source.remote.urls: Required value: at least one URL is required`,
			},
		},
		"a repository over HTTP has no user in its URL": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.ObjectTrigger{Source: eventing.GitFile{URL: "https://hunter2@git.example.com/a.git", File: "../a", Ref: "a", Tag: "v1", Remote: &eventing.GitRemote{Name: "a", URLs: []string{"ftp://a"}}}}},
			want: []string{
				`triggers[0].trigger.source.url: Invalid value: must not carry credentials: reference a Secret instead`,
				`triggers[0].trigger.source.file: Invalid value: "../a": must not contain ..`,
				`triggers[0].trigger.source: Forbidden: at most one of branch, tag and ref may be set`,
				`triggers[0].trigger.source.remote.urls[0]: Invalid value: "ftp://a": must have one of the schemes http, https, ssh`,
			},
		},
		"a file is somewhere": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.ObjectTrigger{Source: eventing.URLFile{URL: "ftp://a"}}},
			want: []string{
				`triggers[0].trigger.source.url: Invalid value: "ftp://a": must have one of the schemes http, https`,
			},
		},
		"a ConfigMap has a key": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.ObjectTrigger{Source: eventing.ConfigMapKey{Name: "a"}}},
			want: []string{
				`triggers[0].trigger.source.key: Required value`,
			},
		},
		"a file has a path": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.ObjectTrigger{Source: eventing.LocalFile{}}},
			want: []string{
				`triggers[0].trigger.source.path: Required value`,
			},
		},
		"a nil source is none": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.ObjectTrigger{Source: (*eventing.LocalFile)(nil)}},
			want: []string{
				`triggers[0].trigger.object: Required value`,
			},
		},
		"a workflow trigger needs a workflow": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.WorkflowTrigger{Operation: "submit-from", Arguments: []string{"--token=hunter2"}, Until: &eventing.Until{}}},
			want: []string{
				`triggers[0].trigger.operation: Unsupported value: "submit-from": supported values: "submit", "resubmit", "retry", "suspend", "resume", "stop", "terminate"`,
				`triggers[0].trigger.arguments[0]: Forbidden: carries credentials`,
				`triggers[0].trigger.until.labels: Required value: at least one label is required`,
				`triggers[0].trigger.workflow: Required value`,
			},
		},
		"a workflow is one, with a name": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.WorkflowTrigger{Workflow: objectOf("argoproj.io/v1", "CronWorkflow", "A", "")}},
			want: []string{
				`triggers[0].trigger.workflow.apiVersion: Unsupported value: "argoproj.io/v1": supported values: "argoproj.io/v1alpha1"`,
				`triggers[0].trigger.workflow.kind: Unsupported value: "CronWorkflow": supported values: "Workflow"`,
				`triggers[0].trigger.workflow.metadata.namespace: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
				`triggers[0].trigger.workflow.metadata.name: Required value`,
			},
		},
		"only a submitted workflow may have a generated name": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.WorkflowTrigger{Operation: eventing.Stop, Workflow: generated}},
			want: []string{
				`triggers[0].trigger.workflow.metadata.name: Required value`,
			},
		},
		"a submitted workflow may have a generated name, and is not waited for": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.WorkflowTrigger{Workflow: generated, Until: &eventing.Until{Labels: map[string]string{"a": "b"}}}},
			want: []string{
				`triggers[0].trigger.until: Forbidden: upstream fails to look at a submitted workflow`,
			},
		},
		"a workflow is given or fetched": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.WorkflowTrigger{Workflow: generated, Source: eventing.LocalFile{Path: "a"}}},
			want: []string{
				`triggers[0].trigger.source: Forbidden: there is an object already`,
			},
		},
		"a workflow is not empty": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.WorkflowTrigger{Workflow: &unstructured.Unstructured{}}},
			want: []string{
				`triggers[0].trigger.workflow: Required value`,
			},
		},
		"a message needs a token, a channel and a text": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.SlackTrigger{}},
			want: []string{
				`triggers[0].trigger.token.name: Required value: the object needs a name`,
				`triggers[0].trigger.token.key: Required value`,
				`triggers[0].trigger.channel: Required value`,
				`triggers[0].trigger.message: Required value: message, attachments or blocks`,
			},
		},
		"parameters may give the channel and the text": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.SlackTrigger{Token: *certificate, Parameters: []eventing.Parameter{{From: ref, To: "channel"}, {From: ref, To: "blocks"}}}},
		},
		"attachments and blocks are arrays": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.SlackTrigger{Token: *certificate, Channel: "a", Attachments: "{}", Blocks: "["}},
			want: []string{
				`triggers[0].trigger.attachments: Invalid value: "{}": must be a JSON array`,
				`triggers[0].trigger.blocks: Invalid value: "[": must be a JSON array`,
			},
		},
		"an e-mail needs a server, addresses and a text": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.EmailTrigger{Username: "a"}},
			want: []string{
				`triggers[0].trigger.host: Required value`,
				`triggers[0].trigger.port: Invalid value: 0: must be between 1 and 65535, inclusive`,
				`triggers[0].trigger.password: Required value: there is a username`,
				`triggers[0].trigger.from: Required value`,
				`triggers[0].trigger.to: Required value: at least one address is required`,
				`triggers[0].trigger.subject: Required value`,
				`triggers[0].trigger.body: Required value`,
			},
		},
		"a password has a user, and an address is one": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.EmailTrigger{Host: "a", Port: 25, Password: certificate, From: "a@b.de", To: []string{"platform@shop.cloud"}, Parameters: []eventing.Parameter{{From: ref, To: "subject"}, {From: ref, To: "body"}}}},
			want: []string{
				`triggers[0].trigger.username: Required value: there is a password`,
				`triggers[0].trigger.to[0]: Invalid value: "platform@shop.cloud": must match ^[\w.-]+@([\w-]+\.)+[\w-]{2,4}$`,
			},
		},
		"an event may give the addresses": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.EmailTrigger{Host: "a", Port: 25, From: "a@b.de", Subject: "a", Body: "b", Parameters: []eventing.Parameter{{From: ref, To: "to"}}}},
		},
		"a message on NATS has a subject and a payload": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.NATSTrigger{URL: "nats://me:hunter2@nats", Auth: eventing.NATSToken{}, TLS: &eventing.TLS{Key: privateKey}}},
			want: []string{
				`triggers[0].trigger.url: Invalid value: must not carry credentials: reference a Secret instead`,
				`triggers[0].trigger.subject: Required value`,
				`triggers[0].trigger.auth.token.name: Required value: the object needs a name`,
				`triggers[0].trigger.auth.token.key: Required value`,
				`triggers[0].trigger.tls.certificate: Required value: the key has no certificate`,
				`triggers[0].trigger.payload: Required value: at least one parameter is required`,
			},
		},
		"a payload on NATS has paths": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.NATSTrigger{URL: "nats://nats:4222", Payload: []eventing.Parameter{{From: ref}}, Parameters: []eventing.Parameter{{From: ref, To: "subject"}}}},
			want: []string{
				`triggers[0].trigger.payload[0].to: Required value`,
			},
		},
		"a message in Kafka has brokers, a topic and a payload": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.KafkaTrigger{Headers: map[string]string{"Authorization": "hunter2", "": "a"}, SecretHeaders: map[string]eventing.SecretKey{"": {}}, ConfigMapHeaders: map[string]eventing.ConfigMapKey{"cookie": {Name: "a", Key: "b"}}, Version: "3", SchemaRegistry: &eventing.SchemaRegistry{URL: "https://a"}, Key: "\xff"}},
			want: []string{
				`triggers[0].trigger.brokers: Required value`,
				`triggers[0].trigger.topic: Required value`,
				`triggers[0].trigger.payload: Required value: at least one parameter is required`,
				`triggers[0].trigger.key: Invalid value: "\xff": must be valid UTF-8`,
				`triggers[0].trigger.headers[]: Required value`,
				`triggers[0].trigger.headers[Authorization]: Forbidden: carries credentials: use secretHeaders`,
				`triggers[0].trigger.secretHeaders[]: Required value`,
				`triggers[0].trigger.secretHeaders[].name: Required value: the object needs a name`,
				`triggers[0].trigger.secretHeaders[].key: Required value`,
				`triggers[0].trigger.configMapHeaders[cookie]: Forbidden: carries credentials: use secretHeaders`,
				`triggers[0].trigger.version: Invalid value: "3": must match ^(0\.\d+\.\d+\.\d+|[1-9]\d*\.\d+\.\d+)$`,
				`triggers[0].trigger.schemaRegistry.schemaID: Required value`,
			},
		},
		"an event may give the topic": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.KafkaTrigger{Brokers: "kafka:9092", Payload: []eventing.Parameter{{From: ref, To: "ref"}}, Parameters: []eventing.Parameter{{From: ref, To: "topic"}}}},
		},
		"a trigger service has an address and a resource": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.CustomTrigger{ServerName: "a"}},
			want: []string{
				`triggers[0].trigger.server: Required value`,
				`triggers[0].trigger.serverName: Forbidden: the connection is not encrypted`,
				`triggers[0].trigger.spec: Required value: at least one entry is required`,
			},
		},
		"an address has no credentials, and a resource is text": {
			trigger: eventing.SensorTrigger{Name: "t", Trigger: eventing.CustomTrigger{Server: "me:hunter2@a:1", CA: &eventing.SecretKey{}, Spec: map[string]string{"a": "\xff"}, Payload: []eventing.Parameter{{From: ref}}}},
			want: []string{
				`triggers[0].trigger.server: Invalid value: must be host:port, without scheme, path or credentials`,
				`triggers[0].trigger.ca.name: Required value: the object needs a name`,
				`triggers[0].trigger.ca.key: Required value`,
				`triggers[0].trigger.spec[a]: Invalid value: "\xff": must be valid UTF-8`,
				`triggers[0].trigger.payload[0].to: Required value`,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			sensor := sensorOf()
			sensor.Triggers = []eventing.SensorTrigger{test.trigger}
			check(t, sensor, test.want)
		})
	}
}
