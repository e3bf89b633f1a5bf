package preview_test

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/Masterminds/sprig/v3"
	"github.com/argoproj/argo-cd/v2/applicationset/controllers/template"
	"github.com/argoproj/argo-cd/v2/applicationset/generators"
	"github.com/argoproj/argo-cd/v2/applicationset/utils"
	"github.com/argoproj/argo-cd/v2/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v2/util/argo"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/gitops/preview"
)

// upstream returns what Argo CD's own loop makes of an ApplicationSet with Argo CD's own renderer and generators. A panic
// is an error, as it is to the controller.
func upstream(t testing.TB, appSet *unstructured.Unstructured, known map[string]generators.Generator) (created []*unstructured.Unstructured, err error) {
	t.Helper()
	defer func() {
		if cause := recover(); cause != nil {
			err = errors.New("panic")
		}
	}()
	typed := v1alpha1.ApplicationSet{}
	data, err := json.Marshal(appSet.Object)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &typed))
	typed.Namespace = "argocd"
	logrus.SetOutput(io.Discard)
	apps, _, err := template.GenerateApplications(logrus.NewEntry(logrus.StandardLogger()), typed, known, &utils.Render{}, nil)
	if err != nil {
		return nil, err
	}
	for i := range apps {
		app := &apps[i]
		app.Spec = *argo.NormalizeApplicationSpec(&app.Spec)
		obj := &unstructured.Unstructured{}
		data, err := json.Marshal(app)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &obj.Object))
		obj.SetGroupVersionKind(v1alpha1.ApplicationSchemaGroupVersionKind)
		delete(obj.Object, "status")
		unstructured.RemoveNestedField(obj.Object, "metadata", "creationTimestamp")
		created = append(created, obj)
	}
	return created, nil
}

// requireAsUpstream requires Expand to give what Argo CD gives for list generators, or to fail for its reason.
func requireAsUpstream(t testing.TB, appSet *unstructured.Unstructured) {
	t.Helper()
	requireAs(t, appSet, map[string]generators.Generator{"List": generators.NewListGenerator()}, preview.Inputs{})
}

// requireAs requires Expand to give with the inputs what Argo CD gives with the generators.
func requireAs(t testing.TB, appSet *unstructured.Unstructured, known map[string]generators.Generator, inputs preview.Inputs) {
	t.Helper()
	want, wantErr := upstream(t, appSet, known)
	slices.SortFunc(want, func(a, b *unstructured.Unstructured) int { return strings.Compare(a.GetName(), b.GetName()) })
	state, err := preview.Expand(t.Context(), []*unstructured.Unstructured{appSet}, inputs)
	if wantErr != nil {
		require.Error(t, err)
		var fault *preview.ExpandError
		require.ErrorAs(t, err, &fault)
		if wantErr.Error() != "panic" {
			require.Equal(t, wantErr.Error(), fault.Err.Error())
		}
		return
	}
	if fault := new(preview.ExpandError); errors.As(err, &fault) && fault.Application != "" {
		return // Rendered, and then refused for what it is.
	}
	require.NoError(t, err)
	require.Len(t, state.Applications, len(want))
	for i, app := range state.Applications {
		wantText, err := json.Marshal(want[i].Object)
		require.NoError(t, err)
		gotText, err := json.Marshal(app.Object.Object)
		require.NoError(t, err)
		require.JSONEq(t, string(wantText), string(gotText))
	}
}

// templatedSet returns an ApplicationSet with one list element and a template.
func templatedSet(t testing.TB, goTemplate bool, options []string, element map[string]any, template string) *unstructured.Unstructured {
	t.Helper()
	var fields map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(template), &fields))
	obj := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": map[string]any{"name": "set", "namespace": "argocd"},
		"spec": map[string]any{
			"goTemplate": goTemplate, "generators": []any{map[string]any{"list": map[string]any{"elements": []any{element}}}}, "template": fields,
		},
	}}
	if options != nil {
		list := []any{}
		for _, option := range options {
			list = append(list, option)
		}
		require.NoError(t, unstructured.SetNestedSlice(obj.Object, list, "spec", "goTemplateOptions"))
	}
	return obj
}

const fixedFields = `
metadata: {name: app}
spec:
  project: default
  destination: {server: https://kubernetes.default.svc}
`

