package gitops

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// applicationSyncOptions are the keys that Argo CD reads in syncPolicy.syncOptions, and their values. Prune, Delete,
// SkipDryRunOnMissingResource and ClientSideApplyMigration are read there since Argo CD 3.
// argo-cd: controller/sync.go, controller/state.go, controller/appcontroller.go
var applicationSyncOptions = map[string][]string{
	"ApplyOutOfSyncOnly":          booleans,
	"ClientSideApplyMigration":    booleans,
	"CreateNamespace":             booleans,
	"Delete":                      {"true", "false", "confirm"},
	"FailOnSharedResource":        booleans,
	"Prune":                       {"true", "false", "confirm"},
	"PruneLast":                   booleans,
	"PrunePropagationPolicy":      {"background", "foreground", "orphan"},
	"Replace":                     booleans,
	"RespectIgnoreDifferences":    booleans,
	"ServerSideApply":             booleans,
	"SkipDryRunOnMissingResource": booleans,
	"Validate":                    booleans,
}

var booleans = []string{"true", "false"}

func checkSyncPolicy(app application) {
	policy := app.spec.child("syncPolicy")
	options := policy.child("syncOptions")
	has := map[string]node{}
	unknown := false
	for _, item := range options.items() {
		option, known := app.literal(item)
		if !known {
			unknown = true
			continue
		}
		has[option] = item
		checkSyncOption(item, option)
	}
	_, replaces := has["Replace=true"]
	if at, applies := has["ServerSideApply=true"]; applies && replaces {
		at.report(ruleReplace, "Replace=true wins")
	}
	if _, creates := has["CreateNamespace=true"]; !creates && !unknown && policy.child("managedNamespaceMetadata").exists() {
		policy.child("managedNamespaceMetadata").report(ruleNamespaceMetadata, "the sync options lack CreateNamespace=true")
	}
	_, serverSide := has["ServerSideApply=true"]
	_, respects := has["RespectIgnoreDifferences=true"]
	rewritten := !respects && !unknown && (serverSide || isAutomated(app))
	if ignored := app.spec.child("ignoreDifferences"); ignored.exists() && rewritten {
		ignored.report(ruleRespect, "the sync options lack RespectIgnoreDifferences=true")
	}
}

func checkSyncOption(at node, option string) {
	key, value, _ := strings.Cut(option, "=")
	values, known := applicationSyncOptions[key]
	switch {
	case !known:
		at.report(ruleApplicationSyncOption, "Argo CD reads no sync option %q on an Application; it knows %s", key,
			strings.Join(keys(applicationSyncOptions), ", "))
	case !slices.Contains(values, value):
		at.report(ruleApplicationSyncOption, "the value of %s must be %s, without blanks", key,
			strings.Join(values, " or "))
	}
}

// isAutomated reports whether Argo CD syncs on its own; since 3.1 the automation can be present and off.
func isAutomated(app application) bool {
	automated := app.spec.child("syncPolicy", "automated")
	return automated.present() && (!automated.child("enabled").present() || automated.child("enabled").flag())
}

func checkRollback(obj *unstructured.Unstructured, app application) {
	if _, found := obj.GetAnnotations()[RollbackAnnotation]; !found || !isAutomated(app) {
		return
	}
	// A rollback that cannot be read has not been undone either.
	record, err := rollbackRecordOf(obj)
	if err == nil && record.Phase == RollbackRestoring {
		return
	}
	app.spec.child("syncPolicy", "automated").report(ruleRollback, "the Application is rolled back")
}

// checkReplacedObject checks the sync options of a single object.
func (c *checker) checkReplacedObject(obj *unstructured.Unstructured) {
	// What cannot be read is reported by the check of the order.
	options, _ := SyncOptions(obj)
	if slices.Contains(options, OptionReplace) && slices.Contains(options, OptionServerSideApply) {
		c.root(obj).child("metadata", "annotations").key(syncOptionsAnnotation).report(ruleReplace, "Replace=true wins")
	}
}
