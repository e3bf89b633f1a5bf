package argoapp

import "cmp"

// Spec is the part of the declaration that decides whether and to what an Application may be synced.
type Spec struct {
	Project     string      `json:"project"`
	Source      *Source     `json:"source"`
	Sources     []Source    `json:"sources"`
	Destination Destination `json:"destination"`
	SyncPolicy  *SyncPolicy `json:"syncPolicy"`
	// Hydrator is set when Argo CD renders the manifests into another branch, which the Application then follows.
	Hydrator *Hydrator `json:"sourceHydrator"`
}

// Source is the revision of a source that the Application follows.
type Source struct {
	TargetRevision string `json:"targetRevision"`
}

// Hydrator names the branch of the rendered manifests.
type Hydrator struct {
	SyncSource SyncSource `json:"syncSource"`
}

// SyncSource is where the rendered manifests are.
type SyncSource struct {
	TargetBranch string `json:"targetBranch"`
}

// Destination is where an Application deploys to.
type Destination struct {
	Server    string `json:"server"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

// SyncPolicy is the part of the sync policy that says whether Argo CD syncs on its own.
type SyncPolicy struct {
	Automated *Automated `json:"automated"`
}

// Automated is the automation of syncs; since Argo CD 3.1 it can be present and switched off.
type Automated struct {
	Enabled *bool `json:"enabled"`
}

// ProjectName returns the project that the Application belongs to; without one it is Argo CD's project "default".
func (s Spec) ProjectName() string {
	if s.Project == "" {
		return "default"
	}
	return s.Project
}

// IsMultiSource reports whether the Application declares a list of sources, even a list of one, as Argo CD distinguishes
// (argo-cd: pkg/apis/application/v1alpha1/types.go, HasMultipleSources).
func (s Spec) IsMultiSource() bool { return s.Hydrator == nil && len(s.Sources) > 0 }

// FollowedRevisions returns the revision that the Application follows, for each of its sources; what is not declared is
// HEAD.
func (s Spec) FollowedRevisions() []string {
	sources := s.Sources
	switch {
	case s.Hydrator != nil:
		sources = []Source{{TargetRevision: s.Hydrator.SyncSource.TargetBranch}}
	case len(sources) == 0 && s.Source != nil:
		sources = []Source{*s.Source}
	}
	revisions := make([]string, len(sources))
	for i, source := range sources {
		revisions[i] = cmp.Or(source.TargetRevision, "HEAD")
	}
	return revisions
}

// IsAutomated reports whether Argo CD syncs the Application on its own.
func (s Spec) IsAutomated() bool {
	if s.SyncPolicy == nil || s.SyncPolicy.Automated == nil {
		return false
	}
	enabled := s.SyncPolicy.Automated.Enabled
	return enabled == nil || *enabled
}

// OwningApplicationSet returns the name of the ApplicationSet that controls the Application, or "".
func (m Metadata) OwningApplicationSet() string {
	for _, owner := range m.OwnerReferences {
		if owner.Kind == "ApplicationSet" && owner.Controller != nil && *owner.Controller {
			return owner.Name
		}
	}
	return ""
}
