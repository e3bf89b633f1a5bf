package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/controlbackbone/backbone/internal/serial"
)

// requestTimeout bounds one request that is not a watch. It is the API server's
// own default, which covers two slow webhooks.
const requestTimeout = time.Minute

// Options of a [Client]. The zero value is usable.
type Options struct {
	// FieldManager owns what is applied. Default "backbone".
	FieldManager string

	// Namespace of the inventory, created if it is missing. Default
	// "backbone-system".
	Namespace string

	// Concurrency is the number of objects that are applied at the same time,
	// over all components. Default 32.
	Concurrency int

	// Force takes over fields that other field managers own with other values.
	// Without it, such a field is a [ConflictError].
	Force bool

	// Upgrade lets a run change components that are ready in another version or
	// with other objects. Without it, that is an [UpgradeRequiredError].
	Upgrade bool

	// Prune deletes the objects that an upgraded component no longer contains,
	// once it is ready. Only objects that still carry FieldManager are deleted;
	// CustomResourceDefinitions, Namespaces and PersistentVolumeClaims never
	// are, since that would delete what others keep in them. What is not deleted
	// stays in the inventory as an orphan.
	Prune bool

	// Progress is called with each event of a run, one at a time. The run waits
	// for it, so it should return soon.
	Progress func(Event)
}

// Client installs plans into one cluster. It may be used by several goroutines.
type Client struct {
	config  *rest.Config
	http    *http.Client
	options Options
	emit    func(Event)
}

// NewClient makes a Client for the cluster that config names, without a
// request. It takes a rest.Config, not a controller-runtime client, because it
// discovers kinds while it installs them and turns the client-side rate limit
// of 5 requests a second off, unless config sets QPS or RateLimiter; the API
// server's priority and fairness protect it better. Warnings of the API server
// become [Warning] events, unless config handles them.
func NewClient(config *rest.Config, options Options) (*Client, error) {
	if config == nil {
		return nil, errors.New("bootstrap client: the rest.Config is nil")
	}
	options, err := options.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("bootstrap client: %w", err)
	}
	c := &Client{config: rest.CopyConfig(config), options: options, emit: serial.Calls(options.Progress)}
	if c.config.QPS == 0 && c.config.RateLimiter == nil {
		c.config.QPS = -1
	}
	if c.config.WarningHandler == nil && c.config.WarningHandlerWithContext == nil {
		c.config.WarningHandlerWithContext = warnings{emit: c.emit}
	}
	c.http, err = rest.HTTPClientFor(c.config)
	if err != nil {
		return nil, fmt.Errorf("bootstrap client: %w", err)
	}
	return c, nil
}

func (o Options) withDefaults() (Options, error) {
	if o.FieldManager == "" {
		o.FieldManager = "backbone"
	}
	if o.Namespace == "" {
		o.Namespace = "backbone-system"
	}
	if messages := validation.IsDNS1123Label(o.Namespace); len(messages) > 0 {
		return o, fmt.Errorf("options: namespace %q: %s", o.Namespace, messages[0])
	}
	if o.Concurrency < 0 {
		return o, fmt.Errorf("options: concurrency %d is negative", o.Concurrency)
	}
	if o.Concurrency == 0 {
		o.Concurrency = 32
	}
	return o, nil
}

// warnings turns the API server's warnings into events.
type warnings struct {
	emit func(Event)
}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext. As
// client-go's own handlers do, it takes only code 299, by RFC 7234 the one for
// lasting warnings.
func (w warnings) HandleWarningHeaderWithContext(ctx context.Context, code int, _ string, text string) {
	if code != 299 || text == "" {
		return
	}
	component, _ := ctx.Value(componentKey{}).(string)
	w.emit(Warning{Component: component, Text: text})
}

// componentKey is the context key of the name of the component that a request
// is made for.
type componentKey struct{}

// session is what one Run or Diff needs: a client and a mapper that start
// without knowledge, so that nothing is stale.
type session struct {
	options Options
	emit    func(Event)
	api     client.WithWatch
	scopes  *scopes
	slots   chan struct{}
}

func (c *Client) session(ctx context.Context, rendered []Rendered) (*session, error) {
	mapper, err := apiutil.NewDynamicRESTMapper(c.config, &http.Client{
		Transport: boundTransport{bound: ctx.Done(), next: c.http.Transport},
		Timeout:   requestTimeout,
	})
	if err != nil {
		return nil, fmt.Errorf("discover kinds: %w", err)
	}
	api, err := client.NewWithWatch(c.config, client.Options{HTTPClient: c.http, Mapper: mapper})
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return &session{options: c.options, emit: c.emit, api: api, scopes: newScopes(mapper, rendered),
		slots: make(chan struct{}, c.options.Concurrency)}, nil
}

// boundTransport ends requests when bound closes. The discovery client takes no
// context of its own, and would otherwise outlive a cancelled run.
type boundTransport struct {
	bound <-chan struct{}
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t boundTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(request.Context())
	finished := make(chan struct{})
	go func() {
		defer cancel()
		select {
		case <-t.bound:
		case <-finished:
		}
	}()
	end := sync.OnceFunc(func() { close(finished) })
	next := t.next
	if next == nil {
		next = http.DefaultTransport
	}
	response, err := next.RoundTrip(request.WithContext(ctx))
	if err != nil {
		end()
		return nil, err
	}
	response.Body = boundBody{ReadCloser: response.Body, end: end}
	return response, nil
}

// boundBody calls end when the body has been read.
type boundBody struct {
	io.ReadCloser
	end func()
}

// Close implements io.Closer.
func (b boundBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}
