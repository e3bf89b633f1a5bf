package gitops_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/gitops"
)

// applicationWith is an Application in flow style with more fields in its spec, which may be wrong.
func applicationWith(name, metadata, spec string) string {
	return "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: " + name + ", namespace: argocd" + metadata + "}\nspec: {" + spec + "}"
}

// sound is the spec of an Application without any fault.
const sound = "project: shop, source: {repoURL: 'https://git.example.com/shop.git', path: web}, destination: {server: 'https://kubernetes.default.svc', namespace: shop}"

func projectWith(name, spec string) string {
	return "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: " + name + ", namespace: argocd}\nspec: {" + spec + "}"
}

const permissive = "sourceRepos: ['*'], destinations: [{server: '*', namespace: '*'}]"

// setWith is an ApplicationSet whose Applications are sound.
func setWith(spec string) string {
	return setOf("web", "metadata: {name: '{{.name}}'}, spec: {"+sound+"}", spec)
}

func setOf(name, template, spec string) string {
	return "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: " + name + ", namespace: argocd}\n" +
		"spec: {goTemplate: true, goTemplateOptions: ['missingkey=error'], template: {" + template + "}, " + spec + "}"
}

const fromList = "generators: [{list: {elements: [{name: a}, {name: b}]}}]"

// places are the findings' codes, objects and paths.
func places(findings []gitops.Finding) []string {
	var out []string
	for _, found := range findings {
		out = append(out, found.Code+" "+found.Object+": "+found.Path)
	}
	return out
}

type checkTable map[string]struct {
	objects string
	want    []string
}

func (table checkTable) run(t *testing.T) {
	t.Helper()
	for name, test := range table {
		t.Run(name, func(t *testing.T) {
			require.ElementsMatch(t, test.want, places(gitops.Check(objects(t, test.objects))))
		})
	}
}

