package gitops

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func (c *checker) addName(namespace, name string, at node) {
	if name == "" {
		return
	}
	if c.names == nil {
		c.names = map[generatedName][]node{}
	}
	key := generatedName{namespace, name}
	c.names[key] = append(c.names[key], at)
}

// addGeneratedNames adds the names of an ApplicationSet's Applications that are certain: those of lists, when the name
// holds nothing but fields of the elements.
// argo-cd: applicationset/controllers/applicationset_controller.go, validateGeneratedApplications
func (c *checker) addGeneratedNames(set applicationSet) {
	if set.patched {
		return
	}
	for _, generator := range set.spec.child("generators").items() {
		template, _ := templateOf(set, generator)
		at := template.child("metadata", "name")
		if at.exists() && !isTemplate(at.text()) && !slices.Equal(kindsOf(generator), []string{"list"}) {
			at.report(ruleLiteralName, "all Applications of a generator get the name %q", at.text())
			continue
		}
		if generator.child("selector").exists() || generator.child("list", "elementsYaml").exists() {
			continue
		}
		for _, element := range generator.child("list", "elements").items() {
			if name, ok := renderName(set, at.text(), element); ok {
				c.addName(set.namespace, name, at.atElement(element))
			}
		}
	}
}

// atElement makes findings about the name name the element that yields it.
func (n node) atElement(element node) node {
	if isTemplate(n.text()) {
		return element
	}
	return n
}

var (
	goField   = regexp.MustCompile(`\{\{ *\.([A-Za-z_][A-Za-z0-9_.]*) *\}\}`)
	fastField = regexp.MustCompile(`\{\{ *([^{} ]+) *\}\}`)
)

// renderName fills in the strings of a list's element. It fails on whatever else the name holds.
func renderName(set applicationSet, name string, element node) (string, bool) {
	pattern, separator := fastField, ""
	if set.goTemplate {
		pattern, separator = goField, "."
	}
	complete := true
	rendered := pattern.ReplaceAllStringFunc(name, func(action string) string {
		path := []string{pattern.FindStringSubmatch(action)[1]}
		if separator != "" {
			path = strings.Split(path[0], separator)
		}
		value := element.top().value
		for _, field := range path {
			fields, _ := value.(map[string]any)
			value = fields[field]
		}
		text, ok := value.(string)
		complete = complete && ok
		return text
	})
	return rendered, complete && !isTemplate(pattern.ReplaceAllString(name, ""))
}

func (c *checker) checkNames() {
	for name, places := range c.names {
		slices.SortFunc(places, func(a, b node) int {
			return cmp.Or(strings.Compare(a.object, b.object), strings.Compare(a.top().path, b.top().path))
		})
		for _, again := range places[1:] {
			by := "it"
			if again.object != places[0].object {
				by = places[0].object
			}
			again.report(ruleDuplicateName, "%s already makes or is an Application %q in this namespace", by, name.name)
		}
	}
}

// applicationWave is an Application's sync wave in the Application that deploys it.
type applicationWave struct {
	wave int
	at   node
}

func (c *checker) addWave(obj *unstructured.Unstructured) {
	// An unreadable wave is reported by the check of the order.
	wave, _ := SyncWave(obj)
	at := c.root(obj).child("metadata", "annotations").key(waveAnnotation)
	c.waves = append(c.waves, applicationWave{wave: wave, at: at})
}

// checkWaves reports waves of Applications for which Argo CD does not wait.
// argo-cd: docs/operator-manual/health.md
func (c *checker) checkWaves() {
	if c.assessApplications {
		return
	}
	differ := func(a applicationWave) bool { return a.wave != c.waves[0].wave }
	if len(c.waves) == 0 || !slices.ContainsFunc(c.waves, differ) {
		return
	}
	for _, wave := range c.waves {
		if wave.at.exists() {
			wave.at.report(ruleApplicationWave, "the set holds no argocd-cm with a health check for Applications")
		}
	}
}
