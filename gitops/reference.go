package gitops

import "k8s.io/apimachinery/pkg/runtime/schema"

// reference is a field in which objects name another one.
type reference struct {
	// path of the name; "[]" stands for every item of a list. Beside the name, "optional: true" makes the reference one
	// that need not exist, "kind" with "apiVersion", "apiGroup" or "group" overrides the kind, and "namespace" the
	// object's own namespace.
	path string
	to   schema.GroupKind
	// fatal is a reference without which the object does not become healthy, so that a sync never leaves its wave.
	fatal bool
}

func core(kind string) schema.GroupKind { return schema.GroupKind{Kind: kind} }

func grouped(group, kind string) schema.GroupKind { return schema.GroupKind{Group: group, Kind: kind} }

const (
	rbac         = "rbac.authorization.k8s.io"
	externals    = "external-secrets.io"
	certificates = "cert-manager.io"
	admission    = "admissionregistration.k8s.io"
)

// clusterScoped kinds are looked for without a namespace.
var clusterScoped = []schema.GroupKind{
	core("Namespace"), core("PersistentVolume"), crdKind, grouped("storage.k8s.io", "StorageClass"),
	grouped("scheduling.k8s.io", "PriorityClass"), grouped("node.k8s.io", "RuntimeClass"),
	grouped("networking.k8s.io", "IngressClass"), grouped("gateway.networking.k8s.io", "GatewayClass"),
	grouped(rbac, "ClusterRole"), grouped(certificates, "ClusterIssuer"), grouped(externals, "ClusterSecretStore"),
}

// workload is a kind that makes pods.
type workload struct {
	podSpec string
	// awaited kinds have a health that needs the pods.
	awaited bool
}

// gitops-engine: pkg/health; argo-cd: resource_customizations
var workloads = map[schema.GroupKind]workload{
	core("Pod"):                       {podSpec: "spec", awaited: true},
	core("ReplicationController"):     {podSpec: "spec.template.spec"},
	grouped("apps", "Deployment"):     {podSpec: "spec.template.spec", awaited: true},
	grouped("apps", "StatefulSet"):    {podSpec: "spec.template.spec", awaited: true},
	grouped("apps", "DaemonSet"):      {podSpec: "spec.template.spec", awaited: true},
	grouped("apps", "ReplicaSet"):     {podSpec: "spec.template.spec", awaited: true},
	grouped("batch", "Job"):           {podSpec: "spec.template.spec", awaited: true},
	grouped("batch", "CronJob"):       {podSpec: "spec.jobTemplate.spec.template.spec"},
	grouped("argoproj.io", "Rollout"): {podSpec: "spec.template.spec", awaited: true},
}

// podReferences keep a pod from starting, except that of a registry's credentials.
var podReferences = []reference{
	{path: "serviceAccountName", to: core("ServiceAccount"), fatal: true},
	{path: "priorityClassName", to: grouped("scheduling.k8s.io", "PriorityClass"), fatal: true},
	{path: "runtimeClassName", to: grouped("node.k8s.io", "RuntimeClass"), fatal: true},
	{path: "imagePullSecrets[].name", to: core("Secret")},
	{path: "volumes[].configMap.name", to: core("ConfigMap"), fatal: true},
	{path: "volumes[].secret.secretName", to: core("Secret"), fatal: true},
	{path: "volumes[].persistentVolumeClaim.claimName", to: core("PersistentVolumeClaim"), fatal: true},
	{path: "volumes[].projected.sources[].configMap.name", to: core("ConfigMap"), fatal: true},
	{path: "volumes[].projected.sources[].secret.name", to: core("Secret"), fatal: true},
	{path: "initContainers[].env[].valueFrom.configMapKeyRef.name", to: core("ConfigMap"), fatal: true},
	{path: "initContainers[].env[].valueFrom.secretKeyRef.name", to: core("Secret"), fatal: true},
	{path: "initContainers[].envFrom[].configMapRef.name", to: core("ConfigMap"), fatal: true},
	{path: "initContainers[].envFrom[].secretRef.name", to: core("Secret"), fatal: true},
	{path: "containers[].env[].valueFrom.configMapKeyRef.name", to: core("ConfigMap"), fatal: true},
	{path: "containers[].env[].valueFrom.secretKeyRef.name", to: core("Secret"), fatal: true},
	{path: "containers[].envFrom[].configMapRef.name", to: core("ConfigMap"), fatal: true},
	{path: "containers[].envFrom[].secretRef.name", to: core("Secret"), fatal: true},
}

