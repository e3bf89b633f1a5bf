package preview

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"strings"
	"text/template"
	"text/template/parse"
)

// MaxRenderedSize is the most bytes that one Go template of an ApplicationSet may render to, and about the most that a
// value in it may have: more than the API server takes for a whole object (etcd: --max-request-bytes, 1.5 MiB).
const MaxRenderedSize = 2 << 20

// maxValueDepth is how deep values in a template may be nested. One that holds itself is deeper.
const maxValueDepth = 1000

// boundedFunctions are template functions that refuse to make too much: those given, and Go's own that make text.
func boundedFunctions(functions template.FuncMap) template.FuncMap {
	all := template.FuncMap{
		"print": fmt.Sprint, "printf": fmt.Sprintf, "println": fmt.Sprintln,
		"html": template.HTMLEscaper, "js": template.JSEscaper, "urlquery": template.URLQueryEscaper,
	}
	maps.Copy(all, functions)
	for name, function := range all {
		all[name] = boundedFunction(name, function)
	}
	return all
}

// boundedFunction returns the function with an error as a second result. It judges the arguments of functions that make
// much of little, before they do, and what any function returns.
func boundedFunction(name string, function any) any {
	call, kind := reflect.ValueOf(function), reflect.TypeOf(function)
	in := make([]reflect.Type, kind.NumIn())
	for i := range in {
		in[i] = kind.In(i)
	}
	failure := reflect.TypeFor[error]()
	bounded := reflect.FuncOf(in, []reflect.Type{kind.Out(0), failure}, kind.IsVariadic())
	return reflect.MakeFunc(bounded, func(args []reflect.Value) []reflect.Value {
		refuse := func(err error) []reflect.Value {
			return []reflect.Value{reflect.Zero(kind.Out(0)), reflect.ValueOf(&err).Elem()}
		}
		if estimate, ok := amplifiers[name]; ok && estimate(args) > MaxRenderedSize {
			return refuse(tooMuchRendered(name))
		}
		var results []reflect.Value
		if kind.IsVariadic() {
			results = call.CallSlice(args)
		} else {
			results = call.Call(args)
		}
		size := valueSize(0)
		if size.add(results[0], 0); size > MaxRenderedSize {
			return refuse(tooMuchRendered(name))
		}
		if len(results) == 1 {
			results = append(results, reflect.Zero(failure))
		}
		return results
	}).Interface()
}

func tooMuchRendered(name string) error {
	return fmt.Errorf("%w: %s would make more than %d bytes or values, or a value that holds itself",
		ErrTooLarge, name, MaxRenderedSize)
}

// amplifiers estimate how much the functions make of their arguments that can make much of little.
var amplifiers = map[string]func([]reflect.Value) float64{
	"repeat":       func(args []reflect.Value) float64 { return number(args[0]) * length(args[1]) },
	"until":        func(args []reflect.Value) float64 { return max(number(args[0]), -number(args[0])) },
	"untilStep":    func(args []reflect.Value) float64 { return steps(number(args[0]), number(args[1]), number(args[2])) },
	"seq":          sequence,
	"indent":       indentation,
	"nindent":      indentation,
	"randAlphaNum": func(args []reflect.Value) float64 { return number(args[0]) },
	"randAlpha":    func(args []reflect.Value) float64 { return number(args[0]) },
	"randAscii":    func(args []reflect.Value) float64 { return number(args[0]) },
	"randNumeric":  func(args []reflect.Value) float64 { return number(args[0]) },
	"randBytes":    func(args []reflect.Value) float64 { return number(args[0]) },
	"replace": func(args []reflect.Value) float64 {
		found := strings.Count(args[2].String(), args[0].String())
		return length(args[2]) + float64(found)*length(args[1])
	},
	"join": func(args []reflect.Value) float64 {
		list := args[1]
		if list.Kind() == reflect.Interface {
			list = list.Elem()
		}
		if list.Kind() != reflect.Slice && list.Kind() != reflect.Array {
			return 0
		}
		return length(args[0]) * float64(list.Len())
	},
	"wrapWith": func(args []reflect.Value) float64 {
		return length(args[2]) * (1 + length(args[1])/max(number(args[0]), 1))
	},
	"regexReplaceAll":            replacement,
	"mustRegexReplaceAll":        replacement,
	"regexReplaceAllLiteral":     replacement,
	"mustRegexReplaceAllLiteral": replacement,
}

