package gitops_test

import (
	"reflect"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/drift"
	"github.com/controlbackbone/backbone/gitops"
	"github.com/controlbackbone/backbone/internal/arbitrary"
)

// FuzzBuildOfAnything fills every field of every builder, and checks that none panics and that each value is either
// built or Invalid.
func FuzzBuildOfAnything(f *testing.F) {
	for _, seed := range []string{"", "\x01\x02\x03\x04\x05\x06\x07\x08", "{{ .a }}\x00\xffa\x10\x20\x30", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		source := &arbitrary.Source{Data: data, Words: words, Implementations: implementations}
		for _, value := range []interface {
			builder
			Validate() field.ErrorList
		}{
			arbitrary.Value[gitops.Application](source), arbitrary.Value[gitops.ApplicationSet](source), arbitrary.Value[gitops.AppProject](source),
		} {
			_, err := value.Build()
			if invalid := len(value.Validate()) > 0; apierrors.IsInvalid(err) != invalid || (err != nil) != invalid {
				t.Fatalf("%#v: invalid: %v, error %v", value, invalid, err)
			}
		}
	})
}

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
