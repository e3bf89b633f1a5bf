package preview_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/gitops/preview"
)

const repoURL = "https://git.example.com/platform.git"

// repo is a repository of the given files.
func repo(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, content := range files {
		out[name] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
	}
	return out
}

func inputs(content fs.FS, more ...preview.Repository) preview.Inputs {
	return preview.Inputs{Repositories: append([]preview.Repository{{URL: repoURL, Content: content}}, more...)}
}

// fromSources is an Application of the sources, declared in Argo CD's own form.
func fromSources(t testing.TB, name string, sources ...map[string]any) preview.Application {
	t.Helper()
	list := make([]any, len(sources))
	for i, source := range sources {
		if source["repoURL"] == nil {
			source["repoURL"] = repoURL
		}
		list[i] = source
	}
	spec := map[string]any{
		"project": "team", "destination": map[string]any{"server": "https://kubernetes.default.svc", "namespace": "team"},
	}
	if len(list) == 1 {
		spec["source"] = list[0]
	} else {
		spec["sources"] = list
	}
	return preview.Application{ApplicationsSync: gitops.SyncApplications, Object: &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
		"metadata": map[string]any{"name": name, "namespace": "argocd"}, "spec": spec,
	}}}
}

// render renders one Application.
func render(t testing.TB, app preview.Application, in preview.Inputs) ([]*unstructured.Unstructured, error) {
	t.Helper()
	rendered, err := preview.Render(t.Context(), state(app), in, preview.RenderOptions{})
	require.NoError(t, err)
	require.NotEmpty(t, rendered.Applications)
	return rendered.Applications[0].Resources, rendered.Applications[0].RenderError
}

func keys(resources []*unstructured.Unstructured) []string {
	out := []string{}
	for _, resource := range resources {
		out = append(out, strings.TrimPrefix(fmt.Sprintf("%s %s/%s", resource.GetKind(), resource.GetNamespace(), resource.GetName()), "/"))
	}
	return out
}

// config is a ConfigMap.
func config(name string, lines ...string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\n" + strings.Join(lines, "\n") + "\n"
}

func TestRenderFindsTheToolAndItsContent(t *testing.T) {
	chart := map[string]string{"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.2.0\n",
		"templates/a.yaml": config("{{ .Release.Name }}-{{ .Values.key }}"), "values.yaml": "key: own\n"}
	in := inputs(repo(map[string]string{
		"plain/a.yaml": config("plain"), "plain/README.md": "#",
		"kustomize/kustomization.yaml": "resources: [a.yaml]\nnamePrefix: k-\n", "kustomize/a.yaml": config("a"),
		"web/Chart.yaml": chart["Chart.yaml"], "web/values.yaml": chart["values.yaml"], "web/templates/a.yaml": chart["templates/a.yaml"],
		"overridden/a.yaml": config("a"), "overridden/b.yaml": config("b"),
		"overridden/.argocd-source.yaml":     "directory: {exclude: a.yaml}\npath: elsewhere\n",
		"overridden/.argocd-source-web.yaml": "directory: {exclude: b.yaml}\n",
	}), preview.Repository{URL: repoURL, Revision: "v2", Content: repo(map[string]string{"plain/a.yaml": config("v2")})},
		preview.Repository{URL: "https://charts.example.com", Content: under("web", repo(chart))})
	for name, test := range map[string]struct {
		sources []map[string]any
		want    []string
	}{
		"a plain folder":                      {sources: []map[string]any{{"path": "plain"}}, want: []string{"ConfigMap team/plain"}},
		"a kustomization":                     {sources: []map[string]any{{"path": "kustomize"}}, want: []string{"ConfigMap team/k-a"}},
		"a chart":                             {sources: []map[string]any{{"path": "web"}}, want: []string{"ConfigMap team/web-own"}},
		"the tool that is named":              {sources: []map[string]any{{"path": "kustomize", "directory": map[string]any{"include": "a.yaml"}}}, want: []string{"ConfigMap team/a"}},
		"the content of a revision":           {sources: []map[string]any{{"path": "plain", "targetRevision": "v2"}}, want: []string{"ConfigMap team/v2"}},
		"any content for another revision":    {sources: []map[string]any{{"path": "plain", "targetRevision": "v3"}}, want: []string{"ConfigMap team/plain"}},
		"a URL that differs only in spelling": {sources: []map[string]any{{"path": "plain", "repoURL": "https://GIT.example.com/platform"}}, want: []string{"ConfigMap team/plain"}},
		"a chart of a Helm repository": {
			sources: []map[string]any{{"repoURL": "https://charts.example.com/", "chart": "web", "targetRevision": "1.*"}},
			want:    []string{"ConfigMap team/web-own"},
		},
		"the overrides in the folder, the Application's own last": {
			sources: []map[string]any{{"path": "overridden"}}, want: []string{"ConfigMap team/a"},
		},
		"several sources, together": {
			sources: []map[string]any{{"path": "plain"}, {"path": "kustomize"}},
			want:    []string{"ConfigMap team/k-a", "ConfigMap team/plain"},
		},
		"value files of a source that is only referred to": {
			sources: []map[string]any{{"path": "web", "helm": map[string]any{"valueFiles": []any{"$values/own.yaml"}}},
				{"repoURL": "https://git.example.com/values.git", "ref": "values"}},
			want: []string{"ConfigMap team/web-elsewhere"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := in
			in.Repositories = append(in.Repositories, preview.Repository{URL: "https://git.example.com/values.git",
				Content: repo(map[string]string{"own.yaml": "key: elsewhere\n"})})
			resources, err := render(t, fromSources(t, "web", test.sources...), in)
			require.NoError(t, err)
			require.Equal(t, test.want, keys(resources))
		})
	}
}

