package main_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// shared is the cluster of all tests.
var shared *cluster

// programs are what the test binary does when a container runs it by that name.
var programs = map[string]func() error{"review": review, "web": web}

func TestMain(m *testing.M) {
	if program, ok := programs[filepath.Base(os.Args[0])]; ok {
		if err := program(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "node")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	shared, err = startCluster(ctx, dir)
	if shared != nil {
		defer shared.stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "start the cluster of the tests:", err)
		return 1
	}
	code := m.Run()
	if code != 0 {
		fmt.Fprintln(os.Stderr, "the logs of the cluster are in", dir)
		return code
	}
	_ = os.RemoveAll(dir)
	return 0
}

// review asks the API server, with the pod's KUBECONFIG, what the pod may do.
func review() error {
	path := os.Getenv("KUBECONFIG")
	fmt.Println("kubeconfig", path != "")
	if path == "" {
		return nil
	}
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(&clientcmd.ClientConfigLoadingRules{ExplicitPath: path}, nil)
	namespace, _, err := loader.Namespace()
	if err != nil {
		return err
	}
	config, err := loader.ClientConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	for _, resource := range []string{"configmaps", "secrets"} {
		answer, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(context.Background(), &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "list", Resource: resource}},
		}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		fmt.Println(resource, answer.Status.Allowed)
	}
	return nil
}

// web serves $PORT: each path is the name of a file in $DIR, found or not.
func web() error {
	return http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.FileServer(http.Dir(os.Getenv("DIR"))))
}
