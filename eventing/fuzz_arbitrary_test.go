package eventing_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/controlbackbone/backbone/eventing"
	"github.com/controlbackbone/backbone/internal/arbitrary"
)

// FuzzBuildOfAnything fills every field of every builder, and checks that none panics, that each value is either built or
// Invalid, and that what is built survives the way to the API server.
func FuzzBuildOfAnything(f *testing.F) {
	for _, seed := range []string{"", "\x01\x02\x03\x04\x05\x06\x07\x08", "a-b\x00\xffa\x10\x20\x30", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		source := func() *arbitrary.Source {
			return &arbitrary.Source{Data: data, Words: words, Implementations: implementations}
		}
		for _, value := range []validator{
			arbitrary.Value[eventing.EventBus](source()), arbitrary.Value[eventing.EventSource](source()), arbitrary.Value[eventing.Sensor](source()),
			eventing.EventBus{Namespace: "a", Bus: arbitrary.Value[eventing.Bus](source())},
			eventing.EventSource{Name: "a", Namespace: "a", Events: map[string]eventing.Source{"a": arbitrary.Value[eventing.Source](source())}},
			eventing.Sensor{
				Name: "a", Namespace: "a", Dependencies: []eventing.Dependency{{
					Name: "a", EventSource: "a", Event: "a", Transform: arbitrary.Value[eventing.Transform](source()), Filters: arbitrary.Value[eventing.Filters](source()),
				}},
				Triggers: []eventing.SensorTrigger{{Name: "a", Trigger: eventing.LogTrigger{}}},
			},
			sensorOf(arbitrary.Value[eventing.Trigger](source())),
		} {
			_, err := value.Build()
			require.Equal(t, len(value.Validate()) > 0, err != nil, "%#v: %v", value, err)
			requireSound(t, value)
			if account, ok := value.(accountable); ok {
				if _, err := account.RBAC(); err != nil {
					require.True(t, apierrors.IsInvalid(err), "%v", err)
				}
			}
		}
	})
}

var (
	words = []string{
		"a", "A", "a-b", "a.b", "{{ .Input }}", "{{", "*", "https://a:b@c", "https://a", "nats://a:4222", "tls://a", "a:9092", "git@a:b", "/a", "/health",
		"0 22 * * 5", "TZ=", "UTC", "a && (a || a)", "\xff", "push", "metadata.name", "k8s", "create", "patch", "update", "08:00:00", "2026-01-02",
		"a in (b)", "(", "[]", "{", ".a", "argoproj.io/v1alpha1", "Workflow", "PushEvents", "3.6.0", "--token", "Authorization", "a@b.de", "ADD",
	}

	// implementations of the sealed interfaces.
	implementations = map[reflect.Type][]any{
		reflect.TypeFor[eventing.Bus](): {
			eventing.JetStream{}, eventing.JetStreamExotic{}, eventing.Kafka{}, eventing.STAN{}, eventing.STANExotic{}, eventing.RawBus{},
			&eventing.Kafka{}, (*eventing.JetStream)(nil),
		},
		reflect.TypeFor[eventing.Source](): {
			eventing.Webhook{}, eventing.Alertmanager{}, eventing.GitHub{}, eventing.GitLab{}, eventing.Resource{}, eventing.Calendar{}, eventing.KafkaTopic{},
			eventing.NATSSubject{}, eventing.SQS{}, eventing.SNS{}, eventing.PubSub{}, eventing.RawSource{}, &eventing.Webhook{}, (*eventing.GitHub)(nil),
		},
		reflect.TypeFor[eventing.GitHubAuth](): {eventing.GitHubToken{}, eventing.GitHubApp{}, (*eventing.GitHubApp)(nil)},
		reflect.TypeFor[eventing.NATSAuth](): {
			eventing.NATSUser{}, eventing.NATSToken{}, eventing.NATSKey{}, eventing.NATSCredentials{}, (*eventing.NATSKey)(nil),
		},
		reflect.TypeFor[eventing.AWSAuth]():   {eventing.AWSKeys{}, eventing.AWSRole{}, &eventing.AWSKeys{}, (*eventing.AWSRole)(nil)},
		reflect.TypeFor[eventing.Transform](): {eventing.JQ{}, eventing.Script{}, (*eventing.JQ)(nil)},
		reflect.TypeFor[eventing.DataFilter](): {
			eventing.StringIn{}, eventing.StringNotIn{}, eventing.StringMatches{}, eventing.Number{}, eventing.NumberIn{}, eventing.Bool{},
			eventing.RawDataFilter{}, (*eventing.Bool)(nil),
		},
		reflect.TypeFor[eventing.ParameterSource](): {
			eventing.DataKey{}, eventing.DataTemplate{}, eventing.ContextKey{}, eventing.ContextTemplate{}, eventing.WholeEvent{},
			eventing.RawParameterSource{}, eventing.DataKey{Dependency: "push", Path: "a"}, (*eventing.DataKey)(nil),
		},
		reflect.TypeFor[eventing.ObjectSource](): {
			eventing.S3Object{}, eventing.GitFile{}, eventing.URLFile{}, eventing.ConfigMapKey{}, eventing.LocalFile{}, eventing.RawObjectSource{},
			&eventing.GitFile{}, (*eventing.LocalFile)(nil),
		},
		reflect.TypeFor[eventing.Trigger](): {
			eventing.ArgoCDTrigger{}, eventing.CustomTrigger{}, eventing.EmailTrigger{}, eventing.HTTPTrigger{}, eventing.KafkaTrigger{}, eventing.LogTrigger{},
			eventing.NATSTrigger{}, eventing.ObjectTrigger{}, eventing.SlackTrigger{}, eventing.WorkflowTrigger{}, eventing.RawTrigger{},
			&eventing.ObjectTrigger{}, (*eventing.HTTPTrigger)(nil),
		},
		reflect.TypeFor[any](): {"", "push", map[string]any{}, []any{}, 1.5, true, make(chan int)},
	}
)
