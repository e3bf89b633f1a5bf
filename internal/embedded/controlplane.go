package embedded

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// KubernetesVersion is the version of the control plane.
const KubernetesVersion = "v1.37.2"

const (
	etcd              = "etcd"
	apiServer         = "kube-apiserver"
	controllerManager = "kube-controller-manager"
	scheduler         = "kube-scheduler"
	localNode         = "node"
)

// serviceCIDR is the range of ClusterIPs. Nothing routes it on this target.
const serviceCIDR = "10.96.0.0/16"

// layout is where a cluster keeps its files.
type layout struct{ dir string }

func (l layout) pki() string        { return filepath.Join(l.dir, "pki") }
func (l layout) logs() string       { return filepath.Join(l.dir, "logs") }
func (l layout) etcd() string       { return filepath.Join(l.dir, "etcd") }
func (l layout) node() string       { return filepath.Join(l.dir, "node") }
func (l layout) images() string     { return filepath.Join(l.dir, "images.json") }
func (l layout) kubeconfig() string { return filepath.Join(l.dir, "kubeconfig") }

// controlPlane is everything that the command lines of a cluster's programs depend on.
type controlPlane struct {
	layout
	kubernetes, node string // directories of executables
	etcdPort         int
	etcdPeerPort     int
	apiPort          int
	kubeletPort      int

	ca                                          *authority
	serving, admin, kubelet, managerID, schedID keyPair
	serviceAccounts                             keyPair
}

func (c *controlPlane) url() string { return "https://127.0.0.1:" + strconv.Itoa(c.apiPort) }

// allocate picks the ports, new ones at every call.
func (c *controlPlane) allocate(ports *portPool) error {
	for name, port := range map[string]*int{
		etcd: &c.etcdPort, "etcd-peer": &c.etcdPeerPort, apiServer: &c.apiPort, "kubelet": &c.kubeletPort,
	} {
		ports.forget(name)
		var err error
		if *port, err = ports.port(name); err != nil {
			return err
		}
	}
	return nil
}

// issue makes the certificates.
func (c *controlPlane) issue() error {
	var err error
	if c.ca, err = newAuthority(c.pki()); err != nil {
		return err
	}
	if c.serviceAccounts, err = c.ca.serviceAccountKey(); err != nil {
		return err
	}
	if c.serving, err = c.ca.server(apiServer); err != nil {
		return err
	}
	for pair, id := range map[*keyPair][]string{
		&c.admin:     {"admin", "system:masters"},
		&c.kubelet:   {"kube-apiserver-kubelet-client", "system:masters"},
		&c.managerID: {"system:kube-controller-manager"},
		&c.schedID:   {"system:kube-scheduler"},
	} {
		if *pair, err = c.ca.client(id[0], id[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// writeKubeconfig writes a kubeconfig for the holder of a client certificate.
func (c *controlPlane) writeKubeconfig(path string, user keyPair) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["embedded"] = &clientcmdapi.Cluster{Server: c.url(), CertificateAuthority: c.ca.path()}
	config.AuthInfos["user"] = &clientcmdapi.AuthInfo{ClientCertificate: user.cert, ClientKey: user.key}
	config.Contexts["embedded"] = &clientcmdapi.Context{Cluster: "embedded", AuthInfo: "user"}
	config.CurrentContext = "embedded"
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// restConfig is the administrator's way in.
func (c *controlPlane) restConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("read the cluster's kubeconfig: %w", err)
	}
	// A local API server needs no protection from its only user.
	config.QPS, config.Burst = -1, -1
	return config, nil
}

func (c *controlPlane) program(name string, args ...string) program {
	return program{name: name, path: filepath.Join(c.kubernetes, name), args: args, env: os.Environ()}
}

func (c *controlPlane) etcd() program {
	client := "http://127.0.0.1:" + strconv.Itoa(c.etcdPort)
	peer := "http://127.0.0.1:" + strconv.Itoa(c.etcdPeerPort)
	return c.program(etcd,
		"--data-dir="+c.layout.etcd(),
		"--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer,
		"--initial-cluster=default="+peer,
		"--unsafe-no-fsync", // the data ends with the cluster
		"--log-level=warn",
	)
}

func (c *controlPlane) apiServer() program {
	return c.program(apiServer,
		"--etcd-servers=http://127.0.0.1:"+strconv.Itoa(c.etcdPort),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
		"--secure-port="+strconv.Itoa(c.apiPort),
		"--cert-dir="+c.pki(),
		"--tls-cert-file="+c.serving.cert, "--tls-private-key-file="+c.serving.key,
		"--client-ca-file="+c.ca.path(),
		"--authorization-mode=Node,RBAC",
		"--kubelet-client-certificate="+c.kubelet.cert, "--kubelet-client-key="+c.kubelet.key,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+c.serviceAccounts.cert,
		"--service-account-signing-key-file="+c.serviceAccounts.key,
		"--service-cluster-ip-range="+serviceCIDR,
		"--endpoint-reconciler-type=none", // endpoints refuse loopback addresses
		"--allow-privileged",
	)
}

func (c *controlPlane) controllerManager() program {
	return c.program(controllerManager,
		"--kubeconfig="+filepath.Join(c.pki(), controllerManager+".kubeconfig"),
		"--use-service-account-credentials",
		"--service-account-private-key-file="+c.serviceAccounts.key,
		"--root-ca-file="+c.ca.path(),
		"--leader-elect=false", "--secure-port=0",
		// Endpoints refuse loopback addresses, the only ones pods have here.
		"--controllers=*,-endpoints-controller,-endpointslice-controller,-endpointslice-mirroring-controller",
		"--concurrent-deployment-syncs=10", "--concurrent-serviceaccount-token-syncs=10",
		"--kube-api-qps=200", "--kube-api-burst=400",
	)
}

func (c *controlPlane) scheduler() program {
	return c.program(scheduler,
		"--kubeconfig="+filepath.Join(c.pki(), scheduler+".kubeconfig"),
		"--leader-elect=false", "--secure-port=0",
		"--kube-api-qps=200", "--kube-api-burst=400",
	)
}

func (c *controlPlane) localNode() program {
	return program{name: localNode, path: filepath.Join(c.node, localNode), env: os.Environ(), args: []string{
		"--kubeconfig=" + c.kubeconfig(),
		"--name=local",
		"--dir=" + c.layout.node(),
		"--images=" + c.images(),
		"--listen=127.0.0.1:" + strconv.Itoa(c.kubeletPort),
		"--client-ca=" + c.ca.path(),
	}}
}

// waitHealthy polls the API server's readiness until it answers ok, the program
// ends, or the context does. There is nothing to watch before it is ready.
func (c *controlPlane) waitHealthy(ctx context.Context, config *rest.Config, server *process) error {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	var last string
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url()+"/readyz", nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
			last = response.Status
		} else {
			last = err.Error()
		}
		select {
		case <-server.done:
			return server.exited()
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w; its last answer was %q; its log is %s", server.name, context.Cause(ctx), last, server.logPath)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// fileName makes a name such as "system:kube-scheduler" fit for a file.
func fileName(name string) string { return strings.NewReplacer(":", "-", "/", "-").Replace(name) }
