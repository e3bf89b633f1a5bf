package policy_test

import (
	"errors"
	"reflect"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/controlbackbone/backbone/policy"
)

// FuzzBuildOfAnyPolicy fills every field of every builder of the policies.kyverno.io group, and checks that none panics and
// that each value is built, Invalid, or unsupported by that version.
func FuzzBuildOfAnyPolicy(f *testing.F) {
	for _, seed := range []string{"", "\x01\x02\x03\x04\x05\x06\x07\x08", "0 3 * * *\x00\xffa\x10\x20\x30", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8"} {
		f.Add([]byte(seed), uint8(17))
	}
	f.Fuzz(func(t *testing.T, data []byte, minor uint8) {
		source := &arbitrary{data: data}
		for _, b := range []builder{
			anyValue[policy.ValidatingPolicy](source), anyValue[policy.MutatingPolicy](source), anyValue[policy.GeneratingPolicy](source),
			anyValue[policy.DeletingPolicy](source), anyValue[policy.ImageValidatingPolicy](source), anyValue[policy.CELException](source),
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

func anyValue[T any](source *arbitrary) T {
	var value T
	source.fill(reflect.ValueOf(&value).Elem(), 0)
	return value
}

// arbitrary turns bytes into values.
type arbitrary struct{ data []byte }

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

func (a *arbitrary) next() byte {
	if len(a.data) == 0 {
		return 0
	}
	next := a.data[0]
	a.data = a.data[1:]
	return next
}

func (a *arbitrary) text() string {
	n := int(a.next())
	if n%2 == 0 {
		return words[n/2%len(words)]
	}
	n = min(n%16, len(a.data))
	text := string(a.data[:n])
	a.data = a.data[n:]
	return text
}

// fill sets the value, as long as there are bytes.
func (a *arbitrary) fill(v reflect.Value, depth int) {
	if len(a.data) == 0 || depth > 12 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(a.text())
	case reflect.Bool:
		v.SetBool(a.next()%2 == 1)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(int8(a.next())))
	case reflect.Float64:
		v.SetFloat(float64(a.next()) / 3)
	case reflect.Pointer:
		if a.next()%2 == 1 {
			v.Set(reflect.New(v.Type().Elem()))
			a.fill(v.Elem(), depth+1)
		}
	case reflect.Slice:
		for range a.next() % 3 {
			item := reflect.New(v.Type().Elem()).Elem()
			a.fill(item, depth+1)
			v.Set(reflect.Append(v, item))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range a.next() % 3 {
			item := reflect.New(v.Type().Elem()).Elem()
			a.fill(item, depth+1)
			v.SetMapIndex(reflect.ValueOf(a.text()).Convert(v.Type().Key()), item)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			a.fill(v.Field(i), depth+1)
		}
	case reflect.Interface:
		choices := implementations[v.Type()]
		choice := reflect.ValueOf(choices[int(a.next())%len(choices)])
		value := reflect.New(choice.Type()).Elem()
		if choice.Kind() == reflect.Pointer && !choice.IsNil() {
			value.Set(reflect.New(choice.Type().Elem()))
			a.fill(value.Elem(), depth+1)
		} else if choice.Kind() != reflect.Pointer {
			a.fill(value, depth+1)
		}
		v.Set(value)
	}
}
