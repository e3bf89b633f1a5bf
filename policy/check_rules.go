package policy

import "github.com/controlbackbone/backbone/internal/finding"

// CheckRules returns every rule of Check, ordered by code.
func CheckRules() []CheckRule {
	return []CheckRule{
		checkShape, checkNotServed, checkDeprecatedKind, checkDuplicateObject, checkDuplicateRule, checkRuleType,
		checkMatchesNothing, checkUnknownKind, checkExcludesAll, checkWildcardKind,
		checkVariableSyntax, checkUnknownVariable, checkUnknownFunction, checkVariablePlace, checkCELSyntax, checkCELVariable,
		checkBackgroundUser, checkNeverEvaluated, checkPermission, checkGeneratesItself,
		checkOperator, checkOperatorDeprecated, checkOperation, checkPattern, checkContext,
		checkDeprecatedField, checkFailOpen, checkTimeout, checkReach,
		checkSchedule, checkSynchronize, checkNotRestored, checkExceptionTarget, checkOldObject,
	}
}

var (
	checkShape = finding.Rule{
		Code: "POLICY001", Severity: finding.Error,
		Summary: "A field is not of the type that it must be.",
		Fix:     "write it as the CustomResourceDefinition says",
		Source:  "kyverno: config/crds",
	}
	checkNotServed = finding.Rule{
		Code: "POLICY002", Severity: finding.Error,
		Summary: "The kind or its API version is not served by the Kyverno version.",
		Fix:     "build the policy for this Kyverno version",
		Source:  "kyverno: config/crds of the releases",
	}
	checkDeprecatedKind = finding.Rule{
		Code: "POLICY003", Severity: finding.Warning,
		Summary: "The kind is deprecated by the Kyverno version and will be removed.",
		Fix:     "use the kinds of policies.kyverno.io",
		Source:  "kyverno: CHANGELOG.md, 1.17",
	}
	checkDuplicateObject = finding.Rule{
		Code: "POLICY004", Severity: finding.Error,
		Summary: "Two objects of the set have the same kind and name: the second overwrites the first.",
		Fix:     "rename one of them",
		Source:  "kubernetes: an object is identified by its kind, namespace and name",
	}
	checkDuplicateRule = finding.Rule{
		Code: "POLICY005", Severity: finding.Error,
		Summary: "Names within a policy are missing, too long or used twice.",
		Fix:     "give each a name of its own of at most 63 characters",
		Source:  "kyverno: api/kyverno/v1/spec_types.go, validateRuleNames",
	}
	checkRuleType = finding.Rule{
		Code: "POLICY006", Severity: finding.Error,
		Summary: "A rule must do exactly one thing: validate, mutate, generate or verify images.",
		Fix:     "split the rule",
		Source:  "kyverno: api/kyverno/v1/rule_types.go, ValidateRuleType",
	}
	checkMatchesNothing = finding.Rule{
		Code: "POLICY010", Severity: finding.Error,
		Summary: "A match block matches nothing.",
		Fix:     "name the kinds that the rule is for",
		Source:  "kyverno: pkg/validation/policy/validate.go, validateMatchKindHelper",
	}
	checkUnknownKind = finding.Rule{
		Code: "POLICY011", Severity: finding.Error,
		Summary: "A match names a kind or resource that its API group does not have, so it never matches.",
		Fix:     "name it as the API does: kinds in the singular as in manifests, resources in the plural as in URLs",
		Source:  "kyverno: pkg/validation/policy/validate.go, validKinds",
	}
	checkExcludesAll = finding.Rule{
		Code: "POLICY012", Severity: finding.Error,
		Summary: "The exclude block excludes all that the match block matches.",
		Fix:     "narrow the exclude block",
		Source:  "kyverno: pkg/engine/utils/match.go, MatchesResourceDescription",
	}
	checkWildcardKind = finding.Rule{
		Code: "POLICY013", Severity: finding.Error,
		Summary: "The kind * is not allowed here.",
		Fix:     "name the kinds, or switch background mode off",
		Source:  "kyverno: pkg/validation/policy/validate.go, validateWildcard",
	}
	checkVariableSyntax = finding.Rule{
		Code: "POLICY020", Severity: finding.Error,
		Summary: "A variable or JMESPath expression does not parse.",
		Fix:     "correct the expression",
		Source:  "kyverno: pkg/engine/context/mock_context.go, Query",
	}
	checkUnknownVariable = finding.Rule{
		Code: "POLICY021", Severity: finding.Error,
		Summary: "A variable is neither built in nor declared in the context of the rule.",
		Fix:     "declare it in the context, or correct its name",
		Source:  "kyverno: pkg/validation/policy/validate.go, hasInvalidVariables",
	}
	checkUnknownFunction = finding.Rule{
		Code: "POLICY022", Severity: finding.Error,
		Summary: "A JMESPath expression calls a function that Kyverno does not have.",
		Fix:     "use a function of https://kyverno.io/docs/policy-types/cluster-policy/jmespath",
		Source:  "kyverno: pkg/engine/jmespath/functions.go",
	}
	checkVariablePlace = finding.Rule{
		Code: "POLICY023", Severity: finding.Error,
		Summary: "Variables are not allowed here.",
		Fix:     "move the condition into preconditions",
		Source:  "kyverno: pkg/validation/policy/validate.go, ruleForbiddenSectionsHaveVariables",
	}
	checkCELSyntax = finding.Rule{
		Code: "POLICY024", Severity: finding.Error,
		Summary: "A CEL expression does not parse.",
		Fix:     "correct the expression",
		Source:  "kyverno: pkg/cel/compiler",
	}
	checkCELVariable = finding.Rule{
		Code: "POLICY025", Severity: finding.Error,
		Summary: "A CEL expression uses a variable that is not declared, or not yet.",
		Fix:     "declare it in variables, before it is used",
		Source:  "kyverno: pkg/cel/compiler/variables.go; pkg/cel/policies",
	}
	checkBackgroundUser = finding.Rule{
		Code: "POLICY030", Severity: finding.Error,
		Summary: "A policy that is evaluated in the background asks who made the request.",
		Fix:     "switch background mode off, or do not ask for the user",
		Source:  "kyverno: pkg/validation/policy/background.go",
	}
	checkNeverEvaluated = finding.Rule{
		Code: "POLICY031", Severity: finding.Error,
		Summary: "The policy is evaluated neither at admission nor in the background, or not when it could act.",
		Fix:     "leave admission on",
		Source:  "kyverno: pkg/validation/policy/validate.go, Validate",
	}
	checkPermission = finding.Rule{
		Code: "POLICY040", Severity: finding.Error,
		Summary: "Kyverno's controller may not do what the policy asks of it.",
		Fix:     "apply the ClusterRoles that policy.RequiredRBAC returns, before the policy",
		Source:  "kyverno: pkg/policy/generate/validate.go; pkg/policy/mutate/validate.go; charts/kyverno/templates",
	}
	checkGeneratesItself = finding.Rule{
		Code: "POLICY041", Severity: finding.Error,
		Summary: "A rule generates the kind that it matches.",
		Fix:     "match another kind",
		Source:  "kyverno: pkg/validation/policy/actions.go, validateActions",
	}
	checkOperator = finding.Rule{
		Code: "POLICY050", Severity: finding.Error,
		Summary: "A condition is incomplete or has an operator that Kyverno does not have.",
		Fix:     "give it a key, a value and one of the operators",
		Source:  "kyverno: api/kyverno/v1/common_types.go, ConditionOperators",
	}
	checkOperatorDeprecated = finding.Rule{
		Code: "POLICY051", Severity: finding.Warning,
		Summary: "A condition has a deprecated operator.",
		Fix:     "use AnyIn, AllIn, AnyNotIn, AllNotIn, Equals or NotEquals",
		Source:  "kyverno: pkg/engine/variables/operator",
	}
	checkOperation = finding.Rule{
		Code: "POLICY052", Severity: finding.Error,
		Summary: "An operation is none that Kubernetes has.",
		Fix:     "use CREATE, UPDATE, DELETE or CONNECT",
		Source:  "kyverno: pkg/validation/policy/validate.go, validateConditionValuesKeyRequestOperation",
	}
	checkPattern = finding.Rule{
		Code: "POLICY053", Severity: finding.Error,
		Summary: "A pattern can never match.",
		Fix:     "correct the pattern",
		Source:  "kyverno: pkg/engine/pattern/pattern.go; pkg/engine/operator",
	}
	checkContext = finding.Rule{
		Code: "POLICY054", Severity: finding.Error,
		Summary: "A context entry is not valid.",
		Fix:     "give it a name of its own and exactly one source",
		Source:  "kyverno: pkg/validation/policy/validate.go, validateRuleContext",
	}
	checkDeprecatedField = finding.Rule{
		Code: "POLICY060", Severity: finding.Warning,
		Summary: "A field is deprecated.",
		Fix:     "use the field that replaces it",
		Source:  "kyverno: api/kyverno/v1/spec_types.go; api/kyverno/v1/match_resources_types.go",
	}
	checkFailOpen = finding.Rule{
		Code: "POLICY061", Severity: finding.Warning,
		Summary: "A policy enforces, but admits every request while Kyverno cannot answer.",
		Fix:     "leave the failure policy at Fail",
		Source:  "kyverno: api/kyverno/v1/spec_types.go, GetFailurePolicy",
	}
	checkTimeout = finding.Rule{
		Code: "POLICY062", Severity: finding.Error,
		Summary: "The webhook's timeout is not between 1 and 30 seconds.",
		Fix:     "choose a timeout of 1 to 30 seconds",
		Source:  "kyverno: api/kyverno/v1/spec_types.go, ValidateWebhookConfiguration",
	}
	checkReach = finding.Rule{
		Code: "POLICY070", Severity: finding.Warning,
		Summary: "An enforcing policy reaches the namespaces of the platform's own controllers, and may block them.",
		Fix:     "exclude kube-system and the namespaces of Kyverno and Argo CD",
		Source:  "kyverno: config/install-latest-testing.yaml, resourceFilters",
	}
	checkSchedule = finding.Rule{
		Code: "POLICY080", Severity: finding.Error,
		Summary: "A schedule does not parse.",
		Fix:     "write it in the five fields of cron",
		Source:  "kyverno: pkg/validation/cleanuppolicy/validate.go",
	}
	checkSynchronize = finding.Rule{
		Code: "POLICY081", Severity: finding.Error,
		Summary: "A synchronised GeneratingPolicy of Kyverno 1.15 deletes all that it has generated when a later request generates nothing.",
		Fix:     "switch synchronisation off, or use a ClusterPolicy",
		Source:  "kyverno: pkg/background/gpol/dynamic_watcher.go, SyncWatchers",
	}
	checkNotRestored = finding.Rule{
		Code: "POLICY082", Severity: finding.Warning,
		Summary: "A synchronised generate rule that matches operations does not restore what was deleted.",
		Fix:     "leave the operations out",
		Source:  "kyverno 1.15.2: pkg/background/generate, seen on the real controller",
	}
	checkExceptionTarget = finding.Rule{
		Code: "POLICY090", Severity: finding.Error,
		Summary: "An exception names a policy or a rule that is not there.",
		Fix:     "name the policy, and the rule as it is or with its autogen prefix",
		Source:  "kyverno: pkg/engine/exceptions.go; pkg/cel/policies/vpol/engine/provider.go",
	}

	checkOldObject = finding.Rule{
		Code: "POLICY091", Severity: finding.Warning,
		Summary: "An expression of a MutatingPolicy looks at the old object, which Kyverno does not show it.",
		Fix:     "decide by the object and the request, or use a ClusterPolicy",
		Source:  "kyverno: pkg/cel/policies/mpol/compiler/policy.go",
	}
)