func TestExpandRendersAsArgoCD(t *testing.T) {
	element := func() map[string]any {
		return map[string]any{"a": "b", "n": "7", "values": map[string]any{"x": "y"}, "empty": "", "path": "one/two", "html": "<&>", "brace": "{{a}}"}
	}
	for name, test := range map[string]struct {
		fasttemplate bool
		options      []string
		extra        string
		patch        string
		syncPolicy   string
	}{
		"strings without templates stay": {extra: `source: {repoURL: u, path: "}} {% }"}`},
		"a field":                        {extra: `source: {repoURL: '{{.a}}', path: 'x{{ .values.x }}y'}`},
		"functions of sprig, normalize and slugify": {extra: `source: {repoURL: '{{.a | upper | quote}}', path: '{{normalize .path}}-{{slugify .path}}-{{slugify 3 false .path}}'}`},
		"functions that Argo CD removes":            {extra: `source: {repoURL: '{{env "HOME"}}'}`},
		"functions of sprig that hide Go's":         {extra: `source: {repoURL: '{{ slice (list 1 2 3) 1 2 }}', path: '{{ len .a }}{{ index .values "x" }}'}`},
		"toYaml and fromYaml":                       {extra: `source: {repoURL: '{{ toYaml .values }}', path: '{{ (fromYaml "a: 1").a }}{{ fromYamlArray "[1]" }}'}`},
		"a missing key is no value":                 {extra: `source: {repoURL: '{{.none}}', path: '{{.values.none}}'}`},
		"a missing key is an error":                 {options: []string{"missingkey=error"}, extra: `source: {repoURL: '{{.none}}'}`},
		"a missing key is zero":                     {options: []string{"missingkey=zero"}, extra: `source: {repoURL: '{{.none}}'}`},
		"an option that Go does not know":           {options: []string{"missingkey=maybe"}, extra: `source: {repoURL: '{{.a}}'}`},
		"a template that does not parse":            {extra: `source: {repoURL: '{{.a'}`},
		"an unknown function":                       {extra: `source: {repoURL: '{{ nope .a }}'}`},
		"a template that fails":                     {extra: `source: {repoURL: '{{ fail "no" }}'}`},
		"control structures, variables, trimming":   {extra: `source: {repoURL: '{{ $x := .a }} {{- if eq $x "b" }} yes {{- else }} no {{ end -}} ', path: '{{ range $i, $c := list 1 2 }}{{$i}}{{$c}}{{ end }}'}`},
		"templates that are defined":                {extra: `source: {repoURL: '{{ define "t" }}x{{ . }}{{ end }}{{ template "t" .a }}', path: '{{ template "t" .a }}'}`},
		"templated keys":                            {extra: `source: {repoURL: u, kustomize: {commonLabels: {'{{.a}}': '{{.n}}', plain: text}}}`},
		"nil and empty values":                      {extra: `source: {repoURL: u, kustomize: {commonLabels: {}, images: []}, helm: {}, directory: {}}`},
		"numbers, booleans and lists":               {extra: `source: {repoURL: u, helm: {parameters: [{name: '{{.a}}', value: '{{.n}}', forceString: true}], skipCrds: true}}`},
		"many sources":                              {extra: `sources: [{repoURL: '{{.a}}', ref: values}, {repoURL: u, helm: {valueFiles: ['$values/{{.path}}']}}]`},
		"values as an object":                       {extra: `source: {repoURL: u, helm: {valuesObject: {'{{.a}}': {list: ['{{.n}}', 1, null, 1.5, true], none: null, big: 12345678901234567890, html: '{{.html}}<'}}}}`},
		"values as an object without templates":     {extra: `source: {repoURL: u, helm: {valuesObject: {z: 1, a: {none: null, html: '<', float: 1e3}}}}`},
		"values as text":                            {extra: "source:\n    repoURL: u\n    helm:\n      values: |\n        a: {{ .a }}\n        {{- range until 3 }}\n        - {{ . }}\n        {{- end }}"},
		"plugin parameters":                         {extra: `source: {repoURL: u, plugin: {name: p, env: [{name: A, value: '{{.a}}'}], parameters: [{name: m, map: {k: '{{.a}}', '{{.n}}': v}}, {name: l, array: ['{{.a}}']}, {name: s, string: '{{.a}}'}]}}`},
		"sync policy, retry and differences":        {extra: `{source: {repoURL: u}, syncPolicy: {automated: {prune: true}, syncOptions: ['{{.a}}=true'], retry: {limit: 3, backoff: {duration: '{{.n}}s'}}, managedNamespaceMetadata: {labels: {'{{.a}}': x}}}, ignoreDifferences: [{kind: '{{.a}}', jsonPointers: ['/{{.n}}']}], info: [{name: '{{.a}}', value: v}], revisionHistoryLimit: 3}`},
		"an empty sync policy":                      {extra: `{source: {repoURL: u}, syncPolicy: {}}`},
		"resources that are preserved":              {extra: `source: {repoURL: u}`, syncPolicy: `{preserveResourcesOnDeletion: true}`},
		"resources that are not preserved":          {extra: `source: {repoURL: u}`, syncPolicy: `{applicationsSync: create-only}`},
		"a parameter that holds a template":         {extra: `source: {repoURL: '{{.brace}}'}`},
		"functions that write to parameters":        {extra: `source: {repoURL: '{{ $_ := set .values "x" "z" }}{{ .values.x }}', targetRevision: '{{ .values.x }}'}`},
		"a patch":                                   {extra: `source: {repoURL: u}`, patch: "spec:\n  source:\n    helm:\n      valueFiles:\n{{ range list 1 2 }}      - {{ . }}.yaml\n{{ end }}"},
		"a patch in JSON":                           {extra: `source: {repoURL: u}`, patch: `{"metadata": {"annotations": {"a": "{{.a}}"}}, "spec": {"project": "other"}}`},
		"a patch that does not fit":                 {extra: `source: {repoURL: u}`, patch: "hello world"},
		"a patch that does not parse":               {extra: `source: {repoURL: u}`, patch: "{{"},
		"a patch that fails":                        {extra: `source: {repoURL: u}`, patch: `{{ fail "no" }}`},
		"fasttemplate fields":                       {fasttemplate: true, extra: `source: {repoURL: '{{a}}', path: '{{ values.x }}/{{n}}'}`},
		"fasttemplate unknown fields stay":          {fasttemplate: true, extra: `source: {repoURL: '{{none}}{{ }}{{{a}}}'}`},
		"fasttemplate that is not closed":           {fasttemplate: true, extra: `source: {repoURL: '{{a', path: '{{a}} {{'}`},
		"fasttemplate over lines":                   {fasttemplate: true, extra: "source: {repoURL: \"x\\n{{a}}\\ny\", path: \"{{\\na}}\"}"},
		"fasttemplate keys and values objects":      {fasttemplate: true, extra: `source: {repoURL: u, helm: {valuesObject: {'{{a}}': '{{n}}'}}, kustomize: {commonLabels: {'{{a}}': '{{n}}'}}}`},
		"fasttemplate does not know Go's syntax":    {fasttemplate: true, extra: `source: {repoURL: '{{.a}} {{ index . "a" }}'}`},
		"a fasttemplate patch":                      {fasttemplate: true, extra: `source: {repoURL: u}`, patch: "spec: {source: {path: '{{a}}'}}"},
	} {
		t.Run(name, func(t *testing.T) {
			extra := test.extra
			if strings.HasPrefix(extra, "{") {
				extra = "<<: " + extra
			}
			given := element()
			appSet := templatedSet(t, !test.fasttemplate, test.options, given, fixedFields+"  "+extra+"\n")
			if test.patch != "" {
				require.NoError(t, unstructured.SetNestedField(appSet.Object, test.patch, "spec", "templatePatch"))
			}
			if test.syncPolicy != "" {
				var policy map[string]any
				require.NoError(t, yaml.Unmarshal([]byte(test.syncPolicy), &policy))
				require.NoError(t, unstructured.SetNestedField(appSet.Object, policy, "spec", "syncPolicy"))
			}
			requireAsUpstream(t, appSet)
		})
	}
}

