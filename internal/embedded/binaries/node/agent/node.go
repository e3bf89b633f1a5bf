package agent

import (
	"fmt"
	"net"
	"runtime"
	"time"

	"github.com/virtual-kubelet/virtual-kubelet/node"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/pod"
)

// maxPods is how many pods the scheduler may place here: the kubelet's default
// of 110, doubled, since a pod costs no more than its processes.
const maxPods = 220

// statusInterval is how often the Node's status is written. It bounds for how
// long the node counts as not ready after the API server was away, and is that
// of the kubelet.
const statusInterval = 10 * time.Second

// resources are what the scheduler may hand out: the whole machine.
func resources() (corev1.ResourceList, error) {
	memory, err := totalMemory()
	if err != nil {
		return nil, fmt.Errorf("find the size of the memory: %w", err)
	}
	return corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewQuantity(int64(runtime.NumCPU()), resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(memory, resource.BinarySI),
		corev1.ResourcePods:   *resource.NewQuantity(maxPods, resource.DecimalSI),
	}, nil
}

// nodeObject is the Node as this program registers it.
//
// Its operating system is always linux, which is what images and node
// selectors of manifests ask for; what runs are programs of this machine.
func nodeObject(name string, address *net.TCPAddr, allocatable corev1.ResourceList) *corev1.Node {
	now := metav1.Now()
	ready := corev1.NodeCondition{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "NodeReady", Message: "the node runs pods as processes",
		LastHeartbeatTime: now, LastTransitionTime: now,
	}
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			corev1.LabelHostname:   name,
			corev1.LabelOSStable:   "linux",
			corev1.LabelArchStable: runtime.GOARCH,
		}},
		Status: corev1.NodeStatus{
			Capacity: allocatable, Allocatable: allocatable,
			Conditions: []corev1.NodeCondition{ready},
			// No host name: the API server would try to resolve it first.
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: pod.IP}},
			NodeInfo: corev1.NodeSystemInfo{
				OperatingSystem: "linux", Architecture: runtime.GOARCH,
				OSImage: "processes of this machine", ContainerRuntimeVersion: "process://1", KubeletVersion: version,
			},
		},
	}
	if address != nil {
		n.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(address.Port)
	}
	return n
}

// newNodeController keeps the Node registered, and its lease renewed.
func newNodeController(client kubernetes.Interface, object *corev1.Node) (*node.NodeController, error) {
	controller, err := node.NewNodeController(node.NewNaiveNodeProvider(), object, client.CoreV1().Nodes(),
		node.WithNodeEnableLeaseV1(client.CoordinationV1().Leases(corev1.NamespaceNodeLease), node.DefaultLeaseDuration),
		node.WithNodeStatusUpdateInterval(statusInterval))
	if err != nil {
		return nil, fmt.Errorf("prepare the registration of the node: %w", err)
	}
	return controller, nil
}

// version is the Kubernetes version whose rules this node follows.
const version = "v1.37.2"
