package eventing_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/eventing"
)

// sound is a set of objects without a finding.
const sound = `
kind: EventBus
metadata: {name: default, namespace: events}
spec: {jetstream: {version: latest}}
---
kind: EventSource
metadata: {name: git, namespace: events}
spec:
  service: {ports: [{port: 12000, targetPort: 12000}]}
  webhook:
    push: {port: "12000", endpoint: /push, method: POST, authSecret: {name: git, key: token}, filter: {expression: 'body.ref != ""'}}
    pull: {port: "12000", endpoint: /pull, method: GET, authSecret: {name: git, key: token}}
---
kind: EventSource
metadata: {name: night, namespace: events}
spec:
  template: {serviceAccountName: watcher}
  calendar: {nightly: {schedule: "0 3 * * *"}, often: {interval: 10s}}
  resource: {apps: {group: argoproj.io, version: v1alpha1, resource: applications, namespace: argocd, eventTypes: [UPDATE]}}
---
kind: Sensor
metadata: {name: sync, namespace: events}
spec:
  template: {serviceAccountName: syncer}
  dependencies:
  - name: push
    eventSourceName: git
    eventName: push
    transform: {jq: .body}
    filters:
      data: [{path: ref, type: string, value: ["^main$"]}, {path: size, type: number, comparator: ">", value: ["3"]}, {path: forced, type: bool, value: ["false"]}]
      exprs: [{expr: "size > 3", fields: [{name: size, path: size}]}]
      context: {type: webhook}
      time: {start: "08:00:00", stop: "18:00:00", timezone: Europe/Paris}
      script: return true
  - {name: pull-request, eventSourceName: git, eventName: pull}
  triggers:
  - template:
      name: sync
      conditions: push && pull-request
      conditionsReset: [{byTime: {cron: "0 0 * * *", timezone: Europe/Paris}}]
      k8s:
        operation: patch
        source: {resource: {apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: shop, namespace: argocd}}}
        parameters: [{dest: operation.sync.revision, src: {dependencyName: push, dataKey: after}}]
    atLeastOnce: true
    retryStrategy: {steps: 3, duration: 1s, factor: 2, jitter: 0.1}
    rateLimit: {unit: Minute, requestsPerUnit: 10}
    dlqTrigger: {atLeastOnce: true, template: {name: dead, log: {}}}
  - template:
      name: notify
      conditions: push || pull-request
      http:
        url: https://there
        headers: {Content-Type: application/json}
        secureHeaders: [{name: Authorization, valueFrom: {secretKeyRef: {name: there, key: token}}}]
        payload: [{dest: ref, src: {dependencyName: push, dataTemplate: "{{ .Input.ref }}", value: none}}]
    policy: {status: {allow: [200]}}
    atLeastOnce: true
    retryStrategy: {steps: 3}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: syncer, namespace: events}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: syncer, namespace: argocd}
rules: [{apiGroups: [argoproj.io], resources: [applications], resourceNames: [shop], verbs: [get, patch]}, {apiGroups: [argoproj.io], resources: [applications], verbs: [list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: syncer, namespace: argocd}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: syncer}
subjects: [{kind: ServiceAccount, name: syncer, namespace: events}, {kind: ServiceAccount, name: watcher, namespace: events}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: argocd-application-controller, namespace: argocd}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cmd-params-cm, namespace: argocd}
data: {application.namespaces: "team-*, apps"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: workflow-controller, namespace: argo}
spec: {template: {spec: {containers: [{name: controller, args: [--managed-namespace, ci]}]}}}
`

func set(t testing.TB, text string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	for document := range strings.SplitSeq(text, "\n---\n") {
		obj := &unstructured.Unstructured{}
		require.NoError(t, yaml.Unmarshal([]byte(document), &obj.Object))
		if obj.GetAPIVersion() == "" {
			obj.SetAPIVersion("argoproj.io/v1alpha1")
		}
		objects = append(objects, obj)
	}
	return objects
}

