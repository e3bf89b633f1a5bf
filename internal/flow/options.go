package flow

import (
	"flag"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/controlbackbone/backbone/internal/embedded"
)

const (
	targetEmbedded   = "embedded"
	targetKubeconfig = "kubeconfig"
)

// options are the command line's.
type options struct {
	target     string
	kubeconfig string
	address    string
	serves     bool
	images     map[string]embedded.Image
	keep       bool
	components []embedded.Component
	verbose    bool
}

func parse(example Example, arguments []string, usage io.Writer) (options, error) {
	o := options{serves: example.Serves, images: example.Images}
	var components string
	flags := flag.NewFlagSet(example.Name, flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.StringVar(&o.target, "target", targetEmbedded, "where to run: embedded (a Kubernetes of its own), or kubeconfig (a cluster you name, which is changed)")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "the kubeconfig `file` of --target kubeconfig; default: $KUBECONFIG, then ~/.kube/config")
	if example.Serves {
		flags.StringVar(&o.address, "address", "", "the `host` name or IP address by which pods of --target kubeconfig reach this machine, which listens on every interface then")
	}
	flags.BoolVar(&o.keep, "keep", false, "leave the cluster running until interrupted, and its logs and data in place")
	flags.StringVar(&components, "components", "", "install only these, a comma-separated `list` of "+names(example.Components)+"; stages that need another are left out")
	flags.BoolVar(&o.verbose, "verbose", false, "print every step as a line")
	if err := flags.Parse(arguments); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q: see --help", flags.Arg(0))
	}
	if o.target != targetEmbedded && o.target != targetKubeconfig {
		return options{}, fmt.Errorf("--target %q: want %s or %s", o.target, targetEmbedded, targetKubeconfig)
	}
	if o.kubeconfig != "" && o.target != targetKubeconfig {
		return options{}, fmt.Errorf("--kubeconfig is for --target %s", targetKubeconfig)
	}
	if o.address != "" {
		if o.target != targetKubeconfig {
			return options{}, fmt.Errorf("--address is for --target %s", targetKubeconfig)
		}
		if err := checkAddress(o.address); err != nil {
			return options{}, err
		}
	}
	var err error
	o.components, err = choose(example.Components, components)
	return o, err
}

// checkAddress refuses what would not become a URL that pods reach.
func checkAddress(address string) error {
	ip := net.ParseIP(address)
	if ip == nil && len(validation.IsDNS1123Subdomain(strings.ToLower(address))) > 0 {
		return fmt.Errorf("--address %q: want a host name or an IP address, without scheme and port", address)
	}
	if ip.IsUnspecified() {
		return fmt.Errorf("--address %q: pods cannot connect to it", address)
	}
	return nil
}

// choose returns the components that a comma-separated list names; all when it is empty.
func choose(all []embedded.Component, list string) ([]embedded.Component, error) {
	if list == "" {
		return all, nil
	}
	var chosen []embedded.Component
	for _, name := range strings.Split(list, ",") {
		component := embedded.Component(strings.TrimSpace(name))
		if !slices.Contains(all, component) {
			return nil, fmt.Errorf("--components: unknown component %q: want some of %s", component, names(all))
		}
		chosen = append(chosen, component)
	}
	return chosen, nil
}

func names(components []embedded.Component) string {
	var out []string
	for _, component := range components {
		out = append(out, string(component))
	}
	return strings.Join(out, ", ")
}
