package gitops_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/gitops"
)

// objects reads a YAML stream.
func objects(t *testing.T, stream string) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	for document := range strings.SplitSeq(stream, "\n---\n") {
		obj := &unstructured.Unstructured{}
		require.NoError(t, yaml.Unmarshal([]byte(document), &obj.Object))
		out = append(out, obj)
	}
	return out
}

// manifest is one object: its kind, name, annotation (none when empty) and the rest in flow style.
func manifest(apiVersion, kind, name, annotation, rest string) string {
	metadata := fmt.Sprintf("name: %s, namespace: shop", name)
	if annotation != "" {
		metadata += fmt.Sprintf(", annotations: {argocd.argoproj.io/%s}", annotation)
	}
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {%s}\n%s", apiVersion, kind, metadata, rest)
}

func stream(manifests ...string) string { return strings.Join(manifests, "\n---\n") }

// deployment runs a pod with the specification.
func deployment(annotation, podSpec string) string {
	return manifest("apps/v1", "Deployment", "web", annotation, "spec: {template: {spec: "+podSpec+"}}")
}

const late = `sync-wave: "1"`

func TestCheckOrderFindsWhatComesTooLate(t *testing.T) {
	const pod = "Deployment shop/web: spec.template.spec."
	for name, test := range map[string]struct {
		objects string
		want    []string
	}{
		"what is in the same wave is in time":   {objects: stream(deployment("", "{serviceAccountName: web}"), manifest("v1", "ServiceAccount", "web", "", ""))},
		"what is in an earlier wave is in time": {objects: stream(deployment(late, "{serviceAccountName: web}"), manifest("v1", "ServiceAccount", "web", "", ""))},
		"what is not among the objects exists":  {objects: deployment("", "{serviceAccountName: web}")},
		"another namespace's is another object": {objects: stream(deployment("", "{serviceAccountName: web}"), strings.Replace(manifest("v1", "ServiceAccount", "web", late, ""), "shop", "other", 1))},
		"the default ServiceAccount exists":     {objects: stream(deployment("", "{serviceAccountName: default}"), manifest("v1", "ServiceAccount", "default", late, ""))},
		"a ServiceAccount": {
			objects: stream(deployment("", "{serviceAccountName: web}"), manifest("v1", "ServiceAccount", "web", late, "")),
			want:    []string{"GITOPS107 " + pod + "serviceAccountName"},
		},
		"ConfigMaps": {
			objects: stream(
				deployment("", `{volumes: [{name: v, emptyDir: {}}, {name: c, configMap: {name: c}}, {name: p, projected: {sources: [{configMap: {name: c}}]}}],
  initContainers: [{envFrom: [{configMapRef: {name: c}}]}], containers: [{env: [{name: A, value: b}, {name: B, valueFrom: {configMapKeyRef: {name: c}}}]}]}`),
				manifest("v1", "ConfigMap", "c", late, "")),
			want: []string{
				"GITOPS107 " + pod + "containers[0].env[1].valueFrom.configMapKeyRef.name",
				"GITOPS107 " + pod + "initContainers[0].envFrom[0].configMapRef.name",
				"GITOPS107 " + pod + "volumes[1].configMap.name",
				"GITOPS107 " + pod + "volumes[2].projected.sources[0].configMap.name",
			},
		},
		"Secrets, those of a registry as a warning": {
			objects: stream(
				deployment("", "{volumes: [{secret: {secretName: s}}], imagePullSecrets: [{name: s}], containers: [{envFrom: [{secretRef: {name: s}}]}]}"),
				manifest("v1", "Secret", "s", late, "")),
			want: []string{
				"GITOPS107 " + pod + "containers[0].envFrom[0].secretRef.name",
				"GITOPS108 " + pod + "imagePullSecrets[0].name",
				"GITOPS107 " + pod + "volumes[0].secret.secretName",
			},
		},
		"not what is optional": {
			objects: stream(
				deployment("", `{volumes: [{configMap: {name: c, optional: true}}, {secret: {secretName: s, optional: true}}],
  containers: [{env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k, optional: true}}}]}]}`),
				manifest("v1", "ConfigMap", "c", late, ""), manifest("v1", "Secret", "s", late, "")),
		},
		"a Secret that an ExternalSecret makes": {
			objects: stream(
				deployment("", "{volumes: [{secret: {secretName: s}}]}"),
				manifest("external-secrets.io/v1beta1", "ExternalSecret", "external", late, "spec: {target: {name: s}}")),
			want: []string{"GITOPS107 " + pod + "volumes[0].secret.secretName"},
		},
		"not a Secret that exists early too": {
			objects: stream(
				deployment("", "{volumes: [{secret: {secretName: s}}]}"),
				manifest("v1", "Secret", "s", "", ""),
				manifest("external-secrets.io/v1beta1", "ExternalSecret", "s", late, "spec: {secretStoreRef: {name: vault}}")),
		},
		"not a Secret that an ExternalSecret only adds to": {
			objects: stream(
				deployment("", "{volumes: [{secret: {secretName: s}}]}"),
				manifest("external-secrets.io/v1beta1", "ExternalSecret", "s", late, "spec: {target: {creationPolicy: Merge}}")),
		},
		"a claim, its class and its volume": {
			objects: stream(
				deployment("", "{volumes: [{persistentVolumeClaim: {claimName: data}}]}"),
				manifest("v1", "PersistentVolumeClaim", "data", late, "spec: {storageClassName: fast, volumeName: disk}"),
				manifest("storage.k8s.io/v1", "StorageClass", "fast", `sync-wave: "2"`, ""),
				manifest("v1", "PersistentVolume", "disk", `sync-wave: "2"`, "")),
			want: []string{
				"GITOPS107 " + pod + "volumes[0].persistentVolumeClaim.claimName",
				"GITOPS107 PersistentVolumeClaim shop/data: spec.storageClassName",
				"GITOPS107 PersistentVolumeClaim shop/data: spec.volumeName",
			},
		},
		"a priority class of a CronJob, which nobody waits for": {
			objects: stream(
				manifest("batch/v1", "CronJob", "nightly", "", "spec: {jobTemplate: {spec: {template: {spec: {priorityClassName: low}}}}}"),
				manifest("scheduling.k8s.io/v1", "PriorityClass", "low", late, "")),
			want: []string{"GITOPS108 CronJob shop/nightly: spec.jobTemplate.spec.template.spec.priorityClassName"},
		},
		"the roles of bindings": {
			objects: stream(
				manifest("rbac.authorization.k8s.io/v1", "RoleBinding", "one", "", "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}"),
				manifest("rbac.authorization.k8s.io/v1", "RoleBinding", "two", "", "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r}"),
				manifest("rbac.authorization.k8s.io/v1", "ClusterRole", "r", late, "")),
			want: []string{"GITOPS108 RoleBinding shop/two: roleRef.name"},
		},
		"the permissions of a hook's ServiceAccount": {
			objects: stream(
				manifest("batch/v1", "Job", "migrate", "hook: PreSync", "spec: {template: {spec: {serviceAccountName: migrator}}}"),
				manifest("v1", "ServiceAccount", "migrator", `hook: PreSync, argocd.argoproj.io/sync-wave: "-1"`, ""),
				manifest("rbac.authorization.k8s.io/v1", "RoleBinding", "migrator", "", "subjects: [{kind: ServiceAccount, name: migrator}, {kind: User, name: migrator}]"),
				manifest("rbac.authorization.k8s.io/v1", "RoleBinding", "other", "", "subjects: [{kind: ServiceAccount, name: migrator, namespace: other}]")),
			want: []string{"GITOPS108 Job shop/migrate: spec.template.spec.serviceAccountName"},
		},
		"the class and the services of an Ingress": {
			objects: stream(
				manifest("networking.k8s.io/v1", "Ingress", "web", "", "spec: {ingressClassName: public, rules: [{http: {paths: [{backend: {service: {name: web}}}]}}]}"),
				manifest("networking.k8s.io/v1", "IngressClass", "public", late, ""),
				manifest("v1", "Service", "web", late, "")),
			want: []string{
				"GITOPS107 Ingress shop/web: spec.ingressClassName",
				"GITOPS108 Ingress shop/web: spec.rules[0].http.paths[0].backend.service.name",
			},
		},
		"the service of a webhook, in its own namespace": {
			objects: stream(
				manifest("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "guard", "", "webhooks: [{clientConfig: {service: {name: guard, namespace: other}}}]"),
				strings.Replace(manifest("v1", "Service", "guard", late, ""), "shop", "other", 1)),
			want: []string{"GITOPS108 ValidatingWebhookConfiguration shop/guard: webhooks[0].clientConfig.service.name"},
		},
		"the store of an ExternalSecret": {
			objects: stream(
				manifest("external-secrets.io/v1beta1", "ExternalSecret", "s", "", "spec: {secretStoreRef: {kind: ClusterSecretStore, name: vault}}"),
				manifest("external-secrets.io/v1beta1", "ClusterSecretStore", "vault", late, "")),
			want: []string{"GITOPS107 ExternalSecret shop/s: spec.secretStoreRef.name"},
		},
		"the target of an autoscaler": {
			objects: stream(
				manifest("autoscaling/v2", "HorizontalPodAutoscaler", "web", "", "spec: {scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: db}}"),
				manifest("apps/v1", "StatefulSet", "db", late, "")),
			want: []string{"GITOPS107 HorizontalPodAutoscaler shop/web: spec.scaleTargetRef.name"},
		},
		"the project of an Application": {
			objects: stream(
				manifest("argoproj.io/v1alpha1", "Application", "app", "", "spec: {project: tools}"),
				manifest("argoproj.io/v1alpha1", "AppProject", "tools", late, "")),
			want: []string{"GITOPS108 Application shop/app: spec.project"},
		},
		"what a hook needs from the ordinary objects": {
			objects: stream(
				manifest("batch/v1", "Job", "migrate", "hook: PreSync", "spec: {template: {spec: {serviceAccountName: migrator}}}"),
				manifest("v1", "ServiceAccount", "migrator", `sync-wave: "-10"`, "")),
			want: []string{"GITOPS107 Job shop/migrate: spec.template.spec.serviceAccountName"},
		},
		"nothing for hooks after the ordinary objects": {
			objects: stream(
				manifest("batch/v1", "Job", "test", `hook: "PostSync,SyncFail"`, "spec: {template: {spec: {serviceAccountName: tester}}}"),
				manifest("v1", "ServiceAccount", "tester", `sync-wave: "10"`, "")),
		},
		"what no sync applies": {
			objects: stream(deployment("", "{serviceAccountName: web}"), manifest("v1", "ServiceAccount", "web", "hook: Skip", "")),
			want:    []string{"GITOPS110 " + pod + "serviceAccountName"},
		},
		"nothing for what is not applied itself": {
			objects: stream(deployment("hook: Skip", "{serviceAccountName: web}"), manifest("v1", "ServiceAccount", "web", late, "")),
		},
		"a Namespace, which Argo CD moves forward": {
			objects: stream(manifest("v1", "ConfigMap", "c", "", ""), "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, annotations: {argocd.argoproj.io/sync-wave: \"2\"}}"),
			want:    []string{"GITOPS109 Namespace shop: metadata.annotations[argocd.argoproj.io/sync-wave]"},
		},
		"a CustomResourceDefinition, which Argo CD moves forward": {
			objects: stream(
				manifest("example.com/v1", "Widget", "w", "hook: PreSync", ""),
				"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.example.com}\nspec: {group: example.com, names: {kind: Widget}}"),
			want: []string{"GITOPS109 CustomResourceDefinition widgets.example.com: metadata.annotations[argocd.argoproj.io/hook]"},
		},
		"nothing between the objects of different Applications": {
			objects: stream(
				deployment(`tracking-id: "one:apps/Deployment:shop/web"`, "{serviceAccountName: web}"),
				manifest("v1", "ServiceAccount", "web", `tracking-id: "two:/ServiceAccount:shop/web", argocd.argoproj.io/sync-wave: "1"`, "")),
		},
	} {
		t.Run(name, func(t *testing.T) { requireFindings(t, test.want, test.objects) })
	}
}

func TestCheckOrderFindsWhatArgoCDIgnores(t *testing.T) {
	at := func(code, annotation string) []string {
		return []string{code + " ConfigMap shop/c: metadata.annotations[argocd.argoproj.io/" + annotation + "]"}
	}
	for name, test := range map[string]struct {
		annotation string
		want       []string
	}{
		"nothing in correct ones":               {annotation: `hook: PreSync, argocd.argoproj.io/sync-wave: "-1", argocd.argoproj.io/sync-options: "Prune=false,Delete=confirm"`},
		"a wave that is no number":              {annotation: "sync-wave: first", want: at("GITOPS101", "sync-wave")},
		"a wave without quotes":                 {annotation: "sync-wave: 5", want: at("GITOPS101", "sync-wave")},
		"a misspelt hook":                       {annotation: "hook: presync", want: at("GITOPS102", "hook")},
		"a misspelt hook beside a correct one":  {annotation: `hook: "PreSync,Post-Sync"`, want: at("GITOPS102", "hook")},
		"a hook that names no phase":            {annotation: `hook: ""`, want: at("GITOPS102", "hook")},
		"a misspelt delete policy":              {annotation: "hook: PreSync, argocd.argoproj.io/hook-delete-policy: OnSuccess", want: at("GITOPS103", "hook-delete-policy")},
		"a sync option of Applications":         {annotation: "sync-options: CreateNamespace=true", want: at("GITOPS105", "sync-options")},
		"a sync option with a value it ignores": {annotation: "sync-options: Replace=yes", want: at("GITOPS105", "sync-options")},
		"a compare option of Applications":      {annotation: "compare-options: ServerSideDiff=true", want: at("GITOPS106", "compare-options")},
		"not an object's compare option":        {annotation: "compare-options: IgnoreExtraneous"},
	} {
		t.Run(name, func(t *testing.T) {
			requireFindings(t, test.want, manifest("v1", "ConfigMap", "c", test.annotation, ""))
		})
	}
	t.Run("not an Application's compare option", func(t *testing.T) {
		requireFindings(t, nil, manifest("argoproj.io/v1alpha1", "Application", "a", "compare-options: ServerSideDiff=true", ""))
	})
	generated := strings.Replace(manifest("batch/v1", "Job", "migrate-", "hook: PreSync", ""), "name:", "generateName:", 1)
	t.Run("a hook with a generated name that stays behind", func(t *testing.T) {
		requireFindings(t, []string{"GITOPS104 Job shop/migrate-*: metadata.generateName"}, generated)
	})
	t.Run("not a hook with a generated name that is deleted", func(t *testing.T) {
		requireFindings(t, nil, strings.Replace(generated, "hook: PreSync", "hook: PreSync, argocd.argoproj.io/hook-delete-policy: HookSucceeded", 1))
	})
}

func requireFindings(t *testing.T, want []string, stream string) {
	t.Helper()
	var got []string
	for _, found := range gitops.CheckOrder(objects(t, stream)...) {
		got = append(got, fmt.Sprintf("%s %s: %s", found.Code, found.Object, found.Path))
		require.NotEmpty(t, found.Fix)
	}
	require.Equal(t, want, got)
}

func TestSyncOrder(t *testing.T) {
	set := objects(t, stream(
		manifest("apps/v1", "Deployment", "b", "", ""),
		manifest("apps/v1", "Deployment", "a", "", ""),
		manifest("v1", "ConfigMap", "z", "", ""),
		manifest("v1", "ConfigMap", "early", `sync-wave: "-1"`, ""),
		manifest("batch/v1", "Job", "around", `hook: "PostSync,PreSync"`, ""),
		manifest("v1", "ConfigMap", "never", "hook: Skip", ""),
		manifest("v1", "ConfigMap", "deletion", "hook: PostDelete", ""),
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}",
	))
	var got []string
	for _, step := range gitops.SyncOrder(set...) {
		var names []string
		for _, obj := range step.Objects {
			names = append(names, obj.GetName())
		}
		got = append(got, step.String()+": "+strings.Join(names, " "))
	}
	require.Equal(t, []string{
		"PreSync wave 0: shop around",
		"Sync wave -1: early",
		"Sync wave 0: z a b",
		"PostSync wave 0: around",
	}, got)
	require.Empty(t, gitops.SyncOrder())
}

// Whatever an object looks like, the check ends, and says the same about it twice.
func FuzzCheckOrder(f *testing.F) {
	f.Add(`{"kind":"Pod","apiVersion":"v1","metadata":{"annotations":{"argocd.argoproj.io/hook":7}},"spec":{"volumes":[{"secret":[]},null,1]}}`)
	f.Add(`{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1","spec":{"group":1,"names":[]}}`)
	f.Add(`{"kind":"RoleBinding","apiVersion":"rbac.authorization.k8s.io/v1","metadata":[],"subjects":[{"kind":"ServiceAccount","name":{}}],"roleRef":"r"}`)
	f.Fuzz(func(t *testing.T, document string) {
		obj := &unstructured.Unstructured{}
		if json.Unmarshal([]byte(document), &obj.Object) != nil {
			return
		}
		other := obj.DeepCopy()
		gitops.SetSyncWave(other, 1)
		require.Equal(t, gitops.CheckOrder(obj, other), gitops.CheckOrder(obj, other))
	})
}
