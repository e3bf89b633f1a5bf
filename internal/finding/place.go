package finding

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Report collects the findings of a check.
type Report struct {
	// Shape is the rule that a field breaks which is not of the type that it must be.
	Shape    Rule
	Findings []Finding
}

// Root returns the whole of an object as a place.
func (r *Report) Root(obj *unstructured.Unstructured) Place {
	return Place{report: r, object: NameOf(obj), value: obj.Object}
}

// Sorted returns the findings in their order, each once.
func (r *Report) Sorted() []Finding {
	Sort(r.Findings)
	return slices.Compact(r.Findings)
}

// NameOf returns "Kind namespace/name", or "Kind name" for an object without a namespace.
func NameOf(obj *unstructured.Unstructured) string {
	if namespace := obj.GetNamespace(); namespace != "" {
		return obj.GetKind() + " " + namespace + "/" + obj.GetName()
	}
	return obj.GetKind() + " " + obj.GetName()
}

// Place is a field of an object that anybody may have written. Reading it as something that it is not is a finding.
type Place struct {
	report *Report
	object string
	path   string
	value  any
}

// Object returns the name of the object that the field is in.
func (p Place) Object() string { return p.object }

// Path returns the field's path in the object, such as "spec.rules[0].name".
func (p Place) Path() string { return p.path }

// Value returns what is there, nil if nothing is.
func (p Place) Value() any { return p.value }

// Present reports whether the field is there, if only as an empty object.
func (p Place) Present() bool { return p.value != nil }

// Empty reports whether the field is not there, or is an empty text, list or object.
func (p Place) Empty() bool {
	switch value := p.value.(type) {
	case nil:
		return true
	case string:
		return value == ""
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	default:
		return false
	}
}

// Child returns the field below the names.
func (p Place) Child(names ...string) Place {
	for _, name := range names {
		fields := p.fields()
		p.value, p.path = fields[name], strings.TrimPrefix(p.path+"."+name, ".")
	}
	return p
}

// Key is Child for a key that is no field name.
func (p Place) Key(key string) Place {
	fields := p.fields()
	p.value, p.path = fields[key], p.path+"["+key+"]"
	return p
}

// Keys returns those of an object, sorted.
func (p Place) Keys() []string { return slices.Sorted(maps.Keys(p.fields())) }

func (p Place) fields() map[string]any {
	fields, ok := p.value.(map[string]any)
	if !ok && p.value != nil {
		p.mismatch("an object")
	}
	return fields
}

// Items returns those of a list.
func (p Place) Items() []Place {
	items, ok := p.value.([]any)
	if !ok && p.value != nil {
		p.mismatch("a list")
	}
	out := make([]Place, len(items))
	for i, item := range items {
		out[i] = p
		out[i].value, out[i].path = item, fmt.Sprintf("%s[%d]", p.path, i)
	}
	return out
}

// Text returns a string.
func (p Place) Text() string {
	text, ok := p.value.(string)
	if !ok && p.value != nil {
		p.mismatch("a string")
	}
	return text
}

// Texts returns the strings of a list.
func (p Place) Texts() []string {
	var out []string
	for _, item := range p.Items() {
		out = append(out, item.Text())
	}
	return out
}

// Flag returns a boolean, or otherwise if the field is not there.
func (p Place) Flag(otherwise bool) bool {
	if p.value == nil {
		return otherwise
	}
	flag, ok := p.value.(bool)
	if !ok {
		p.mismatch("a boolean")
		return otherwise
	}
	return flag
}

// Walk visits the field and everything below it, in order.
func (p Place) Walk(visit func(Place)) {
	visit(p)
	switch p.value.(type) {
	case map[string]any:
		for _, key := range p.Keys() {
			p.Child(key).Walk(visit)
		}
	case []any:
		for _, item := range p.Items() {
			item.Walk(visit)
		}
	}
}

func (p Place) mismatch(want string) {
	got := "a number"
	switch p.value.(type) {
	case string:
		got = "a string"
	case bool:
		got = "a boolean"
	case []any:
		got = "a list"
	case map[string]any:
		got = "an object"
	}
	p.Report(p.report.Shape, "it is %s, and must be %s", got, want)
}

// Report adds a finding at the field.
func (p Place) Report(rule Rule, format string, arguments ...any) {
	p.report.Findings = append(p.report.Findings, rule.At(p.object, p.path, fmt.Sprintf(format, arguments...)))
}