var references = map[schema.GroupKind][]reference{
	grouped("apps", "StatefulSet"): {
		{path: "spec.serviceName", to: core("Service")},
		{path: "spec.volumeClaimTemplates[].spec.storageClassName", to: grouped("storage.k8s.io", "StorageClass"), fatal: true},
	},
	core("PersistentVolumeClaim"): {
		{path: "spec.storageClassName", to: grouped("storage.k8s.io", "StorageClass"), fatal: true},
		{path: "spec.volumeName", to: core("PersistentVolume"), fatal: true},
	},
	grouped(rbac, "RoleBinding"): {
		{path: "roleRef.name", to: grouped(rbac, "Role")},
	},
	grouped(rbac, "ClusterRoleBinding"): {
		{path: "roleRef.name", to: grouped(rbac, "ClusterRole")},
	},
	grouped("networking.k8s.io", "Ingress"): {
		{path: "spec.ingressClassName", to: grouped("networking.k8s.io", "IngressClass"), fatal: true},
		{path: "spec.defaultBackend.service.name", to: core("Service")},
		{path: "spec.rules[].http.paths[].backend.service.name", to: core("Service")},
		{path: "spec.tls[].secretName", to: core("Secret")},
	},
	grouped("gateway.networking.k8s.io", "Gateway"): {
		{path: "spec.gatewayClassName", to: grouped("gateway.networking.k8s.io", "GatewayClass"), fatal: true},
	},
	grouped(admission, "ValidatingWebhookConfiguration"): {
		{path: "webhooks[].clientConfig.service.name", to: core("Service")},
	},
	grouped(admission, "MutatingWebhookConfiguration"): {
		{path: "webhooks[].clientConfig.service.name", to: core("Service")},
	},
	crdKind: {
		{path: "spec.conversion.webhook.clientConfig.service.name", to: core("Service")},
	},
	grouped("apiregistration.k8s.io", "APIService"): {
		{path: "spec.service.name", to: core("Service"), fatal: true},
	},
	grouped("autoscaling", "HorizontalPodAutoscaler"): {
		{path: "spec.scaleTargetRef.name", to: grouped("apps", "Deployment"), fatal: true},
	},
	grouped("keda.sh", "ScaledObject"): {
		{path: "spec.scaleTargetRef.name", to: grouped("apps", "Deployment"), fatal: true},
	},
	grouped(externals, "ExternalSecret"): {
		{path: "spec.secretStoreRef.name", to: grouped(externals, "SecretStore"), fatal: true},
	},
	grouped(certificates, "Certificate"): {
		{path: "spec.issuerRef.name", to: grouped(certificates, "Issuer"), fatal: true},
	},
	grouped("argoproj.io", "Application"): {
		{path: "spec.project", to: grouped("argoproj.io", "AppProject")},
	},
	grouped("argoproj.io", "ApplicationSet"): {
		{path: "spec.template.spec.project", to: grouped("argoproj.io", "AppProject")},
	},
}

// alwaysThere lists what exists before the first sync. An object of a sync only changes it.
var alwaysThere = map[schema.GroupKind]string{
	core("ServiceAccount"):               "default",
	core("ConfigMap"):                    "kube-root-ca.crt",
	grouped("argoproj.io", "AppProject"): "default",
}
