package eventing_test

import (
	"testing"
	"time"

	"github.com/controlbackbone/backbone/eventing"
)

func TestSourceFaults(t *testing.T) {
	tests := map[string]struct {
		source eventing.Source
		want   []string
	}{
		"listeners need a port and an endpoint that upstream does not serve itself": {
			source: eventing.GitHub{Listener: eventing.Listener{Port: 70000, Endpoint: "/health", Key: &eventing.SecretKey{Name: "a", Key: "b"}, MaxPayload: -1}, Organizations: []string{"shop"}, Unsigned: true},
			want: []string{
				`events[e].listener.port: Invalid value: 70000: must be between 1 and 65535, inclusive`,
				`events[e].listener.endpoint: Invalid value: "/health": is the health check of upstream's server`,
				`events[e].listener.certificate: Required value: the key has no certificate`,
				`events[e].listener.maxPayload: Invalid value: -1: must not be negative`,
			},
		},
		"an alert needs no endpoint": {
			source: eventing.Alertmanager{Listener: eventing.Listener{Port: 12000}},
		},
		"an alert needs a port, and a token a key": {
			source: eventing.Alertmanager{Auth: &eventing.SecretKey{Name: "a"}},
			want: []string{
				`events[e].listener.port: Invalid value: 0: must be between 1 and 65535, inclusive`,
				`events[e].auth.key: Required value`,
			},
		},
		"a GitHub source is signed and of somebody": {
			source: eventing.GitHub{Listener: eventing.Listener{Port: 1, Endpoint: "/"}},
			want: []string{
				`events[e].repositories: Required value: repositories or organizations`,
				`events[e].secret: Required value: without one anybody may send events: set unsigned to allow that`,
			},
		},
		"a GitHub source is of repositories or of organizations": {
			source: eventing.GitHub{Listener: eventing.Listener{Port: 1, Endpoint: "/"}, Repositories: map[string][]string{"": {""}, "shop": nil}, Organizations: []string{""}, Unsigned: true},
			want: []string{
				`events[e].organizations: Forbidden: repositories is set`,
				`events[e].repositories[]: Required value`,
				`events[e].repositories[][0]: Required value`,
				`events[e].repositories[shop]: Required value: at least one repository`,
				`events[e].organizations[0]: Required value`,
			},
		},
		"a signed source is not unsigned": {
			source: eventing.GitHub{Listener: eventing.Listener{Port: 1, Endpoint: "/"}, Organizations: []string{"shop"}, Unsigned: true, Secret: &eventing.SecretKey{Name: "a", Key: "b"}},
			want: []string{
				`events[e].secret: Forbidden: unsigned is set`,
			},
		},
		"a GitHub hook has a URL, events and an identity": {
			source: eventing.GitHub{Listener: eventing.Listener{Port: 1, Endpoint: "/"}, Organizations: []string{"shop"}, Unsigned: true, Hook: &eventing.GitHubHook{}},
			want: []string{
				`events[e].hook.url: Required value`,
				`events[e].hook.events: Required value: at least one event is required`,
				`events[e].hook.auth: Required value: GitHubToken or GitHubApp`,
			},
		},
		"a GitHub Enterprise has two URLs, and an app its IDs": {
			source: eventing.GitHub{Listener: eventing.Listener{Port: 1, Endpoint: "/"}, Organizations: []string{"shop"}, Unsigned: true, Hook: &eventing.GitHubHook{URL: "https://a:hunter2@b", Events: []string{""}, Auth: eventing.GitHubApp{AppID: -1}, BaseURL: "https://github.example.com"}},
			want: []string{
				`events[e].hook.url: Invalid value: must not carry credentials: reference a Secret instead`,
				`events[e].hook.events[0]: Required value`,
				`events[e].hook.auth.appID: Invalid value: -1: must be positive`,
				`events[e].hook.auth.installationID: Invalid value: 0: must be positive`,
				`events[e].hook.auth.privateKey.name: Required value: the object needs a name`,
				`events[e].hook.auth.privateKey.key: Required value`,
				`events[e].hook.uploadURL: Required value`,
			},
		},
		"a token is a key of a Secret": {
			source: eventing.GitHub{Listener: eventing.Listener{Port: 1, Endpoint: "/"}, Organizations: []string{"shop"}, Unsigned: true, Hook: &eventing.GitHubHook{URL: "https://b", Events: []string{"push"}, Auth: eventing.GitHubToken{}}},
			want: []string{
				`events[e].hook.auth.token.name: Required value: the object needs a name`,
				`events[e].hook.auth.token.key: Required value`,
			},
		},
		"a GitLab source has a URL, events, a token and a secret": {
			source: eventing.GitLab{Listener: eventing.Listener{Port: 1, Endpoint: "/"}},
			want: []string{
				`events[e].url: Required value`,
				`events[e].events: Required value: at least one event is required`,
				`events[e].token.name: Required value: the object needs a name`,
				`events[e].token.key: Required value`,
				`events[e].secret: Required value: without one anybody may send events: set unsigned to allow that`,
			},
		},
		"the events of GitLab are those of its Go client": {
			source: eventing.GitLab{Listener: eventing.Listener{Port: 1, Endpoint: "/"}, URL: "https://b", Projects: []string{""}, Groups: []string{""}, Events: []string{"push"}, Token: eventing.SecretKey{Name: "a", Key: "b"}, Unsigned: true, BaseURL: "gitlab"},
			want: []string{
				`events[e].projects[0]: Required value`,
				`events[e].groups[0]: Required value`,
				`events[e].events[0]: Invalid value: "push": must match ^[A-Z][A-Za-z]*Events$`,
				`events[e].baseURL: Invalid value: "gitlab": must have one of the schemes http, https`,
			},
		},
		"a resource has a version, a name, a namespace and changes": {
			source: eventing.Resource{},
			want: []string{
				`events[e].version: Required value`,
				`events[e].resource: Required value`,
				`events[e].namespace: Required value`,
				`events[e].changes: Required value: at least one change is required`,
			},
		},
		"a resource is of one namespace or of the cluster": {
			source: eventing.Resource{Version: "v1", Resource: "pods", Namespace: "shop", ClusterWide: true, Changes: []eventing.Change{"", "MODIFIED"}},
			want: []string{
				`events[e].namespace: Forbidden: clusterWide is set`,
				`events[e].changes[0]: Required value`,
				`events[e].changes[1]: Unsupported value: "MODIFIED": supported values: "ADD", "UPDATE", "DELETE"`,
			},
		},
		"the conditions on a resource can be read": {
			source: eventing.Resource{Version: "v1", Resource: "pods", ClusterWide: true, Changes: []eventing.Change{eventing.Added}, Labels: "a=(", Fields: []eventing.FieldPattern{{}, {Path: "a", Pattern: "("}}, Metadata: map[string]string{"a": "\xff"}},
			want: []string{
				`events[e].labels: Invalid value: "a=(": unable to parse requirement: found '(', expected: identifier`,
				`events[e].fields[0].path: Required value`,
				`events[e].fields[0].pattern: Required value`,
				"events[e].fields[1].pattern: Invalid value: \"(\": error parsing regexp: missing closing ): `(`",
				`events[e].metadata[a]: Invalid value: "\xff": must be valid UTF-8`,
			},
		},
		"a calendar has a schedule or an interval": {
			source: eventing.Calendar{},
			want: []string{
				`events[e].schedule: Required value: schedule or interval`,
			},
		},
		"a calendar does not have both": {
			source: eventing.Calendar{Schedule: "0 3 * * *", Interval: time.Hour},
			want: []string{
				`events[e].interval: Forbidden: schedule is set`,
			},
		},
		"a schedule has five fields": {
			source: eventing.Calendar{Schedule: "@daily", Timezone: "Mars", Except: []string{"25.12.2026"}, CatchUp: &eventing.CatchUp{Max: -1}},
			want: []string{
				`events[e].schedule: Invalid value: "@daily": parser does not accept descriptors: @daily`,
				`events[e].timezone: Invalid value: "Mars": must be a name of the IANA time zone database, such as Europe/Berlin`,
				`events[e].except[0]: Invalid value: "25.12.2026": must be a day such as 2026-12-25`,
				`events[e].catchUp.configMap: Required value: the object needs a name`,
				`events[e].catchUp.max: Invalid value: "-1ns": must not be negative`,
			},
		},
		"a schedule has no time zone": {
			source: eventing.Calendar{Schedule: "TZ=UTC"},
			want: []string{
				`events[e].schedule: Invalid value: "TZ=UTC": must not hold a time zone: use timezone`,
			},
		},
		"an interval is whole seconds": {
			source: eventing.Calendar{Interval: 1500 * time.Millisecond},
			want: []string{
				`events[e].interval: Invalid value: "1.5s": must be whole seconds and not negative`,
			},
		},
		"a topic has brokers, a name and a reader": {
			source: eventing.KafkaTopic{},
			want: []string{
				`events[e].brokers: Required value`,
				`events[e].topic: Required value`,
				`events[e].group: Required value: group or partition`,
			},
		},
		"a topic has one reader": {
			source: eventing.KafkaTopic{Brokers: "kafka:9092", Topic: "a", Group: &eventing.ConsumerGroup{Name: "a"}, Partition: new(int32(0)), EventsPerSecond: -1},
			want: []string{
				`events[e].eventsPerSecond: Invalid value: -1: must not be negative`,
				`events[e].partition: Forbidden: group is set`,
			},
		},
		"a group has a name and connects by itself": {
			source: eventing.KafkaTopic{Brokers: "kafka:9092", Topic: "a", Group: &eventing.ConsumerGroup{}, Connect: &eventing.Retry{Attempts: 1}},
			want: []string{
				`events[e].group.name: Required value`,
				`events[e].connect: Forbidden: upstream ignores it with a group`,
			},
		},
		"a partition is read as fast as it goes": {
			source: eventing.KafkaTopic{Brokers: "kafka:9092", Topic: "a", Partition: new(int32(-1)), Connect: &eventing.Retry{}, EventsPerSecond: 1, Version: "three"},
			want: []string{
				`events[e].partition: Invalid value: -1: must not be negative`,
				`events[e].connect.attempts: Invalid value: 0: must be at least 1`,
				`events[e].eventsPerSecond: Forbidden: upstream ignores it with a partition`,
				`events[e].version: Invalid value: "three": must match ^(0\.\d+\.\d+\.\d+|[1-9]\d*\.\d+\.\d+)$`,
			},
		},
		"schemas are for JSON, and messages name theirs": {
			source: eventing.KafkaTopic{Brokers: "kafka:9092", Topic: "a", Partition: new(int32(0)), SchemaRegistry: &eventing.SchemaRegistry{URL: "https://me:hunter2@schemas", SchemaID: 1, Auth: &eventing.BasicAuth{}}},
			want: []string{
				`events[e].schemaRegistry.url: Invalid value: must not carry credentials: reference a Secret instead`,
				`events[e].schemaRegistry.auth.username.name: Required value: the object needs a name`,
				`events[e].schemaRegistry.auth.username.key: Required value`,
				`events[e].schemaRegistry.auth.password.name: Required value: the object needs a name`,
				`events[e].schemaRegistry.auth.password.key: Required value`,
				`events[e].schemaRegistry: Forbidden: upstream decodes only with jsonBody`,
				`events[e].schemaRegistry.schemaID: Forbidden: messages name their schema`,
			},
		},
		"a configuration carries no credentials, however it is written": {
			source: eventing.KafkaTopic{Brokers: "kafka:9092", Topic: "a", Partition: new(int32(0)), Config: map[string]any{"Net": map[string]any{"SASL": map[string]any{"password": "hunter2"}}}},
			want: []string{
				`events[e].config: Forbidden: net.sasl carries credentials: use sasl`,
			},
		},
		"a configuration carries no credentials under a name with dots": {
			source: eventing.KafkaTopic{Brokers: "kafka:9092", Topic: "a", Partition: new(int32(0)), Config: map[string]any{"net": map[string]any{"sasl.password": "hunter2"}}},
			want: []string{
				`events[e].config: Forbidden: net.sasl carries credentials: use sasl`,
			},
		},
		"a configuration is JSON": {
			source: eventing.KafkaTopic{Brokers: "kafka:9092", Topic: "a", Partition: new(int32(0)), Config: map[string]any{"a": make(chan int)}},
			want: []string{
				`events[e].config: Invalid value: encode map[string]interface {}: json: unsupported type: chan int`,
			},
		},
		"a subject has a server and a name": {
			source: eventing.NATSSubject{Auth: eventing.NATSUser{}, TLS: &eventing.TLS{Key: &eventing.SecretKey{Name: "a", Key: "b"}}, Connect: &eventing.Retry{}},
			want: []string{
				`events[e].url: Required value`,
				`events[e].subject: Required value`,
				`events[e].auth.auth.username.name: Required value: the object needs a name`,
				`events[e].auth.auth.username.key: Required value`,
				`events[e].auth.auth.password.name: Required value: the object needs a name`,
				`events[e].auth.auth.password.key: Required value`,
				`events[e].tls.certificate: Required value: the key has no certificate`,
				`events[e].connect.attempts: Invalid value: 0: must be at least 1`,
			},
		},
		"a nil identity is none": {
			source: eventing.NATSSubject{URL: "nats://nats:4222", Subject: "a", Auth: (*eventing.NATSUser)(nil)},
		},
		"a NATS token is a key of a Secret": {
			source: eventing.NATSSubject{URL: "nats://nats:4222", Subject: "a", Auth: eventing.NATSToken{}},
			want: []string{
				`events[e].auth.token.name: Required value: the object needs a name`,
				`events[e].auth.token.key: Required value`,
			},
		},
		"an NKey is a key of a Secret": {
			source: eventing.NATSSubject{URL: "nats://nats:4222", Subject: "a", Auth: eventing.NATSKey{}},
			want: []string{
				`events[e].auth.seed.name: Required value: the object needs a name`,
				`events[e].auth.seed.key: Required value`,
			},
		},
		"a credentials file is a key of a Secret": {
			source: eventing.NATSSubject{URL: "nats://me@nats:4222", Subject: "a", Auth: eventing.NATSCredentials{}},
			want: []string{
				`events[e].url: Invalid value: must not carry credentials: reference a Secret instead`,
				`events[e].auth.file.name: Required value: the object needs a name`,
				`events[e].auth.file.key: Required value`,
			},
		},
		"a queue has a region and a name": {
			source: eventing.SQS{Auth: eventing.AWSKeys{SessionToken: &eventing.SecretKey{}}, Endpoint: "sqs", Wait: time.Minute},
			want: []string{
				`events[e].region: Required value`,
				`events[e].queue: Required value`,
				`events[e].auth.accessKey.name: Required value: the object needs a name`,
				`events[e].auth.accessKey.key: Required value`,
				`events[e].auth.secretKey.name: Required value: the object needs a name`,
				`events[e].auth.secretKey.key: Required value`,
				`events[e].auth.sessionToken.name: Required value: the object needs a name`,
				`events[e].auth.sessionToken.key: Required value`,
				`events[e].endpoint: Invalid value: "sqs": must have one of the schemes http, https`,
				`events[e].wait: Invalid value: "1m0s": must be at most 20s`,
			},
		},
		"a wait is whole seconds, and a role has an ARN": {
			source: eventing.SQS{Region: "a", Queue: "b", Wait: time.Millisecond, Auth: eventing.AWSRole{}},
			want: []string{
				`events[e].auth.arn: Required value`,
				`events[e].wait: Invalid value: "1ms": must be whole seconds and not negative`,
			},
		},
		"a topic of SNS has a URL, an ARN and a region": {
			source: eventing.SNS{Listener: eventing.Listener{Port: 1, Endpoint: "/"}, Endpoint: "sns"},
			want: []string{
				`events[e].url: Required value`,
				`events[e].topicARN: Required value`,
				`events[e].region: Required value`,
				`events[e].endpoint: Invalid value: "sns": must have one of the schemes http, https`,
			},
		},
		"SNS takes no session token": {
			source: eventing.SNS{Listener: eventing.Listener{Port: 1, Endpoint: "/"}, URL: "https://b", TopicARN: "a", Region: "b", Auth: eventing.AWSKeys{AccessKey: *certificate, SecretKey: *privateKey, SessionToken: certificate}},
			want: []string{
				`events[e].auth.sessionToken: Forbidden: upstream has no such field for SNS`,
			},
		},
		"a subscription has an ID of its own": {
			source: eventing.PubSub{TopicProjectID: "a", Credentials: &eventing.SecretKey{}},
			want: []string{
				`events[e].subscription: Required value`,
				`events[e].topicProjectID: Forbidden: there is no topic`,
				`events[e].credentials.name: Required value: the object needs a name`,
				`events[e].credentials.key: Required value`,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			check(t, eventing.EventSource{Name: "s", Namespace: "events", Events: map[string]eventing.Source{"e": test.source}}, test.want)
		})
	}
}
