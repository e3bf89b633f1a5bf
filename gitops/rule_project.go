package gitops

import "github.com/controlbackbone/backbone/internal/finding"

// Rules for AppProjects.
var (
	ruleProject = finding.Rule{
		Code: "GITOPS040", Severity: finding.Error,
		Summary: "A part of an AppProject is one that Argo CD's API rejects.",
		Fix:     "correct it as the message says",
		Source:  "argo-cd: pkg/apis/application/v1alpha1/app_project_types.go, ValidateProject",
	}
	ruleProjectDuplicate = finding.Rule{
		Code: "GITOPS041", Severity: finding.Warning,
		Summary: "An AppProject has an entry twice: Argo CD's API then rejects every change of the project. Of " +
			"sync windows, Argo CD 2.14 compares kind, schedule and duration alone.",
		Fix:    "remove one of the two",
		Source: "argo-cd: pkg/apis/application/v1alpha1/app_project_types.go, ValidateProject",
	}
	ruleTimeZone = finding.Rule{
		Code: "GITOPS042", Severity: finding.Error,
		Summary: "A sync window's time zone does not exist: Argo CD uses UTC.",
		Fix:     "write a name of the IANA time zone database, such as Europe/Berlin",
		Source:  "argo-cd: pkg/apis/application/v1alpha1/types.go, SyncWindow.Validate",
	}
	ruleDeniedKind = finding.Rule{
		Code: "GITOPS044", Severity: finding.Error,
		Summary: "An Application deploys a resource of a kind that its AppProject does not permit: the sync fails.",
		Fix:     "permit the kind in the AppProject, or remove the resource",
		Source:  "argo-cd: pkg/apis/application/v1alpha1/app_project_types.go, IsGroupKindPermitted; controller/sync.go",
	}
	ruleDeniedNamespace = finding.Rule{
		Code: "GITOPS045", Severity: finding.Error,
		Summary: "An Application deploys a resource into a namespace that its AppProject does not permit: the sync fails.",
		Fix:     "add the namespace to the AppProject's destinations, or move the resource",
		Source:  "argo-cd: pkg/apis/application/v1alpha1/app_project_types.go, IsDestinationPermitted; controller/sync.go",
	}
)
