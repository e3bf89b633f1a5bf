package policy_test

import (
	"errors"
	"maps"
	"reflect"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/controlbackbone/backbone/internal/arbitrary"
	"github.com/controlbackbone/backbone/policy"
)

// classicImplementations of the sealed interfaces.
var classicImplementations = map[reflect.Type][]any{
	reflect.TypeFor[policy.ContextSource](): {
		policy.ConfigMapContext{}, policy.APICallContext{}, policy.VariableContext{}, policy.ImageRegistryContext{}, policy.GlobalContext{},
		&policy.VariableContext{}, (*policy.APICallContext)(nil),
	},
	reflect.TypeFor[policy.ClassicCheck](): {
		policy.PatternCheck{}, policy.AnyPatternCheck{}, policy.DenyCheck{}, policy.ForEachCheck{}, policy.PodSecurityCheck{}, policy.CELCheck{},
		policy.AssertCheck{}, policy.ManifestsCheck{}, &policy.PatternCheck{}, &policy.AnyPatternCheck{}, &policy.ForEachCheck{},
		&policy.PodSecurityCheck{}, &policy.CELCheck{}, (*policy.PatternCheck)(nil), (*policy.AnyPatternCheck)(nil), (*policy.PodSecurityCheck)(nil),
	},
	reflect.TypeFor[policy.ElementCheck](): {
		policy.PatternCheck{}, policy.AnyPatternCheck{}, policy.DenyCheck{}, policy.ForEachCheck{}, (*policy.DenyCheck)(nil),
	},
	reflect.TypeFor[policy.ClassicPatch](): {
		policy.StrategicMergePatch{}, policy.JSON6902Patch{}, policy.ForEachPatch{}, &policy.JSON6902Patch{}, &policy.ForEachPatch{},
		(*policy.StrategicMergePatch)(nil), (*policy.JSON6902Patch)(nil),
	},
	reflect.TypeFor[policy.GenerateSource](): {
		policy.GenerateData{}, policy.GenerateClone{}, policy.GenerateCloneList{}, policy.GenerateForEach{}, (*policy.GenerateData)(nil),
	},
	reflect.TypeFor[policy.ElementSource](): {policy.GenerateData{}, policy.GenerateClone{}, policy.GenerateCloneList{}, (*policy.GenerateClone)(nil)},
	reflect.TypeFor[policy.ClassicSigner](): {
		policy.KeysSigner{}, policy.KeylessSigner{}, policy.CertificateSigner{}, policy.NestedAttestors{}, &policy.KeysSigner{}, (*policy.KeysSigner)(nil),
	},
	reflect.TypeFor[policy.GlobalSource](): {policy.CachedResources{}, policy.PolledCall{}, (*policy.PolledCall)(nil)},
}

// FuzzBuildOfAnyClassicPolicy fills every field of every builder of the kyverno.io group, and checks that none panics and
// that each value is built, Invalid, or unsupported by that version.
func FuzzBuildOfAnyClassicPolicy(f *testing.F) {
	maps.Copy(implementations, classicImplementations)
	for _, seed := range []string{"", "\x01\x02\x03\x04\x05\x06\x07\x08", "{{ a }}\x00\xffa\x10\x20\x30", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8"} {
		f.Add([]byte(seed), uint8(15))
	}
	f.Fuzz(func(t *testing.T, data []byte, minor uint8) {
		source := anySource(data)
		// A rule of its own, or else most bytes end before the type of the rule.
		rule := arbitrary.Value[policy.ClassicRule](source)
		rule.Validate, rule.Mutate = arbitrary.Value[*policy.ClassicValidate](source), arbitrary.Value[*policy.ClassicMutate](source)
		for _, b := range []builder{
			policy.ClusterPolicy{Name: "a", Rules: []policy.ClassicRule{rule}},
			arbitrary.Value[policy.ClusterPolicy](source), arbitrary.Value[policy.ClassicException](source), arbitrary.Value[policy.CleanupPolicy](source),
			arbitrary.Value[policy.GlobalContextEntry](source),
		} {
			obj, err := b.Build(policy.Kyverno(1, int(minor)))
			var unsupported *policy.UnsupportedError
			switch invalid := len(b.Validate()) > 0; {
			case errors.As(err, &unsupported):
			case apierrors.IsInvalid(err) != invalid || (err != nil) != invalid || (obj == nil) != invalid:
				t.Fatalf("%#v: invalid: %v, error %v", b, invalid, err)
			}
		}
	})
}

// FuzzBuildOfAnyRuleType fills the types of rules, each in a rule that is otherwise valid.
func FuzzBuildOfAnyRuleType(f *testing.F) {
	maps.Copy(implementations, classicImplementations)
	f.Add([]byte("\x01\x02\x03\x04\x05\x06\x07\x08"))
	f.Add([]byte("\x03\x01\x00\x05- {op: add, path: /a}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, rule := range []policy.ClassicRule{
			{Validate: new(arbitrary.Value[policy.ClassicValidate](anySource(data)))},
			{Mutate: new(arbitrary.Value[policy.ClassicMutate](anySource(data)))},
			{Generate: new(arbitrary.Value[policy.ClassicGenerate](anySource(data)))},
			{VerifyImages: arbitrary.Value[[]policy.ImageVerification](anySource(data))},
		} {
			rule.Name, rule.Match = "a", kinds("Pod")
			b := policy.ClusterPolicy{Name: "a", Rules: []policy.ClassicRule{rule}}
			_, err := b.Build(policy.Kyverno(1, 17))
			if invalid := len(b.Validate()) > 0; apierrors.IsInvalid(err) != invalid || (err != nil) != invalid {
				t.Fatalf("%#v: invalid: %v, error %v", b, invalid, err)
			}
		}
	})
}
