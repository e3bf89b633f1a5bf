package gitops_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/controlbackbone/backbone/gitops"
)

func TestProjectLimitsValidate(t *testing.T) {
	const key = "4AEE18F83AFDEB23"
	tests := map[string]struct {
		change func(*gitops.AppProject)
		want   []string
	}{
		"a description is short":          {change: func(p *gitops.AppProject) { p.Description = strings.Repeat("ä", 256) }, want: []string{"description: FieldValueTooLong"}},
		"a description counts characters": {change: func(p *gitops.AppProject) { p.Description = strings.Repeat("ä", 255) }},
		"resources have kinds and names": {
			change: func(p *gitops.AppProject) {
				p.AllowClusterResources = []gitops.ClusterResource{{}, {Group: "a/v1", Kind: "A", Name: "["}}
				p.DenyClusterResources = []gitops.ClusterResource{{Kind: "Namespace", Name: "kube-*"}, {Kind: "A"}}
			},
			want: []string{
				"allowClusterResources[0].kind: FieldValueRequired", "allowClusterResources[0].name: FieldValueRequired",
				"allowClusterResources[1].group: FieldValueInvalid", "allowClusterResources[1].name: FieldValueInvalid", "denyClusterResources[1].name: FieldValueRequired",
			},
		},
		"namespaces are named once": {
			change: func(p *gitops.AppProject) { p.SourceNamespaces = []string{"a", "", "a"} },
			want:   []string{"sourceNamespaces[1]: FieldValueRequired", "sourceNamespaces[2]: FieldValueDuplicate"},
		},
		"keys are written as gpg does": {
			change: func(p *gitops.AppProject) {
				p.SignatureKeys = []string{key, strings.ToLower(key), "AB", key, strings.Repeat("A", 40)}
			},
			want: []string{"signatureKeys[1]: FieldValueInvalid", "signatureKeys[2]: FieldValueInvalid", "signatureKeys[3]: FieldValueDuplicate"},
		},
		"policies of signatures replace keys": {
			change: func(p *gitops.AppProject) {
				p.SignatureKeys = []string{key}
				p.SourceIntegrity = []gitops.SignaturePolicy{{Repos: []string{"*"}, Mode: gitops.CheckHead, Keys: []string{key}}}
			},
			want: []string{"signatureKeys: FieldValueForbidden"},
		},
		"a policy of signatures says for what, how and by whom": {
			change: func(p *gitops.AppProject) {
				p.SourceIntegrity = []gitops.SignaturePolicy{{}, {Repos: []string{"a"}, Mode: gitops.CheckNoSignature}}
			},
			want: []string{
				"sourceIntegrity[0].repos: FieldValueRequired", "sourceIntegrity[0].mode: FieldValueNotSupported", "sourceIntegrity[0].keys: FieldValueRequired",
			},
		},
		"service accounts have names, one for each destination": {
			change: func(p *gitops.AppProject) {
				p.DestinationServiceAccounts = []gitops.DestinationServiceAccount{
					{}, {Namespace: "[", ServiceAccount: "a*"}, {Server: "!a", ServiceAccount: "a:b"}, {Server: "https://kubernetes.default.svc", ServiceAccount: "c"},
				}
			},
			want: []string{
				"destinationServiceAccounts[0].serviceAccount: FieldValueRequired", "destinationServiceAccounts[1].namespace: FieldValueInvalid",
				"destinationServiceAccounts[1].serviceAccount: FieldValueInvalid", "destinationServiceAccounts[2].server: FieldValueInvalid", "destinationServiceAccounts[3]: FieldValueDuplicate",
			},
		},
		"ignored orphans have kinds": {
			change: func(p *gitops.AppProject) {
				p.OrphanedResources = &gitops.OrphanedResources{Ignore: []gitops.OrphanedResource{{Group: "apps/v1"}}}
			},
			want: []string{"orphanedResources.ignore[0].kind: FieldValueRequired", "orphanedResources.ignore[0].group: FieldValueInvalid"},
		},
		"roles have names, each once": {
			change: func(p *gitops.AppProject) { p.Roles = []gitops.ProjectRole{{}, {Name: "a"}, {Name: "a"}, {Name: "-"}} },
			want:   []string{"roles[0].name: FieldValueInvalid", "roles[2].name: FieldValueDuplicate", "roles[3].name: FieldValueInvalid"},
		},
		"policies are those of projects, each once": {
			change: func(p *gitops.AppProject) {
				p.Roles = []gitops.ProjectRole{{Name: "a", Policies: []gitops.Policy{
					{Resource: "accounts", Action: "xaction/a", Object: "a/b/c", Effect: "maybe"}, {Action: "sync"}, {Resource: "applications", Action: "sync", Object: "*", Effect: gitops.Allow},
					{Action: "action/a,b"}, {},
				}}}
			},
			want: []string{
				"roles[0].policies[0].resource: FieldValueNotSupported", "roles[0].policies[0].action: FieldValueInvalid", "roles[0].policies[0].object: FieldValueInvalid",
				"roles[0].policies[0].effect: FieldValueNotSupported", "roles[0].policies[2]: FieldValueDuplicate", "roles[0].policies[3].action: FieldValueInvalid",
				"roles[0].policies[4].action: FieldValueInvalid",
			},
		},
		"groups are quoted where they must be": {
			change: func(p *gitops.AppProject) {
				p.Roles = []gitops.ProjectRole{{Name: "a", Groups: []string{`"a, b"`, "a, b", "", `""`, " a", "a\nb", "a", "a"}}}
			},
			want: []string{
				"roles[0].groups[1]: FieldValueInvalid", "roles[0].groups[2]: FieldValueRequired", "roles[0].groups[3]: FieldValueRequired", "roles[0].groups[4]: FieldValueInvalid",
				"roles[0].groups[5]: FieldValueInvalid", "roles[0].groups[7]: FieldValueDuplicate",
			},
		},
		"a window has a kind, a time and something to hold up": {
			change: func(p *gitops.AppProject) { p.SyncWindows = []gitops.SyncWindow{{}} },
			want: []string{
				"syncWindows[0].kind: FieldValueNotSupported", "syncWindows[0].schedule: FieldValueRequired", "syncWindows[0].duration: FieldValueInvalid", "syncWindows[0].applications: FieldValueRequired",
			},
		},
		"schedules are cron's, without a zone": {
			change: func(p *gitops.AppProject) {
				for _, schedule := range []string{"0 22 * * 5", "0 0 22 * * 5", "@daily", "TZ=UTC", "CRON_TZ=UTC 0 22 * * 5", "61 * * * *"} {
					p.SyncWindows = append(p.SyncWindows, gitops.SyncWindow{Kind: gitops.AllowSyncs, Schedule: schedule, Duration: time.Hour, Clusters: []string{"*"}})
				}
			},
			want: []string{
				"syncWindows[1].schedule: FieldValueInvalid", "syncWindows[2].schedule: FieldValueInvalid", "syncWindows[3].schedule: FieldValueInvalid",
				"syncWindows[4].schedule: FieldValueInvalid", "syncWindows[5].schedule: FieldValueInvalid",
			},
		},
		"windows are told apart by when and for whom": {
			change: func(p *gitops.AppProject) {
				window := gitops.SyncWindow{Kind: gitops.AllowSyncs, Schedule: "* * * * *", Duration: time.Hour, Applications: []string{"a"}, TimeZone: "Europe/Nowhere"}
				same, other := window, window
				same.ManualSync, same.Description = true, strings.Repeat("a", 256)
				other.Applications, other.TimeZone = []string{"b", ""}, "Asia/Tokyo"
				p.SyncWindows = []gitops.SyncWindow{window, same, other}
			},
			want: []string{
				"syncWindows[0].timeZone: FieldValueInvalid", "syncWindows[1].timeZone: FieldValueInvalid", "syncWindows[1].description: FieldValueTooLong",
				"syncWindows[1]: FieldValueDuplicate", "syncWindows[2].applications[1]: FieldValueRequired",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			project := gitops.AppProject{Name: "p", SourceRepos: []string{"*"}, Destinations: []gitops.Destination{{Namespace: "*"}}}
			test.change(&project)
			if diff := cmp.Diff(test.want, faults(project.Validate())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
