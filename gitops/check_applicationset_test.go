package gitops_test

import "testing"

func TestCheckReadsApplicationSets(t *testing.T) {
	const at = "ApplicationSet argocd/web: spec."
	set := func(head, rest string) string {
		return "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: web, namespace: argocd}\nspec: {" + head +
			", template: {metadata: {name: '{{.name}}'}, spec: {" + sound + "}}, " + rest + "}"
	}
	const strict = "goTemplate: true, goTemplateOptions: ['missingkey=error']"
	const directories = "git: {repoURL: r, directories: [{path: '*'}]}"
	checkTable{
		"nothing is wrong":                          {objects: setWith(fromList)},
		"a missing key is no error":                 {objects: set("goTemplate: true", fromList), want: []string{"GITOPS012 " + at + "goTemplateOptions"}},
		"the last option counts":                    {objects: set("goTemplate: true, goTemplateOptions: ['missingkey=error', 'missingkey=zero']", fromList), want: []string{"GITOPS012 " + at + "goTemplateOptions"}},
		"simple templates":                          {objects: set("goTemplate: false", fromList), want: []string{"GITOPS013 " + at + "goTemplate"}},
		"options without Go templates":              {objects: set("goTemplateOptions: ['missingkey=error']", fromList), want: []string{"GITOPS013 " + at + "goTemplate", "GITOPS014 " + at + "goTemplateOptions"}},
		"an unknown option":                         {objects: set("goTemplate: true, goTemplateOptions: ['missingkey=fail', 'missingkey=error']", fromList), want: []string{"GITOPS014 " + at + "goTemplateOptions[0]"}},
		"numbers without Go templates":              {objects: set("goTemplate: false", "generators: [{list: {elements: [{name: a, port: 1, values: {x: true}}]}}]"), want: []string{"GITOPS013 " + at + "goTemplate", "GITOPS039 " + at + "generators[0].list.elements[0].port", "GITOPS039 " + at + "generators[0].list.elements[0].values.x"}},
		"a template that does not parse":            {objects: setOf("web", "metadata: {name: '{{.name', labels: {'{{end}}': x}}, spec: {"+sound+"}", fromList), want: []string{"GITOPS015 " + at + "template.metadata.name", "GITOPS015 " + at + "template.metadata.labels.{{end}}"}},
		"a patch that does not parse":               {objects: setWith(fromList + ", templatePatch: '{{ if }}'"), want: []string{"GITOPS015 " + at + "templatePatch"}},
		"a simple template without end":             {objects: set("goTemplate: false, templatePatch: '{{a}} {{b'", fromList), want: []string{"GITOPS013 " + at + "goTemplate", "GITOPS015 " + at + "templatePatch"}},
		"a generator's template too":                {objects: setWith("generators: [{list: {elements: [{name: a}], template: {metadata: {labels: {x: '{{'}}}}}]"), want: []string{"GITOPS015 " + at + "generators[0].list.template.metadata.labels.x"}},
		"folders that may be renamed":               {objects: setWith("generators: [{" + directories + "}]"), want: []string{"GITOPS027 " + at + "syncPolicy.preserveResourcesOnDeletion"}},
		"folders inside a matrix":                   {objects: setWith("generators: [{matrix: {generators: [{clusters: {}}, {" + directories + "}]}}]"), want: []string{"GITOPS027 " + at + "syncPolicy.preserveResourcesOnDeletion"}},
		"folders with preserved resources":          {objects: setWith("syncPolicy: {preserveResourcesOnDeletion: true}, generators: [{" + directories + "}]")},
		"folders without deletions":                 {objects: setWith("syncPolicy: {applicationsSync: create-update}, generators: [{" + directories + "}]")},
		"folders with another finalizer":            {objects: setOf("web", "metadata: {name: '{{.name}}', finalizers: [example.com/own]}, spec: {"+sound+"}", "generators: [{"+directories+"}]")},
		"a finalizer against preserving":            {objects: setOf("web", "metadata: {name: '{{.name}}', finalizers: [resources-finalizer.argocd.argoproj.io]}, spec: {"+sound+"}", "syncPolicy: {preserveResourcesOnDeletion: true}, "+fromList), want: []string{"GITOPS028 " + at + "template.metadata.finalizers[0]"}},
		"no generator in an entry":                  {objects: setWith("generators: [{selector: {}}, {list: null}, {}]"), want: []string{"GITOPS033 " + at + "generators[0]", "GITOPS033 " + at + "generators[1]", "GITOPS033 " + at + "generators[2]"}},
		"no generators":                             {objects: setWith("generators: []"), want: []string{"GITOPS033 " + at + "generators"}},
		"a selector two levels deep":                {objects: setWith("generators: [{matrix: {generators: [{selector: {matchLabels: {a: b}}, clusters: {}}, {merge: {mergeKeys: [a], generators: [{clusters: {}}, {selector: {matchLabels: {a: b}}, clusters: {}}]}}]}}]"), want: []string{"GITOPS043 " + at + "generators[0].matrix.generators[1].merge.generators[1].selector"}},
		"one that is applied":                       {objects: setWith("applyNestedSelectors: true, generators: [{matrix: {generators: [{clusters: {}}, {merge: {mergeKeys: [a], generators: [{clusters: {}}, {selector: {matchLabels: {a: b}}, clusters: {}}]}}]}}]")},
		"an unknown generator":                      {objects: setWith("generators: [{folders: {}}]"), want: []string{"GITOPS033 " + at + "generators[0].folders"}},
		"git without anything to look at":           {objects: setWith("generators: [{git: {repoURL: r}}]"), want: []string{"GITOPS033 " + at + "generators[0].git"}},
		"git with files and directories":            {objects: setWith("syncPolicy: {preserveResourcesOnDeletion: true}, generators: [{git: {repoURL: r, directories: [{path: a}], files: [{path: a}]}}]"), want: []string{"GITOPS038 " + at + "generators[0].git.files"}},
		"several generators in an entry":            {objects: setWith("generators: [{list: {elements: [{name: a}]}, clusters: {}}]"), want: []string{"GITOPS034 " + at + "generators[0]"}},
		"several inside a matrix":                   {objects: setWith("generators: [{matrix: {generators: [{list: {}, clusters: {}}, {clusters: {}}]}}]"), want: []string{"GITOPS033 " + at + "generators[0].matrix.generators[0]"}},
		"a matrix of one and of three":              {objects: setWith("generators: [{matrix: {generators: [{clusters: {}}]}}, {matrix: {generators: [{clusters: {}}, {clusters: {}}, {clusters: {}}]}}]"), want: []string{"GITOPS035 " + at + "generators[0].matrix.generators", "GITOPS035 " + at + "generators[1].matrix.generators"}},
		"a merge of one without keys":               {objects: setWith("generators: [{merge: {generators: [{clusters: {}}]}}]"), want: []string{"GITOPS035 " + at + "generators[0].merge.generators", "GITOPS036 " + at + "generators[0].merge.mergeKeys"}},
		"two levels":                                {objects: setWith("generators: [{matrix: {generators: [{clusters: {}}, {merge: {mergeKeys: [a], generators: [{clusters: {}}, {clusters: {}}]}}]}}]")},
		"three levels":                              {objects: setWith("generators: [{matrix: {generators: [{clusters: {}}, {merge: {mergeKeys: [a], generators: [{clusters: {}}, {matrix: {}}]}}]}}]"), want: []string{"GITOPS035 " + at + "generators[0].matrix.generators[1].merge.generators[1].matrix"}},
		"a template inside a matrix":                {objects: setWith("generators: [{matrix: {generators: [{clusters: {template: {spec: {project: x}}}}, {clusters: {}}]}}]"), want: []string{"GITOPS037 " + at + "generators[0].matrix.generators[0].clusters.template"}},
		"a project is required":                     {objects: setOf("web", "metadata: {name: '{{.name}}'}, spec: {source: {repoURL: r, path: p}, destination: {name: core}}", fromList), want: []string{"GITOPS002 " + at + "template.spec.project"}},
		"one of server and name may come out empty": {objects: setOf("web", "metadata: {name: '{{.name}}'}, spec: {project: shop, source: {repoURL: r, path: p}, destination: {name: '{{.a}}', server: '{{.b}}'}}", fromList)},
		"nothing is known of strict options alone":  {objects: set(strict, "generators: [{clusters: {}}]")},
	}.run(t)
}

