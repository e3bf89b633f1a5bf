package policycorpus_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/internal/policycorpus"
)

func TestEverySampleShowsBothSidesOfItsRule(t *testing.T) {
	for _, sample := range policycorpus.Samples(t) {
		t.Run(sample.Name, func(t *testing.T) {
			require.Empty(t, sample.Rule.Validate())
			count := map[policycorpus.Expectation]int{}
			for _, item := range sample.Cases {
				count[item.Expect]++
			}
			switch {
			case count[policycorpus.Denied] > 0:
				require.GreaterOrEqual(t, count[policycorpus.Denied], 4, "denied")
				require.GreaterOrEqual(t, count[policycorpus.Allowed], 4, "allowed")
			default:
				require.NotEmpty(t, sample.Cases)
			}
		})
	}
}

func TestRequestsHaveTheObjectsOfTheirOperation(t *testing.T) {
	for _, sample := range policycorpus.Samples(t) {
		for _, item := range sample.Cases {
			t.Run(sample.Name+"/"+item.Name, func(t *testing.T) {
				require.Equal(t, item.Operation == "DELETE", item.Object == nil)
				require.Equal(t, item.Operation == "CREATE", item.Old == nil)
				require.Equal(t, item.Expect == policycorpus.Mutated || item.Expect == policycorpus.Generated, len(item.Want) > 0)
				if item.Operation == "UPDATE" {
					require.Equal(t, item.Old.GroupVersionKind(), item.Object.GroupVersionKind())
					require.Equal(t, item.Old.GetName(), item.Object.GetName())
					require.Equal(t, item.Old.GetNamespace(), item.Object.GetNamespace())
				}
			})
		}
	}
}