func TestCheckKeepsWithinTheProject(t *testing.T) {
	const app = "Application argocd/web: spec."
	within := func(project string) string {
		return stream(projectWith("shop", project), applicationWith("web", "", sound))
	}
	checkTable{
		"nothing is wrong": {objects: within(permissive)},
		"without projects nothing is known about them": {objects: applicationWith("web", "", sound)},
		"an unknown project":                           {objects: stream(projectWith("other", permissive), applicationWith("web", "", sound)), want: []string{"GITOPS002 " + app + "project"}},
		"the default project exists always": {
			objects: stream(projectWith("other", permissive), applicationWith("web", "", "project: default, source: {repoURL: r, path: p}, destination: {name: core}")),
		},
		"no project is the default one, which the set may limit": {
			objects: stream(projectWith("default", "sourceRepos: ['*']"), applicationWith("web", "", "source: {repoURL: r, path: p}, destination: {name: core}")),
			want:    []string{"GITOPS005 " + app + "destination.name"},
		},
		"another repository": {objects: within("sourceRepos: ['https://git.example.com/other.git'], destinations: [{server: '*', namespace: '*'}]"), want: []string{"GITOPS004 " + app + "source.repoURL"}},
		"a star matches no slash": {
			objects: within("sourceRepos: ['https://*'], destinations: [{server: '*', namespace: '*'}]"), want: []string{"GITOPS004 " + app + "source.repoURL"},
		},
		"addresses are compared as Argo CD does": {objects: within("sourceRepos: ['HTTPS://git.example.com/shop'], destinations: [{server: '*', namespace: '*'}]")},
		"a denied repository":                    {objects: within("sourceRepos: ['*', '!https://git.example.com/*'], destinations: [{server: '*', namespace: '*'}]"), want: []string{"GITOPS004 " + app + "source.repoURL"}},
		"another namespace":                      {objects: within("sourceRepos: ['*'], destinations: [{server: '*', namespace: other}]"), want: []string{"GITOPS005 " + app + "destination.namespace"}},
		"another cluster":                        {objects: within("sourceRepos: ['*'], destinations: [{server: 'https://other', namespace: '*'}]"), want: []string{"GITOPS005 " + app + "destination.server"}},
		"Argo CD's own cluster by its name":      {objects: within("sourceRepos: ['*'], destinations: [{name: in-cluster, namespace: shop}]")},
		"a denied namespace permits all others":  {objects: within("sourceRepos: ['*'], destinations: [{server: '*', namespace: '!other'}]")},
		"a denied namespace":                     {objects: within("sourceRepos: ['*'], destinations: [{server: '*', namespace: '*'}, {server: '*', namespace: '!shop'}]"), want: []string{"GITOPS005 " + app + "destination.namespace"}},
		"a cluster's name is unknown without its Secret": {
			objects: stream(projectWith("shop", "sourceRepos: ['*'], destinations: [{name: edge, namespace: '*'}]"),
				applicationWith("web", "", "project: shop, source: {repoURL: r, path: p}, destination: {server: 'https://1.2.3.4', namespace: ns}")),
		},
		"a cluster's Secret in the set tells its name": {
			objects: stream(projectWith("shop", "sourceRepos: ['*'], destinations: [{name: edge, namespace: '*'}]"),
				"apiVersion: v1\nkind: Secret\nmetadata: {name: c, namespace: argocd, labels: {argocd.argoproj.io/secret-type: cluster}}\nstringData: {name: core, server: 'https://1.2.3.4'}",
				applicationWith("web", "", "project: shop, source: {repoURL: r, path: p}, destination: {server: 'https://1.2.3.4', namespace: ns}")),
			want: []string{"GITOPS005 " + app + "destination.server"},
		},
		"a cluster and a repository of the project's own": {
			objects: stream(projectWith("shop", ""),
				"apiVersion: v1\nkind: Secret\nmetadata: {name: c, namespace: argocd, labels: {argocd.argoproj.io/secret-type: cluster}}\ndata: {name: Y29yZQ==, server: aHR0cHM6Ly8xLjIuMy40, project: c2hvcA==}",
				"apiVersion: v1\nkind: Secret\nmetadata: {name: r, namespace: argocd, labels: {argocd.argoproj.io/secret-type: repository}}\nstringData: {url: 'https://git.example.com/own', project: shop}",
				applicationWith("web", "", "project: shop, source: {repoURL: 'https://git.example.com/own.git', path: p}, destination: {name: core, namespace: ns}")),
		},
		"what a global project permits": {
			objects: stream(projectWith("shop", ""), projectWith("all", permissive),
				"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm, namespace: argocd}\ndata: {globalProjects: '[{projectName: all, labelSelector: {}}]'}",
				applicationWith("web", "", sound)),
		},
		"a global project that is not in the set": {
			objects: stream(projectWith("shop", ""),
				"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm, namespace: argocd}\ndata: {globalProjects: '[{projectName: all, labelSelector: {}}]'}",
				applicationWith("web", "", sound)),
		},
		"a namespace that may not hold Applications": {
			objects: stream(projectWith("shop", permissive+", sourceNamespaces: [team-*]"), "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web, namespace: other}\nspec: {"+sound+"}"),
			want:    []string{"GITOPS003 Application other/web: spec.project"},
		},
		"a namespace that may": {
			objects: stream(projectWith("shop", permissive+", sourceNamespaces: ['/^oth(er)?$/']"), "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web, namespace: other}\nspec: {"+sound+"}"),
		},
		"every source and the hydrator's": {
			objects: stream(projectWith("shop", "sourceRepos: [a], destinations: [{server: '*', namespace: '*'}]"),
				applicationWith("many", "", "project: shop, sources: [{repoURL: a, path: p}, {repoURL: b, path: p}], destination: {name: core}"),
				applicationWith("dry", "", "project: shop, sourceHydrator: {drySource: {repoURL: b, path: p}, syncSource: {targetBranch: t, path: p}}, destination: {name: core}")),
			want: []string{"GITOPS004 Application argocd/many: spec.sources[1].repoURL", "GITOPS004 Application argocd/dry: spec.sourceHydrator.drySource.repoURL"},
		},
		"a template as far as it is known": {
			objects: stream(projectWith("shop", "sourceRepos: [a], destinations: [{server: '*', namespace: 'team-*'}]"),
				setOf("known", "metadata: {name: '{{.name}}'}, spec: {project: shop, source: {repoURL: b, path: p}, destination: {name: '{{.name}}', namespace: other}}", fromList),
				setOf("unknown", "metadata: {name: 'x-{{.name}}'}, spec: {project: shop, source: {repoURL: '{{.repo}}', path: p}, destination: {name: core, namespace: '{{.name}}'}}", fromList),
				setOf("patched", "metadata: {name: 'y-{{.name}}'}, spec: {project: shop, source: {repoURL: b, path: p}, destination: {name: core, namespace: other}}", "templatePatch: '{}', "+fromList)),
			want: []string{"GITOPS004 ApplicationSet argocd/known: spec.template.spec.source.repoURL", "GITOPS005 ApplicationSet argocd/known: spec.template.spec.destination.namespace"},
		},
		"a generator's own template over the ApplicationSet's": {
			objects: stream(projectWith("shop", permissive), setWith("generators: [{list: {elements: [{name: a}], template: {spec: {project: other}}}}]")),
			want:    []string{"GITOPS002 ApplicationSet argocd/web: spec.generators[0].list.template.spec.project"},
		},
	}.run(t)
}