func TestCheckFindsNamesThatClash(t *testing.T) {
	const at = "ApplicationSet argocd/web: spec."
	named := func(set, name, generators string) string {
		return setOf(set, "metadata: {name: '"+name+"'}, spec: {"+sound+"}", "generators: ["+generators+"]")
	}
	const two = "{list: {elements: [{name: a, in: {deep: x}}, {name: b, in: {deep: x}}]}}"
	checkTable{
		"names that differ":                 {objects: named("web", "{{.name}}", two)},
		"a literal name of two":             {objects: named("web", "fixed", two), want: []string{"GITOPS010 " + at + "template.metadata.name"}},
		"a literal name of one":             {objects: named("web", "fixed", "{list: {elements: [{name: a}]}}")},
		"a literal name of an unknown many": {objects: named("web", "fixed", "{clusters: {}}"), want: []string{"GITOPS011 " + at + "template.metadata.name"}},
		"a field that is the same":          {objects: named("web", "{{ .in.deep }}-x", two), want: []string{"GITOPS010 " + at + "generators[0].list.elements[1]"}},
		"a function may make a difference":  {objects: named("web", "{{ .in.deep | upper }}", two)},
		"a missing field":                   {objects: named("web", "{{ .missing }}", two)},
		"a selector may choose one":         {objects: named("web", "fixed", "{selector: {matchLabels: {name: a}}, list: {elements: [{name: a}, {name: b}]}}")},
		"two generators":                    {objects: named("web", "{{.name}}", "{list: {elements: [{name: a}]}}, {list: {elements: [{name: a}]}}"), want: []string{"GITOPS010 " + at + "generators[1].list.elements[0]"}},
		"two ApplicationSets":               {objects: stream(named("web", "{{.name}}", two), named("vault", "x-{{.name}}", two), named("zoo", "{{.name}}", "{list: {elements: [{name: b}]}}")), want: []string{"GITOPS010 ApplicationSet argocd/zoo: spec.generators[0].list.elements[0]"}},
		"an Application and a set":          {objects: stream(named("web", "{{.name}}", two), applicationWith("a", "", sound)), want: []string{"GITOPS010 " + at + "generators[0].list.elements[0]"}},
		"an Application that the set made":  {objects: stream(named("web", "{{.name}}", two), applicationWith("a", ", ownerReferences: [{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, name: web, uid: u}]", sound))},
		"simple templates": {
			objects: "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: web, namespace: argocd}\nspec: {template: {metadata: {name: '{{ name }}'}, spec: {" + sound +
				"}}, generators: [{list: {elements: [{name: a}, {name: a}]}}]}",
			want: []string{"GITOPS013 " + at + "goTemplate", "GITOPS010 " + at + "generators[0].list.elements[1]"},
		},
	}.run(t)
}

