package conformance_test

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"github.com/stretchr/testify/require"
)

// notBuiltEventing are fields of upstream's types that no builder of eventing sets,
// and why.
var notBuiltEventing = map[*regexp.Regexp]string{
	regexp.MustCompile(`^EventSource\.(minio|file|amqp|mqtt|hdfs|slack|storageGrid|azureEventsHub|stripe|emitter|redis|nsq|pulsar|generic)$`): "RawSource builds it",
	regexp.MustCompile(`^EventSource\.(bitbucketserver|bitbucket|redisStream|azureServiceBus|azureQueueStorage|sftp|gerrit|mns)$`):            "RawSource builds it",
	regexp.MustCompile(`^Sensor\.triggers\[\]\.template\.(awsLambda|openWhisk|azureEventHubs|azureServiceBus|pulsar)$`):                       "RawTrigger builds it",
	regexp.MustCompile(`^EventSource\.github\.\*\.(id|owner|repository)$`):                                                                    "deprecated upstream",
	regexp.MustCompile(`^EventSource\.gitlab\.\*\.projectID$`):                                                                                "deprecated upstream",
	regexp.MustCompile(`^EventSource\.kafka\.\*\.schemaRegistry\.schemaId$`):                                                                  "the messages name their schema",
	regexp.MustCompile(`^WebhookContext\.(metadata|authSecret)$`):                                                                             "a source that is called has metadata of its own, and checks signatures",
	regexp.MustCompile(`^ArtifactLocation\.s3\.(events|filter|metadata|caCertificate)$`):                                                      "the reader of objects ignores them",
	regexp.MustCompile(`^EventSource\.webhook\.\*\.url$`):                                                                                     "nothing reads it: a webhook is registered by somebody else",
	regexp.MustCompile(`^Sensor\.triggers\[\]\.dlqTrigger\.(template\.http\..*|policy\.k8s)$`):                                                "the triggers are those of the sensor",
	regexp.MustCompile(`^Sensor\.errorOnFailedRound$`):                                                                                        "upstream declares it and never reads it",
	regexp.MustCompile(`^Sensor\.dependencies\[\]\.filters\.context\.(id|specversion|time)$`):                                                 "filterContext compares four fields only",
	regexp.MustCompile(`^Sensor\.triggers\[\]\.template\.kafka\.partition$`):                                                                  "deprecated upstream",
	regexp.MustCompile(`^Sensor\.triggers\[\]\.template\.kafka\.flushFrequency$`):                                                             "upstream takes its milliseconds for nanoseconds",
	regexp.MustCompile(`^Sensor\.triggers\[\]\.template\.(slack|email|nats)\.parameters$`):                                                    "upstream ignores them: they are parameters of the template",
	regexp.MustCompile(`^Sensor\.triggers\[\]\.dlqTrigger\.(rateLimit|dlqTrigger)$`):                                                          "upstream ignores them in a dead letter",
	regexp.MustCompile(`^Sensor\.triggers\[\]\.dlqTrigger\.template\.(conditions|conditionsReset)$`):                                          "upstream ignores them in a dead letter",
	regexp.MustCompile(`^Sensor\.triggers\[\]\.dlqTrigger\.template\.[a-zA-Z0-9]+$`):                                                          "the triggers are those of the sensor",
}

// builtOnce are types that upstream has in many places and one function of
// eventing makes: each place must be set, and each field in one of them.
var builtOnce = map[reflect.Type]bool{
	reflect.TypeFor[v1alpha1.TriggerParameter]():    true,
	reflect.TypeFor[v1alpha1.TLSConfig]():           true,
	reflect.TypeFor[v1alpha1.SASLConfig]():          true,
	reflect.TypeFor[v1alpha1.WebhookContext]():      true,
	reflect.TypeFor[v1alpha1.PersistenceStrategy](): true,
	reflect.TypeFor[v1alpha1.ArtifactLocation]():    true,
}

// The objects under testdata set, together, every field of upstream's types.
func TestEventingBuildersSetEveryFieldOfUpstream(t *testing.T) {
	specs := map[string]reflect.Type{
		"EventBus":    reflect.TypeFor[v1alpha1.EventBusSpec](),
		"EventSource": reflect.TypeFor[v1alpha1.EventSourceSpec](),
		"Sensor":      reflect.TypeFor[v1alpha1.SensorSpec](),
	}
	values := map[string][]any{}
	for _, obj := range built(t, "eventing") {
		values[obj.GetKind()] = append(values[obj.GetKind()], obj.Object["spec"])
	}
	found := coverage{shared: map[reflect.Type][]any{}}
	for kind, spec := range specs {
		found.walk(kind, spec, values[kind])
	}
	for shared, values := range found.shared {
		found.fields(shared.Name(), shared, values)
	}
	used := map[*regexp.Regexp]bool{}
	var missing []string
	for _, path := range found.unset {
		if !excepted(path, used) {
			missing = append(missing, path)
		}
	}
	require.Empty(t, missing)
	for pattern := range notBuiltEventing {
		require.True(t, used[pattern], "%s excepts nothing", pattern)
	}
}

// excepted also notes which patterns are of use.
func excepted(path string, used map[*regexp.Regexp]bool) bool {
	found := false
	for pattern := range notBuiltEventing {
		if pattern.MatchString(path) {
			used[pattern], found = true, true
		}
	}
	return found
}

// coverage holds the paths of the fields that no value sets, without those below
// them, and the values of the shared types.
type coverage struct {
	unset  []string
	shared map[reflect.Type][]any
}

func (c *coverage) walk(path string, t reflect.Type, values []any) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case len(values) == 0:
		c.unset = append(c.unset, path)
	case t.Kind() == reflect.Slice:
		c.walk(path+"[]", t.Elem(), items(values))
	case t.Kind() == reflect.Map:
		c.walk(path+".*", t.Elem(), items(values))
	case builtOnce[t]:
		c.shared[t] = append(c.shared[t], values...)
	case t.Kind() == reflect.Struct:
		c.fields(path, t, values)
	}
}

func (c *coverage) fields(path string, t reflect.Type, values []any) {
	// The fields of Kubernetes' types are Kubernetes' matter, and a type that
	// encodes itself has none.
	if t.PkgPath() != reflect.TypeFor[v1alpha1.EventBusSpec]().PkgPath() || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Marshaler]()) {
		return
	}
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case options == "inline":
			c.fields(path, field.Type, values)
		case name != "":
			c.walk(path+"."+name, field.Type, named(values, name))
		}
	}
}

// named returns the values of a field.
func named(values []any, name string) []any {
	var found []any
	for _, value := range values {
		if field, ok := value.(map[string]any)[name]; ok {
			found = append(found, field)
		}
	}
	return found
}

// items returns what lists and maps hold.
func items(values []any) []any {
	var found []any
	for _, value := range values {
		switch value := value.(type) {
		case []any:
			found = append(found, value...)
		case map[string]any:
			for _, item := range value {
				found = append(found, item)
			}
		}
	}
	return found
}