// changed replaces a part of the sound set, which must be in it.
func changed(t testing.TB, replacements ...string) []*unstructured.Unstructured {
	t.Helper()
	text := sound
	for i := 0; i < len(replacements); i += 2 {
		require.Contains(t, text, replacements[i])
		text = strings.Replace(text, replacements[i], replacements[i+1], 1)
	}
	return set(t, text)
}

func codes(findings []eventing.Finding) []string {
	var out []string
	for _, finding := range findings {
		out = append(out, finding.Code+" "+finding.Object+" "+finding.Path)
	}
	return out
}

func TestCheckFindsNothingInASoundSet(t *testing.T) {
	require.Empty(t, eventing.Check(set(t, sound)))
}

func TestCheckFindsNothingInWhatTheBuildersMake(t *testing.T) {
	// What the values of the tests say on purpose, or leave to the set.
	allowed := []string{
		"EVENTING003", "EVENTING010", "EVENTING012", "EVENTING014", "EVENTING025", "EVENTING028", "EVENTING034", "EVENTING060", "EVENTING070", "EVENTING085",
	}
	for name, value := range builders {
		t.Run(name, func(t *testing.T) {
			obj, err := value.Build()
			require.NoError(t, err)
			for _, finding := range eventing.Check([]*unstructured.Unstructured{obj}) {
				if !slices.Contains(allowed, finding.Code) {
					t.Error(finding)
				}
			}
		})
	}
}

