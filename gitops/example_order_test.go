package gitops_test

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/gitops"
)

// A database migration runs before everything else, and the account it runs under comes with everything else.
func ExampleCheckOrder() {
	account := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ServiceAccount",
		"metadata": map[string]any{"name": "migrator", "namespace": "shop"},
	}}
	job := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "batch/v1", "kind": "Job",
		"metadata": map[string]any{"name": "migrate", "namespace": "shop"},
		"spec":     map[string]any{"template": map[string]any{"spec": map[string]any{"serviceAccountName": "migrator"}}},
	}}
	hook := gitops.Hook{Phases: []gitops.HookPhase{gitops.PreSync}}
	if err := gitops.SetHook(job, hook); err != nil {
		fmt.Println(err)
		return
	}
	for _, finding := range gitops.CheckOrder(job, account) {
		fmt.Println(finding.Code, finding.Object, finding.Path)
		fmt.Println(finding.Message)
	}

	if err := gitops.SetHook(account, hook); err != nil {
		fmt.Println(err)
		return
	}
	gitops.SetSyncWave(account, -1)
	fmt.Println(len(gitops.CheckOrder(job, account)), "findings")
	for _, step := range gitops.SyncOrder(job, account) {
		fmt.Println(step, step.Objects[0].GetKind())
	}
	// Output:
	// GITOPS107 Job shop/migrate spec.template.spec.serviceAccountName
	// it is applied in PreSync wave 0, and ServiceAccount shop/migrator only in Sync wave 0
	// 0 findings
	// PreSync wave -1 ServiceAccount
	// PreSync wave 0 Job
}

func ExampleSetSyncOptions() {
	volume := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{
		Name:        "data",
		Annotations: map[string]string{"argocd.argoproj.io/sync-options": "Prune=confirm,ServerSideApply=true"},
	}}
	if err := gitops.SetSyncOptions(volume, gitops.OptionNoPrune, gitops.OptionNoDelete); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(volume.Annotations["argocd.argoproj.io/sync-options"])
	// Output: ServerSideApply=true,Prune=false,Delete=false
}
