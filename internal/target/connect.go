package target

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/embedded"
)

// answerTimeout is how long an API server may take to answer for the first time.
const answerTimeout = 10 * time.Second

// ConnectError reports a cluster that cannot be used.
type ConnectError struct {
	// Kubeconfig is the file, or the list of files, that names the cluster.
	Kubeconfig string
	// Server is the URL of the API server; empty when the kubeconfig gives none.
	Server string
	// Err is the cause.
	Err error
	// Fix says what to do about it.
	Fix string
}

func (e *ConnectError) Error() string {
	where := "kubeconfig " + e.Kubeconfig
	if e.Server != "" {
		where = "the API server " + e.Server + " of " + where
	}
	return fmt.Sprintf("use %s: %v: %s", where, e.Err, e.Fix)
}

func (e *ConnectError) Unwrap() error { return e.Err }

// connected is a cluster with containers that somebody else started.
type connected struct {
	kubeconfig kubeconfig
	client     client.WithWatch
	components []embedded.Component
	// gitPort is where the git server listens in its pod.
	gitPort int

	mu       sync.Mutex
	tokens   map[string]string
	forwards map[Service]*forward
	// claimed says that the git server's namespace is this target's to remove,
	// serving that the server has become available.
	claimed, serving bool
	retain           bool
	stopped          bool
}

// Connect uses the cluster that the current context of a kubeconfig names, for
// the given components. An empty path means the files of $KUBECONFIG, else
// ~/.kube/config. A cluster that cannot be used is a [*ConnectError]: the
// kubeconfig is missing or malformed or has no current context, the API server
// does not answer within 10 seconds, or its answer is that the user may not
// install anything.
//
// Connect creates nothing in the cluster; [Target].Publish does.
func Connect(ctx context.Context, kubeconfig string, components []embedded.Component) (Target, error) {
	known := append(embedded.Components(), embedded.ArgoWorkflows)
	for _, name := range components {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("unknown component %q: want some of %q", name, known)
		}
	}
	loaded, err := loadKubeconfig(kubeconfig)
	if err != nil {
		return nil, err
	}
	c := &connected{
		kubeconfig: loaded, components: components, gitPort: gitService.Port,
		tokens: map[string]string{}, forwards: map[Service]*forward{},
	}
	if err := c.dial(ctx); err != nil {
		return nil, errors.Join(err, c.discard())
	}
	return c, nil
}

// dial makes the client and proves that it may do what installations begin with.
func (c *connected) dial(ctx context.Context) error {
	silence := fmt.Errorf("no answer within %s", answerTimeout)
	answered, cancel := context.WithTimeoutCause(ctx, answerTimeout, silence)
	defer cancel()
	err := c.authorize(answered)
	if err == nil {
		return nil
	}
	server := c.kubeconfig.config.Host
	if ctx.Err() != nil {
		return fmt.Errorf("connect to %s: %w", server, context.Cause(ctx)) // nothing is to be fixed
	}
	failure := &ConnectError{Kubeconfig: c.kubeconfig.path, Server: server, Err: err, Fix: connectFix(err)}
	var request *url.Error
	if errors.As(err, &request) {
		failure.Err = request.Err // without the URL, which is the server's
		if request.Timeout() {
			failure.Err = silence // also when a limit of the transport's own was faster
		}
	}
	return failure
}

var errStopped = errors.New("the target is stopped")

var errForbidden = errors.New("the user may not create CustomResourceDefinitions")

// authorize asks with a client that heeds the context, which the lazy discovery
// of the other one does not.
func (c *connected) authorize(ctx context.Context) error {
	clients, err := kubernetes.NewForConfig(c.kubeconfig.config)
	if err != nil {
		return err
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Group: "apiextensions.k8s.io", Resource: "customresourcedefinitions", Verb: "create",
		},
	}}
	answer, err := clients.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if !answer.Status.Allowed {
		return errForbidden
	}
	c.client, err = client.NewWithWatch(c.kubeconfig.config, client.Options{})
	return err
}

// connectFix names the remedy for what an API server, or its absence, says.
func connectFix(err error) string {
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	switch {
	case errors.Is(err, errForbidden), apierrors.IsForbidden(err):
		return "use the context of an administrator"
	case apierrors.IsUnauthorized(err):
		return "renew the user's credentials in the kubeconfig"
	case errors.As(err, &authority), errors.As(err, &hostname):
		return "correct the cluster's certificate-authority and server in the kubeconfig"
	default:
		return "start the cluster, correct its server in the kubeconfig, or name another kubeconfig"
	}
}

func (c *connected) Config() *rest.Config { return rest.CopyConfig(c.kubeconfig.config) }

func (c *connected) Kubeconfig() string { return c.kubeconfig.path }

func (c *connected) LogDir() string { return "" }

func (c *connected) Retain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retain = true
}

// Stop closes the local ends of all Services and removes the git server, unless
// it is to be retained. What was installed stays. A second call does nothing.
func (c *connected) Stop(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil
	}
	c.stopped = true
	for _, forward := range c.forwards {
		forward.close()
	}
	if c.retain {
		return nil
	}
	var err error
	if c.claimed {
		err = c.removeGitServer(ctx)
	}
	return errors.Join(err, c.discard())
}

// discard removes what this machine holds.
func (c *connected) discard() error {
	if c.kubeconfig.temporary == "" {
		return nil
	}
	return os.RemoveAll(c.kubeconfig.temporary)
}