func TestCheckReadsApplications(t *testing.T) {
	const at = "Application argocd/web: "
	with := func(spec string) string { return applicationWith("web", "", spec) }
	destination := ", destination: {name: core}"
	policy := func(policy string) string { return with(sound + ", syncPolicy: " + policy) }
	checkTable{
		"server and name":                              {objects: with("project: p, source: {repoURL: r, path: p}, destination: {server: s, name: core}"), want: []string{"GITOPS006 " + at + "spec.destination.name"}},
		"neither server nor name":                      {objects: with("project: p, source: {repoURL: r, path: p}, destination: {namespace: ns}"), want: []string{"GITOPS006 " + at + "spec.destination"}},
		"no source":                                    {objects: with("project: p" + destination), want: []string{"GITOPS007 " + at + "spec.source", "GITOPS007 " + at + "spec.source.repoURL"}},
		"a chart without revision":                     {objects: with("project: p, source: {repoURL: r, chart: c}" + destination), want: []string{"GITOPS007 " + at + "spec.source.targetRevision"}},
		"a ref alone, which a single source cannot be": {objects: with("project: p, source: {repoURL: r, ref: v}" + destination), want: []string{"GITOPS007 " + at + "spec.source"}},
		"a ref among sources":                          {objects: with("project: p, sources: [{repoURL: r, ref: v}, {repoURL: r, path: p}]" + destination)},
		"refs twice and misspelt":                      {objects: with("project: p, sources: [{repoURL: r, ref: v}, {repoURL: r, ref: v}, {repoURL: r, ref: v/w}]" + destination), want: []string{"GITOPS007 " + at + "spec.sources[1].ref", "GITOPS007 " + at + "spec.sources[2].ref"}},
		"a hydrator without branch":                    {objects: with("project: p, sourceHydrator: {drySource: {repoURL: r}, syncSource: {}, hydrateTo: {}}" + destination), want: []string{"GITOPS007 " + at + "spec.sourceHydrator.syncSource.targetBranch", "GITOPS007 " + at + "spec.sourceHydrator.hydrateTo.targetBranch"}},
		"source beside sources":                        {objects: with("project: p, source: {repoURL: r, path: p}, sources: [{repoURL: r, path: p}]" + destination), want: []string{"GITOPS008 " + at + "spec.source"}},
		"an absolute path":                             {objects: with("project: p, source: {repoURL: r, path: /p}" + destination), want: []string{"GITOPS009 " + at + "spec.source.path"}},
		"a path that leaves":                           {objects: with("project: p, source: {repoURL: r, path: a/../../b}" + destination), want: []string{"GITOPS009 " + at + "spec.source.path"}},
		"a path that comes back":                       {objects: with("project: p, source: {repoURL: r, path: a/../b}" + destination)},
		"two of one name":                              {objects: stream(with(sound), with(sound)), want: []string{"GITOPS010 " + at + "metadata.name"}},
		"one name in two namespaces":                   {objects: stream(with(sound), "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web, namespace: other}\nspec: {"+sound+"}")},
		"replace and server-side apply":                {objects: policy("{syncOptions: [Replace=true, ServerSideApply=true]}"), want: []string{"GITOPS016 " + at + "spec.syncPolicy.syncOptions[1]"}},
		"replace alone":                                {objects: policy("{syncOptions: [Replace=true, ServerSideApply=false]}")},
		"both on one object": {
			objects: manifest("v1", "ConfigMap", "c", `sync-options: "Replace=true,ServerSideApply=true"`, ""),
			want:    []string{"GITOPS016 ConfigMap shop/c: metadata.annotations[argocd.argoproj.io/sync-options]"},
		},
		"sync options that are ignored": {
			objects: policy("{syncOptions: [Force=true, 'CreateNamespace= true', PruneLast, prunelast=true, PrunePropagationPolicy=now]}"),
			want: []string{
				"GITOPS017 " + at + "spec.syncPolicy.syncOptions[0]", "GITOPS017 " + at + "spec.syncPolicy.syncOptions[1]", "GITOPS017 " + at + "spec.syncPolicy.syncOptions[2]",
				"GITOPS017 " + at + "spec.syncPolicy.syncOptions[3]", "GITOPS017 " + at + "spec.syncPolicy.syncOptions[4]",
			},
		},
		"sync options of both generations": {
			objects: policy("{syncOptions: [Validate=false, PruneLast=true, ApplyOutOfSyncOnly=true, ServerSideApply=true, CreateNamespace=true, FailOnSharedResource=true, PrunePropagationPolicy=orphan, RespectIgnoreDifferences=true, ClientSideApplyMigration=false, Prune=confirm, Delete=false, SkipDryRunOnMissingResource=true]}"),
		},
		"labels of a namespace that is not created": {objects: policy("{managedNamespaceMetadata: {labels: {a: b}}}"), want: []string{"GITOPS018 " + at + "spec.syncPolicy.managedNamespaceMetadata"}},
		"labels of one that is":                     {objects: policy("{syncOptions: [CreateNamespace=true], managedNamespaceMetadata: {labels: {a: b}}}")},
		"an unknown finalizer of Argo CD's":         {objects: applicationWith("web", ", finalizers: [resources-finalizer.argoproj.io, example.com/mine, resources-finalizer.argocd.argoproj.io/background]", sound), want: []string{"GITOPS029 " + at + "metadata.finalizers[0]"}},
		"a rollback under automated sync":           {objects: applicationWith("web", ", annotations: {gitops.backbone.dev/rollback: '{}'}", sound+", syncPolicy: {automated: {}}"), want: []string{"GITOPS024 " + at + "spec.syncPolicy.automated"}},
		"a rollback under suspended sync":           {objects: applicationWith("web", ", annotations: {gitops.backbone.dev/rollback: '{}'}", sound+", syncPolicy: {automated: {enabled: false}}")},
		"a rollback that is being undone":           {objects: applicationWith("web", `, annotations: {gitops.backbone.dev/rollback: '{"phase":"Restoring"}'}`, sound+", syncPolicy: {automated: {}}")},
	}.run(t)
}

