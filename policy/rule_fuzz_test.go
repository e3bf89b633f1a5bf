package policy_test

import (
	"errors"
	"maps"
	"reflect"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/arbitrary"
	"github.com/controlbackbone/backbone/policy"
)

// FuzzAnyRule fills every field of the rules, and checks that none panics and that each is built, Invalid or unsupported
// by that version, in both generations; and that Check has no fault to find in what is built.
func FuzzAnyRule(f *testing.F) {
	maps.Copy(implementations, map[reflect.Type][]any{
		reflect.TypeFor[policy.Rule](): {policy.RequireProbes{}, policy.DefaultNetworkPolicy{}, policy.ForbidHostAccess{Name: "a"}, (*policy.Cleanup)(nil)},
	})
	for _, seed := range []string{"", "\x00\x00\x00\x00", "\x00\x02\x01\x00\x02\x00\x02\x00", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8"} {
		f.Add([]byte(seed), uint8(15))
	}
	f.Fuzz(func(t *testing.T, data []byte, minor uint8) {
		version := policy.Kyverno(1, int(minor))
		for _, rule := range []policy.Rule{
			arbitrary.Value[policy.DefaultLabels](anySource(data)), arbitrary.Value[policy.DefaultSecurityContext](anySource(data)),
			arbitrary.Value[policy.ImagePullPolicy](anySource(data)), arbitrary.Value[policy.OwnHosts](anySource(data)),
			arbitrary.Value[policy.PodSecurityStandard](anySource(data)), arbitrary.Value[policy.Cleanup](anySource(data)),
			arbitrary.Value[policy.DefaultLimitRange](anySource(data)), arbitrary.Value[policy.DefaultRoleBinding](anySource(data)),
		} {
			invalid := len(rule.Validate()) > 0
			for _, build := range []func(policy.Version) (*unstructured.Unstructured, error){rule.CEL, rule.Classic} {
				obj, err := build(version)
				switch {
				case errors.As(err, new(*policy.UnsupportedError)):
				case apierrors.IsInvalid(err) != invalid || (err != nil) != invalid || (obj == nil) != invalid:
					t.Fatalf("%#v: invalid: %v, error %v", rule, invalid, err)
				case !invalid && minor >= 15 && minor < 17:
					for _, finding := range policy.Check(version, append(rule.RBAC(), obj)) {
						if finding.Severity == policy.SeverityError {
							t.Fatalf("%#v: %s", rule, finding)
						}
					}
				}
			}
		}
		exception := arbitrary.Value[policy.Exception](anySource(data))
		if _, err := exception.Build(version); (err != nil) != (len(exception.Validate()) > 0) && !errors.As(err, new(*policy.UnsupportedError)) {
			t.Fatalf("%#v: %v", exception, err)
		}
	})
}
