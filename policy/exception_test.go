package policy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/controlbackbone/backbone/internal/golden"
	"github.com/controlbackbone/backbone/policy"
)

func exception() policy.Exception {
	return policy.Exception{
		Name: "legacy-batch", Namespace: "exceptions", Owner: "team-batch", Reason: "the scheduler cannot state limits yet",
		Expires: time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC),
		Rules: []policy.Rule{
			policy.RequireResources{Name: "require-resources"},
			policy.DefaultResourceQuota{Name: "quota", Hard: corev1.ResourceList{"pods": resource.MustParse("4")}},
		},
		Kinds:      []policy.ResourceKind{{Kind: "Pod"}, {Group: "batch", Kind: "Job"}},
		Namespaces: []string{"batch", "batch-*"},
		Names:      []string{"legacy-?"},
	}
}

func TestExceptionsAreOfTheGenerationsOfTheirRules(t *testing.T) {
	built, err := exception().Build(policy.Kyverno(1, 15))
	require.NoError(t, err)
	golden.Equal(t, "exception", append(exception().RBAC(), built...)...)
	require.Equal(t, []string{"policies.kyverno.io/v1alpha1", "kyverno.io/v2"}, []string{built[0].GetAPIVersion(), built[1].GetAPIVersion()})

	built, err = exception().Build(policy.Kyverno(1, 17))
	require.NoError(t, err)
	require.Len(t, built, 1)

	_, err = exception().CEL(policy.Kyverno(1, 15))
	require.ErrorAs(t, err, new(*policy.UnsupportedError), "the quota has no generation there that can be excepted from")
	namespaces := exception()
	namespaces.Kinds = []policy.ResourceKind{{Kind: "Namespace"}}
	_, err = namespaces.Classic(policy.Kyverno(1, 15))
	require.ErrorAs(t, err, new(*policy.UnsupportedError))
	_, err = namespaces.Classic(policy.Kyverno(1, 17))
	require.NoError(t, err)
}

func TestExceptionsEnd(t *testing.T) {
	e := exception()
	require.False(t, e.Expired(e.Expires.Add(-time.Second)))
	require.True(t, e.Expired(e.Expires))
}

func TestExceptionsReportTheirFaults(t *testing.T) {
	require.Equal(t, []string{
		"name: FieldValueRequired", "namespace: FieldValueRequired", "rules: FieldValueRequired", "owner: FieldValueRequired",
		"reason: FieldValueRequired", "expires: FieldValueRequired", "kinds: FieldValueRequired", "namespaces: FieldValueRequired",
	}, faults(policy.Exception{}.Validate()))
	wrong := exception()
	wrong.Rules = []policy.Rule{nil, policy.RequireResources{}}
	wrong.Names = []string{""}
	require.Equal(t, []string{
		"rules[0]: FieldValueRequired", "rules[1].name: FieldValueRequired", "names[0]: FieldValueRequired",
	}, faults(wrong.Validate()))
	_, err := wrong.Build(policy.Kyverno(1, 17))
	require.True(t, apierrors.IsInvalid(err), "%v", err)
}