func TestCheckReadsIgnoreDifferences(t *testing.T) {
	const at = "Application argocd/web: spec."
	ignoring := func(entry string) string {
		return applicationWith("web", "", sound+", syncPolicy: {automated: {}, syncOptions: [RespectIgnoreDifferences=true]}, ignoreDifferences: ["+entry+"]")
	}
	checkTable{
		"what is right":       {objects: ignoring("{group: apps, kind: Deployment, jsonPointers: [/spec/replicas], jqPathExpressions: ['.spec.containers[] | select(.name == \"a\")'], managedFieldsManagers: [m]}")},
		"patterns":            {objects: ignoring("{group: '*', kind: '*', jsonPointers: [/a~1b]}")},
		"somebody's own kind": {objects: ignoring("{group: example.com, kind: Deployment, jsonPointers: [/a]}")},
		"a version":           {objects: ignoring("{group: apps/v1, kind: Deployment, jsonPointers: [/a]}"), want: []string{"GITOPS019 " + at + "ignoreDifferences[0].group"}},
		"a version alone":     {objects: ignoring("{group: v1, kind: Secret, jsonPointers: [/a]}"), want: []string{"GITOPS019 " + at + "ignoreDifferences[0].group"}},
		"the core group":      {objects: ignoring("{group: core, kind: Secret, jsonPointers: [/a]}"), want: []string{"GITOPS019 " + at + "ignoreDifferences[0].group"}},
		"the wrong group":     {objects: ignoring("{kind: Deployment, jsonPointers: [/a]}"), want: []string{"GITOPS019 " + at + "ignoreDifferences[0].group"}},
		"no kind":             {objects: ignoring("{group: apps, jsonPointers: [/a]}"), want: []string{"GITOPS019 " + at + "ignoreDifferences[0].kind"}},
		"no fields":           {objects: ignoring("{group: apps, kind: Deployment}"), want: []string{"GITOPS020 " + at + "ignoreDifferences[0]"}},
		"jq that does not parse, and a function that does not exist": {
			objects: ignoring("{kind: Secret, jqPathExpressions: ['.a', '.a[', 'nothing(.a)']}"),
			want:    []string{"GITOPS021 " + at + "ignoreDifferences[0].jqPathExpressions[1]", "GITOPS021 " + at + "ignoreDifferences[0].jqPathExpressions[2]"},
		},
		"JSON pointers that select nothing": {
			objects: ignoring("{kind: Secret, jsonPointers: [data/a, '', /metadata/annotations/example.com/a, /metadata/annotations/example.com~1a]}"),
			want:    []string{"GITOPS022 " + at + "ignoreDifferences[0].jsonPointers[0]", "GITOPS022 " + at + "ignoreDifferences[0].jsonPointers[1]", "GITOPS022 " + at + "ignoreDifferences[0].jsonPointers[2]"},
		},
		"not respected on an automated sync": {
			objects: applicationWith("web", "", sound+", syncPolicy: {automated: {}}, ignoreDifferences: [{kind: Secret, jsonPointers: [/a]}]"),
			want:    []string{"GITOPS023 " + at + "ignoreDifferences"},
		},
		"not respected when somebody syncs by hand": {objects: applicationWith("web", "", sound+", ignoreDifferences: [{kind: Secret, jsonPointers: [/a]}]")},
		"an ApplicationSet's own": {
			objects: setWith(fromList + ", ignoreApplicationDifferences: [{jsonPointers: [spec]}, {jqPathExpressions: ['.spec[']}, {name: a}]"),
			want: []string{
				"GITOPS022 ApplicationSet argocd/web: spec.ignoreApplicationDifferences[0].jsonPointers[0]", "GITOPS021 ApplicationSet argocd/web: spec.ignoreApplicationDifferences[1].jqPathExpressions[0]",
				"GITOPS020 ApplicationSet argocd/web: spec.ignoreApplicationDifferences[2]",
			},
		},
	}.run(t)
}

