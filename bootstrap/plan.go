package bootstrap

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Plan is a set of components to install into one cluster.
type Plan struct {
	// Name identifies the plan within a cluster: its inventory is the ConfigMap
	// "backbone-<name>". Required, a DNS label.
	Name string

	// Components may stand in any order; DependsOn decides. At least one.
	Components []Component
}

// Validate reports every fault of the plan itself: names, duplicates, unknown
// dependencies, cycles, missing sources. It calls no Source and no cluster;
// [Plan.Render] checks the objects.
func (p Plan) Validate() field.ErrorList {
	faults := validateLabel(p.Name, field.NewPath("name"))
	path := field.NewPath("components")
	if len(p.Components) == 0 {
		faults = append(faults, field.Required(path, "a plan needs at least one component"))
	}
	index := p.index()
	for i, component := range p.Components {
		faults = append(faults, component.validate(path.Index(i), index)...)
		if first := index[component.Name]; component.Name != "" && first != i {
			faults = append(faults, field.Duplicate(path.Index(i).Child("name"), component.Name))
		}
	}
	return append(faults, p.validateCycles(path, index)...)
}

// index maps each component's name to its first position.
func (p Plan) index() map[string]int {
	index := make(map[string]int, len(p.Components))
	for i, component := range p.Components {
		if _, found := index[component.Name]; !found {
			index[component.Name] = i
		}
	}
	return index
}

// validateCycles reports each dependency that closes a cycle, with the names
// along the cycle.
func (p Plan) validateCycles(path *field.Path, index map[string]int) field.ErrorList {
	var faults field.ErrorList
	visited := make([]bool, len(p.Components))
	var trail []int
	var visit func(i int)
	visit = func(i int) {
		visited[i] = true
		trail = append(trail, i)
		for j, name := range p.Components[i].DependsOn {
			next, known := index[name]
			if !known {
				continue
			}
			if start := position(trail, next); start >= 0 {
				faults = append(faults, field.Invalid(path.Index(i).Child("dependsOn").Index(j), name,
					"dependency cycle: "+p.names(trail[start:])+" -> "+name))
				continue
			}
			if !visited[next] {
				visit(next)
			}
		}
		trail = trail[:len(trail)-1]
	}
	for i := range p.Components {
		if !visited[i] {
			visit(i)
		}
	}
	return faults
}

func (p Plan) names(positions []int) string {
	names := make([]string, len(positions))
	for i, at := range positions {
		names[i] = p.Components[at].Name
	}
	return strings.Join(names, " -> ")
}

func position(trail []int, wanted int) int {
	for i, at := range trail {
		if at == wanted {
			return i
		}
	}
	return -1
}

// order lists the positions of the components so that each stands behind all
// it depends on, and otherwise in the order of the plan. The plan is valid.
func (p Plan) order() []int {
	index := p.index()
	placed := make([]bool, len(p.Components))
	order := make([]int, 0, len(p.Components))
	var place func(i int)
	place = func(i int) {
		if placed[i] {
			return
		}
		placed[i] = true
		for _, name := range p.Components[i].DependsOn {
			place(index[name])
		}
		order = append(order, i)
	}
	for i := range p.Components {
		place(i)
	}
	return order
}

func validateLabel(name string, path *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	var faults field.ErrorList
	for _, message := range validation.IsDNS1123Label(name) {
		faults = append(faults, field.Invalid(path, name, message))
	}
	return faults
}

// defaultTimeout bounds a component that sets no Timeout.
const defaultTimeout = 5 * time.Minute