func TestExpandRendersLabelsAndAnnotations(t *testing.T) {
	for _, goTemplate := range []bool{true, false} {
		t.Run(strconv.FormatBool(goTemplate), func(t *testing.T) {
			field := map[bool]string{true: "{{.a}}", false: "{{a}}"}[goTemplate]
			requireAsUpstream(t, templatedSet(t, goTemplate, nil, map[string]any{"a": "b"}, `
metadata:
  name: 'app-`+field+`'
  namespace: 'other-`+field+`'
  labels: {'`+field+`': '`+field+`'}
  annotations: {'x/`+field+`': '`+field+`'}
  finalizers: ['x.io/`+field+`']
spec: {project: default, source: {repoURL: u}, destination: {server: https://kubernetes.default.svc}}
`))
		})
	}
}

// TestExpandKnowsTheFunctionsOfArgoCD looks at each function that sprig has: Argo CD may know it or not.
func TestExpandKnowsTheFunctionsOfArgoCD(t *testing.T) {
	for name := range sprig.GenericFuncMap() {
		requireAsUpstream(t, templatedSet(t, true, nil, map[string]any{"a": "b"},
			fixedFields+"  source: {repoURL: '{{ if false }}{{ "+name+" }}{{ end }}'}\n"))
	}
}

func FuzzExpandRendersAsArgoCD(f *testing.F) {
	for _, text := range []string{"{{.a}}", "{{a}}", "x", "{{", "{{ .n | default \"x\" }}", "{{ if .a }}y{{ end }}", "{{- .a -}}", "{{.none}}", "{{`{{`}}", "{{/* c */}}"} {
		f.Add(text, true, true)
		f.Add(text, false, false)
	}
	f.Fuzz(func(t *testing.T, text string, goTemplate, strict bool) {
		var options []string
		if strict {
			options = []string{"missingkey=error"}
		}
		for _, random := range []string{"rand", "uuid", "now", "gen", "date", "ago", "until", "seq", "repeat", "shuffle", "htpasswd", "bcrypt", "encrypt", "derive"} {
			if strings.Contains(strings.ToLower(text), random) {
				t.Skip("is random, or huge")
			}
		}
		appSet := templatedSet(t, goTemplate, options, map[string]any{"a": "b", "n": "7"}, fixedFields)
		spec := appSet.Object["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
		spec["source"] = map[string]any{
			"repoURL": text, "kustomize": map[string]any{"commonLabels": map[string]any{text: text}},
			"helm": map[string]any{"valuesObject": map[string]any{text: []any{text, 1.5}}},
		}
		if _, err := json.Marshal(appSet.Object); err != nil {
			t.Skip("is no text")
		}
		requireAsUpstream(t, appSet)
	})
}
