package gitops_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/gitops"
)

func TestSyncRequestValidates(t *testing.T) {
	tests := map[string]struct {
		request gitops.SyncRequest
		want    []string
	}{
		"the zero value syncs everything": {},
		"a revision and revisions": {
			request: gitops.SyncRequest{Revision: "a", Revisions: []string{"a"}}, want: []string{"revisions"},
		},
		"revisions that are no text": {
			request: gitops.SyncRequest{Revisions: []string{"", "\xff"}}, want: []string{"revisions[1]"},
		},
		"resources that select nothing": {
			request: gitops.SyncRequest{Resources: []gitops.Resource{{Group: "apps"}}}, want: []string{"resources[0].kind", "resources[0].name"},
		},
		"the same resource twice": {
			request: gitops.SyncRequest{Resources: []gitops.Resource{{Kind: "A", Name: "a"}, {Kind: "A", Name: "a", Namespace: "n"}, {Kind: "A", Name: "a"}}},
			want:    []string{"resources[2]"},
		},
		"options that Argo CD would ignore": {
			request: gitops.SyncRequest{Options: []string{"Replace=true", "Prune", "=true", "Replace=false"}},
			want:    []string{"options[1]", "options[2]", "options[3]"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, fault := range test.request.Validate() {
				got = append(got, fault.Field)
			}
			require.Equal(t, test.want, got)
		})
	}
}

func TestDeleteRequestValidates(t *testing.T) {
	require.Empty(t, gitops.DeleteRequest{}.Validate())
	faults := gitops.DeleteRequest{Cascade: "background"}.Validate()
	require.Len(t, faults, 1)
	require.Equal(t, "cascade", faults[0].Field)
}