func TestCheckFindsWhatArgoEventsRejectsOrIgnores(t *testing.T) {
	const (
		busObject    = "EventBus events/default "
		git          = "EventSource events/git "
		night        = "EventSource events/night "
		sensor       = "Sensor events/sync "
		push         = "spec.dependencies[0]."
		first        = "spec.triggers[0]."
		second       = "spec.triggers[1]."
		secondAction = second + "template.http."
	)
	tests := map[string]struct {
		change []string
		want   []string
	}{
		"a field of another type": {
			[]string{`data: [{path: ref`, `data: {}
      old: [{path: ref`}, []string{"EVENTING001 " + sensor + push + "filters.data"},
		},
		"no EventBus": {
			[]string{`kind: EventBus`, `kind: Other`},
			[]string{"EVENTING010 " + git + "spec.eventBusName", "EVENTING010 " + night + "spec.eventBusName", "EVENTING010 " + sensor + "spec.eventBusName"},
		},
		"an EventBus of another name": {
			[]string{"kind: EventSource\nmetadata: {name: night, namespace: events}\nspec:\n", "kind: EventSource\nmetadata: {name: night, namespace: events}\nspec:\n  eventBusName: other\n"},
			[]string{"EVENTING011 " + night + "spec.eventBusName"},
		},
		"NATS Streaming":              {[]string{`jetstream: {version: latest}`, `nats: {native: {}}`}, []string{"EVENTING012 " + busObject + "spec.nats"}},
		"a bus without a transport":   {[]string{`jetstream: {version: latest}`, `other: {}`}, []string{"EVENTING002 " + busObject + "spec"}},
		"two transports":              {[]string{`jetstream: {version: latest}`, `jetstream: {version: latest}, kafka: {url: there}`}, []string{"EVENTING003 " + busObject + "spec.kafka"}},
		"JetStream without a version": {[]string{`{version: latest}`, `{replicas: 3}`}, []string{"EVENTING002 " + busObject + "spec.jetstream.version"}},
		"two servers":                 {[]string{`{version: latest}`, `{version: latest, replicas: 2}`}, []string{"EVENTING013 " + busObject + "spec.jetstream.replicas"}},
		"limits that are no YAML":     {[]string{`{version: latest}`, `{version: latest, streamConfig: "a: b: c"}`}, []string{"EVENTING030 " + busObject + "spec.jetstream.streamConfig"}},
		"an open bus":                 {[]string{`jetstream: {version: latest}`, `jetstreamExotic: {url: "nats://there"}`}, []string{"EVENTING014 " + busObject + "spec.jetstreamExotic.accessSecret"}},
		"a password of a bus":         {[]string{`jetstream: {version: latest}`, `kafka: {url: "kafka://a:b@there", tls: {insecureSkipVerify: true}}`}, []string{"EVENTING005 " + busObject + "spec.kafka.url"}},
		"a bus without a server":      {[]string{`jetstream: {version: latest}`, `jetstreamExotic: {accessSecret: {name: a, key: b}}`}, []string{"EVENTING002 " + busObject + "spec.jetstreamExotic.url"}},
		"a dot in the name of a sensor": {
			[]string{"metadata: {name: sync, namespace: events}", "metadata: {name: sync.it, namespace: events}"}, []string{"EVENTING004 Sensor events/sync.it metadata.name"},
		},
		"an unknown event source": {[]string{"eventSourceName: git\n", "eventSourceName: svn\n"}, []string{"EVENTING020 " + sensor + push + "eventSourceName"}},
		"an unknown event":        {[]string{"eventName: push\n", "eventName: pushed\n"}, []string{"EVENTING021 " + sensor + push + "eventName"}},
		"an event source of another bus": {
			[]string{"metadata: {name: default, namespace: events}\nspec: {jetstream: {version: latest}}", "metadata: {name: default, namespace: events}\nspec: {jetstream: {version: latest}}\n---\nkind: EventBus\nmetadata: {name: other, namespace: events}\nspec: {jetstream: {version: latest}}",
				"metadata: {name: git, namespace: events}\nspec:\n", "metadata: {name: git, namespace: events}\nspec:\n  eventBusName: other\n"},
			[]string{"EVENTING022 " + sensor + push + "eventSourceName", "EVENTING022 " + sensor + "spec.dependencies[1].eventSourceName"},
		},
		"two dependencies of one name": {
			[]string{"- {name: pull-request, eventSourceName: git, eventName: pull}", "- {name: pull-request, eventSourceName: git, eventName: pull}\n  - {name: pull-request, eventSourceName: git, eventName: push}"},
			[]string{"EVENTING023 " + sensor + "spec.dependencies[2].name"},
		},
		"names that collide": {
			[]string{"- {name: pull-request, eventSourceName: git, eventName: pull}", "- {name: pull_request, eventSourceName: git, eventName: pull}\n  - {name: pull-request, eventSourceName: git, eventName: pull}"},
			[]string{"EVENTING025 " + sensor + "spec.dependencies[1].name", "EVENTING024 " + sensor + "spec.dependencies[2].name"},
		},
		"a dependency that nobody uses": {
			[]string{"conditions: push && pull-request", "conditions: push", "      conditionsReset: [{byTime: {cron: \"0 0 * * *\", timezone: Europe/Paris}}]\n", "", "conditions: push || pull-request", "conditions: push"},
			[]string{"EVENTING025 " + sensor + "spec.dependencies[1].name"},
		},
		"a condition with an unknown name": {[]string{"push && pull-request", "push && pull-requests"}, []string{"EVENTING026 " + sensor + first + "template.conditions"}},
		"a reset at no time":               {[]string{`cron: "0 0 * * *"`, `cron: "0 0 * *"`}, []string{"EVENTING027 " + sensor + first + "template.conditionsReset[0].byTime.cron"}},
		"a reset of nothing":               {[]string{"push && pull-request", "push || pull-request"}, []string{"EVENTING028 " + sensor + first + "template.conditionsReset"}},
		"a pattern":                        {[]string{`["^main$"]`, `["^main($"]`}, []string{"EVENTING030 " + sensor + push + "filters.data[0].value[0]"}},
		"an expression":                    {[]string{`expr: "size > 3"`, `expr: "size >"`}, []string{"EVENTING030 " + sensor + push + "filters.exprs[0].expr"}},
		"a script":                         {[]string{"script: return true", "script: return if"}, []string{"EVENTING030 " + sensor + push + "filters.script"}},
		"a jq program":                     {[]string{"{jq: .body}", `{jq: ".body |"}`}, []string{"EVENTING030 " + sensor + push + "transform.jq"}},
		"a template of a parameter":        {[]string{`"{{ .Input.ref }}"`, `"{{ .Input.ref }"`}, []string{"EVENTING030 " + sensor + secondAction + "payload[0].src.dataTemplate"}},
		"a filter of an event source":      {[]string{`'body.ref != ""'`, `'body.ref !='`}, []string{"EVENTING030 " + git + "spec.webhook.push.filter.expression"}},
		"a script beside jq":               {[]string{"{jq: .body}", `{jq: .body, script: return event}`}, []string{"EVENTING003 " + sensor + push + "transform.script"}},
		"a variable":                       {[]string{`expr: "size > 3"`, `expr: "size > 3 && other"`}, []string{"EVENTING031 " + sensor + push + "filters.exprs[0].expr"}},
		"an expression without fields":     {[]string{`fields: [{name: size, path: size}]`, `fields: []`}, []string{"EVENTING002 " + sensor + push + "filters.exprs[0].fields"}},
		"a type of filter":                 {[]string{`type: bool`, `type: boolean`}, []string{"EVENTING032 " + sensor + push + "filters.data[2].type"}},
		"no boolean":                       {[]string{`value: ["false"]`, `value: ["no"]`}, []string{"EVENTING033 " + sensor + push + "filters.data[2].value[0]"}},
		"no number":                        {[]string{`value: ["3"]`, `value: ["three"]`}, []string{"EVENTING033 " + sensor + push + "filters.data[1].value[0]"}},
		"a pattern without anchors":        {[]string{`["^main$"]`, `["main"]`}, []string{"EVENTING034 " + sensor + push + "filters.data[0].value[0]"}},
		"unlike one of two": {
			[]string{`type: string, value: ["^main$"]`, `type: string, comparator: "!=", value: ["^main$", "^next$"]`}, []string{"EVENTING035 " + sensor + push + "filters.data[0].comparator"},
		},
		"a text that is less":         {[]string{`type: string, value`, `type: string, comparator: "<", value`}, []string{"EVENTING036 " + sensor + push + "filters.data[0].comparator"}},
		"a boolean that is not equal": {[]string{`type: bool, value`, `type: bool, comparator: "!=", value`}, []string{"EVENTING036 " + sensor + push + "filters.data[2].comparator"}},
		"a comparator":                {[]string{`comparator: ">"`, `comparator: "=>"`}, []string{"EVENTING037 " + sensor + push + "filters.data[1].comparator"}},
		"a logical operator":          {[]string{`transform: {jq: .body}`, `filtersLogicalOperator: xor`}, []string{"EVENTING038 " + sensor + push + "filtersLogicalOperator"}},
		"a time":                      {[]string{`start: "08:00:00"`, `start: "8:00"`}, []string{"EVENTING039 " + sensor + push + "filters.time.start"}},
		"a time zone":                 {[]string{`stop: "18:00:00", timezone: Europe/Paris`, `stop: "18:00:00", timezone: Paris`}, []string{"EVENTING039 " + sensor + push + "filters.time.timezone"}},
		"a time without length":       {[]string{`start: "08:00:00"`, `start: "18:00:00"`}, []string{"EVENTING039 " + sensor + push + "filters.time.stop"}},
		"a field of the context":      {[]string{`context: {type: webhook}`, `context: {type: webhook, id: a}`}, []string{"EVENTING003 " + sensor + push + "filters.context.id"}},
		"an empty context":            {[]string{`context: {type: webhook}`, `context: {}`}, []string{"EVENTING002 " + sensor + push + "filters.context"}},
		"two triggers of one name":    {[]string{"name: notify", "name: sync"}, []string{"EVENTING050 " + sensor + second + "template.name"}},
		"a parameter from nowhere": {
			[]string{"dependencyName: push, dataKey", "dependencyName: pushed, dataKey"}, []string{"EVENTING051 " + sensor + first + "template.k8s.parameters[0].src.dependencyName"},
		},
		"a parameter from elsewhere": {
			[]string{"conditions: push || pull-request", "conditions: pull-request"}, []string{"EVENTING051 " + sensor + secondAction + "payload[0].src.dependencyName"},
		},
		"an operation of a parameter": {
			[]string{"{dest: ref, src", "{dest: ref, operation: add, src"}, []string{"EVENTING052 " + sensor + secondAction + "payload[0].operation"},
		},
		"a payload that may have no value": {[]string{", value: none", ""}, []string{"EVENTING053 " + sensor + secondAction + "payload[0].src.value"}},
		"an operation of a trigger":        {[]string{"operation: patch", "operation: apply"}, []string{"EVENTING055 " + sensor + first + "template.k8s.operation"}},
		"a policy that allows nothing":     {[]string{"{status: {allow: [200]}}", "{status: {}}"}, []string{"EVENTING002 " + sensor + second + "policy.status.allow"}},
		"parameters of a Slack message": {
			[]string{"dlqTrigger: {atLeastOnce: true, template: {name: dead, log: {}}}", "dlqTrigger: {atLeastOnce: true, template: {name: dead, slack: {channel: a, slackToken: {name: a, key: b}, message: a, parameters: [{dest: message, src: {dependencyName: push}}]}}}"},
			[]string{"EVENTING054 " + sensor + first + "dlqTrigger.template.slack.parameters[0]"},
		},
		"events that may be lost": {
			[]string{"    atLeastOnce: true\n    retryStrategy: {steps: 3}\n", ""}, []string{"EVENTING060 " + sensor + second + "atLeastOnce"},
		},
		"retries that do not happen": {
			[]string{"    atLeastOnce: true\n    retryStrategy: {steps: 3}\n", "    retryStrategy: {steps: 3}\n"}, []string{"EVENTING003 " + sensor + second + "retryStrategy"},
		},
		"no retries":                 {[]string{"    retryStrategy: {steps: 3}\n", ""}, []string{"EVENTING061 " + sensor + second + "retryStrategy"}},
		"a dead letter without once": {[]string{"dlqTrigger: {atLeastOnce: true, ", "dlqTrigger: {"}, []string{"EVENTING062 " + sensor + first + "dlqTrigger.atLeastOnce"}},
		"a factor in quotes":         {[]string{"factor: 2", `factor: "2"`}, []string{"EVENTING063 " + sensor + first + "retryStrategy.factor"}},
		"a duration":                 {[]string{"duration: 1s", "duration: one"}, []string{"EVENTING063 " + sensor + first + "retryStrategy.duration"}},
		"a duration without a unit":  {[]string{"duration: 1s", "duration: 1"}, []string{"EVENTING064 " + sensor + first + "retryStrategy.duration"}},
		"no rate":                    {[]string{"requestsPerUnit: 10", "requestsPerUnit: 0"}, []string{"EVENTING065 " + sensor + first + "rateLimit.requestsPerUnit"}},
		"a unit":                     {[]string{"unit: Minute", "unit: Day"}, []string{"EVENTING065 " + sensor + first + "rateLimit.unit"}},
		"any status":                 {[]string{"    policy: {status: {allow: [200]}}\n", ""}, []string{"EVENTING066 " + sensor + second + "policy.status.allow"}},
		"credentials without TLS":    {[]string{"url: https://there", "url: http://there"}, []string{"EVENTING067 " + sensor + secondAction + "url"}},
		"credentials in a header":    {[]string{"headers: {Content-Type: application/json}", "headers: {Authorization: Bearer abc}"}, []string{"EVENTING005 " + sensor + secondAction + "headers.Authorization"}},
		"a password in a URL":        {[]string{"url: https://there", "url: https://a:b@there"}, []string{"EVENTING005 " + sensor + secondAction + "url"}},
		"a trigger without a URL":    {[]string{"url: https://there", "host: there"}, []string{"EVENTING002 " + sensor + secondAction + "url"}},
		"a trigger of two kinds": {
			[]string{"dlqTrigger: {atLeastOnce: true, template: {name: dead, log: {}}}", "dlqTrigger: {atLeastOnce: true, template: {name: dead, log: {}, http: {url: https://there}}, policy: {status: {allow: [200]}}}"},
			[]string{"EVENTING003 " + sensor + first + "dlqTrigger.template.log"},
		},
		"a right that the account lacks": {[]string{"verbs: [get, patch]", "verbs: [get]"}, []string{"EVENTING070 " + sensor + first + "template.k8s"}},
		"a right on another name":        {[]string{"resourceNames: [shop]", "resourceNames: [bank]"}, []string{"EVENTING070 " + sensor + first + "template.k8s"}},
		"a right to watch":               {[]string{"verbs: [list, watch]", "verbs: [list]"}, []string{"EVENTING070 " + night + "spec.resource.apps"}},
		"no account":                     {[]string{"  template: {serviceAccountName: syncer}\n", ""}, []string{"EVENTING070 " + sensor + first + "template.k8s"}},
		"an Application that no controller sees": {
			[]string{"metadata: {name: shop, namespace: argocd}", "metadata: {name: shop, namespace: shop}"},
			[]string{"EVENTING070 " + sensor + first + "template.k8s", "EVENTING071 " + sensor + first + "template.k8s.source"},
		},
		"a Workflow that no controller sees": {
			[]string{"dlqTrigger: {atLeastOnce: true, template: {name: dead, log: {}}}", "dlqTrigger: {atLeastOnce: true, template: {name: dead, argoWorkflow: {operation: submit, source: {inline: '{kind: Workflow, apiVersion: argoproj.io/v1alpha1, metadata: {name: a, namespace: team}}'}}}}"},
			[]string{"EVENTING070 " + sensor + first + "dlqTrigger.template.argoWorkflow", "EVENTING071 " + sensor + first + "dlqTrigger.template.argoWorkflow.source"},
		},
		"a source of an unknown kind": {[]string{"  calendar: {", "  cron: {a: {}}\n  calendar: {"}, []string{"EVENTING080 " + night + "spec.cron"}},
		"two events of one name":      {[]string{"resource: {apps:", "resource: {often:"}, []string{"EVENTING081 " + night + "spec.resource.often"}},
		"sources that do not go together": {
			[]string{"  calendar: {", "  sqs: {queue: {region: eu, queue: q}}\n  calendar: {"}, []string{"EVENTING082 " + night + "spec.resource"},
		},
		"an endpoint":     {[]string{"endpoint: /pull", "endpoint: pull"}, []string{"EVENTING083 " + git + "spec.webhook.pull.endpoint"}},
		"a method":        {[]string{"method: GET", "method: PUT"}, []string{"EVENTING083 " + git + "spec.webhook.pull.method"}},
		"a port":          {[]string{`pull: {port: "12000"`, `pull: {port: "http"`}, []string{"EVENTING083 " + git + "spec.webhook.pull.port"}},
		"one route twice": {[]string{"endpoint: /pull", "endpoint: /push"}, []string{"EVENTING084 " + git + "spec.webhook.push.endpoint"}},
		"an open webhook": {[]string{"endpoint: /pull, method: GET, authSecret: {name: git, key: token}", "endpoint: /pull, method: GET"}, []string{"EVENTING085 " + git + "spec.webhook.pull.authSecret"}},
		"an unsigned webhook of GitHub": {
			[]string{"  webhook:\n", "  github: {hook: {webhook: {port: \"12000\", endpoint: /hook}, repositories: [{owner: a, names: [b]}], apiToken: plain}}\n  webhook:\n"},
			[]string{"EVENTING005 " + git + "spec.github.hook.apiToken", "EVENTING085 " + git + "spec.github.hook.webhookSecret"},
		},
		"a port without a service": {[]string{"  service: {ports: [{port: 12000, targetPort: 12000}]}\n", ""}, []string{"EVENTING086 " + git + "spec.webhook.pull.port", "EVENTING086 " + git + "spec.webhook.push.port"}},
		"a schedule":               {[]string{`schedule: "0 3 * * *"`, `schedule: "0 3 * *"`}, []string{"EVENTING087 " + night + "spec.calendar.nightly.schedule"}},
		"an interval":              {[]string{`interval: 10s`, `interval: ten`}, []string{"EVENTING087 " + night + "spec.calendar.often.interval"}},
		"a resource without types": {[]string{`, eventTypes: [UPDATE]`, ``}, []string{"EVENTING002 " + night + "spec.resource.apps.eventTypes"}},
	}
	covered := map[string]bool{}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			findings := eventing.Check(changed(t, test.change...))
			if diff := cmp.Diff(test.want, codes(findings)); diff != "" {
				t.Errorf("findings (-want +got):\n%s\n%v", diff, findings)
			}
			for _, finding := range findings {
				require.NotContains(t, finding.Message, "%!")
			}
		})
		for _, want := range test.want {
			covered[strings.Fields(want)[0]] = true
		}
	}
	for _, rule := range eventing.CheckRules() {
		require.True(t, covered[rule.Code], "%s is never shown", rule.Code)
	}
}

