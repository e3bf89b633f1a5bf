package gitops

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/gobwas/glob"
	"github.com/robfig/cron/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// checkProject is argo-cd's AppProject.ValidateProject, with every fault instead of the first.
// argo-cd: pkg/apis/application/v1alpha1/app_project_types.go
func (c *checker) checkProject(obj *unstructured.Unstructured) {
	spec := c.root(obj).child("spec")
	seen := map[string]bool{}
	for _, item := range spec.child("destinations").items() {
		server, name, namespace := item.child("server"), item.child("name"), item.child("namespace")
		for _, part := range []node{server, name, namespace} {
			checkDeniesAll(part)
		}
		cluster := server.text()
		if cluster == "" {
			cluster = name.text()
		}
		once(item, seen, cluster+"/"+namespace.text())
	}
	seen = map[string]bool{}
	for _, item := range spec.child("sourceNamespaces").items() {
		once(item, seen, item.text())
	}
	seen = map[string]bool{}
	for _, item := range spec.child("sourceRepos").items() {
		checkDeniesAll(item)
		once(item, seen, item.text())
	}
	seen = map[string]bool{}
	for _, role := range spec.child("roles").items() {
		once(role.child("name"), seen, role.child("name").text())
		checkRole(obj.GetName(), role)
	}
	seen = map[string]bool{}
	for _, window := range spec.child("syncWindows").items() {
		checkSyncWindow(window, seen)
	}
	seen = map[string]bool{}
	for _, account := range spec.child("destinationServiceAccounts").items() {
		checkServiceAccount(account)
		once(account, seen, account.child("server").text()+"/"+account.child("namespace").text())
	}
}

func checkDeniesAll(pattern node) {
	if pattern.text() == "!*" {
		pattern.report(ruleProject, "the pattern denies everything")
	}
}

// once reports an entry whose key was seen before.
func once(entry node, seen map[string]bool, key string) {
	if seen[key] {
		entry.report(ruleProjectDuplicate, "an entry before it is the same")
	}
	seen[key] = true
}

var (
	roleName     = regexp.MustCompile(`^[a-zA-Z0-9]([-_a-zA-Z0-9]*[a-zA-Z0-9])?$`)
	invalidGroup = regexp.MustCompile("[\"\n\r\t]")
	// As in Argo CD the patterns are not anchored.
	actionPattern   = regexp.MustCompile("action/.*|update/.*|delete/.*")
	policyActions   = []string{"get", "create", "update", "delete", "sync", "override", "*"}
	policyResources = []string{"applications", "applicationsets", "logs", "exec", "clusters", "repositories"}
)

func checkRole(project string, role node) {
	name := role.child("name").text()
	if !roleName.MatchString(name) {
		role.child("name").report(ruleProject,
			"a role's name is made of letters, digits, - and _, and begins and ends with a letter or digit")
	}
	seen := map[string]bool{}
	for _, policy := range role.child("policies").items() {
		once(policy, seen, policy.text())
		if problem := policyProblem(project, name, policy.text()); problem != "" {
			policy.report(ruleProject, "%s", problem)
		}
	}
	seen = map[string]bool{}
	for _, group := range role.child("groups").items() {
		once(group, seen, group.text())
		if problem := groupProblem(group.text()); problem != "" {
			group.report(ruleProject, "%s", problem)
		}
	}
}

// policyProblem is argo-cd's validatePolicy (pkg/apis/application/v1alpha1/types.go).
func policyProblem(project, role, policy string) string {
	parts := strings.Split(policy, ",")
	for i := range parts {
		parts[i] = strings.Trim(parts[i], " ")
	}
	if len(parts) != 6 || parts[0] != "p" {
		return "a policy has the form: p, subject, resource, action, object, effect"
	}
	if subject := fmt.Sprintf("proj:%s:%s", project, role); parts[1] != subject {
		return fmt.Sprintf("the policy's subject must be %s", subject)
	}
	if !slices.Contains(policyResources, parts[2]) {
		return "the policy's resource must be one of " + strings.Join(policyResources, ", ")
	}
	if !slices.Contains(policyActions, parts[3]) && !actionPattern.MatchString(parts[3]) {
		return "the policy's action must be one of " + strings.Join(policyActions, ", ") + ", action/..., update/... or delete/..."
	}
	object := regexp.MustCompile(`^` + regexp.QuoteMeta(project) + `(/[*\w-.]+)?/[*\w-.]+$`)
	if !object.MatchString(parts[4]) {
		return fmt.Sprintf("the policy's object must have the form %s[/namespace]/name", project)
	}
	if parts[5] != "allow" && parts[5] != "deny" {
		return "the policy's effect must be allow or deny"
	}
	return ""
}

// groupProblem is argo-cd's validateGroupName (pkg/apis/application/v1alpha1/types.go).
func groupProblem(group string) string {
	name := strings.TrimSpace(group)
	switch {
	case len(name) > 1 && strings.HasPrefix(name, `"`) && strings.HasSuffix(name, `"`):
		name = name[1 : len(name)-1]
	case strings.Contains(name, ","):
		return "a group with a comma must be in double quotes"
	}
	runes := []rune(group)
	switch {
	case name == "":
		return "the group is empty"
	case invalidGroup.MatchString(name):
		return "a group must not hold quotes, tabs or line breaks"
	case len(runes) > 1 && (unicode.IsSpace(runes[0]) || unicode.IsSpace(runes[len(runes)-1])):
		return "a group must not begin or end with a blank"
	}
	return ""
}

func checkSyncWindow(window node, seen map[string]bool) {
	if !window.present() {
		return
	}
	kind, schedule, duration := window.child("kind"), window.child("schedule"), window.child("duration")
	once(window, seen, kind.text()+schedule.text()+duration.text())
	if kind.text() != "allow" && kind.text() != "deny" {
		kind.report(ruleProject, "the kind of a sync window is allow or deny")
	}
	if problem := scheduleProblem(schedule.text()); problem != "" {
		schedule.report(ruleProject, "%s", problem)
	}
	if _, err := time.ParseDuration(duration.text()); err != nil {
		duration.report(ruleProject, "%v", err)
	}
	selected := 0
	for _, list := range []string{"applications", "namespaces", "clusters"} {
		selected += len(window.child(list).items())
	}
	if selected == 0 {
		window.report(ruleProject, "it selects no applications, namespaces or clusters")
	}
	if zone := window.child("timeZone"); zone.exists() {
		if _, err := time.LoadLocation(zone.text()); err != nil {
			zone.report(ruleTimeZone, "there is no such time zone")
		}
	}
}

func scheduleProblem(schedule string) string {
	// The parser panics on a time zone that nothing follows.
	if zone, fields, _ := strings.Cut(schedule, " "); strings.Contains(zone, "TZ=") && fields == "" {
		return "the schedule has no fields after the time zone"
	}
	if _, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(schedule); err != nil {
		return err.Error()
	}
	return ""
}

func checkServiceAccount(account node) {
	for _, pattern := range []node{account.child("server"), account.child("namespace")} {
		text := pattern.text()
		if _, err := glob.Compile(text); err != nil || strings.Contains(text, "!") {
			pattern.report(ruleProject, "it must be a pattern without denial")
		}
	}
	name := account.child("defaultServiceAccount")
	if strings.Trim(name.text(), " ") == "" || strings.ContainsAny(name.text(), `!*[]{}\/`) {
		name.report(ruleProject, "it must be the name of a ServiceAccount")
	}
}