func TestCheckReadsWavesOfApplications(t *testing.T) {
	wave := func(name, wave string) string {
		return applicationWith(name, ", annotations: {argocd.argoproj.io/sync-wave: '"+wave+"'}", sound)
	}
	configuration := func(data string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm, namespace: argocd}\ndata: {" + data + "}"
	}
	finding := []string{"GITOPS025 Application argocd/a: metadata.annotations[argocd.argoproj.io/sync-wave]"}
	checkTable{
		"one wave":                           {objects: stream(wave("a", "1"), wave("b", "1"))},
		"two waves":                          {objects: stream(wave("a", "1"), applicationWith("b", "", sound)), want: finding},
		"two waves and a health check":       {objects: stream(wave("a", "1"), applicationWith("b", "", sound), configuration("resource.customizations.health.argoproj.io_Application: 'return {}'"))},
		"two waves and an older form of it":  {objects: stream(wave("a", "1"), applicationWith("b", "", sound), configuration(`resource.customizations: "argoproj.io/Application: {health.lua: 'return {}'}"`))},
		"two waves and another health check": {objects: stream(wave("a", "1"), applicationWith("b", "", sound), configuration("resource.customizations.health.argoproj.io_Rollout: 'return {}'")), want: finding},
		"a wave in a template": {
			objects: setOf("web", "metadata: {name: '{{.name}}', annotations: {argocd.argoproj.io/sync-wave: '1'}}, spec: {"+sound+"}", fromList),
			want:    []string{"GITOPS026 ApplicationSet argocd/web: spec.template.metadata.annotations[argocd.argoproj.io/sync-wave]"},
		},
	}.run(t)
}

