package gitops

import "github.com/controlbackbone/backbone/internal/finding"

// Rules for Applications and for what the template of an ApplicationSet makes.
var (
	ruleShape = finding.Rule{
		Code: "GITOPS001", Severity: finding.Error,
		Summary: "A field has another type than Argo CD expects: the API server or the controller rejects the " +
			"object.",
		Fix:    "write the field with the type of the CustomResourceDefinition",
		Source: "argo-cd: pkg/apis/application/v1alpha1/types.go",
	}
	ruleUnknownProject = finding.Rule{
		Code: "GITOPS002", Severity: finding.Error,
		Summary: "An Application belongs to an AppProject that does not exist: Argo CD neither compares nor syncs " +
			"it.",
		Fix:    "correct the project's name, or add the AppProject",
		Source: "argo-cd: util/argo/argo.go, GetAppProject",
	}
	ruleSourceNamespace = finding.Rule{
		Code: "GITOPS003", Severity: finding.Error,
		Summary: "An Application is in a namespace from which its AppProject takes none.",
		Fix:     "move the Application, or add the namespace to the AppProject's sourceNamespaces",
		Source:  "argo-cd: pkg/apis/application/v1alpha1/app_project_types.go, IsAppNamespacePermitted",
	}
	ruleSourceRepo = finding.Rule{
		Code: "GITOPS004", Severity: finding.Error,
		Summary: "An Application's source is outside of what its AppProject permits.",
		Fix: "permit the repository in the AppProject's sourceRepos, and mind that a pattern's * does not " +
			"match a slash",
		Source: "argo-cd: pkg/apis/application/v1alpha1/app_project_types.go, IsSourcePermitted",
	}
	ruleDestinationProject = finding.Rule{
		Code: "GITOPS005", Severity: finding.Error,
		Summary: "An Application's destination is outside of what its AppProject permits.",
		Fix: "permit the cluster and namespace in the AppProject's destinations, and mind that a pattern with ! " +
			"denies what it names although others permit it",
		Source: "argo-cd: pkg/apis/application/v1alpha1/app_project_types.go, IsDestinationPermitted",
	}
	ruleDestination = finding.Rule{
		Code: "GITOPS006", Severity: finding.Error,
		Summary: "A destination must have either a server or a name.",
		Fix:     "set the cluster's server or its name, not both",
		Source:  "argo-cd: util/argo/argo.go, ValidateDestination",
	}
	ruleSource = finding.Rule{
		Code: "GITOPS007", Severity: finding.Error,
		Summary: "A source lacks what Argo CD needs to find its manifests.",
		Fix:     "set repoURL, and one of path, chart (with targetRevision) and, among several sources, ref",
		Source:  "argo-cd: util/argo/argo.go, ValidatePermissions and GetRefSources",
	}
	ruleIgnoredSource = finding.Rule{
		Code: "GITOPS008", Severity: finding.Error,
		Summary: "A source is ignored because another field wins: sourceHydrator over sources, and sources over " +
			"source.",
		Fix:    "keep one of the three fields",
		Source: "argo-cd: pkg/apis/application/v1alpha1/types.go, GetSource and GetSources",
	}
	rulePath = finding.Rule{
		Code: "GITOPS009", Severity: finding.Error,
		Summary: "A source's path is not inside of its repository.",
		Fix:     "write the path relative to the repository's root",
		Source:  "argo-cd: util/app/path/path.go",
	}
	ruleDuplicateName = finding.Rule{
		Code: "GITOPS010", Severity: finding.Error,
		Summary: "Two Applications of a namespace have the same name: one overwrites the other, or is never made.",
		Fix:     "give every Application a name of its own",
		Source:  "argo-cd: applicationset/controllers/applicationset_controller.go, validateGeneratedApplications",
	}
	ruleReplace = finding.Rule{
		Code: "GITOPS016", Severity: finding.Error,
		Summary: "Replace=true wins over ServerSideApply=true: nothing is applied by the server, and fields of " +
			"others are lost.",
		Fix:    "remove one of the two options",
		Source: "argo-cd: docs/user-guide/sync-options.md; gitops-engine: pkg/sync/sync_context.go, applyObject",
	}
	ruleApplicationSyncOption = finding.Rule{
		Code: "GITOPS017", Severity: finding.Error,
		Summary: "An Application has a sync option that Argo CD does not read there, and ignores.",
		Fix: "write a sync option of Applications; Force=true and other options of single objects belong into " +
			"their annotation",
		Source: "argo-cd: controller/sync.go",
	}
	ruleNamespaceMetadata = finding.Rule{
		Code: "GITOPS018", Severity: finding.Error,
		Summary: "An Application's managedNamespaceMetadata is ignored unless Argo CD creates the namespace.",
		Fix:     "add the sync option CreateNamespace=true, or remove managedNamespaceMetadata",
		Source:  "argo-cd: controller/sync.go",
	}
	ruleIgnoredKind = finding.Rule{
		Code: "GITOPS019", Severity: finding.Error,
		Summary: "An entry of ignoreDifferences matches no object, because its group or kind is not as Argo CD " +
			"compares it.",
		Fix:    "write the group without the version (empty for the core group), and the kind",
		Source: "argo-cd: util/argo/normalizers/diff_normalizer.go",
	}
	ruleIgnoredNothing = finding.Rule{
		Code: "GITOPS020", Severity: finding.Error,
		Summary: "An entry of ignoreDifferences selects no fields, and has no effect.",
		Fix:     "add jsonPointers, jqPathExpressions or managedFieldsManagers, or remove the entry",
		Source:  "argo-cd: util/argo/normalizers/diff_normalizer.go",
	}
	ruleJQ = finding.Rule{
		Code: "GITOPS021", Severity: finding.Error,
		Summary: "A jq path expression does not compile: Argo CD cannot compare the Application.",
		Fix:     "correct the expression, which must select the paths to delete",
		Source:  "argo-cd: util/argo/normalizers/diff_normalizer.go",
	}
	ruleJSONPointer = finding.Rule{
		Code: "GITOPS022", Severity: finding.Error,
		Summary: "A JSON pointer selects nothing.",
		Fix:     "begin it with a slash, and write ~1 for a slash and ~0 for a tilde inside of a key",
		Source:  "argo-cd: util/argo/normalizers/diff_normalizer.go; RFC 6901",
	}
	ruleRespect = finding.Rule{
		Code: "GITOPS023", Severity: finding.Warning,
		Summary: "Fields that are no difference in the comparison are still overwritten with the next sync.",
		Fix:     "add the sync option RespectIgnoreDifferences=true",
		Source:  "argo-cd: controller/sync.go; docs/user-guide/sync-options.md",
	}
	ruleRollback = finding.Rule{
		Code: "GITOPS024", Severity: finding.Error,
		Summary: "An Application is rolled back while automated sync is on: Argo CD syncs to the newest revision " +
			"again.",
		Fix: "suspend the automation until the rollback is over, or remove the annotation " +
			"gitops.backbone.dev/rollback",
		Source: "argo-cd: controller/appcontroller.go, autoSync",
	}
	ruleApplicationWave = finding.Rule{
		Code: "GITOPS025", Severity: finding.Warning,
		Summary: "Applications have different sync waves, and Argo CD does not wait for one wave before the next: " +
			"it assesses the health of Applications only when told how.",
		Fix:    "add resource.customizations.health.argoproj.io_Application to argocd-cm",
		Source: "argo-cd: docs/operator-manual/health.md",
	}
	ruleFinalizer = finding.Rule{
		Code: "GITOPS029", Severity: finding.Error,
		Summary: "An object has a finalizer of Argo CD's domain that Argo CD does not know: nothing removes it, " +
			"and the object is never deleted.",
		Fix:    "write resources-finalizer.argocd.argoproj.io, or remove the finalizer",
		Source: "argo-cd: pkg/apis/application/v1alpha1/application_defaults.go",
	}
)
