package gitops_test

import (
	"reflect"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/drift"
	"github.com/controlbackbone/backbone/gitops"
)

// FuzzBuildOfAnything fills every field of every builder, and checks that none panics and that each value is either
// built or Invalid.
func FuzzBuildOfAnything(f *testing.F) {
	for _, seed := range []string{"", "\x01\x02\x03\x04\x05\x06\x07\x08", "{{ .a }}\x00\xffa\x10\x20\x30", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		source := &arbitrary{data: data}
		var application gitops.Application
		var set gitops.ApplicationSet
		var project gitops.AppProject
		source.fill(reflect.ValueOf(&application).Elem(), 0)
		source.fill(reflect.ValueOf(&set).Elem(), 0)
		source.fill(reflect.ValueOf(&project).Elem(), 0)
		for _, value := range []interface {
			builder
			Validate() field.ErrorList
		}{application, set, project} {
			_, err := value.Build()
			if invalid := len(value.Validate()) > 0; apierrors.IsInvalid(err) != invalid || (err != nil) != invalid {
				t.Fatalf("%#v: invalid: %v, error %v", value, invalid, err)
			}
		}
	})
}

// arbitrary turns bytes into values.
type arbitrary struct{ data []byte }

var (
	words = []string{"a", "A", "{{ .a }}", "{{", "*", "!*", "https://a:b@c", "0 22 * * 5", "TZ=", "In", "\xff", "sync", "allow", "{a: b}", "[", "/a~1"}

	// implementations of the sealed interfaces.
	implementations = map[reflect.Type][]any{
		reflect.TypeFor[gitops.Generator](): {
			gitops.GitDirectories{}, gitops.GitFiles{}, gitops.List{}, gitops.Clusters{}, gitops.ClusterDecisionResource{}, gitops.PluginGenerator{}, gitops.SCMProvider{},
			gitops.PullRequests{}, gitops.Matrix{}, gitops.Merge{}, gitops.Selected{}, gitops.Overridden{}, gitops.RawGenerator{}, &gitops.Matrix{}, (*gitops.List)(nil),
		},
		reflect.TypeFor[gitops.Tool](): {gitops.Directory{}, gitops.Helm{}, gitops.Kustomize{}, gitops.Plugin{}, gitops.RawTool{}, &gitops.Helm{}, (*gitops.Plugin)(nil)},
		reflect.TypeFor[gitops.SCMOrganization](): {
			gitops.GitHubOrganization{}, gitops.GitLabGroup{}, gitops.GiteaOwner{}, gitops.BitbucketWorkspace{}, gitops.BitbucketServerProject{},
			gitops.AzureDevOpsProject{}, gitops.AWSCodeCommit{}, &gitops.AWSCodeCommit{}, (*gitops.GiteaOwner)(nil),
		},
		reflect.TypeFor[gitops.PullRequestRepository](): {
			gitops.GitHubRepository{}, gitops.GitLabProject{}, gitops.GiteaRepository{}, gitops.BitbucketRepository{}, gitops.BitbucketServerRepository{},
			gitops.AzureDevOpsRepository{}, (*gitops.GitLabProject)(nil),
		},
		reflect.TypeFor[gitops.IgnoreDifferences](): {drift.IgnoreRules{}},
		reflect.TypeFor[any]():                      {"", map[string]any{}, []any{}, 1.5, true, make(chan int)},
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

// fill sets the value; the deeper it is, the fewer items lists get.
func (a *arbitrary) fill(v reflect.Value, depth int) {
	if len(a.data) == 0 || depth > 12 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(a.text())
	case reflect.Bool:
		v.SetBool(a.next()%2 == 1)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
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
		a.implement(v, depth)
	}
}

func (a *arbitrary) implement(v reflect.Value, depth int) {
	choices := implementations[v.Type()]
	choice := reflect.ValueOf(choices[int(a.next())%len(choices)])
	value := reflect.New(choice.Type()).Elem()
	if choice.Kind() != reflect.Pointer || !choice.IsNil() {
		if choice.Kind() == reflect.Pointer {
			value.Set(reflect.New(choice.Type().Elem()))
			a.fill(value.Elem(), depth+1)
		} else {
			a.fill(value, depth+1)
		}
	}
	v.Set(value)
}