// under moves files into a folder.
func under(dir string, files fstest.MapFS) fstest.MapFS {
	out := fstest.MapFS{}
	for name, file := range files {
		out[dir+"/"+name] = file
	}
	return out
}

func TestRenderPlacesResourcesAsASyncDoes(t *testing.T) {
	in := inputs(repo(map[string]string{
		"a/all.yaml": `
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: other}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: c, namespace: wrong}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: d}}
---
{apiVersion: example.com/v1, kind: Cat, metadata: {name: e}}
---
{apiVersion: example.com/v1, kind: Dog, metadata: {name: f}}
---
{apiVersion: example.org/v1, kind: Known, metadata: {name: g}}
---
{apiVersion: v1, kind: ConfigMapList, items: null}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: cats.example.com}, spec: {group: example.com, scope: Cluster, names: {kind: Cat}}}
`,
		"b/all.yaml": config("a", "data: {later: wins}"),
	}))
	app := fromSources(t, "web", map[string]any{"path": "a"}, map[string]any{"path": "b"})
	rendered, err := preview.Render(t.Context(), state(app), in,
		preview.RenderOptions{ClusterScoped: kinds("example.org", "Known")})
	require.NoError(t, err)
	require.NoError(t, rendered.Applications[0].RenderError)
	resources := rendered.Applications[0].Resources
	want := []string{"Cat /e", "ClusterRole /d", "ConfigMap other/b", "ConfigMap team/a", "CustomResourceDefinition /cats.example.com",
		"Dog team/f", "Known /g", "Namespace /c"}
	if diff := cmp.Diff(want, keys(resources)); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	require.Equal(t, map[string]any{"later": "wins"}, resources[3].Object["data"])
	require.Nil(t, app.Resources, "the given state is left alone")
}

