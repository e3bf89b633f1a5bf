package secrets

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// ExternalSecret copies secrets of a store into a Kubernetes Secret of its
// namespace and keeps them current.
type ExternalSecret struct {
	// Name of the object. Required.
	Name string
	// Namespace of the object and of the Secret. Required.
	Namespace string
	// Labels and Annotations are put on the object, not on the Secret.
	Labels      map[string]string
	Annotations map[string]string
	// Store the secrets come from. Required.
	Store StoreRef
	// Data maps keys of the Secret to single values of the store. At least one of
	// Data and DataFrom is required.
	Data map[string]Remote
	// DataFrom adds several keys at once, in order: a later source replaces equal
	// keys of an earlier one, and Data replaces those of all.
	DataFrom []DataSource
	// Target says what becomes of the Secret.
	Target Target
	// RefreshPolicy says when the store is read again. Default: Periodic.
	RefreshPolicy RefreshPolicy
	// RefreshInterval is the time between two reads, with the policy Periodic
	// only. Default: 1h.
	RefreshInterval time.Duration
}

// StoreRef names a store.
type StoreRef struct {
	// Name of the store. Required.
	Name string
	// Cluster means a [ClusterSecretStore]. Default: a [SecretStore] in the
	// namespace of the ExternalSecret.
	Cluster bool
}

// Remote is a value in a store.
type Remote struct {
	// Key of the secret, for Vault its path below the mount. Required.
	Key string
	// Property within the secret. Default: the whole secret.
	Property string
	// Version of the secret. Default: the newest.
	Version string
}

// DataSource yields several keys of a Secret: [Extract] or [RawDataSource].
type DataSource interface {
	validateDataSource(path *field.Path) field.ErrorList
	dataSource() map[string]any
}

// Extract takes every property of one secret of the store.
type Extract struct {
	// Remote is the secret; a property selects an object within it.
	Remote Remote
}

// RawDataSource is a source as upstream defines it.
type RawDataSource struct {
	// Spec is an element of upstream's dataFrom, for example
	// {"find": {"name": {"regexp": "^db-"}}}. Required.
	Spec map[string]any
}

// RefreshPolicy says when a store is read again.
type RefreshPolicy string

const (
	// Periodic reads at the refresh interval and on every change of the object.
	Periodic RefreshPolicy = "Periodic"
	// OnChange reads only on a change of the object, its labels or annotations.
	OnChange RefreshPolicy = "OnChange"
	// CreatedOnce reads once and never again.
	CreatedOnce RefreshPolicy = "CreatedOnce"
)

var refreshPolicies = []RefreshPolicy{Periodic, OnChange, CreatedOnce}

// Validate reports every fault of the ExternalSecret.
func (e ExternalSecret) Validate() field.ErrorList {
	faults := validateNamespaced(e.meta())
	faults = append(faults, object.Name(field.NewPath("store", "name"), e.Store.Name)...)
	if len(e.Data) == 0 && len(e.DataFrom) == 0 {
		faults = append(faults, field.Required(field.NewPath("data"), "data or dataFrom"))
	}
	data := field.NewPath("data")
	for _, key := range slices.Sorted(maps.Keys(e.Data)) {
		faults = append(faults, validateKey(data.Key(key), key)...)
		faults = append(faults, e.Data[key].validate(data.Key(key))...)
	}
	for i, source := range e.DataFrom {
		at := field.NewPath("dataFrom").Index(i)
		if object.IsNil(source) {
			faults = append(faults, field.Required(at, "Extract or RawDataSource"))
			continue
		}
		faults = append(faults, source.validateDataSource(at)...)
	}
	faults = append(faults, e.Target.validate(field.NewPath("target"))...)
	return append(faults, e.validateRefresh()...)
}

func (e ExternalSecret) validateRefresh() field.ErrorList {
	var faults field.ErrorList
	if e.RefreshPolicy != "" && !slices.Contains(refreshPolicies, e.RefreshPolicy) {
		faults = append(faults, field.NotSupported(field.NewPath("refreshPolicy"), e.RefreshPolicy, refreshPolicies))
	}
	path := field.NewPath("refreshInterval")
	switch {
	case e.RefreshInterval < 0:
		faults = append(faults, field.Invalid(path, e.RefreshInterval.String(), "must not be negative"))
	case e.RefreshInterval > 0 && !e.periodic():
		faults = append(faults, field.Forbidden(path, "upstream ignores it unless refreshPolicy is Periodic"))
	}
	return faults
}

func (e ExternalSecret) periodic() bool {
	return cmp.Or(e.RefreshPolicy, Periodic) == Periodic
}

// Build returns the ExternalSecret object. A fault is an Invalid API error.
func (e ExternalSecret) Build() (*unstructured.Unstructured, error) {
	return build(externalSecretKind, e.meta(), e.Validate(), e.spec)
}

func (e ExternalSecret) spec() map[string]any {
	sources := make([]any, 0, len(e.DataFrom))
	for _, source := range e.DataFrom {
		sources = append(sources, source.dataSource())
	}
	spec := object.Compact(map[string]any{
		"secretStoreRef": e.Store.reference(),
		"target":         e.Target.spec(),
		"data":           e.data(),
		"dataFrom":       sources,
		"refreshPolicy":  e.RefreshPolicy,
	})
	if e.periodic() {
		spec["refreshInterval"] = cmp.Or(e.RefreshInterval, time.Hour).String()
	}
	return spec
}

func (e ExternalSecret) data() []any {
	entries := make([]any, 0, len(e.Data))
	for _, key := range slices.Sorted(maps.Keys(e.Data)) {
		entries = append(entries, map[string]any{"secretKey": key, "remoteRef": e.Data[key].reference()})
	}
	return entries
}

func (e ExternalSecret) meta() object.Meta {
	return object.Meta{Name: e.Name, Namespace: e.Namespace, Labels: e.Labels, Annotations: e.Annotations}
}

func (s StoreRef) reference() map[string]any {
	kind := secretStoreKind
	if s.Cluster {
		kind = clusterSecretStoreKind
	}
	return map[string]any{"name": s.Name, "kind": kind}
}

func (r Remote) validate(path *field.Path) field.ErrorList {
	faults := object.RequiredText(path.Child("key"), r.Key)
	faults = append(faults, object.Text(path.Child("property"), r.Property)...)
	return append(faults, object.Text(path.Child("version"), r.Version)...)
}

func (r Remote) reference() map[string]any {
	return object.Compact(map[string]any{"key": r.Key, "property": r.Property, "version": r.Version})
}

func (e Extract) validateDataSource(path *field.Path) field.ErrorList {
	return e.Remote.validate(path.Child("remote"))
}

func (e Extract) dataSource() map[string]any {
	return map[string]any{"extract": e.Remote.reference()}
}

func (r RawDataSource) validateDataSource(path *field.Path) field.ErrorList {
	return object.RequiredFragment(path.Child("spec"), r.Spec)
}

func (r RawDataSource) dataSource() map[string]any { return r.Spec }
