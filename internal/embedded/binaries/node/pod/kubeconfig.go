package pod

import (
	"fmt"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// serviceAccountPath is where a container expects the credentials of its
// pod's ServiceAccount.
const serviceAccountPath = "/var/run/secrets/kubernetes.io/serviceaccount"

// writeKubeconfig writes a kubeconfig for the pod's ServiceAccount, whose token
// it reads from the volume mounted for it, and returns its path; none when
// there is no such volume (automountServiceAccountToken: false).
func (c *container) writeKubeconfig(pod *corev1.Pod) (string, error) {
	token := ""
	for _, m := range c.spec.VolumeMounts {
		if strings.TrimSuffix(m.MountPath, "/") == serviceAccountPath {
			token = filepath.Join(c.dir, "root", serviceAccountPath, corev1.ServiceAccountTokenKey)
		}
	}
	if token == "" {
		return "", nil
	}
	api := c.pod.runtime.API
	config := clientcmdapi.NewConfig()
	config.Clusters["cluster"] = &clientcmdapi.Cluster{
		Server:                   api.Host,
		CertificateAuthority:     api.CAFile,
		CertificateAuthorityData: api.CAData,
		InsecureSkipTLSVerify:    api.Insecure,
		TLSServerName:            api.ServerName,
	}
	config.AuthInfos["serviceaccount"] = &clientcmdapi.AuthInfo{TokenFile: token}
	config.Contexts["pod"] = &clientcmdapi.Context{Cluster: "cluster", AuthInfo: "serviceaccount", Namespace: pod.Namespace}
	config.CurrentContext = "pod"
	path := filepath.Join(c.dir, "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return "", fmt.Errorf("write the kubeconfig of ServiceAccount %s/%s: %w", pod.Namespace, pod.Spec.ServiceAccountName, err)
	}
	return path, nil
}
