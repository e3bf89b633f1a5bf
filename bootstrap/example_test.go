package bootstrap_test

import (
	"context"
	"errors"
	"fmt"
	"testing/fstest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/controlbackbone/backbone/bootstrap"
)

// manifests would usually be an embed.FS or os.DirFS.
var manifests = fstest.MapFS{
	"cert-manager/install.yaml": {Data: []byte(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: cert-manager, namespace: cert-manager}
spec:
  selector: {matchLabels: {app: cert-manager}}
  template:
    metadata: {labels: {app: cert-manager}}
    spec: {containers: [{name: controller, image: "quay.io/jetstack/cert-manager-controller:v1.18.2"}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: cert-manager, namespace: cert-manager}
`)},
}

// examplePlan installs cert-manager from manifests, and an issuer when
// cert-manager is ready.
func examplePlan() bootstrap.Plan {
	namespace := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "cert-manager"},
	}}
	issuer := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": map[string]any{"name": "internal"},
		"spec": map[string]any{"selfSigned": map[string]any{}},
	}}
	return bootstrap.Plan{Name: "platform", Components: []bootstrap.Component{{
		Name:      "issuers",
		Version:   "1",
		DependsOn: []string{"cert-manager"},
		Source:    bootstrap.Objects(issuer),
		Ready: bootstrap.Readiness{Conditions: []bootstrap.Condition{
			{GroupKind: schema.GroupKind{Group: "cert-manager.io", Kind: "ClusterIssuer"}, Type: "Ready"},
		}},
	}, {
		Name:    "cert-manager",
		Version: "v1.18.2",
		Source:  bootstrap.Sources{bootstrap.Objects(namespace), bootstrap.Manifests(manifests, "cert-manager")},
		Timeout: 3 * time.Minute,
	}}}
}

// Render shows what a plan would apply, in order, without a cluster.
func Example() {
	components, err := examplePlan().Render(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, component := range components {
		fmt.Println(component.Component, component.Version)
		for _, object := range component.Objects {
			fmt.Println("  ", object.GetKind(), object.GetName())
		}
	}
	// Output:
	// cert-manager v1.18.2
	//    Namespace cert-manager
	//    Deployment cert-manager
	//    ServiceAccount cert-manager
	// issuers 1
	//    ClusterIssuer internal
}

func ExamplePlan_Validate() {
	plan := bootstrap.Plan{Name: "platform", Components: []bootstrap.Component{
		{Name: "gitops", DependsOn: []string{"secrets"}, Source: bootstrap.Objects()},
		{Name: "secrets", DependsOn: []string{"gitops", "vault"}, Source: bootstrap.Objects()},
		{Name: "Policy"},
	}}
	for _, fault := range plan.Validate() {
		fmt.Println(fault.Field, fault.Type)
	}
	// Output:
	// components[1].dependsOn[1] Not found
	// components[2].name Invalid value
	// components[2].source Required value
	// components[1].dependsOn[0] Invalid value
}

func ExampleReadManifests() {
	_, err := bootstrap.ReadManifests("install.yaml", []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n\nkind: Secret\n"))
	fmt.Println(err)
	// Output:
	// install.yaml:6: document 2: apiVersion is missing
}

// A run reports its progress as typed events and fails with typed errors.
func ExampleClient_Run() {
	config := &rest.Config{Host: "https://127.0.0.1:6443"} // usually from a kubeconfig
	client, err := bootstrap.NewClient(config, bootstrap.Options{
		Progress: func(event bootstrap.Event) {
			if ready, ok := event.(bootstrap.ComponentReady); ok {
				fmt.Println(ready.Component, "ready after", ready.Duration)
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // This example has no cluster.

	_, err = client.Run(ctx, examplePlan())
	unready := &bootstrap.NotReadyError{}
	switch {
	case errors.As(err, &unready):
		for _, object := range unready.Objects {
			fmt.Println(object.ObjectRef, object.Message, object.Pods)
		}
	case errors.Is(err, context.Canceled):
		fmt.Println("cancelled")
	case err != nil:
		fmt.Println(err)
	}
	// Output: cancelled
}
