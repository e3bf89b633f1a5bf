package target

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"text/template"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/bootstrap"
	"github.com/controlbackbone/backbone/internal/apply"
)

// GitNamespace is the namespace of the git server that publishes repositories
// in a connected cluster.
const GitNamespace = "backbone-git"

const (
	gitServer     = "git"
	gitRepository = "platform.git"
	fieldManager  = "backbone"
	managedBy     = "app.kubernetes.io/managed-by"
	// gitTimeout covers pulling the image.
	gitTimeout = 5 * time.Minute
	// removalTimeout bounds the end of the git server's namespace.
	removalTimeout = time.Minute
)

var gitService = Service{Namespace: GitNamespace, Name: gitServer, Port: 9418}

// gitLabels select the git server's pod.
var gitLabels = map[string]string{"app.kubernetes.io/name": gitServer, managedBy: fieldManager}

// Publish pushes the commit at HEAD to the branch main of a git server in the
// namespace [GitNamespace], which the first call installs and waits for.
//
// The server asks nobody who they are: whatever can connect to the cluster's
// Services can read the repository and push to it. It is a ClusterIP Service
// only and loses its data with its pod, so it is no place for anything but
// the repository of a trial.
func (c *connected) Publish(ctx context.Context, dir string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, gitTimeout, fmt.Errorf("not within %s", gitTimeout))
	defer cancel()
	if err := c.serveGit(ctx); err != nil {
		return "", fmt.Errorf("run a git server in namespace %s: %w", GitNamespace, err)
	}
	endpoint, err := c.Endpoint(ctx, gitService)
	if err != nil {
		return "", err
	}
	if err := pushHead(ctx, dir, "git://"+endpoint.Local+"/"+gitRepository); err != nil {
		return "", err
	}
	return "git://" + endpoint.InCluster + "/" + gitRepository, nil
}

// serveGit installs the git server once and waits until it is available.
func (c *connected) serveGit(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.serving {
		return nil
	}
	if c.stopped {
		return errStopped
	}
	if err := c.claimNamespace(ctx); err != nil {
		return err
	}
	objects, err := c.gitManifests()
	if err != nil {
		return err
	}
	if err := apply.Objects(ctx, c.client, fieldManager, objects...); err != nil {
		return err
	}
	if err := awaitDeployment(ctx, c.client, client.ObjectKey{Namespace: GitNamespace, Name: gitServer}); err != nil {
		return explain(ctx, c.client, err, GitNamespace, gitLabels)
	}
	c.serving = true
	return nil
}

// claimNamespace refuses a namespace that somebody else has made, and waits for
// the end of one that is being removed. From then on it is this target's to remove.
func (c *connected) claimNamespace(ctx context.Context) error {
	var namespace corev1.Namespace
	err := c.client.Get(ctx, client.ObjectKey{Name: GitNamespace}, &namespace)
	switch {
	case client.IgnoreNotFound(err) != nil:
		return err
	case err == nil && namespace.Labels[managedBy] != fieldManager:
		return fmt.Errorf("it exists and is not Backbone's, which would have the label %s=%s: remove it", managedBy, fieldManager)
	case err == nil && namespace.DeletionTimestamp != nil:
		if err := c.awaitNamespaceGone(ctx); err != nil {
			return fmt.Errorf("wait for the end of an earlier one: %w", err)
		}
	}
	c.claimed = true
	return nil
}

// gitManifests are those of containers/git.
func (c *connected) gitManifests() ([]*unstructured.Unstructured, error) {
	const path = "containers/git/git.yaml"
	parsed, err := template.New("git.yaml").Funcs(template.FuncMap{"port": func() int { return c.gitPort }}).ParseFS(containers, path)
	if err != nil {
		return nil, err
	}
	var manifests bytes.Buffer
	if err := parsed.Execute(&manifests, nil); err != nil {
		return nil, err
	}
	return bootstrap.ReadManifests(path, manifests.Bytes())
}

// pushHead makes HEAD of the repository in dir the branch main of the one at the URL.
func pushHead(ctx context.Context, dir, url string) error {
	cmd := exec.CommandContext(ctx, "git", "push", "--quiet", "--force", url, "HEAD:refs/heads/main")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0")
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("push %s to %s: %w: %s", dir, url, err, bytes.TrimSpace(out))
	}
	return nil
}

// removeGitServer deletes the namespace and waits until it has gone, so that it
// can be made again at once.
func (c *connected) removeGitServer(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, removalTimeout, fmt.Errorf("not within %s", removalTimeout))
	defer cancel()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: GitNamespace}}
	err := client.IgnoreNotFound(c.client.Delete(ctx, namespace))
	if err == nil {
		err = c.awaitNamespaceGone(ctx)
	}
	if err != nil {
		return fmt.Errorf("remove the namespace %s: %w", GitNamespace, err)
	}
	return nil
}

func (c *connected) awaitNamespaceGone(ctx context.Context) error {
	return await(ctx, c.client, corev1.SchemeGroupVersion.WithKind("Namespace"), client.ObjectKey{Name: GitNamespace},
		func(namespace *unstructured.Unstructured) (bool, error) { return namespace == nil, nil })
}