func TestRenderFollowsApplicationsThatDeployApplications(t *testing.T) {
	child := func(name, path, server string) string {
		return fmt.Sprintf("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: %s, namespace: argocd}\n"+
			"spec: {project: team, source: {repoURL: %q, path: %s}, destination: {server: %q, namespace: team}}\n", name, repoURL, path, server)
	}
	const here = "https://kubernetes.default.svc"
	in := inputs(repo(map[string]string{
		"root/child.yaml":          child("child", "child", here),
		"root/root.yaml":           child("root", "root", here),
		"root/remote.yaml":         child("remote", "remote", "https://other.example.com"),
		"child/leaf.yaml":          child("leaf", "leaf", here),
		"leaf/a.yaml":              config("leaf"),
		"remote/other.yaml":        child("elsewhere", "leaf", here),
		"endless/Chart.yaml":       "apiVersion: v2\nname: endless\nversion: 0.1.0\n",
		"endless/templates/a.yaml": child("{{ .Release.Name }}x", "endless", here),
	}))
	rendered, err := preview.Render(t.Context(), state(fromSources(t, "root", map[string]any{"path": "root"})), in, preview.RenderOptions{})
	require.NoError(t, err)
	got := map[string]string{}
	for _, app := range rendered.Applications {
		require.NoError(t, app.RenderError)
		got[app.Object.GetName()] = app.Parent
	}
	require.Equal(t, map[string]string{"root": "", "child": "argocd/root", "leaf": "argocd/child", "remote": "argocd/root"}, got)

	rendered, err = preview.Render(t.Context(), state(fromSources(t, "child", map[string]any{"path": "leaf"}), fromSources(t, "root", map[string]any{"path": "root"})), in, preview.RenderOptions{})
	require.NoError(t, err)
	require.Len(t, rendered.Applications, 3)
	require.Equal(t, "argocd/root", rendered.Applications[0].Parent, "one that is declared has a parent too")
	require.Equal(t, []string{"ConfigMap team/leaf"}, keys(rendered.Applications[0].Resources), "and is as it is declared")

	rendered, err = preview.Render(t.Context(), state(fromSources(t, "endless", map[string]any{"path": "endless"})), in, preview.RenderOptions{})
	require.NoError(t, err)
	last := rendered.Applications[len(rendered.Applications)-1]
	require.ErrorContains(t, last.RenderError, "in a row")
	require.Less(t, len(rendered.Applications), 30)
}