func TestCheckReadsStrategies(t *testing.T) {
	const at = "ApplicationSet argocd/web: spec."
	rolling := func(policy, strategy string) string {
		return setOf("web", "metadata: {name: '{{.name}}', labels: {stage: one, tier: '{{.name}}'}}, spec: {"+sound+policy+"}", fromList+", strategy: "+strategy)
	}
	step := func(expression string) string {
		return rolling("", "{type: RollingSync, rollingSync: {steps: [{matchExpressions: ["+expression+"]}]}}")
	}
	checkTable{
		"a label of the template":             {objects: step("{key: stage, operator: In, values: [one, two]}")},
		"a label that a parameter decides":    {objects: step("{key: tier, operator: In, values: [x]}")},
		"what has not a label":                {objects: step("{key: other, operator: NotIn, values: [x]}")},
		"a label that no Application has":     {objects: step("{key: other, operator: In, values: [x]}"), want: []string{"GITOPS032 " + at + "strategy.rollingSync.steps[0].matchExpressions[0]"}},
		"a value that no Application has":     {objects: step("{key: stage, operator: In, values: [two]}"), want: []string{"GITOPS032 " + at + "strategy.rollingSync.steps[0].matchExpressions[0]"}},
		"an operator that does not exist":     {objects: step("{key: stage, operator: Exists}"), want: []string{"GITOPS032 " + at + "strategy.rollingSync.steps[0].matchExpressions[0].operator"}},
		"automated sync, which is turned off": {objects: rolling(", syncPolicy: {automated: {}}", "{type: RollingSync, rollingSync: {steps: [{}]}}"), want: []string{"GITOPS030 " + at + "template.spec.syncPolicy.automated"}},
		"no steps":                            {objects: rolling("", "{type: RollingSync}"), want: []string{"GITOPS031 " + at + "strategy.rollingSync.steps"}},
		"an unknown strategy":                 {objects: rolling("", "{type: Rolling}"), want: []string{"GITOPS031 " + at + "strategy.type"}},
		"steps without the type":              {objects: rolling("", "{rollingSync: {steps: [{}]}}"), want: []string{"GITOPS031 " + at + "strategy.rollingSync"}},
		"all at once":                         {objects: rolling(", syncPolicy: {automated: {}}", "{type: AllAtOnce}")},
	}.run(t)
}