func TestCheckReportsFieldsOfTheWrongType(t *testing.T) {
	checkTable{
		"lists, texts and objects that are none": {
			objects: stream(applicationWith("web", "", "project: 7, sources: {a: b}, source: [a], destination: text, syncPolicy: {syncOptions: [1], automated: {enabled: 'yes'}}, ignoreDifferences: [x]"),
				projectWith("p", "sourceRepos: x, roles: [{policies: y}], syncWindows: [1]")),
			want: []string{
				"GITOPS001 Application argocd/web: spec.project", "GITOPS001 Application argocd/web: spec.sources", "GITOPS001 Application argocd/web: spec.source",
				"GITOPS001 Application argocd/web: spec.destination", "GITOPS001 Application argocd/web: spec.syncPolicy.syncOptions[0]",
				"GITOPS001 Application argocd/web: spec.syncPolicy.automated.enabled", "GITOPS001 Application argocd/web: spec.ignoreDifferences[0]",
				"GITOPS001 AppProject argocd/p: spec.sourceRepos", "GITOPS001 AppProject argocd/p: spec.roles[0].policies", "GITOPS001 AppProject argocd/p: spec.syncWindows[0]",
			},
		},
	}.runContains(t)
}

// runContains tolerates findings that follow from the others.
func (table checkTable) runContains(t *testing.T) {
	t.Helper()
	for name, test := range table {
		t.Run(name, func(t *testing.T) {
			require.Subset(t, places(gitops.Check(objects(t, test.objects))), test.want)
		})
	}
}

func TestCheckDoesNotDependOnTheOrderOfTheObjects(t *testing.T) {
	all := objects(t, stream(
		applicationWith("a", "", sound), applicationWith("a", "", sound), setWith(fromList), projectWith("other", ""), manifest("v1", "Secret", "s", `sync-wave: "x"`, ""),
	))
	want := gitops.Check(all)
	require.NotEmpty(t, want)
	reversed := make([]*unstructured.Unstructured, len(all))
	for i, obj := range all {
		reversed[len(all)-1-i] = obj
	}
	require.Equal(t, want, gitops.Check(append(reversed, nil, &unstructured.Unstructured{})))
}

func TestCheckNeverPrintsPasswords(t *testing.T) {
	found := gitops.Check(objects(t, stream(projectWith("shop", ""), applicationWith("web", "", "project: shop, source: {repoURL: 'https://me:hunter2@git.example.com/x', path: p}, destination: {name: core}"))))
	require.NotEmpty(t, found)
	for _, one := range found {
		require.NotContains(t, one.String(), "hunter2")
	}
}

func TestRulesAreOrderedAndSayEverything(t *testing.T) {
	last := ""
	for _, rule := range gitops.Rules() {
		require.Greater(t, rule.Code, last)
		last = rule.Code
	}
}
