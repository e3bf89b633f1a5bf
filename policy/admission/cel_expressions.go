package admission

import (
	"fmt"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/kyverno/kyverno/pkg/cel/compiler"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// expressionSteps bounds the work of an expression on what is written in it. Kubernetes stops its own policies far below;
// Kyverno 1.15 has no limit (pkg/cel/compiler/env.go), so that the API server, which waits 30 seconds at most, gives up on
// it. What an expression makes of an object is bounded by the context of the evaluation.
const expressionSteps = 1e8

// expressionEnv parses what Kyverno's compilers accept.
var expressionEnv = sync.OnceValues(compiler.NewBaseEnv)

// expressions are those of a policy or an exception.
type expressions struct {
	env *cel.Env
	ref PolicyRef
	// names that the expressions take from outside.
	names map[string]bool
	// sizes of the variables that are lists, maps or strings of a known length.
	sizes map[string]float64
}

// inspect reads the expressions of an object. Those that do not parse are left to the compilers.
func inspect(obj *unstructured.Unstructured) (*expressions, error) {
	env, err := expressionEnv()
	if err != nil {
		return nil, fmt.Errorf("prepare CEL: %w", err)
	}
	e := &expressions{env: env, ref: refOf(obj), names: map[string]bool{}, sizes: map[string]float64{}}
	spec, _ := obj.Object["spec"].(map[string]any)
	// Variables first: their sizes count in the others.
	variables, _ := spec["variables"].([]any)
	for i, item := range variables {
		variable, _ := item.(map[string]any)
		text, _ := variable["expression"].(string)
		name, _ := variable["name"].(string)
		size, err := e.read(field.NewPath("spec", "variables").Index(i).Child("expression"), text)
		if err != nil {
			return nil, err
		}
		e.sizes["variables."+name] = size
	}
	return e, e.walk(field.NewPath("spec"), spec)
}

func (e *expressions) walk(path *field.Path, value any) error {
	switch value := value.(type) {
	case map[string]any:
		for key, item := range value {
			text, isText := item.(string)
			if !isText {
				if err := e.walk(path.Child(key), item); err != nil {
					return err
				}
			} else if strings.HasSuffix(key, "xpression") {
				if _, err := e.read(path.Child(key), text); err != nil {
					return err
				}
			}
		}
	case []any:
		for i, item := range value {
			if err := e.walk(path.Index(i), item); err != nil {
				return err
			}
		}
	}
	return nil
}

// read returns the size of what an expression makes.
func (e *expressions) read(path *field.Path, text string) (float64, error) {
	tree, issues := e.env.Parse(text)
	if issues.Err() != nil {
		return 1, nil //nolint:nilerr // the compiler says it better
	}
	steps, size := e.measure(tree.NativeRep().Expr(), map[string]float64{})
	if steps > expressionSteps {
		return 0, &CompileError{Policy: e.ref, Path: path.String(), Err: fmt.Errorf(
			"it takes about %.1g steps on the values written in it, at most %.0g are evaluated: shorten the lists", steps, expressionSteps)}
	}
	return size, nil
}

// measure returns the steps that an expression takes if nothing ends it early, and the length of its value; what comes
// from outside counts as of length 1.
func (e *expressions) measure(expr ast.Expr, bound map[string]float64) (steps, size float64) {
	add := func(parts ...ast.Expr) (total float64) {
		for _, part := range parts {
			cost, length := e.measure(part, bound)
			steps += cost
			total += length
		}
		return total
	}
	steps, size = 1, 1
	switch expr.Kind() {
	case ast.LiteralKind:
		if text, ok := expr.AsLiteral().Value().(string); ok {
			size = float64(len(text))
		}
	case ast.IdentKind:
		if known, found := bound[expr.AsIdent()]; found {
			size = known
		} else {
			e.names[expr.AsIdent()] = true
		}
	case ast.SelectKind:
		selected := expr.AsSelect()
		add(selected.Operand())
		if selected.Operand().Kind() == ast.IdentKind {
			if known, found := e.sizes[selected.Operand().AsIdent()+"."+selected.FieldName()]; found {
				size = known
			}
		}
	case ast.ListKind:
		add(expr.AsList().Elements()...)
		size = float64(expr.AsList().Size())
	case ast.MapKind:
		for _, entry := range expr.AsMap().Entries() {
			add(entry.AsMapEntry().Key(), entry.AsMapEntry().Value())
		}
		size = float64(expr.AsMap().Size())
	case ast.StructKind:
		for _, entry := range expr.AsStruct().Fields() {
			add(entry.AsStructField().Value())
		}
	case ast.CallKind:
		call := expr.AsCall()
		total := add(call.Args()...)
		if call.IsMemberFunction() {
			size = max(1, add(call.Target()))
		}
		switch call.FunctionName() {
		case "_+_":
			size = total
			steps += total
		case "_?_:_":
			size = total
		case "range":
			if len(call.Args()) == 1 && call.Args()[0].Kind() == ast.LiteralKind {
				if count, ok := call.Args()[0].AsLiteral().Value().(int64); ok && count > 0 {
					size = float64(count)
					steps += 10 * size // each element is a value of its own
				}
			}
		}
	case ast.ComprehensionKind:
		return e.measureLoop(expr.AsComprehension(), bound)
	}
	return steps, size
}

// measureLoop measures a macro; cel.bind is a loop over nothing.
func (e *expressions) measureLoop(loop ast.ComprehensionExpr, bound map[string]float64) (steps, size float64) {
	steps, rounds := e.measure(loop.IterRange(), bound)
	cost, made := e.measure(loop.AccuInit(), bound)
	inner := make(map[string]float64, len(bound)+3)
	for name, known := range bound {
		inner[name] = known
	}
	// An empty list is what the macros that make lists start from.
	inner[loop.AccuVar()] = max(1, made)
	inner[loop.IterVar()] = 1
	if loop.HasIterVar2() {
		inner[loop.IterVar2()] = 1
	}
	condition, _ := e.measure(loop.LoopCondition(), inner)
	body, _ := e.measure(loop.LoopStep(), inner)
	result, size := e.measure(loop.Result(), inner)
	return steps + cost + rounds*(condition+body) + result, max(size, rounds)
}
