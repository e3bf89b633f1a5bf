package replay

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// safeGlobals are what Lua gives a script to work on values with. Everything else that it gives by default reaches files,
// processes or the interpreter itself.
var safeGlobals = []string{
	"_VERSION", "assert", "error", "getmetatable", "ipairs", "math", "next", "pairs", "pcall", "print", "rawequal", "rawget",
	"rawset", "select", "setmetatable", "string", "table", "tonumber", "tostring", "type", "unpack", "xpcall",
}

// unsafeFunctions are those of templates that read the environment or ask a name server.
var unsafeFunctions = []string{"env", "expandenv", "getHostByName"}

// safeDependency refuses scripts, and templates of data filters, that reach outside the event.
func safeDependency(spec *v1alpha1.EventDependency, scripts map[string]string) error {
	for _, path := range slices.Sorted(maps.Keys(scripts)) {
		if names := unsafeInScript(scripts[path]); len(names) > 0 {
			return &UnsafeError{Path: path, Names: names}
		}
	}
	if spec.Filters == nil {
		return nil
	}
	for i, filter := range spec.Filters.Data {
		if names := unsafeInTemplate(filter.Template); len(names) > 0 {
			return &UnsafeError{Path: fmt.Sprintf("filters.data[%d].template", i), Names: names}
		}
	}
	return nil
}

// safeTrigger refuses parameters of a trigger whose templates reach outside the event.
func safeTrigger(spec *v1alpha1.Trigger) error {
	raw, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	var content any
	if err := json.Unmarshal(raw, &content); err != nil {
		return err
	}
	return safeParameters("", content)
}

func safeParameters(path string, value any) error {
	switch value := value.(type) {
	case []any:
		for i, item := range value {
			if err := safeParameters(fmt.Sprintf("%s[%d]", path, i), item); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			at := strings.TrimPrefix(path+"."+key, ".")
			if text, ok := value[key].(string); ok && (key == "dataTemplate" || key == "contextTemplate") {
				if names := unsafeInTemplate(text); len(names) > 0 {
					return &UnsafeError{Path: at, Names: names}
				}
				continue
			}
			if err := safeParameters(at, value[key]); err != nil {
				return err
			}
		}
	}
	return nil
}

// unsafeInTemplate finds the functions without which the template does not parse. One that does not parse at all never runs.
func unsafeInTemplate(text string) []string {
	if text == "" {
		return nil
	}
	all := sprig.FuncMap()
	if _, err := template.New("").Funcs(all).Parse(text); err != nil {
		return nil
	}
	var names []string
	for _, name := range unsafeFunctions {
		without := maps.Clone(all)
		delete(without, name)
		if _, err := template.New("").Funcs(without).Parse(text); err != nil {
			names = append(names, name)
		}
	}
	return names
}

// unsafeInScript finds the names of what Lua gives by default and is not safe, even where they are names of the script's
// own. A script that does not parse never runs.
func unsafeInScript(script string) []string {
	program, err := parse.Parse(strings.NewReader(script), "script")
	if err != nil {
		return nil
	}
	state := lua.NewState()
	defer state.Close()
	given := map[string]bool{}
	state.G.Global.ForEach(func(name, _ lua.LValue) { given[name.String()] = true })
	for _, name := range safeGlobals {
		delete(given, name)
	}
	found := map[string]bool{}
	visitNames(reflect.ValueOf(program), func(name string) {
		if given[name] {
			found[name] = true
		}
	})
	return slices.Sorted(maps.Keys(found))
}

// visitNames walks the syntax tree, whatever its nodes are.
func visitNames(node reflect.Value, visit func(string)) {
	switch node.Kind() {
	case reflect.Interface, reflect.Pointer:
		if node.IsNil() {
			return
		}
		if name, ok := node.Interface().(*ast.IdentExpr); ok {
			visit(name.Value)
			return
		}
		visitNames(node.Elem(), visit)
	case reflect.Slice:
		for i := range node.Len() {
			visitNames(node.Index(i), visit)
		}
	case reflect.Struct:
		for i := range node.NumField() {
			if node.Type().Field(i).IsExported() {
				visitNames(node.Field(i), visit)
			}
		}
	}
}
