package gitops

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// SyncPolicy says how a destination follows its sources. The zero value is the platform's convention: automated sync
// that prunes and heals, server-side apply, only out-of-sync resources applied, five retries.
type SyncPolicy struct {
	// Manual switches automated sync off. Default: false.
	Manual bool
	// DisablePrune keeps resources that have left the sources. Default: false, they are deleted.
	DisablePrune bool
	// DisableSelfHeal leaves changes alone that were made in the cluster. Default: false, they are undone.
	DisableSelfHeal bool
	// AllowEmpty lets an automated sync delete everything when the sources render nothing. Default: false.
	AllowEmpty bool

	// CreateNamespace creates the destination's namespace when it is missing. Default: false.
	CreateNamespace bool
	// NamespaceLabels and NamespaceAnnotations are kept on that namespace. Only with CreateNamespace.
	NamespaceLabels      map[string]string
	NamespaceAnnotations map[string]string

	// Options are further sync options in Argo CD's form "Key=value"; they win over the defaults ServerSideApply=true
	// and ApplyOutOfSyncOnly=true.
	Options []string
	// Retry of failed syncs. Default: 5 times, after 5 s, 10 s, 20 s... and at most 3 min; &Retry{} never retries.
	Retry *Retry
}

// Retry says how often and when a failed sync is tried again.
type Retry struct {
	// Limit is the number of retries: 0 means none, a negative number means no limit.
	Limit int64
	// Backoff is the first pause. Default: 5 s.
	Backoff time.Duration
	// Factor by which each pause grows. Default: 2.
	Factor int64
	// MaxBackoff bounds the pause. Default: 3 min.
	MaxBackoff time.Duration
	// Refresh retries with the newest revision instead of the one that failed. Default: false. Argo CD 3.2 and later
	// only.
	Refresh bool
}

// Argo CD's own defaults are the same; they are written out because they are part of the convention.
var defaultRetry = Retry{Limit: 5, Backoff: 5 * time.Second, Factor: 2, MaxBackoff: 3 * time.Minute}

func (s SyncPolicy) validate(path *field.Path, texts texts) field.ErrorList {
	var faults field.ErrorList
	const unautomated = "has no meaning with manual sync"
	if s.Manual && s.DisablePrune {
		faults = append(faults, field.Forbidden(path.Child("disablePrune"), unautomated))
	}
	if s.Manual && s.DisableSelfHeal {
		faults = append(faults, field.Forbidden(path.Child("disableSelfHeal"), unautomated))
	}
	if s.Manual && s.AllowEmpty {
		faults = append(faults, field.Forbidden(path.Child("allowEmpty"), unautomated))
	}
	if s.AllowEmpty && s.DisablePrune {
		faults = append(faults, field.Forbidden(path.Child("allowEmpty"), "has no meaning without prune"))
	}
	if !s.CreateNamespace {
		if len(s.NamespaceLabels) > 0 {
			faults = append(faults, field.Forbidden(path.Child("namespaceLabels"), "Argo CD sets them only with createNamespace"))
		}
		if len(s.NamespaceAnnotations) > 0 {
			faults = append(faults, field.Forbidden(path.Child("namespaceAnnotations"), "Argo CD sets them only with createNamespace"))
		}
	}
	faults = append(faults, texts.labels(path.Child("namespaceLabels"), s.NamespaceLabels)...)
	faults = append(faults, texts.annotations(path.Child("namespaceAnnotations"), s.NamespaceAnnotations)...)
	faults = append(faults, s.validateOptions(path.Child("options"), texts)...)
	if s.Retry != nil {
		faults = append(faults, s.Retry.validate(path.Child("retry"))...)
	}
	return faults
}

func (s SyncPolicy) validateOptions(path *field.Path, texts texts) field.ErrorList {
	var faults field.ErrorList
	seen := map[string]bool{}
	for i, option := range s.Options {
		faults = append(faults, texts.text(path.Index(i), option)...)
		key, value, found := strings.Cut(option, "=")
		switch {
		case !found || key == "" || value == "":
			faults = append(faults, field.Invalid(path.Index(i), option, `must have the form "Key=value"`))
		case seen[key]:
			faults = append(faults, field.Duplicate(path.Index(i), key))
		case key == "CreateNamespace":
			faults = append(faults, field.Forbidden(path.Index(i), "use the field createNamespace"))
		}
		seen[key] = true
	}
	return faults
}

func (r Retry) validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	if r.Backoff < 0 {
		faults = append(faults, field.Invalid(path.Child("backoff"), r.Backoff.String(), "must not be negative"))
	}
	if r.Factor < 0 {
		faults = append(faults, field.Invalid(path.Child("factor"), r.Factor, "must not be negative"))
	}
	if r.MaxBackoff < 0 {
		faults = append(faults, field.Invalid(path.Child("maxBackoff"), r.MaxBackoff.String(), "must not be negative"))
	}
	return faults
}

func (s SyncPolicy) build(ignoresDifferences bool) map[string]any {
	out := object.Compact(map[string]any{
		"syncOptions": s.options(ignoresDifferences),
		"managedNamespaceMetadata": object.Compact(map[string]any{
			"labels":      s.NamespaceLabels,
			"annotations": s.NamespaceAnnotations,
		}),
	})
	if !s.Manual {
		out["automated"] = object.Compact(map[string]any{
			"prune":      !s.DisablePrune,
			"selfHeal":   !s.DisableSelfHeal,
			"allowEmpty": s.AllowEmpty,
		})
	}
	retry := defaultRetry
	if s.Retry != nil {
		retry = *s.Retry
	}
	out["retry"] = retry.build()
	return out
}

func (s SyncPolicy) options(ignoresDifferences bool) []string {
	defaults := []string{"ServerSideApply=true", "ApplyOutOfSyncOnly=true"}
	if ignoresDifferences {
		defaults = append(defaults, "RespectIgnoreDifferences=true")
	}
	if s.CreateNamespace {
		defaults = append(defaults, "CreateNamespace=true")
	}
	overridden := func(option string) bool {
		key, _, _ := strings.Cut(option, "=")
		return slices.ContainsFunc(s.Options, func(own string) bool { return strings.HasPrefix(own, key+"=") })
	}
	return append(slices.DeleteFunc(defaults, overridden), s.Options...)
}

func (r Retry) build() map[string]any {
	if r.Limit == 0 {
		return map[string]any{}
	}
	if r.Backoff == 0 {
		r.Backoff = defaultRetry.Backoff
	}
	if r.Factor == 0 {
		r.Factor = defaultRetry.Factor
	}
	if r.MaxBackoff == 0 {
		r.MaxBackoff = defaultRetry.MaxBackoff
	}
	return object.Compact(map[string]any{
		"limit":   r.Limit,
		"backoff": map[string]any{"duration": r.Backoff.String(), "factor": r.Factor, "maxDuration": r.MaxBackoff.String()},
		"refresh": r.Refresh,
	})
}
