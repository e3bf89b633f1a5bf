package gitops

import (
	"fmt"
	"strings"
)

// node is a field of an object that anybody may have written. Reading it as something that it is not is a finding. It
// has several layers where Argo CD merges one template over another; each layer has a path of its own, so that a finding
// names the field that counts.
type node struct {
	checker *checker
	object  string
	layers  []layer
}

// layer is a value and where it is; an earlier layer wins unless its value is the zero value of its type.
type layer struct {
	value any
	path  string
}

func (n node) top() layer {
	for _, l := range n.layers {
		if !isZero(l.value) {
			return l
		}
	}
	return n.layers[len(n.layers)-1]
}

// at returns the node of one layer.
func (n node) at(l layer) node { return node{checker: n.checker, object: n.object, layers: []layer{l}} }

// over merges a node over another.
func (n node) over(base node) node {
	n.layers = append(append([]layer{}, n.layers...), base.layers...)
	return n
}

func isZero(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case string:
		return value == ""
	case bool:
		return !value
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	default:
		return false
	}
}

// exists reports whether the field is there, and not the zero value of its type.
func (n node) exists() bool { return !isZero(n.top().value) }

// present reports whether the field is there, if only as an empty object.
func (n node) present() bool {
	for _, l := range n.layers {
		if l.value != nil {
			return true
		}
	}
	return false
}

func (n node) child(names ...string) node {
	for _, name := range names {
		next := make([]layer, len(n.layers))
		for i, l := range n.layers {
			fields, ok := l.value.(map[string]any)
			if !ok && l.value != nil {
				n.mismatch(l, "an object")
			}
			next[i] = layer{value: fields[name], path: strings.TrimPrefix(l.path+"."+name, ".")}
		}
		n.layers = next
	}
	return n
}

// key is child for keys that are no field names.
func (n node) key(key string) node {
	out := n.child(key)
	for i, l := range n.layers {
		out.layers[i].path = l.path + "[" + key + "]"
	}
	return out
}

// keys returns those of an object, sorted.
func (n node) keys() []string {
	all := map[string]bool{}
	for _, l := range n.layers {
		fields, ok := l.value.(map[string]any)
		if !ok && l.value != nil {
			n.mismatch(l, "an object")
		}
		for key := range fields {
			all[key] = true
		}
	}
	return keys(all)
}

func (n node) items() []node {
	top := n.top()
	items, ok := top.value.([]any)
	if !ok && top.value != nil {
		n.mismatch(top, "a list")
	}
	out := make([]node, len(items))
	for i, item := range items {
		out[i] = n.at(layer{value: item, path: fmt.Sprintf("%s[%d]", top.path, i)})
	}
	return out
}

func (n node) text() string {
	top := n.top()
	text, ok := top.value.(string)
	if !ok && top.value != nil {
		n.mismatch(top, "a string")
	}
	return text
}

func (n node) texts() []string {
	var out []string
	for _, item := range n.items() {
		out = append(out, item.text())
	}
	return out
}

func (n node) flag() bool {
	top := n.top()
	flag, ok := top.value.(bool)
	if !ok && top.value != nil {
		n.mismatch(top, "a boolean")
	}
	return flag
}

func (n node) mismatch(l layer, want string) {
	got := "null"
	switch l.value.(type) {
	case nil:
	case string:
		got = "a string"
	case bool:
		got = "a boolean"
	case []any:
		got = "a list"
	case map[string]any:
		got = "an object"
	default:
		got = "a number"
	}
	n.at(l).report(ruleShape, "it is %s, and must be %s", got, want)
}

func (n node) report(rule Rule, format string, arguments ...any) {
	n.checker.findings = append(n.checker.findings, rule.At(n.object, n.top().path, fmt.Sprintf(format, arguments...)))
}
