package replay

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"time"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/nats-io/nats.go"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// Connection is how to reach the JetStream server of a bus.
type Connection struct {
	// URL of the server; several servers of one cluster are separated by commas. Required.
	URL string
	// Username and Password. Default: none.
	Username, Password string
	// TLS is the client's configuration. Default: the certificate of a server that asks for TLS is not checked, as Argo
	// Events' own pods do not check it.
	TLS *tls.Config
}

// ConnectionOf returns how the pods of a bus reach it: the EventBus and its Secret say so. The URL of a bus that runs in
// the cluster is that of a Service; from outside, forward its port and put the URL in its place. A TLS configuration
// of the bus is not taken over.
func ConnectionOf(ctx context.Context, c client.Reader, bus Bus) (Connection, error) {
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("EventBus"))
	key := client.ObjectKey{Namespace: bus.Namespace, Name: bus.Name}
	if err := c.Get(ctx, key, obj); err != nil {
		return Connection{}, fmt.Errorf("get EventBus %s: %w", key, err)
	}
	var typed v1alpha1.EventBus
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &typed); err != nil {
		return Connection{}, fmt.Errorf("EventBus %s: %w", key, err)
	}
	config := typed.Status.Config.JetStream
	if config == nil || config.URL == "" {
		return Connection{}, fmt.Errorf("EventBus %s: its status names no JetStream server", key)
	}
	connection := Connection{URL: config.URL}
	if config.AccessSecret == nil {
		return connection, nil
	}
	secret := &corev1.Secret{}
	secretKey := client.ObjectKey{Namespace: bus.Namespace, Name: config.AccessSecret.Name}
	if err := c.Get(ctx, secretKey, secret); err != nil {
		return Connection{}, fmt.Errorf("get Secret %s of EventBus %s: %w", secretKey, key, err)
	}
	var credentials struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if yaml.Unmarshal(secret.Data[config.AccessSecret.Key], &credentials) != nil || credentials.Username == "" {
		return Connection{}, fmt.Errorf("the key %s of Secret %s holds no username and password", config.AccessSecret.Key, secretKey)
	}
	connection.Username, connection.Password = credentials.Username, credentials.Password
	return connection, nil
}

func (c Connection) connect() (*nats.Conn, error) {
	config := c.TLS
	if config == nil {
		config = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // As upstream: see the field's documentation.
	}
	// Argo Events' pods refuse a server without TLS, too.
	options := []nats.Option{nats.Name("backbone-recorder"), nats.Timeout(10 * time.Second), nats.Secure(config)}
	if c.Username != "" {
		options = append(options, nats.UserInfo(c.Username, c.Password))
	}
	return nats.Connect(c.URL, options...)
}

// RecordOptions say which events are recorded.
type RecordOptions struct {
	// Source and Event are the names of an EventSource and of an event there. Default: all.
	Source, Event string
	// Stored reads the events that the bus holds now, from the oldest, and ends. Default: the events from now on, until
	// the context ends.
	Stored bool
	// Started is called once the recorder listens: an event that is sent afterwards is recorded. Default: nothing.
	Started func()
}

// Record hands over the events of a live bus, in the order in which it has them. It reads beside the sensors, and takes
// nothing from them. The error is that of the connection, that of keep, or that of the context; an end of the context is
// none.
func Record(ctx context.Context, connection Connection, options RecordOptions, keep func(cloudevents.Event) error) error {
	conn, err := connection.connect()
	if err != nil {
		return fmt.Errorf("connect to the bus: %w", err)
	}
	defer conn.Close()
	stream, err := conn.JetStream()
	if err != nil {
		return fmt.Errorf("connect to the bus: %w", err)
	}
	// argo-events: pkg/eventbus/jetstream/eventsource/source_conn.go
	subject := fmt.Sprintf("%s.%s.%s", v1alpha1.JetStreamStreamName, orAny(options.Source), orAny(options.Event))
	from := nats.DeliverNew()
	if options.Stored {
		from = nats.DeliverAll()
	}
	subscription, err := stream.SubscribeSync(subject, nats.OrderedConsumer(), nats.BindStream(v1alpha1.JetStreamStreamName), from)
	if err != nil {
		return fmt.Errorf("listen to the bus: %w", err)
	}
	if options.Started != nil {
		options.Started()
	}
	if options.Stored {
		info, err := subscription.ConsumerInfo()
		if err != nil {
			return fmt.Errorf("listen to the bus: %w", err)
		}
		if info.NumPending == 0 && info.Delivered.Stream == 0 {
			return nil
		}
	}
	for {
		message, err := subscription.NextMsgWithContext(ctx)
		switch {
		case ctx.Err() != nil:
			return nil // That is how recording ends.
		case err != nil:
			return fmt.Errorf("listen to the bus: %w", err)
		}
		event := cloudevents.Event{}
		if err := json.Unmarshal(message.Data, &event); err != nil {
			return fmt.Errorf("an event of %s: %w", message.Subject, err)
		}
		if err := keep(event); err != nil {
			return err
		}
		about, err := message.Metadata()
		if err != nil {
			return fmt.Errorf("an event of %s: %w", message.Subject, err)
		}
		if options.Stored && about.NumPending == 0 {
			return nil
		}
	}
}

func orAny(name string) string {
	if name == "" {
		return "*"
	}
	return name
}

// Publish puts an event on a live bus as an event source does: a test event, or one that was recorded, which then needs an
// ID of its own, or the bus drops it as a duplicate. Every sensor that listens acts on it.
func Publish(ctx context.Context, connection Connection, event cloudevents.Event) error {
	if err := event.Validate(); err != nil {
		return fmt.Errorf("event: %w", err)
	}
	raw, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("event %s: %w", event.ID(), err)
	}
	conn, err := connection.connect()
	if err != nil {
		return fmt.Errorf("connect to the bus: %w", err)
	}
	defer conn.Close()
	stream, err := conn.JetStream()
	if err != nil {
		return fmt.Errorf("connect to the bus: %w", err)
	}
	subject := fmt.Sprintf("%s.%s.%s", v1alpha1.JetStreamStreamName, event.Source(), event.Subject())
	answer, err := stream.Publish(subject, raw, nats.MsgId(event.ID()), nats.Context(ctx))
	switch {
	case err != nil:
		return fmt.Errorf("publish event %s: %w", event.ID(), err)
	case answer.Duplicate:
		return &DuplicateError{ID: event.ID()}
	}
	return nil
}

// DuplicateError says that the bus has dropped an event, because it has had one with its ID.
type DuplicateError struct{ ID string }

// Error shows the ID.
func (e *DuplicateError) Error() string { return fmt.Sprintf("the bus has had event %s already", e.ID) }
