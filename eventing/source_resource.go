package eventing

import (
	"regexp"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// Resource makes events of changes of Kubernetes objects. The event data is an
// object with "type" (ADD, UPDATE or DELETE), "body" (the object), "oldBody" (of
// an update), "group", "version" and "resource".
//
// A pod that starts makes an ADD of every object that is there; see AfterStart.
type Resource struct {
	// Group of the resource. Default: the core group.
	Group string
	// Version of the group. Required.
	Version string
	// Resource in the plural, for example "deployments". Required.
	Resource string
	// Namespace of the objects. Required, unless ClusterWide is set.
	Namespace string
	// ClusterWide watches every namespace, or objects without one.
	ClusterWide bool
	// Changes that make an event. At least one is required.
	Changes []Change
	// Prefix of the names of the objects. Default: all names.
	Prefix string
	// Labels select the objects, for example "app=shop,tier in (web,api)".
	// Default: all.
	Labels string
	// Fields must all match. Default: none.
	Fields []FieldPattern
	// CreatedBefore lets only objects through that were created at that time or
	// before. Default: all.
	CreatedBefore time.Time
	// AfterStart lets only changes through that happened after the pod started.
	AfterStart bool
	// Metadata is put into the data of every event, as "metadata".
	Metadata map[string]string
}

// Change of a Kubernetes object.
type Change string

// The changes of upstream.
const (
	Added   Change = "ADD"
	Updated Change = "UPDATE"
	Deleted Change = "DELETE"
)

var changes = []Change{Added, Updated, Deleted}

// FieldPattern is a condition on a text in an object. Upstream takes a number, a
// boolean, an object or a list for the empty text, and a missing field never
// matches.
type FieldPattern struct {
	// Path of the field in the syntax of github.com/tidwall/gjson, for example
	// "status.phase". Required.
	Path string
	// Pattern is a regular expression of Go's regexp package, found anywhere in the
	// text; anchor it with ^ and $ to match the whole text. Required.
	Pattern string
	// Not lets through what does not match.
	Not bool
}

func (r Resource) validateSource(path *field.Path) field.ErrorList {
	faults := object.Text(path.Child("group"), r.Group)
	faults = append(faults, object.RequiredText(path.Child("version"), r.Version)...)
	faults = append(faults, object.RequiredText(path.Child("resource"), r.Resource)...)
	switch {
	case !r.ClusterWide:
		faults = append(faults, object.Namespace(path.Child("namespace"), r.Namespace)...)
	case r.Namespace != "":
		faults = append(faults, field.Forbidden(path.Child("namespace"), "clusterWide is set"))
	}
	if len(r.Changes) == 0 {
		faults = append(faults, field.Required(path.Child("changes"), "at least one change is required"))
	}
	for i, change := range r.Changes {
		if change == "" {
			faults = append(faults, field.Required(path.Child("changes").Index(i), ""))
		}
		faults = append(faults, oneOf(path.Child("changes").Index(i), change, changes)...)
	}
	faults = append(faults, object.Text(path.Child("prefix"), r.Prefix)...)
	if _, err := labels.Parse(r.Labels); err != nil {
		faults = append(faults, field.Invalid(path.Child("labels"), r.Labels, err.Error()))
	}
	for i, pattern := range r.Fields {
		faults = append(faults, pattern.validate(path.Child("fields").Index(i))...)
	}
	return append(faults, validateExtras(path, r.Metadata, "")...)
}

func (f FieldPattern) validate(path *field.Path) field.ErrorList {
	return append(object.RequiredText(path.Child("path"), f.Path), validatePattern(path.Child("pattern"), f.Pattern)...)
}

// validatePattern checks a regular expression.
func validatePattern(path *field.Path, pattern string) field.ErrorList {
	if pattern == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	if _, err := regexp.Compile(pattern); err != nil {
		return field.ErrorList{field.Invalid(path, pattern, err.Error())}
	}
	return nil
}

func (r Resource) sourceKind() string         { return "resource" }
func (r Resource) sourceRoute() (route, bool) { return route{}, false }

func (r Resource) sourceSpec() map[string]any {
	return withExtras(map[string]any{}, r.Metadata, "", map[string]any{
		"group":      r.Group,
		"version":    r.Version,
		"resource":   r.Resource,
		"namespace":  r.Namespace,
		"eventTypes": r.Changes,
		"filter":     r.filter(),
	})
}

func (r Resource) filter() map[string]any {
	fields := make([]any, 0, len(r.Fields))
	for _, pattern := range r.Fields {
		// Upstream lets nothing through a field without an operation.
		// argo-events: filterFields in pkg/eventsources/sources/resource/start.go
		operation := "=="
		if pattern.Not {
			operation = "!="
		}
		fields = append(fields, map[string]any{"key": pattern.Path, "operation": operation, "value": pattern.Pattern})
	}
	filter := object.Compact(map[string]any{
		"prefix": r.Prefix, "labels": labelFilters(r.Labels), "fields": fields, "afterStart": r.AfterStart,
	})
	if !r.CreatedBefore.IsZero() {
		filter["createdBy"] = r.CreatedBefore.UTC().Format(time.RFC3339)
	}
	return filter
}

// labelFilters is upstream's form of a selector that Validate accepted.
func labelFilters(selector string) []any {
	parsed, err := labels.Parse(selector)
	if err != nil {
		return nil
	}
	requirements, _ := parsed.Requirements()
	filters := make([]any, 0, len(requirements))
	for _, requirement := range requirements {
		filters = append(filters, map[string]any{
			"key":       requirement.Key(),
			"operation": requirement.Operator(),
			"value":     strings.Join(requirement.Values().List(), ","),
		})
	}
	return filters
}

func (r Resource) sourcePermissions() []Permission {
	return []Permission{{
		Namespace: r.Namespace, ClusterWide: r.ClusterWide,
		Group: r.Group, Resource: r.Resource, Verbs: []string{"list", "watch"},
	}}
}
