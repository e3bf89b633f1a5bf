package policy_test

import (
	"errors"
	"reflect"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/controlbackbone/backbone/internal/arbitrary"
	"github.com/controlbackbone/backbone/policy"
)

// FuzzBuildOfAnyPolicy fills every field of every builder of the policies.kyverno.io group, and checks that none panics and
// that each value is built, Invalid, or unsupported by that version.
func FuzzBuildOfAnyPolicy(f *testing.F) {
	for _, seed := range []string{"", "\x01\x02\x03\x04\x05\x06\x07\x08", "0 3 * * *\x00\xffa\x10\x20\x30", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8"} {
		f.Add([]byte(seed), uint8(17))
	}
	f.Fuzz(func(t *testing.T, data []byte, minor uint8) {
		source := anySource(data)
		for _, b := range []builder{
			arbitrary.Value[policy.ValidatingPolicy](source), arbitrary.Value[policy.MutatingPolicy](source), arbitrary.Value[policy.GeneratingPolicy](source),
			arbitrary.Value[policy.DeletingPolicy](source), arbitrary.Value[policy.ImageValidatingPolicy](source), arbitrary.Value[policy.CELException](source),
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

// anySource turns bytes into values of this package.
func anySource(data []byte) *arbitrary.Source {
	return &arbitrary.Source{Data: data, Words: words, Implementations: implementations}
}

var (
	words = []string{"a", "A", "*", "*/*", "pods/*", "true", "CREATE", "0 3 * * *", "@daily", "TZ=", "In", "\xff", "Deny", "{a,[b", "sha256", publicKey}

	// implementations of the sealed interfaces.
	implementations = map[reflect.Type][]any{
		reflect.TypeFor[policy.Mutation]():     {policy.ApplyConfiguration{}, policy.JSONPatch{}, &policy.JSONPatch{}, (*policy.ApplyConfiguration)(nil)},
		reflect.TypeFor[policy.Signature]():    {policy.Cosign{}, policy.Notary{}, &policy.Cosign{}, (*policy.Notary)(nil)},
		reflect.TypeFor[policy.CosignSigner](): {policy.CosignKey{}, policy.CosignKeyless{}, policy.CosignCertificate{}, (*policy.CosignKey)(nil)},
		reflect.TypeFor[any]():                 {"", map[string]any{}, []any{}, 1.5, true, make(chan int)},
	}
)
