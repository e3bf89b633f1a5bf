package preview_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/gitops/preview"
)

// within fails unless the function returns that soon: a hostile input must not hang the test.
func within[T any](t *testing.T, limit time.Duration, run func() (T, error)) error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := run()
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		require.FailNow(t, "still at work", "after %v", limit)
		return nil
	}
}

func expandOne(ctx context.Context, set *unstructured.Unstructured) func() (*preview.State, error) {
	return func() (*preview.State, error) {
		return preview.Expand(ctx, []*unstructured.Unstructured{set}, preview.Inputs{})
	}
}

func TestExpandRefusesTemplatesThatMakeTooMuch(t *testing.T) {
	for name, template := range map[string]string{
		"a text repeated a billion times":      `{{ repeat 1000000000 "x" }}`,
		"a text that doubles":                  `{{ $x := "x" }}{{ range until 60 }}{{ $x = printf "%s%s" $x $x }}{{ end }}`,
		"a text that a loop writes":            `{{ range until 100000 }}{{ repeat 100000 "x" }}{{ end }}`,
		"a billion numbers":                    `{{ until 1000000000 }}`,
		"a billion steps":                      `{{ len (untilStep 0 1000000000 1) }}`,
		"a billion steps down":                 `{{ len (untilStep 1000000000 0 -1) }}`,
		"a sequence of a billion":              `{{ seq 1000000000 }}`,
		"an indentation of a billion":          `{{ indent 1000000000 "x" }}`,
		"a replacement that multiplies":        `{{ $x := repeat 1000000 "x" }}{{ replace "x" $x $x }}`,
		"an expression that multiplies":        `{{ $x := repeat 1000000 "x" }}{{ regexReplaceAll "x" $x $x }}`,
		"a separator that multiplies":          `{{ join (repeat 1000000 "x") (until 100000) }}`,
		"lists in lists that double":           `{{ $x := list 1 }}{{ range until 60 }}{{ $x = list $x $x }}{{ end }}{{ toJson $x }}`,
		"a list that doubles":                  `{{ $x := list 1 }}{{ range until 60 }}{{ $x = concat $x $x }}{{ end }}`,
		"a map that holds itself":              `{{ $x := dict }}{{ $_ := set $x "x" $x }}{{ printf "%v" $x }}`,
		"a map that holds itself, merged":      `{{ $x := dict "a" 1 }}{{ $y := merge $x (dict "x" $x) }}{{ toYaml $y }}`,
		"a map that holds itself, with toYaml": `{{ $x := dict }}{{ $_ := set $x "x" (list $x) }}{{ toYaml $x }}`,
	} {
		t.Run(name, func(t *testing.T) {
			set := setOf(t, "x", `[{list: {elements: [{a: b}]}}]`)
			annotations := map[string]any{"hostile": template}
			require.NoError(t, unstructured.SetNestedMap(set.Object, annotations, "spec", "template", "metadata", "annotations"))
			err := within(t, 10*time.Second, expandOne(t.Context(), set))
			require.ErrorIs(t, err, preview.ErrTooLarge)
			var fault *preview.ExpandError
			require.ErrorAs(t, err, &fault)
			require.Equal(t, "spec.generators[0]", fault.Path)
			require.Less(t, len(err.Error()), 2000)
		})
		t.Run(name+", in a patch", func(t *testing.T) {
			set := setOf(t, "x", `[{list: {elements: [{a: b}]}}]`)
			require.NoError(t, unstructured.SetNestedField(set.Object, "# "+template, "spec", "templatePatch"))
			require.ErrorIs(t, within(t, 10*time.Second, expandOne(t.Context(), set)), preview.ErrTooLarge)
		})
	}
}

func TestExpandRefusesGeneratorsThatYieldTooMuch(t *testing.T) {
	folders := map[string]string{}
	for i := range 10_000 {
		folders[fmt.Sprintf("folder-%d/file", i)] = ""
	}
	in := preview.Inputs{Repositories: []preview.Repository{{URL: repoURL, Content: mapFS(folders)}}}
	elements := func(count int) map[string]any {
		list := make([]any, count)
		for i := range list {
			list[i] = map[string]any{"a": fmt.Sprint(i)}
		}
		return map[string]any{"list": map[string]any{"elements": list}}
	}
	directories := map[string]any{"git": map[string]any{"repoURL": repoURL, "directories": []any{map[string]any{"path": "*"}}}}
	matrix := func(first, second map[string]any) map[string]any {
		return map[string]any{"matrix": map[string]any{"generators": []any{first, second}}}
	}
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 12 {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	expand := func(ctx context.Context, generator map[string]any) func() (*preview.State, error) {
		set := setOf(t, "x", "[{list: {}}]")
		require.NoError(t, unstructured.SetNestedSlice(set.Object, []any{generator}, "spec", "generators"))
		return func() (*preview.State, error) { return preview.Expand(ctx, []*unstructured.Unstructured{set}, in) }
	}
	for name, test := range map[string]struct {
		generator map[string]any
		path      string
	}{
		"a matrix": {matrix(elements(40), directories), "spec.generators[0].matrix.generators[1].git"},
		"elements that are a YAML bomb": {
			map[string]any{"list": map[string]any{"elementsYaml": bomb}}, "spec.generators[0].list",
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := within(t, 60*time.Second, expand(t.Context(), test.generator))
			require.ErrorIs(t, err, preview.ErrTooLarge)
			var fault *preview.ExpandError
			require.ErrorAs(t, err, &fault)
			require.Equal(t, test.path, fault.Path)
		})
	}
	t.Run("a matrix of matrices, when its context is done", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		each := matrix(elements(1000), elements(1000))
		require.ErrorIs(t, within(t, 5*time.Second, expand(ctx, matrix(each, each))), context.DeadlineExceeded)
	})
}

