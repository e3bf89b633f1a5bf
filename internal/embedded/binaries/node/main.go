// Command node runs the pods of a Kubernetes cluster as processes of this
// machine, without containers.
//
// It registers one Node. A container whose image is in the image table runs as
// the host process that the table names, with the container's environment,
// arguments, volumes and probes; a container of any other image waits.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/agent"
	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/image"
	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/process"
)

// watchdog is the argument that makes this program the watchdog of a node.
const watchdog = "watchdog"

func main() {
	if len(os.Args) == 2 && os.Args[1] == watchdog {
		process.Watch(os.Stdin)
		return
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		os.Exit(1)
	}
}

func run() error {
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig of an administrator (required)")
	images := flag.String("images", "", "image table: a JSON file {\"<image>\": {\"dir\": \"...\", \"entrypoint\": [\"...\"]}} (required)")
	dir := flag.String("dir", "", "directory for the files and logs of pods (required)")
	name := flag.String("name", "local", "name of the Node")
	listen := flag.String("listen", "127.0.0.1:0", "address of the kubelet API")
	clientCA := flag.String("client-ca", "", "certificate authority of the kubelet API's clients; without it the API is not served")
	flag.Parse()
	for flagName, value := range map[string]string{"kubeconfig": *kubeconfig, "images": *images, "dir": *dir} {
		if value == "" {
			return fmt.Errorf("the flag --%s is required", flagName)
		}
	}
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}

	api, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	// The API server is local and has no other clients to be protected for.
	api.QPS, api.Burst = -1, -1
	table, err := image.Load(*images)
	if err != nil {
		return err
	}
	data, err := filepath.Abs(*dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("make the directory of the node: %w", err)
	}
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	starter, err := process.NewStarter(executable, watchdog)
	if err != nil {
		return err
	}
	defer starter.Close()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return agent.Run(ctx, agent.Config{
		API: api, Name: *name, Images: table, Dir: data, Listen: *listen, ClientCA: *clientCA, Starter: starter,
	})
}
