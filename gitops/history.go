package gitops

import (
	"slices"
	"time"

	"github.com/controlbackbone/backbone/internal/argoapp"
)

// HistoryEntry is one deployment that Argo CD remembers: a sync of all resources that succeeded. Syncs of selected
// resources and dry runs are not recorded. How many are kept is the Application's spec.revisionHistoryLimit (10 unless
// set).
type HistoryEntry struct {
	// ID identifies the entry within its Application.
	ID int64
	// Revisions that were deployed: one for each source.
	Revisions []string
	// Sources that were deployed, in Argo CD's own form: one for each source.
	Sources []map[string]any
	// Automated is true when Argo CD itself started the sync, otherwise InitiatedBy says who did.
	Automated   bool
	InitiatedBy string
	// StartedAt and DeployedAt are when the sync began and ended; precise to a second.
	StartedAt  time.Time
	DeployedAt time.Time
}

// historyOf returns the entries newest first; Argo CD appends.
func historyOf(app argoapp.Application) []HistoryEntry {
	var out []HistoryEntry
	for _, deployment := range slices.Backward(app.Status.History) {
		sources := deployment.Sources
		if len(sources) == 0 && len(deployment.Source) > 0 {
			sources = []map[string]any{deployment.Source}
		}
		out = append(out, HistoryEntry{
			ID:          deployment.ID,
			Revisions:   revisions(deployment.Revision, deployment.Revisions),
			Sources:     sources,
			Automated:   deployment.InitiatedBy.Automated,
			InitiatedBy: deployment.InitiatedBy.Username,
			StartedAt:   timeOf(deployment.DeployStartedAt),
			DeployedAt:  deployment.DeployedAt.Time,
		})
	}
	return out
}