// Nothing but the context ends these.
func TestExpandEndsTemplatesThatDoNot(t *testing.T) {
	for name, template := range map[string]string{
		"a loop":                        `{{ range 1000000000000000 }}{{ end }}`,
		"a loop in a loop":              `{{ range until 100000 }}{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}{{ end }}`,
		"a loop in what is not so":      `{{ if false }}{{ else }}{{ with 1 }}{{ range $i := 1000000000000000 }}{{ $_ := $i }}{{ end }}{{ end }}{{ end }}`,
		"templates that include others": `{{ define "x" }}{{ if lt . 1000 }}{{ template "x" (add1 .) }}{{ template "x" (add1 .) }}{{ end }}{{ end }}{{ template "x" 0 }}`,
		"a loop with slugs":             `{{ range 1000000000000000 }}{{ $_ := slugify 10 "a b" }}{{ end }}`,
	} {
		t.Run(name, func(t *testing.T) {
			set := setOf(t, "x"+template, `[{list: {elements: [{a: b}]}}]`)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			require.ErrorIs(t, within(t, 5*time.Second, expandOne(ctx, set)), context.DeadlineExceeded)
			// Others can go on, with slugs too.
			state, err := preview.Expand(t.Context(), []*unstructured.Unstructured{setOf(t, `{{ slugify 10 "A b" }}`, `[{list: {elements: [{a: b}]}}]`)}, preview.Inputs{})
			require.NoError(t, err)
			require.Equal(t, "a-b", state.Applications[0].Object.GetName())
		})
	}
}

func TestRenderEndsWhatDoesNot(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"a chart": {"a/Chart.yaml": "apiVersion: v2\nname: a\nversion: 1.0.0\n", "a/templates/a.yaml": `{{ range until 100000 }}{{ range until 200 }}{{ end }}{{ end }}`},
		"jsonnet": {"a/a.jsonnet": "local f(n) = if n == 0 then 0 else f(n - 1) + f(n - 1); f(21)"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			given := state(fromSources(t, "a", map[string]any{"path": "a"}))
			err := within(t, 5*time.Second, func() (*preview.State, error) {
				return preview.Render(ctx, given, inputs(repo(files)), preview.RenderOptions{})
			})
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Nil(t, given.Applications[0].Resources)
		})
	}
}

// TestPreviewAtOnce is of use with -race, too.
func TestPreviewAtOnce(t *testing.T) {
	files := map[string]string{
		"chart/Chart.yaml": "apiVersion: v2\nname: a\nversion: 1.0.0\n", "chart/templates/a.yaml": config("helm"),
		"kustomize/kustomization.yaml": "resources: [a.yaml]\nnamePrefix: x-\n", "kustomize/a.yaml": config("kustomize"),
		"plain/a.yaml": config("plain"), "jsonnet/a.jsonnet": `{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'jsonnet'}}`,
	}
	in := inputs(repo(files))
	set := setOf(t, "{{ slugify 20 .path.basename }}", `[{git: {repoURL: '`+repoURL+`', directories: [{path: '*'}]}}]`)
	source := map[string]any{"repoURL": repoURL, "path": "{{ .path.path }}"}
	require.NoError(t, unstructured.SetNestedMap(set.Object, source, "spec", "template", "spec", "source"))
	run := func() (string, error) {
		before := &preview.State{}
		after, err := preview.Expand(t.Context(), []*unstructured.Unstructured{set}, in)
		if err != nil {
			return "", err
		}
		if after, err = preview.Render(t.Context(), after, in, preview.RenderOptions{}); err != nil {
			return "", err
		}
		changes := preview.Compare(before, after)
		var all strings.Builder
		for _, app := range after.Applications {
			if app.RenderError != nil {
				return "", app.RenderError
			}
			fmt.Fprintln(&all, app.Object.Object, objectsOf(app.Resources))
		}
		err = errors.Join(changes.JSON(&all), changes.Text(&all), changes.Markdown(&all))
		return all.String(), err
	}
	want, err := run()
	require.NoError(t, err)
	require.Contains(t, want, "x-kustomize")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			got, err := run()
			if err != nil || got != want {
				t.Errorf("%v: not the same as before: %s", err, got)
			}
		})
	}
	group.Wait()
}

func objectsOf(resources []*unstructured.Unstructured) []any {
	var objects []any
	for _, resource := range resources {
		objects = append(objects, resource.Object)
	}
	return objects
}
