package embedded

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// waitUsable returns when a pod could be created and would be scheduled: the
// node is Ready and the default ServiceAccount exists.
func (c *Cluster) waitUsable(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		return err
	}
	nodes, err := client.CoreV1().Nodes().Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("watch the local node: %w", err)
	}
	if err := c.await(ctx, nodes, localNode, nodeReady); err != nil {
		return err
	}
	accounts, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Watch(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, "default").String(),
	})
	if err != nil {
		return fmt.Errorf("watch the default ServiceAccount: %w", err)
	}
	return c.await(ctx, accounts, controllerManager, func(any) bool { return true })
}

// await reads a watch until an object satisfies the condition that the named
// program is to bring about.
func (c *Cluster) await(ctx context.Context, objects watch.Interface, name string, condition func(any) bool) error {
	defer objects.Stop()
	proc := c.process(name)
	for {
		select {
		case event, ok := <-objects.ResultChan():
			if !ok {
				return fmt.Errorf("wait for %s: the API server ended the watch", name)
			}
			if condition(event.Object) {
				return nil
			}
		case <-proc.done:
			return proc.exited()
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w; its log is %s", name, context.Cause(ctx), proc.logPath)
		}
	}
}

func nodeReady(object any) bool {
	node, ok := object.(*corev1.Node)
	if !ok {
		return false
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// firstExit reports a program that has ended on its own, etcd first.
func (c *Cluster) firstExit() error {
	for _, name := range []string{etcd, apiServer, controllerManager, scheduler, localNode} {
		if proc := c.process(name); proc != nil {
			select {
			case <-proc.done:
				return proc.exited()
			default:
			}
		}
	}
	return nil
}
