package gitops

import "github.com/controlbackbone/backbone/internal/finding"

// Rules for ApplicationSets alone.
var (
	ruleLiteralName = finding.Rule{
		Code: "GITOPS011", Severity: finding.Warning,
		Summary: "The name in an ApplicationSet's template holds no parameter: from the second set of parameters " +
			"on the Applications clash.",
		Fix:    "put a parameter into the name that differs between the Applications",
		Source: "argo-cd: applicationset/controllers/applicationset_controller.go, validateGeneratedApplications",
	}
	ruleMissingKey = finding.Rule{
		Code: "GITOPS012", Severity: finding.Warning,
		Summary: "An ApplicationSet's template does not fail on a missing parameter.",
		Fix:     "set goTemplateOptions to [missingkey=error]",
		Source:  "argo-cd: docs/operator-manual/applicationset/GoTemplate.md",
	}
	ruleFastTemplate = finding.Rule{
		Code: "GITOPS013", Severity: finding.Warning,
		Summary: "An ApplicationSet uses the simple templates, which leave a parameter that they do not know in " +
			"place.",
		Fix:    "set goTemplate to true and goTemplateOptions to [missingkey=error]",
		Source: "argo-cd: applicationset/utils/utils.go, Replace",
	}
	ruleTemplateOption = finding.Rule{
		Code: "GITOPS014", Severity: finding.Error,
		Summary: "An option of Go templates is unknown, which makes the controller panic, or has no effect.",
		Fix:     "write goTemplateOptions that Go's text/template knows, and set goTemplate to true",
		Source:  "argo-cd: applicationset/utils/utils.go, Replace",
	}
	ruleTemplate = finding.Rule{
		Code: "GITOPS015", Severity: finding.Error,
		Summary: "A text of an ApplicationSet's template does not parse: the controller makes no Application.",
		Fix:     "correct the template's syntax",
		Source:  "argo-cd: applicationset/utils/utils.go, Replace",
	}
	ruleTemplateWave = finding.Rule{
		Code: "GITOPS026", Severity: finding.Warning,
		Summary: "A sync wave in the template of an ApplicationSet has no effect.",
		Fix:     "use the strategy RollingSync with a label for each step",
		Source:  "argo-cd: docs/operator-manual/applicationset/Progressive-Syncs.md",
	}
	rulePreserve = finding.Rule{
		Code: "GITOPS027", Severity: finding.Warning,
		Summary: "When a folder or file in git is renamed, its Application is deleted with everything that it " +
			"deployed.",
		Fix: "set syncPolicy.preserveResourcesOnDeletion to true, or syncPolicy.applicationsSync " +
			"to create-update",
		Source: "argo-cd: applicationset/utils/utils.go, RenderTemplateParams",
	}
	ruleFinalizerDeletes = finding.Rule{
		Code: "GITOPS028", Severity: finding.Error,
		Summary: "preserveResourcesOnDeletion is defeated by a finalizer in the template, which deletes the " +
			"resources.",
		Fix:    "remove the finalizer from the template, or preserveResourcesOnDeletion",
		Source: "argo-cd: applicationset/utils/utils.go, RenderTemplateParams",
	}
	ruleRollingAutomated = finding.Rule{
		Code: "GITOPS030", Severity: finding.Warning,
		Summary: "RollingSync switches automated sync off in the Applications: they are synced step by step, and " +
			"changes in the cluster are not undone.",
		Fix:    "remove automated from the template's sync policy, unless its prune is meant for the steps",
		Source: "argo-cd: applicationset/controllers/applicationset_controller.go, syncValidApplications",
	}
	ruleStrategy = finding.Rule{
		Code: "GITOPS031", Severity: finding.Error,
		Summary: "An ApplicationSet's strategy is unknown or has no effect.",
		Fix:     "set type to RollingSync and give it steps",
		Source:  "argo-cd: applicationset/controllers/applicationset_controller.go, buildAppDependencyList",
	}
	ruleStep = finding.Rule{
		Code: "GITOPS032", Severity: finding.Error,
		Summary: "A step of a RollingSync selects no Application.",
		Fix:     "select by a label and value that the template sets, with the operator In or NotIn",
		Source:  "argo-cd: applicationset/controllers/applicationset_controller.go, buildAppDependencyList",
	}
	ruleGenerator = finding.Rule{
		Code: "GITOPS033", Severity: finding.Error,
		Summary: "An entry of generators holds nothing that Argo CD can evaluate.",
		Fix:     "put exactly one generator into each entry",
		Source:  "argo-cd: applicationset/utils/utils.go, CheckInvalidGenerators",
	}
	ruleGeneratorSeveral = finding.Rule{
		Code: "GITOPS034", Severity: finding.Warning,
		Summary: "An entry of generators holds several: each of them makes Applications of its own.",
		Fix:     "put each generator into an entry of its own, or combine them with matrix or merge",
		Source:  "argo-cd: applicationset/generators/generator_spec_processor.go, GetRelevantGenerators",
	}
	ruleNesting = finding.Rule{
		Code: "GITOPS035", Severity: finding.Error,
		Summary: "A combination of generators has too many or too few of them, or is nested too deep.",
		Fix:     "combine two generators in a matrix and two or more in a merge, at most two levels deep",
		Source:  "argo-cd: applicationset/generators/matrix.go, merge.go",
	}
	ruleMergeKeys = finding.Rule{
		Code: "GITOPS036", Severity: finding.Error,
		Summary: "A merge generator has no keys.",
		Fix:     "set mergeKeys to the parameters by which the generators' results belong together",
		Source:  "argo-cd: applicationset/generators/merge.go",
	}
	ruleNestedTemplate = finding.Rule{
		Code: "GITOPS037", Severity: finding.Error,
		Summary: "The template of a generator inside of matrix or merge is ignored.",
		Fix:     "move the template to the matrix or merge itself",
		Source:  "argo-cd: applicationset/generators/matrix.go, getParams",
	}
	ruleGitFiles = finding.Rule{
		Code: "GITOPS038", Severity: finding.Error,
		Summary: "A git generator's files are ignored, because it has directories too.",
		Fix:     "put files and directories into generators of their own",
		Source:  "argo-cd: applicationset/generators/git.go, GenerateParams",
	}
	ruleElement = finding.Rule{
		Code: "GITOPS039", Severity: finding.Error,
		Summary: "Without Go templates, a list generator accepts only strings.",
		Fix:     "put the value in quotes, or set goTemplate to true",
		Source:  "argo-cd: applicationset/generators/list.go",
	}
	ruleNestedSelector = finding.Rule{
		Code: "GITOPS043", Severity: finding.Warning,
		Summary: "Argo CD before 3.0 ignores the selector of a generator that is nested two levels deep, unless the " +
			"ApplicationSet says otherwise.",
		Fix:    "set applyNestedSelectors to true",
		Source: "argo-cd: applicationset/generators/matrix.go, getParams",
	}
)