func TestCheckReadsProjects(t *testing.T) {
	const at = "AppProject argocd/shop: spec."
	role := func(policy string) string {
		return projectWith("shop", "roles: [{name: dev, policies: ['"+policy+"']}]")
	}
	window := func(window string) string { return projectWith("shop", "syncWindows: ["+window+"]") }
	const policy = "roles[0].policies[0]"
	checkTable{
		"nothing is wrong": {objects: projectWith("shop", permissive+", roles: [{name: dev, policies: ['p, proj:shop:dev, applications, action/apps/Deployment/restart, shop/team/*, allow'], groups: ['a:b', '\"x,y\"']}], syncWindows: [{kind: deny, schedule: '* 2 * * 1-5', duration: 1h30m, applications: ['*'], timeZone: Europe/Berlin}], destinationServiceAccounts: [{server: '*', namespace: '*', defaultServiceAccount: 'a:b'}]")},
		"patterns that deny everything": {
			objects: projectWith("shop", "sourceRepos: ['!*'], destinations: [{server: '!*', namespace: '!*'}, {name: '!*', namespace: a}]"),
			want:    []string{"GITOPS040 " + at + "sourceRepos[0]", "GITOPS040 " + at + "destinations[0].server", "GITOPS040 " + at + "destinations[0].namespace", "GITOPS040 " + at + "destinations[1].name"},
		},
		"entries twice": {
			objects: projectWith("shop", "sourceRepos: [a, a], sourceNamespaces: [a, a], destinations: [{server: a, namespace: b}, {name: a, namespace: b}], roles: [{name: r, groups: [g, g]}, {name: r}], destinationServiceAccounts: [{server: a, defaultServiceAccount: b}, {server: a, defaultServiceAccount: c}]"),
			want:    []string{"GITOPS041 " + at + "sourceRepos[1]", "GITOPS041 " + at + "sourceNamespaces[1]", "GITOPS041 " + at + "destinations[1]", "GITOPS041 " + at + "roles[0].groups[1]", "GITOPS041 " + at + "roles[1].name", "GITOPS041 " + at + "destinationServiceAccounts[1]"},
		},
		"a role's name":                   {objects: projectWith("shop", "roles: [{name: 'a b'}]"), want: []string{"GITOPS040 " + at + "roles[0].name"}},
		"a policy of another form":        {objects: role("p, proj:shop:dev, applications, get, shop/*"), want: []string{"GITOPS040 " + at + policy}},
		"a policy of another role":        {objects: role("p, proj:shop:ops, applications, get, shop/*, allow"), want: []string{"GITOPS040 " + at + policy}},
		"a policy on an unknown resource": {objects: role("p, proj:shop:dev, projects, get, shop/*, allow"), want: []string{"GITOPS040 " + at + policy}},
		"a policy of an unknown action":   {objects: role("p, proj:shop:dev, applications, look, shop/*, allow"), want: []string{"GITOPS040 " + at + policy}},
		"a policy on another project":     {objects: role("p, proj:shop:dev, applications, get, other/*, allow"), want: []string{"GITOPS040 " + at + policy}},
		"a policy of an unknown effect":   {objects: role("p, proj:shop:dev, applications, get, shop/*, maybe"), want: []string{"GITOPS040 " + at + policy}},
		"groups": {
			objects: projectWith("shop", `roles: [{name: r, groups: ["", "a,b", " a", "a\tb", good]}]`),
			want:    []string{"GITOPS040 " + at + "roles[0].groups[0]", "GITOPS040 " + at + "roles[0].groups[1]", "GITOPS040 " + at + "roles[0].groups[2]", "GITOPS040 " + at + "roles[0].groups[3]"},
		},
		"a window without selection":      {objects: window("{kind: allow, schedule: '* * * * *', duration: 1h}"), want: []string{"GITOPS040 " + at + "syncWindows[0]"}},
		"a window's kind":                 {objects: window("{kind: permit, schedule: '* * * * *', duration: 1h, clusters: [a]}"), want: []string{"GITOPS040 " + at + "syncWindows[0].kind"}},
		"a window's schedule":             {objects: window("{kind: allow, schedule: '61 * * * *', duration: 1h, clusters: [a]}"), want: []string{"GITOPS040 " + at + "syncWindows[0].schedule"}},
		"a schedule of a time zone alone": {objects: window("{kind: allow, schedule: 'TZ=UTC', duration: 1h, clusters: [a]}"), want: []string{"GITOPS040 " + at + "syncWindows[0].schedule"}},
		"a window's duration":             {objects: window("{kind: allow, schedule: '* * * * *', duration: 1d, clusters: [a]}"), want: []string{"GITOPS040 " + at + "syncWindows[0].duration"}},
		"a time zone that does not exist": {objects: window("{kind: allow, schedule: '* * * * *', duration: 1h, clusters: [a], timeZone: Mars}"), want: []string{"GITOPS042 " + at + "syncWindows[0].timeZone"}},
		"ServiceAccounts": {
			objects: projectWith("shop", "destinationServiceAccounts: [{server: '!a', namespace: '[', defaultServiceAccount: 'a*'}]"),
			want:    []string{"GITOPS040 " + at + "destinationServiceAccounts[0].server", "GITOPS040 " + at + "destinationServiceAccounts[0].namespace", "GITOPS040 " + at + "destinationServiceAccounts[0].defaultServiceAccount"},
		},
	}.run(t)
}
