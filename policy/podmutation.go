package policy

import (
	"fmt"
	"strings"
)

// podMutation is a change of pods and of templates of pods.
type podMutation struct {
	exempt []string
	// variables beside pod, which is the spec, and at, which is the JSON pointer to it.
	variables []NamedExpression
	// patches are expressions in CEL for lists of JSON patches.
	patches []string
	// each are the changes in a ClusterPolicy, given the path of the spec in JMESPath and as a JSON pointer.
	each func(query, pointer string) []ForEachMutation
}

// mutation is for pods and jobs when they are created, and for other templates whenever they are written: Kyverno does
// not show a MutatingPolicy what an update changes (kyverno: pkg/cel/policies/mpol/compiler/policy.go, Evaluate).
func (m podMutation) mutation() mutation {
	out := mutation{selection: selection{kinds: podKinds(), exempt: withSystemNamespaces(m.exempt)}}
	var immutable, pointers []string
	for _, shape := range podShapes {
		selected := selection{kinds: shape.kinds, exempt: out.exempt}
		pointer := "/" + strings.Join(shape.path, "/")
		for _, kind := range shape.kinds {
			pointers = append(pointers, celString(kind.Kind)+": "+celString(pointer))
			if shape.immutable {
				immutable = append(immutable, kind.Kind)
			}
		}
		if shape.immutable {
			selected.operations = []string{"CREATE"}
		}
		match, exclude := selected.filters()
		query := strings.Join(shape.path, ".")
		out.rules = append(out.rules, ClassicRule{
			Name: shape.name, Match: match, Exclude: exclude,
			Preconditions: Conditions{All: []Condition{notDeletingClassic}},
			Mutate:        &ClassicMutate{Patch: ForEachPatch{Each: m.each("request.object."+query, pointer)}},
		})
	}
	out.conditions = []NamedExpression{{
		Name: "mutable", Expression: fmt.Sprintf(`request.operation != "UPDATE" || !(object.kind in %s)`, celList(immutable)),
	}}
	out.variables = append([]NamedExpression{
		{Name: "pod", Expression: podSpec("object")},
		{Name: "at", Expression: "{" + strings.Join(pointers, ", ") + "}[object.kind]"},
	}, m.variables...)
	out.mutations = []Mutation{JSONPatch{Expression: strings.Join(m.patches, " +\n")}}
	return out
}

// containerLists are the lists of containers that a pod is created with.
var containerLists = []string{"containers", "initContainers"}

// patchContainers returns the patches in CEL that add a field to the containers which a condition on c holds for.
func patchContainers(condition, field, value string) []string {
	var patches []string
	for _, list := range containerLists {
		patches = append(patches, fmt.Sprintf(
			`variables.pod.?%[1]s.orValue([]).transformList(i, c, %[2]s, `+
				`JSONPatch{op: "add", path: variables.at + "/%[1]s/" + string(i) + "/%[3]s", value: %[4]s})`,
			list, condition, field, value,
		))
	}
	return patches
}

// eachContainer returns the patches in a ClusterPolicy that add a field to the containers which conditions hold for.
func eachContainer(query, pointer string, preconditions []Condition, field, value string) []ForEachMutation {
	var each []ForEachMutation
	for _, list := range containerLists {
		each = append(each, ForEachMutation{
			List:          query + "." + list + " || `[]`",
			Preconditions: Conditions{All: preconditions},
			Patch:         addPatch(pointer+"/"+list+"/{{elementIndex}}/"+field, value),
		})
	}
	return each
}

// addPatch adds a value in YAML, and the objects that are missing on the way to it.
func addPatch(pointer, value string) JSON6902Patch {
	return JSON6902Patch{Patches: fmt.Sprintf("- op: add\n  path: %s\n  value: %s\n", pointer, value)}
}

// isUnset is a condition on a field of an element.
func isUnset(field string) Condition {
	return Condition{Key: "{{ element." + field + " == `null` }}", Operator: Equals, Value: true}
}
