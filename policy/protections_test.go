package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/controlbackbone/backbone/policy"
)

func TestForbidHostAccessCanBeAudited(t *testing.T) {
	rule := policy.ForbidHostAccess{Name: "forbid-host-access"}.WithAction(policy.Audit)
	cel, err := rule.CEL(policy.Kyverno(1, 17))
	require.NoError(t, err)
	require.Equal(t, []any{"Audit"}, cel.Object["spec"].(map[string]any)["validationActions"])
}

func TestForbidHostAccessReportsItsFaults(t *testing.T) {
	rule := policy.ForbidHostAccess{Name: "A", ExemptNamespaces: []string{"shop", "*"}, Action: "Block"}
	want := []string{
		"name: FieldValueInvalid", "exemptNamespaces[1]: FieldValueInvalid", "action: FieldValueNotSupported",
	}
	if diff := cmp.Diff(want, faults(rule.Validate())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, err := rule.CEL(policy.Kyverno(1, 17))
	require.True(t, apierrors.IsInvalid(err), "CEL: %v", err)
	_, err = rule.Classic(policy.Kyverno(1, 17))
	require.True(t, apierrors.IsInvalid(err), "Classic: %v", err)
}

func TestPodSecurityStandardReportsItsFaults(t *testing.T) {
	rule := policy.PodSecurityStandard{Name: "A", ExemptNamespaces: []string{"*"}, Action: "Block"}
	want := []string{
		"name: FieldValueInvalid", "level: FieldValueRequired", "exemptNamespaces[0]: FieldValueInvalid",
		"action: FieldValueNotSupported",
	}
	if diff := cmp.Diff(want, faults(rule.Validate())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	rule = policy.PodSecurityStandard{Name: "a", Level: policy.PodSecurityPrivileged}
	require.Equal(t, []string{"level: FieldValueNotSupported"}, faults(rule.Validate()))
}

func TestDefaultResourceQuotaReportsItsFaults(t *testing.T) {
	tests := map[string]struct {
		rule policy.DefaultResourceQuota
		want []string
	}{
		"a limit is required": {policy.DefaultResourceQuota{Name: "a"}, []string{"hard: FieldValueRequired"}},
		"limits have names and are not negative": {
			policy.DefaultResourceQuota{
				ResourceQuota: "A", ExemptNamespaces: []string{""},
				Hard: corev1.ResourceList{"a b": resource.MustParse("1"), "pods": resource.MustParse("-1")},
			},
			[]string{
				"name: FieldValueRequired", "resourceQuota: FieldValueInvalid", "hard[a b]: FieldValueInvalid",
				"hard[pods]: FieldValueInvalid", "exemptNamespaces[0]: FieldValueRequired",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, faults(test.rule.Validate())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			_, err := test.rule.Classic(policy.Kyverno(1, 17))
			require.True(t, apierrors.IsInvalid(err), "Classic: %v", err)
		})
	}
}

func TestRulesReportTheirFaults(t *testing.T) {
	quantity := func(text string) corev1.ResourceList { return corev1.ResourceList{"cpu": resource.MustParse(text)} }
	tests := map[string]struct {
		rule policy.Rule
		want []string
	}{
		"hosts are owned": {policy.OwnHosts{Name: "a"}, []string{"hosts: FieldValueRequired"}},
		"hosts have one owner": {
			policy.OwnHosts{
				Name: "a", Hosts: map[string][]string{"a": {"x.example.com", "*."}, "b": {"x.example.com"}, "C": nil},
				Domains: []string{"*.example.com"}, Action: "Block",
			},
			[]string{
				"hosts[C]: FieldValueInvalid", "hosts[a][1]: FieldValueInvalid", "hosts[b][0]: FieldValueDuplicate",
				"domains[0]: FieldValueInvalid", "action: FieldValueNotSupported",
			},
		},
		"a cleanup leaves something": {
			policy.Cleanup{Name: "a", Kind: policy.ResourceKind{Kind: "Pod"}, Schedule: "@hourly"},
			[]string{"olderThan: FieldValueRequired"},
		},
		"a cleanup has a schedule, and its time runs forward": {
			policy.Cleanup{
				Name: "a", OlderThan: -time.Hour, Propagation: "Later", ExemptNamespaces: []string{"*"},
				Selector: &metav1.LabelSelector{},
			},
			[]string{
				"kind.kind: FieldValueRequired", "selector: FieldValueRequired", "olderThan: FieldValueInvalid",
				"schedule: FieldValueRequired", "propagation: FieldValueNotSupported", "exemptNamespaces[0]: FieldValueInvalid",
			},
		},
		"labels are added to kinds": {
			policy.DefaultLabels{Name: "a"}, []string{"labels: FieldValueRequired", "kinds: FieldValueRequired"},
		},
		"labels and kinds are valid": {
			policy.DefaultLabels{
				Name: "a", Labels: map[string]string{"a b": "c"}, ExemptNamespaces: []string{"*"},
				Kinds: []policy.ResourceKind{{}, {Kind: "Pod"}, {Kind: "Pod", Version: "v1"}},
			},
			[]string{
				"labels: FieldValueInvalid", "kinds[0].kind: FieldValueRequired", "kinds[2]: FieldValueDuplicate",
				"exemptNamespaces[0]: FieldValueInvalid",
			},
		},
		"a pull policy is one of Kubernetes'": {
			policy.ImagePullPolicy{Name: "a", PullPolicy: "Sometimes"}, []string{"pullPolicy: FieldValueNotSupported"},
		},
		"a name is short enough for both generations": {
			policy.DefaultSecurityContext{Name: strings.Repeat("a", 64)}, []string{"name: FieldValueTooLong"},
		},
		"a rule has a name":      {policy.DefaultSecurityContext{}, []string{"name: FieldValueRequired"}},
		"a range does something": {policy.DefaultLimitRange{Name: "a"}, []string{"defaultRequests: FieldValueRequired"}},
		"a range rises": {
			policy.DefaultLimitRange{
				Name: "a", LimitRange: "A",
				Min: quantity("2"), DefaultRequests: quantity("1"), DefaultLimits: quantity("3"), Max: quantity("2"),
			},
			[]string{
				"limitRange: FieldValueInvalid", "defaultRequests[cpu]: FieldValueInvalid", "max[cpu]: FieldValueInvalid",
			},
		},
		"a range has quantities of resources": {
			policy.DefaultLimitRange{
				Name: "a", Max: corev1.ResourceList{"a b": resource.MustParse("-1")}, ExemptNamespaces: []string{"*"},
			},
			[]string{"max[a b]: FieldValueInvalid", "max[a b]: FieldValueInvalid", "exemptNamespaces[0]: FieldValueInvalid"},
		},
		"a binding gives a role to somebody": {
			policy.DefaultRoleBinding{Name: "a", RoleBinding: "a/b"},
			[]string{"roleBinding: FieldValueInvalid", "clusterRole: FieldValueRequired", "subjects: FieldValueRequired"},
		},
		"subjects are users, groups and accounts": {
			policy.DefaultRoleBinding{Name: "a", ClusterRole: "system:node", Subjects: []rbacv1.Subject{
				{Kind: "Team", Name: "a"}, {Kind: "ServiceAccount", Name: "a"}, {Kind: "User", Name: "a", APIGroup: "v1"}, {Kind: "Group"},
			}},
			[]string{
				"subjects[0].kind: FieldValueNotSupported", "subjects[1].namespace: FieldValueRequired",
				"subjects[2].apiGroup: FieldValueNotSupported", "subjects[3].name: FieldValueRequired",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, faults(test.rule.Validate())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			_, err := test.rule.Classic(policy.Kyverno(1, 17))
			require.True(t, apierrors.IsInvalid(err), "Classic: %v", err)
			_, err = test.rule.CEL(policy.Kyverno(1, 17))
			require.True(t, apierrors.IsInvalid(err), "CEL: %v", err)
		})
	}
}
