package gitops

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// ProjectRole permits people and machines to use the Applications of one project. Its tokens are argocd-server's to
// issue and to record.
type ProjectRole struct {
	// Name of the role. Required.
	Name string
	// Description for people.
	Description string
	// Policies of the role. The project itself can be read without one.
	Policies []Policy
	// Groups of the identity provider whose members have the role. A name with a comma is written in double quotes.
	Groups []string
}

// Policy permits or denies an action.
type Policy struct {
	// Resource that is acted on: "applications", "applicationsets", "logs", "exec", "clusters" or "repositories".
	// Default: "applications".
	Resource string
	// Action: "get", "create", "update", "delete", "sync", "override", "*", or one of a resource inside an Application:
	// "action/<group>/<kind>/<action>", "update/<group>/<kind>/<namespace>/<name>", "delete/...". Required.
	Action string
	// Object that is acted on, inside the project: the name of an Application or "<namespace>/<name>", with "*" for any
	// characters. The project's own name is put before it. Default: "*".
	Object string
	// Effect of the policy. Default: Allow.
	Effect Effect
}

// Effect is what a policy does. Deny wins over Allow.
type Effect string

// The effects that Argo CD knows.
const (
	Allow Effect = "allow"
	Deny  Effect = "deny"
)

// The rules are those of argo-cd: pkg/apis/application/v1alpha1/types.go, validateRoleName, validatePolicy and
// validateGroupName, except that its patterns of actions match anywhere in the text.
var (
	validRole        = regexp.MustCompile(`^[a-zA-Z0-9]([-_a-zA-Z0-9]*[a-zA-Z0-9])?$`)
	validAction      = regexp.MustCompile(`^(get|create|update|delete|sync|override|\*|(action|update|delete)/[^,"\s]+)$`)
	validObject      = regexp.MustCompile(`^([*\w.-]+/)?[*\w.-]+$`)
	projectResources = []string{"applications", "applicationsets", "logs", "exec", "clusters", "repositories"}
)

func validateRoles(path *field.Path, roles []ProjectRole) field.ErrorList {
	var faults field.ErrorList
	seen := map[string]bool{}
	for i, role := range roles {
		at := path.Index(i)
		switch {
		case !validRole.MatchString(role.Name):
			faults = append(faults, field.Invalid(at.Child("name"), role.Name, `must be letters and digits, with "-" and "_" between them`))
		case seen[role.Name]:
			faults = append(faults, field.Duplicate(at.Child("name"), role.Name))
		}
		seen[role.Name] = true
		faults = append(faults, object.Text(at.Child("description"), role.Description)...)
		faults = append(faults, validatePolicies(at.Child("policies"), role.Policies)...)
		faults = append(faults, validateGroups(at.Child("groups"), role.Groups)...)
	}
	return faults
}

func validatePolicies(path *field.Path, policies []Policy) field.ErrorList {
	var faults field.ErrorList
	seen := map[Policy]bool{}
	for i, policy := range policies {
		policy, at := policy.complete(), path.Index(i)
		if !slices.Contains(projectResources, policy.Resource) {
			faults = append(faults, field.NotSupported(at.Child("resource"), policy.Resource, projectResources))
		}
		if !validAction.MatchString(policy.Action) {
			faults = append(faults, field.Invalid(at.Child("action"), policy.Action,
				`must be get, create, update, delete, sync, override, "*", or action/..., update/... or delete/... for resources`))
		}
		if !validObject.MatchString(policy.Object) {
			faults = append(faults, field.Invalid(at.Child("object"), policy.Object, "must be an Application's name, or its namespace and name"))
		}
		if policy.Effect != Allow && policy.Effect != Deny {
			faults = append(faults, field.NotSupported(at.Child("effect"), policy.Effect, []Effect{Allow, Deny}))
		}
		if seen[policy] {
			faults = append(faults, field.Duplicate(at, policy))
		}
		seen[policy] = true
	}
	return faults
}

func validateGroups(path *field.Path, groups []string) field.ErrorList {
	var faults field.ErrorList
	seen := map[string]bool{}
	for i, group := range groups {
		name, quoted := group, false
		if len(group) > 1 && strings.HasPrefix(group, `"`) && strings.HasSuffix(group, `"`) {
			name, quoted = group[1:len(group)-1], true
		}
		switch {
		case strings.TrimSpace(name) == "":
			faults = append(faults, field.Required(path.Index(i), ""))
		case strings.Contains(name, ",") && !quoted:
			faults = append(faults, field.Invalid(path.Index(i), group, "must be in double quotes because of its comma"))
		case strings.ContainsAny(name, "\"\n\r\t"), strings.TrimFunc(group, unicode.IsSpace) != group:
			faults = append(faults, field.Invalid(path.Index(i), group, "must have no quotes, line breaks, or spaces around it"))
		case seen[group]:
			faults = append(faults, field.Duplicate(path.Index(i), group))
		}
		seen[group] = true
		faults = append(faults, object.Text(path.Index(i), group)...)
	}
	return faults
}

// complete returns the policy with its defaults.
func (p Policy) complete() Policy {
	p.Resource = orDefault(p.Resource, "applications")
	p.Object = orDefault(p.Object, "*")
	if p.Effect == "" {
		p.Effect = Allow
	}
	return p
}

func (r ProjectRole) build(project string) map[string]any {
	policies := make([]string, len(r.Policies))
	for i, policy := range r.Policies {
		policy = policy.complete()
		subject := "proj:" + project + ":" + r.Name
		line := []string{"p", subject, policy.Resource, policy.Action, project + "/" + policy.Object, string(policy.Effect)}
		policies[i] = strings.Join(line, ", ")
	}
	return object.Compact(map[string]any{"name": r.Name, "description": r.Description, "policies": policies, "groups": r.Groups})
}