func TestRenderSaysWhatIsWrong(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", 'b'+i, 'b'+i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", 'a'+i), 10), ","))
	}
	files := map[string]string{
		"file": "x", "broken/a.yaml": "apiVersion: v1\nkind: [\nmetadata: {}\n", "kindless/a.yaml": "apiVersion: v1\nkind: \"\"\nmetadata: {name: a}\n",
		"json/a.json": "{} {}", "large/a.yaml": config("a") + strings.Repeat("# ...............................................\n", 250_000),
		"much/a.yaml": config("a") + strings.Repeat("#\n", 4<<20), "much/b.yaml": config("b") + strings.Repeat("#\n", 4<<20),
		"bomb/a.yaml": config("a", bomb), "kbomb/kustomization.yaml": "resources: [a.yaml]\n", "kbomb/a.yaml": config("a", bomb), "tbomb/kustomization.yaml": "resources: [a.txt]\n", "tbomb/a.txt": config("a", bomb),
		"pbomb/kustomization.yaml": "resources: [../plain]\npatches:\n- target: {kind: ConfigMap}\n  patch: |\n    " + strings.ReplaceAll(config("a", bomb), "\n", "\n    "),
		"plain/kustomization.yaml": "resources: [a.yaml]\n", "plain/a.yaml": config("a"),
		"outside/kustomization.yaml": "resources: [../../../etc]\n", "absolute/kustomization.yaml": "resources: [/etc/passwd]\n",
		"sideways/kustomization.yaml": "resources: [../plain/a.yaml]\n",
		"remote/kustomization.yaml":   "resources: ['https://user:hunter2@github.com/a/b//c?ref=d']\n",
		"github/kustomization.yaml":   "Resources: [github.com/a/b]\n", "user/kustomization.yaml": "bases: ['git@github.com:a/b']\n",
		"url/kustomization.yaml":    "configMapGenerator:\n- name: a\n  files: [key=http://169.254.169.254/latest]\n",
		"patch/kustomization.yaml":  "resources: [../plain]\npatches: [{path: 'https://a.example.com/p.yaml', target: {kind: ConfigMap}}]\n",
		"plugin/kustomization.yaml": "resources: [../plain]\ntransformers: [t.yaml]\n",
		"plugin/t.yaml":             "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: a}\npath: https://a.example.com/p.yaml\ntarget: {kind: ConfigMap}\n",
		"inline/kustomization.yaml": "resources: [../plain]\ntransformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n  metadata: {name: a}\n  path: https://a.example.com/p.yaml\n",
		"flow/kustomization.yaml":   "resources: [../plain]\ntransformers:\n- '{\"apiVersion\":\"builtin\",\"kind\":\"PatchTransformer\",\"metadata\":{\"name\":\"a\"},\"path\":\"https://a.example.com/p.yaml\"}'\n",
		"folder/kustomization.yaml": "resources: [../plain]\ntransformers: [../plain]\n",
		"jsonnet/a.jsonnet":         "import '/etc/passwd'", "jsonnetup/a.jsonnet": "import '../../etc/passwd'",
		"chart/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n", "chart/templates/a.yaml": "{{ fail .Values.why }}", "chart/values.yaml": "why: because\n",
		"sub/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\ndependencies: [{name: d, version: 1.x, repository: 'https://charts.example.com'}]\n",
		"up/Chart.yaml":  "apiVersion: v2\nname: c\nversion: 1.0.0\ndependencies: [{name: d, version: 1.x, repository: 'file://../../d'}]\n",
		"new/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\nkubeVersion: '>=9.0.0'\n",
	}
	missing := func(want preview.MissingContentError) func(*testing.T, error) {
		return func(t *testing.T, err error) {
			got := new(preview.MissingContentError)
			require.ErrorAs(t, err, &got)
			require.Equal(t, want, *got)
		}
	}
	is := func(target error) func(*testing.T, error) {
		return func(t *testing.T, err error) { require.ErrorIs(t, err, target) }
	}
	at := func(path string) func(*testing.T, error) {
		return func(t *testing.T, err error) {
			got := new(preview.ContentError)
			require.ErrorAs(t, err, &got)
			require.Equal(t, path, got.Path)
		}
	}
	says := func(text string) func(*testing.T, error) {
		return func(t *testing.T, err error) { require.ErrorContains(t, err, text) }
	}
	helm := func(path string, settings map[string]any) []map[string]any {
		return []map[string]any{{"path": path, "helm": settings}}
	}
	for name, test := range map[string]struct {
		sources []map[string]any
		check   func(*testing.T, error)
	}{
		"no such repository":    {[]map[string]any{{"repoURL": "https://a.example.com", "path": "a", "targetRevision": "v1"}}, missing(preview.MissingContentError{RepoURL: "https://a.example.com", Revision: "v1"})},
		"no such chart":         {[]map[string]any{{"repoURL": "https://a.example.com", "chart": "a", "targetRevision": "1.x"}}, missing(preview.MissingContentError{RepoURL: "https://a.example.com", Chart: "a", Revision: "1.x"})},
		"another version of it": {[]map[string]any{{"repoURL": "https://charts.example.com", "chart": "other", "targetRevision": "2.x"}}, missing(preview.MissingContentError{RepoURL: "https://charts.example.com", Chart: "other", Revision: "2.x"})},
		"no such subchart":      {[]map[string]any{{"path": "sub"}}, missing(preview.MissingContentError{RepoURL: "https://charts.example.com", Chart: "d", Revision: "1.x"})},
		"no such folder":        {[]map[string]any{{"path": "nothing"}}, is(fs.ErrNotExist)},
		"a file, not a folder":  {[]map[string]any{{"path": "file"}}, says("is a file")},
		"a path that leaves":    {[]map[string]any{{"path": "../a"}}, is(preview.ErrOutside)},
		"an absolute path":      {[]map[string]any{{"path": "/plain"}}, says("absolute")},
		"two tools":             {[]map[string]any{{"path": "plain", "helm": map[string]any{"releaseName": "a"}, "directory": map[string]any{"recurse": true}}}, says("multiple application sources")},
		"a plugin":              {[]map[string]any{{"path": "plain", "plugin": map[string]any{"name": "p"}}}, is(preview.ErrOffline)},
		"broken YAML":           {[]map[string]any{{"path": "broken"}}, at("broken/a.yaml")},
		"no kind":               {[]map[string]any{{"path": "kindless"}}, at("kindless/a.yaml")},
		"two objects in JSON":   {[]map[string]any{{"path": "json"}}, at("json/a.json")},
		"a file of many MB":     {[]map[string]any{{"path": "large"}}, is(preview.ErrTooLarge)},
		"many MB together":      {[]map[string]any{{"path": "much"}}, is(preview.ErrTooLarge)},
		"a YAML bomb":           {[]map[string]any{{"path": "bomb"}}, is(preview.ErrTooLarge)},
		"one in a base":         {[]map[string]any{{"path": "kbomb"}}, is(preview.ErrTooLarge)},
		"one in other text":     {[]map[string]any{{"path": "tbomb"}}, is(preview.ErrTooLarge)},
		"one in a patch":        {[]map[string]any{{"path": "pbomb"}}, is(preview.ErrTooLarge)},
		"a base that leaves":    {[]map[string]any{{"path": "outside"}}, is(preview.ErrOutside)},
		"an absolute base":      {[]map[string]any{{"path": "absolute"}}, is(preview.ErrOutside)},
		"a file of another":     {[]map[string]any{{"path": "sideways"}}, says("security")},
		"a remote base":         {[]map[string]any{{"path": "remote"}}, is(preview.ErrOffline)},
		"one at GitHub":         {[]map[string]any{{"path": "github"}}, is(preview.ErrOffline)},
		"one through ssh":       {[]map[string]any{{"path": "user"}}, is(preview.ErrOffline)},
		"a remote file":         {[]map[string]any{{"path": "url"}}, is(preview.ErrOffline)},
		"a remote patch":        {[]map[string]any{{"path": "patch"}}, is(preview.ErrOffline)},
		"one of a transformer":  {[]map[string]any{{"path": "plugin"}}, is(preview.ErrOffline)},
		"of an inline one":      {[]map[string]any{{"path": "inline"}}, is(preview.ErrOffline)},
		"or one in JSON":        {[]map[string]any{{"path": "flow"}}, is(preview.ErrOffline)},
		"a folder of plugins":   {[]map[string]any{{"path": "folder"}}, is(preview.ErrOffline)},
		"a remote component":    {[]map[string]any{{"path": "plain", "kustomize": map[string]any{"components": []any{"https://a.example.com/c"}}}}, is(preview.ErrOffline)},
		"jsonnet of anywhere":   {[]map[string]any{{"path": "jsonnet"}}, at("jsonnet/a.jsonnet")},
		"jsonnet that leaves":   {[]map[string]any{{"path": "jsonnetup"}}, says("leads out of the repository")},
		"a failing template":    {[]map[string]any{{"path": "chart"}}, says("because")},
		"a newer Kubernetes":    {[]map[string]any{{"path": "new"}}, says("kubeVersion")},
		"a subchart outside":    {[]map[string]any{{"path": "up"}}, is(preview.ErrOutside)},
		"a value file outside":  {helm("chart", map[string]any{"valueFiles": []any{"../../etc/passwd"}}), is(preview.ErrOutside)},
		"a remote value file":   {helm("chart", map[string]any{"valueFiles": []any{"https://a.example.com/v.yaml"}}), is(preview.ErrOffline)},
		"a missing value file":  {helm("chart", map[string]any{"valueFiles": []any{"no.yaml"}}), is(fs.ErrNotExist)},
		"a missing set-file":    {helm("chart", map[string]any{"fileParameters": []any{map[string]any{"name": "a", "path": "no"}}}), is(fs.ErrNotExist)},
		"a wrong Kubernetes":    {helm("chart", map[string]any{"kubeVersion": "new"}), says("kubeVersion")},
		"one source of several": {[]map[string]any{{"path": "plain"}, {"path": "nothing"}}, says("source 2 of 2")},
	} {
		t.Run(name, func(t *testing.T) {
			resources, err := render(t, fromSources(t, "web", test.sources...), inputs(repo(files), preview.Repository{
				URL: "https://charts.example.com", Content: repo(map[string]string{"other/Chart.yaml": "apiVersion: v2\nname: other\nversion: 1.0.0\n"}),
			}))
			require.Error(t, err)
			require.Nil(t, resources)
			require.NotContains(t, err.Error(), "hunter2")
			test.check(t, err)
		})
	}
}

