package main_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/image"
	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/process"
)

// controlPlaneVariable names the environment variable with the path of the
// control plane's multi-call binary.
const controlPlaneVariable = "BACKBONE_KUBERNETES_BINARY"

// cluster is a real control plane, with one local node, for the tests of a run.
type cluster struct {
	dir       string
	binary    string
	node      string
	etcdPort  int
	apiPort   int
	starter   *process.Starter
	mu        sync.Mutex
	processes map[string]*process.Process // guarded by mu
	config    *rest.Config
	client    *kubernetes.Clientset
}

// startCluster builds the node program and starts everything below dir.
func startCluster(ctx context.Context, dir string) (*cluster, error) {
	c := &cluster{dir: dir, binary: os.Getenv(controlPlaneVariable), node: filepath.Join(dir, "bin", "node"), processes: map[string]*process.Process{}}
	if c.binary == "" {
		return nil, fmt.Errorf("set %s to the control plane's binary, built with: go -C ../kubernetes build -o <path> .", controlPlaneVariable)
	}
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", c.node, ".").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the node: %w\n%s", err, out)
	}
	var err error
	if c.starter, err = process.NewStarter(c.node, "watchdog"); err != nil {
		return nil, err
	}
	if err := c.prepare(); err != nil {
		return c, err
	}
	peer, err := freePort()
	if err != nil {
		return c, err
	}
	etcd, etcdPeer := "http://127.0.0.1:"+strconv.Itoa(c.etcdPort), "http://127.0.0.1:"+strconv.Itoa(peer)
	if err := c.run("etcd", c.binary, "etcd", "--data-dir="+filepath.Join(dir, "etcd"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd, "--listen-peer-urls="+etcdPeer,
		"--initial-advertise-peer-urls="+etcdPeer, "--initial-cluster=default="+etcdPeer); err != nil {
		return c, err
	}
	if err := c.startAPIServer(ctx); err != nil {
		return c, err
	}
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := errors.Join(
		c.run("kube-controller-manager", c.binary, "kube-controller-manager", "--kubeconfig="+kubeconfig, "--use-service-account-credentials",
			"--service-account-private-key-file="+filepath.Join(dir, "sa.key"), "--root-ca-file="+filepath.Join(dir, "certs", "apiserver.crt"),
			"--secure-port=0", "--leader-elect=false", "--kube-api-qps=200", "--kube-api-burst=400",
			"--controllers=*,-endpoints-controller,-endpointslice-controller,-endpointslice-mirroring-controller"),
		c.run("kube-scheduler", c.binary, "kube-scheduler", "--kubeconfig="+kubeconfig, "--secure-port=0", "--leader-elect=false"),
	); err != nil {
		return c, err
	}
	return c, c.startNode("local")
}

// stop ends everything that the cluster runs.
func (c *cluster) stop() {
	if node := c.process("node-local"); node != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		node.Stop(ctx)
	}
	if c.starter != nil {
		c.starter.Close()
	}
}

func (c *cluster) run(name string, command ...string) error {
	log, err := os.OpenFile(filepath.Join(c.dir, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	started, err := c.starter.Start(cmd)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.processes[name] = started
	return nil
}

// process finds a process that was started.
func (c *cluster) process(name string) *process.Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.processes[name]
}

func (c *cluster) startAPIServer(ctx context.Context) error {
	if err := c.run("kube-apiserver", c.binary, "kube-apiserver", "--etcd-servers=http://127.0.0.1:"+strconv.Itoa(c.etcdPort),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port="+strconv.Itoa(c.apiPort),
		"--cert-dir="+filepath.Join(c.dir, "certs"), "--token-auth-file="+filepath.Join(c.dir, "tokens.csv"), "--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+filepath.Join(c.dir, "sa.pub"),
		"--service-account-signing-key-file="+filepath.Join(c.dir, "sa.key"), "--service-cluster-ip-range=10.96.0.0/16",
		"--endpoint-reconciler-type=none", "--kubelet-client-certificate="+filepath.Join(c.dir, "client.crt"),
		"--kubelet-client-key="+filepath.Join(c.dir, "client.key")); err != nil {
		return err
	}
	deadline := time.Now().Add(60 * time.Second)
	for {
		_, err := c.client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("kube-apiserver is not ready, see %s: %w", filepath.Join(c.dir, "kube-apiserver.log"), err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// kill ends one of the cluster's processes by force.
func (c *cluster) kill(name string) {
	p := c.process(name)
	_ = syscall.Kill(p.PID(), syscall.SIGKILL)
	<-p.Done()
}

// startNode starts a local node of that name.
func (c *cluster) startNode(name string) error {
	return c.run("node-"+name, c.node, "--kubeconfig="+filepath.Join(c.dir, "kubeconfig"), "--name="+name, "--dir="+c.nodeDir(name),
		"--images="+filepath.Join(c.dir, "images.json"), "--client-ca="+filepath.Join(c.dir, "client.crt"))
}

func (c *cluster) nodeDir(name string) string { return filepath.Join(c.dir, "nodes", name) }

// prepare writes the files that the programs read.
func (c *cluster) prepare() error {
	var err error
	if c.etcdPort, err = freePort(); err != nil {
		return err
	}
	if c.apiPort, err = freePort(); err != nil {
		return err
	}
	if err := errors.Join(
		os.WriteFile(filepath.Join(c.dir, "tokens.csv"), []byte("admin-token,admin,admin,system:masters\n"), 0o600),
		c.writeServiceAccountKey(), c.writeClientCertificate(), c.writeImages(),
	); err != nil {
		return err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: "https://127.0.0.1:" + strconv.Itoa(c.apiPort), InsecureSkipTLSVerify: true}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: "admin-token"}
	config.Contexts["c"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "c"
	kubeconfig := filepath.Join(c.dir, "kubeconfig")
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		return err
	}
	if c.config, err = clientcmd.BuildConfigFromFlags("", kubeconfig); err != nil {
		return err
	}
	c.config.QPS, c.config.Burst = -1, -1
	c.client, err = kubernetes.NewForConfig(c.config)
	return err
}

// writeImages makes the image table: a shell, and the programs that this test
// binary can be (see TestMain).
func (c *cluster) writeImages() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	bin := filepath.Join(c.dir, "programs")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	for name := range programs {
		if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
			return err
		}
	}
	table, err := json.Marshal(map[string]image.Image{
		"shell:1":    {Entrypoint: []string{"sh"}},
		"programs:1": {Dir: bin},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.dir, "images.json"), table, 0o600)
}

func (c *cluster) writeServiceAccountKey() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	return errors.Join(
		c.writePEM("sa.key", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)),
		c.writePEM("sa.pub", "PUBLIC KEY", public),
	)
}

// writeClientCertificate writes the certificate that the API server shows to
// kubelets. It is its own authority.
func (c *cluster) writeClientCertificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubelet-client"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		c.writePEM("client.crt", "CERTIFICATE", certificate),
		c.writePEM("client.key", "EC PRIVATE KEY", private),
	)
}

func (c *cluster) writePEM(name, kind string, data []byte) error {
	return os.WriteFile(filepath.Join(c.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600)
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
