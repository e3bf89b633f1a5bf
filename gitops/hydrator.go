package gitops

import (
	"path"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// SourceHydrator renders manifests into a branch of a git repository, from which they are synced. Argo CD's hydrator
// must be installed.
type SourceHydrator struct {
	// DrySource of the manifests, to be rendered. Required.
	DrySource DrySource
	// SyncSource to sync the rendered manifests from. Required.
	SyncSource SyncSource
	// HydrateTo is the branch to which the rendered manifests are written, for somebody to move them on to that of the
	// SyncSource. Default: that one itself.
	HydrateTo string
}

// DrySource is where manifests come from that are rendered before they are synced.
type DrySource struct {
	// RepoURL of the git repository. Required.
	RepoURL string
	// Revision of the repository. Default: "HEAD".
	Revision string
	// Path of the folder, relative to the root of the repository. Required; "." is the root itself.
	Path string
	// Tool that renders the manifests, with its settings. Argo CD 3.3 and later only; before, and by default, Argo CD
	// detects it from the folder's content.
	Tool Tool
}

// SyncSource is where rendered manifests are.
type SyncSource struct {
	// RepoURL of the git repository. Default: that of the dry source. Argo CD 3.5 and later only.
	RepoURL string
	// TargetBranch of the repository. Required.
	TargetBranch string
	// Path of the folder, relative to the root of the repository, which it must not be. Required.
	Path string
}

func (h *SourceHydrator) validate(at *field.Path, texts texts) field.ErrorList {
	dry, sync := at.Child("drySource"), at.Child("syncSource")
	faults := validateRepoURL(dry.Child("repoURL"), h.DrySource.RepoURL, texts)
	faults = append(faults, texts.text(dry.Child("revision"), h.DrySource.Revision)...)
	faults = append(faults, requireFolder(dry.Child("path"), h.DrySource.Path, texts)...)
	faults = append(faults, validateTool(dry.Child("tool"), h.DrySource.Tool, texts)...)
	if h.SyncSource.RepoURL != "" {
		faults = append(faults, validateRepoURL(sync.Child("repoURL"), h.SyncSource.RepoURL, texts)...)
	}
	faults = append(faults, requireText(sync.Child("targetBranch"), h.SyncSource.TargetBranch, texts)...)
	faults = append(faults, requireFolder(sync.Child("path"), h.SyncSource.Path, texts)...)
	if h.SyncSource.Path != "" && path.Clean(h.SyncSource.Path) == "." {
		faults = append(faults, field.Invalid(sync.Child("path"), h.SyncSource.Path, "must not be the root of the repository"))
	}
	faults = append(faults, texts.text(at.Child("hydrateTo"), h.HydrateTo)...)
	return faults
}

func requireFolder(at *field.Path, folder string, texts texts) field.ErrorList {
	return append(requireText(at, folder, texts), validateInside(at, folder)...)
}

func (h *SourceHydrator) build() map[string]any {
	dry := map[string]any{
		"repoURL": h.DrySource.RepoURL, "targetRevision": orDefault(h.DrySource.Revision, "HEAD"), "path": h.DrySource.Path,
	}
	addTool(dry, h.DrySource.Tool)
	return object.Compact(map[string]any{
		"drySource": dry,
		"syncSource": object.Compact(map[string]any{
			"repoURL": h.SyncSource.RepoURL, "targetBranch": h.SyncSource.TargetBranch, "path": h.SyncSource.Path,
		}),
		"hydrateTo": object.Compact(map[string]any{"targetBranch": h.HydrateTo}),
	})
}