func TestRenderRendersTheOthers(t *testing.T) {
	in := inputs(repo(map[string]string{"a/a.yaml": config("a")}))
	rendered, err := preview.Render(t.Context(), state(fromSources(t, "z", map[string]any{"path": "a"}), fromSources(t, "y", map[string]any{"path": "b"})), in, preview.RenderOptions{})
	require.NoError(t, err)
	require.Equal(t, "y", rendered.Applications[0].Object.GetName())
	require.ErrorIs(t, rendered.Applications[0].RenderError, fs.ErrNotExist)
	require.Equal(t, []string{"ConfigMap team/a"}, keys(rendered.Applications[1].Resources))
}

func TestRenderEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	cancel(stop)
	_, err := preview.Render(ctx, state(fromSources(t, "a", map[string]any{"path": "a"})), inputs(repo(nil)), preview.RenderOptions{})
	require.ErrorIs(t, err, stop)
}

func kinds(group string, names ...string) []schema.GroupKind {
	var out []schema.GroupKind
	for _, name := range names {
		out = append(out, schema.GroupKind{Group: group, Kind: name})
	}
	return out
}

func TestRenderExpandsApplicationSetsThatApplicationsDeploy(t *testing.T) {
	set := func(project string) string {
		return "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: set-" + project + ", namespace: argocd}\nspec:\n  goTemplate: true\n" +
			"  generators: [{list: {elements: [{name: one}]}}]\n  template:\n    metadata: {name: '{{ .name }}-" + project + "'}\n" +
			"    spec: {project: " + project + ", source: {repoURL: '" + repoURL + "', path: leaf}, destination: {server: 'https://kubernetes.default.svc', namespace: a}}\n"
	}
	project := func(name string) string {
		return "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: " + name + ", namespace: argocd}\n" +
			"spec: {sourceRepos: ['*'], destinations: [{server: '*', namespace: '*'}]}\n"
	}
	in := inputs(repo(map[string]string{
		"root/one.yaml": set("declared"), "root/two.yaml": set("deployed"), "root/project.yaml": project("deployed"),
		"lost/three.yaml": set("unknown"), "leaf/a.yaml": config("leaf"),
	}))
	root, lost := fromSources(t, "root", map[string]any{"path": "root"}), fromSources(t, "lost", map[string]any{"path": "lost"})
	expanded, err := preview.Expand(t.Context(), []*unstructured.Unstructured{object(t, project("declared")), root.Object, lost.Object}, in)
	require.NoError(t, err)
	rendered, err := preview.Render(t.Context(), expanded, in, preview.RenderOptions{})
	require.NoError(t, err)
	got := map[string]string{}
	for _, app := range rendered.Applications {
		got[app.Object.GetName()] = app.Parent + " " + app.ApplicationSet
		if app.Object.GetName() == "lost" {
			require.ErrorAs(t, app.RenderError, new(*preview.MissingInputError))
			require.Equal(t, []string{"ApplicationSet argocd/set-unknown"}, keys(app.Resources))
			continue
		}
		require.NoError(t, app.RenderError)
	}
	want := map[string]string{"root": " ", "lost": " ", "one-declared": "argocd/root set-declared", "one-deployed": "argocd/root set-deployed"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Applications (-want +got):\n%s", diff)
	}
}