func number(value reflect.Value) float64 { return float64(value.Int()) }

func length(text reflect.Value) float64 { return float64(text.Len()) }

func steps(start, stop, step float64) float64 {
	if step == 0 {
		return 0
	}
	return (stop - start) / step
}

// sequence is for seq, which takes the last, the first and last, or the first, the step and the last number.
func sequence(args []reflect.Value) float64 {
	const digits = 8
	switch given := args[0]; given.Len() {
	case 1:
		return digits * max(number(given.Index(0)), -number(given.Index(0)))
	case 2:
		distance := number(given.Index(1)) - number(given.Index(0))
		return digits * max(distance, -distance)
	case 3:
		return digits * steps(number(given.Index(0)), number(given.Index(2)), number(given.Index(1)))
	}
	return 0
}

func indentation(args []reflect.Value) float64 {
	return number(args[0]) * float64(1+strings.Count(args[1].String(), "\n"))
}

// replacement is for functions of an expression, a text and what to put in place of each match.
func replacement(args []reflect.Value) float64 {
	if args[2].Len() < 64 {
		return 0 // What it makes is judged afterwards.
	}
	return (length(args[1]) + 1) * length(args[2]) / 16
}

// valueSize is roughly how many bytes a value has as text. It is not counted on beyond MaxRenderedSize.
type valueSize int

func (s *valueSize) add(value reflect.Value, depth int) {
	if *s++; *s > MaxRenderedSize {
		return
	}
	if depth > maxValueDepth {
		*s = MaxRenderedSize + 1
		return
	}
	switch value.Kind() {
	case reflect.Interface, reflect.Pointer:
		s.add(value.Elem(), depth+1)
	case reflect.String:
		*s += valueSize(value.Len())
	case reflect.Slice, reflect.Array:
		switch value.Type().Elem().Kind() {
		case reflect.Interface, reflect.Pointer, reflect.String, reflect.Slice, reflect.Map:
			for i := 0; i < value.Len() && *s <= MaxRenderedSize; i++ {
				s.add(value.Index(i), depth+1)
			}
		default:
			*s += valueSize(value.Len())
		}
	case reflect.Map:
		for entries := value.MapRange(); *s <= MaxRenderedSize && entries.Next(); {
			s.add(entries.Key(), depth+1)
			s.add(entries.Value(), depth+1)
		}
	}
}

// interruptible lets the template stop in every turn of a loop, and in every template that it includes, when the
// context is done. Nothing else in a template goes on for long.
func interruptible(ctx context.Context, parsed *template.Template) error {
	stop, err := template.New("").Funcs(template.FuncMap{
		stopFunction: func() (string, error) { return "", ctx.Err() },
	}).Parse("{{" + stopFunction + "}}")
	if err != nil {
		return err
	}
	check := stop.Root.Nodes[0]
	parsed.Funcs(template.FuncMap{stopFunction: func() (string, error) { return "", ctx.Err() }})
	for _, defined := range parsed.Templates() {
		if defined.Tree != nil && defined.Root != nil {
			checkLoops(defined.Root, check)
			defined.Root.Nodes = append([]parse.Node{check}, defined.Root.Nodes...)
		}
	}
	return nil
}

// stopFunction is the name of a function that no template can call by accident.
const stopFunction = "previewStopsWithItsContext"

func checkLoops(list *parse.ListNode, check parse.Node) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch node := node.(type) {
		case *parse.IfNode:
			checkLoops(node.List, check)
			checkLoops(node.ElseList, check)
		case *parse.WithNode:
			checkLoops(node.List, check)
			checkLoops(node.ElseList, check)
		case *parse.RangeNode:
			checkLoops(node.List, check)
			checkLoops(node.ElseList, check)
			node.List.Nodes = append([]parse.Node{check}, node.List.Nodes...)
		}
	}
}

// boundedText takes what a template renders to.
type boundedText struct{ strings.Builder }

var _ io.Writer = (*boundedText)(nil)

// Write implements io.Writer.
func (b *boundedText) Write(data []byte) (int, error) {
	if b.Len()+len(data) > MaxRenderedSize {
		return 0, fmt.Errorf("%w: the template renders to more than %d bytes", ErrTooLarge, MaxRenderedSize)
	}
	return b.Builder.Write(data)
}

// stopped tells whether rendering ended because of a bound, and not of something that Argo CD would say better.
func stopped(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, ErrTooLarge)
}