// Parsers that call themselves for each level would end the process.
func TestProgramsThatNestBeyondAnyStackAreNotParsed(t *testing.T) {
	deep := strings.Repeat("(", 1<<20)
	for path, fragment := range map[string]map[string]any{
		"spec.dependencies[0].filters.exprs[0].expr":    {"filters": map[string]any{"exprs": []any{map[string]any{"expr": deep}}}},
		"spec.dependencies[0].filters.script":           {"filters": map[string]any{"script": "return " + deep}},
		"spec.dependencies[0].filters.data[0].template": {"filters": map[string]any{"data": []any{map[string]any{"template": "{{" + deep}}}},
		"spec.dependencies[0].transform.jq":             {"transform": map[string]any{"jq": deep}},
	} {
		fragment["name"] = "a"
		sensor := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "argoproj.io/v1alpha1", "kind": "Sensor", "metadata": map[string]any{"name": "deep", "namespace": "events"},
			"spec": map[string]any{"dependencies": []any{fragment}},
		}}
		require.Equal(t, []string{"EVENTING030 Sensor events/deep " + path}, codes(eventing.Check([]*unstructured.Unstructured{sensor})))
	}
	require.Equal(t, []string{"EVENTING030 Sensor events/sync spec.triggers[1].template.conditions"}, codes(eventing.Check(changed(t, "conditions: push || pull-request", "conditions: '"+deep+"'"))))
	require.Equal(t, []string{"EVENTING030 EventSource events/git spec.webhook.pull.filter.expression"},
		codes(eventing.Check(changed(t, "endpoint: /pull,", "endpoint: /pull, filter: {expression: '"+deep+"'},"))))
}

func TestCheckGivesTheSameFindingsInAnyOrder(t *testing.T) {
	objects := changed(t, `["^main$"]`, `["main"]`, "verbs: [get, patch]", "verbs: [get]", "method: GET", "method: PUT")
	want := eventing.Check(objects)
	slices.Reverse(objects)
	require.Equal(t, want, eventing.Check(objects))
}

func TestCheckLeavesOpenWhatTheSetDoesNotHold(t *testing.T) {
	sensor := set(t, sound)[3:4]
	require.Equal(t, []string{"EVENTING010 Sensor events/sync spec.eventBusName"}, codes(eventing.Check(sensor)))
}

func FuzzCheck(f *testing.F) {
	for document := range strings.SplitSeq(sound, "\n---\n") {
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document string) {
		obj := &unstructured.Unstructured{}
		if yaml.Unmarshal([]byte(document), &obj.Object) != nil || obj.Object == nil {
			return
		}
		obj.SetAPIVersion("argoproj.io/v1alpha1")
		eventing.Check([]*unstructured.Unstructured{obj})
	})
}
