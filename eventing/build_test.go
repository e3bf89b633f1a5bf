package eventing_test

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/internal/golden"
)

// builder is what every type of the package with a Build method is.
type builder interface {
	Build() (*unstructured.Unstructured, error)
}

// builders are named after the file under testdata that holds the object.
var builders = joined(buses, sources, sensors)

func joined(groups ...map[string]builder) map[string]builder {
	all := map[string]builder{}
	for _, group := range groups {
		maps.Copy(all, group)
	}
	return all
}

func TestBuildMakesTheObjectsUnderTestdata(t *testing.T) {
	for name, value := range builders {
		t.Run(name, func(t *testing.T) {
			obj, err := value.Build()
			require.NoError(t, err)
			golden.Equal(t, name, obj)
		})
	}
}

func TestBuildSharesNothingWithItsInput(t *testing.T) {
	for name, value := range builders {
		t.Run(name, func(t *testing.T) {
			first, err := value.Build()
			require.NoError(t, err)
			untouched := first.DeepCopy()
			overwrite(first.Object)
			second, err := value.Build()
			require.NoError(t, err)
			if diff := cmp.Diff(untouched.Object, second.Object); diff != "" {
				t.Errorf("a change of the first object shows in the second (-want +got):\n%s", diff)
			}
		})
	}
}

// overwrite changes every map and list below a value.
func overwrite(value any) {
	switch value := value.(type) {
	case map[string]any:
		for key, item := range value {
			overwrite(item)
			value[key] = "overwritten"
		}
	case []any:
		for i, item := range value {
			overwrite(item)
			value[i] = "overwritten"
		}
	}
}

func TestBuildMakesNoFieldThatWasNotMeant(t *testing.T) {
	for name, value := range builders {
		t.Run(name, func(t *testing.T) {
			obj, err := value.Build()
			require.NoError(t, err)
			require.NotContains(t, obj.Object, "status")
			require.NotContains(t, obj.Object["metadata"], "creationTimestamp")
		})
	}
}
