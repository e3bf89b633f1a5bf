package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/parser"
)

// celSize and celDepth bound what is parsed, as Kyverno's compiler does: cel-go's own defaults.
const (
	celSize  = 100_000
	celDepth = 250
)

// parseCEL returns the expression's tree, or why it does not parse.
func parseCEL(expression string) (ast.Expr, string) {
	p, err := parser.NewParser(
		parser.Macros(parser.AllMacros...),
		parser.EnableOptionalSyntax(true),
		parser.ExpressionSizeCodePointLimit(celSize),
		parser.MaxRecursionDepth(celDepth),
	)
	if err != nil {
		return nil, err.Error()
	}
	tree, errs := p.Parse(common.NewTextSource(expression))
	if found := errs.GetErrors(); len(found) > 0 {
		return nil, fmt.Sprintf("line %d, column %d: %s", found[0].Location.Line(), found[0].Location.Column()+1, found[0].Message)
	}
	return tree.Expr(), ""
}

// celBinders are the functions of CEL's libraries whose first arguments name variables for the argument after them. They
// are macros when Kyverno compiles; to the bare parser they are calls.
var celBinders = map[string]int{
	"bind": 1, "optMap": 1, "optFlatMap": 1, "sortBy": 1,
	"all": 2, "exists": 2, "existsOne": 2, "transformList": 2, "transformMap": 2, "transformMapEntry": 2,
}

// celReferences are the names that an expression takes from outside of it.
type celReferences struct {
	// roots are names that are neither declared in the expression nor part of a function's name.
	roots []string
	// variables are the fields of the name "variables".
	variables []string
}

func referencesOf(tree ast.Expr) celReferences {
	var found celReferences
	found.walk(tree, nil)
	slices.Sort(found.roots)
	found.roots = slices.Compact(found.roots)
	slices.Sort(found.variables)
	found.variables = slices.Compact(found.variables)
	return found
}

func (r *celReferences) walk(e ast.Expr, bound []string) {
	switch e.Kind() {
	case ast.IdentKind:
		if name := e.AsIdent(); !slices.Contains(bound, name) {
			r.roots = append(r.roots, name)
		}
	case ast.SelectKind:
		selected := e.AsSelect()
		operand := selected.Operand()
		if operand.Kind() == ast.IdentKind && operand.AsIdent() == "variables" && !slices.Contains(bound, "variables") {
			r.variables = append(r.variables, selected.FieldName())
		}
		r.walk(operand, bound)
	case ast.CallKind:
		r.call(e.AsCall(), bound)
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			r.walk(item, bound)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.walk(entry.AsMapEntry().Key(), bound)
			r.walk(entry.AsMapEntry().Value(), bound)
		}
	case ast.StructKind:
		for _, field := range e.AsStruct().Fields() {
			r.walk(field.AsStructField().Value(), bound)
		}
	case ast.ComprehensionKind:
		loop := e.AsComprehension()
		r.walk(loop.IterRange(), bound)
		r.walk(loop.AccuInit(), bound)
		inner := append(slices.Clone(bound), loop.AccuVar(), loop.IterVar())
		if loop.HasIterVar2() {
			inner = append(inner, loop.IterVar2())
		}
		r.walk(loop.LoopCondition(), inner)
		r.walk(loop.LoopStep(), inner)
		r.walk(loop.Result(), inner)
	}
}

func (r *celReferences) call(call ast.CallExpr, bound []string) {
	arguments := call.Args()
	if call.IsMemberFunction() && !isNamespace(call.Target(), bound) {
		r.walk(call.Target(), bound)
	}
	inner := bound
	if names := celBinders[call.FunctionName()]; call.IsMemberFunction() && names > 0 && len(arguments) > names {
		inner = slices.Clone(bound)
		for _, argument := range arguments[:names] {
			if argument.Kind() == ast.IdentKind {
				inner = append(inner, argument.AsIdent())
			}
		}
		// What bind names is not known to its initial value; nothing is lost by taking it for known.
		arguments = arguments[names:]
	}
	for _, argument := range arguments {
		r.walk(argument, inner)
	}
}

// celPrefixes are the first parts of function names that have several.
var celPrefixes = strings.Fields("base64 cel cidr format hash ip json jsonpatch lists math optional proto random regex " +
	"semver sets strings time url x509 yaml")

func isNamespace(target ast.Expr, bound []string) bool {
	return target.Kind() == ast.IdentKind && slices.Contains(celPrefixes, target.AsIdent()) &&
		!slices.Contains(bound, target.AsIdent())
}

// celTypes are names of types, which are values in CEL.
var celTypes = strings.Fields("bool bytes double duration dyn google int list map net null_type optional_type string " +
	"timestamp type uint Object JSONPatch")
