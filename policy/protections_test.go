package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/controlbackbone/backbone/internal/golden"
	"github.com/controlbackbone/backbone/policy"
)

func TestForbidHostAccessInBothGenerations(t *testing.T) {
	rule := policy.ForbidHostAccess{Name: "forbid-host-access", ExemptNamespaces: []string{"argocd"}}
	objects := rule.RBAC()
	for _, version := range []policy.Version{policy.Kyverno(1, 15), policy.Kyverno(1, 17)} {
		cel, err := rule.CEL(version)
		require.NoError(t, err)
		classic, err := rule.Classic(version)
		require.NoError(t, err)
		objects = append(objects, cel, classic)
	}
	golden.Equal(t, "forbid-host-access", objects...)
}

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

func TestDefaultResourceQuotaInBothGenerations(t *testing.T) {
	rule := policy.DefaultResourceQuota{
		Name: "default-resource-quota", ExemptNamespaces: []string{"argocd"},
		Hard: corev1.ResourceList{"requests.cpu": resource.MustParse("4"), "count/deployments.apps": resource.MustParse("20")},
	}
	objects := rule.RBAC()
	for _, version := range []policy.Version{policy.Kyverno(1, 15), policy.Kyverno(1, 17)} {
		classic, err := rule.Classic(version)
		require.NoError(t, err)
		objects = append(objects, classic)
	}
	cel, err := rule.CEL(policy.Kyverno(1, 17))
	require.NoError(t, err)
	golden.Equal(t, "default-resource-quota", append(objects, cel)...)

	var unsupported *policy.UnsupportedError
	_, err = rule.CEL(policy.Kyverno(1, 15))
	require.ErrorAs(t, err, &unsupported)
	rule.Once = true
	_, err = rule.CEL(policy.Kyverno(1, 15))
	require.NoError(t, err)
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
