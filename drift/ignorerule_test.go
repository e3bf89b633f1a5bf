package drift_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/controlbackbone/backbone/drift"
)

func TestIgnoreRulesValidate(t *testing.T) {
	tests := map[string]struct {
		rule drift.IgnoreRule
		want []string
	}{
		"a kind and a field are enough":     {rule: drift.IgnoreRule{Kind: "Service", JSONPointers: []string{"/spec/clusterIP"}}},
		"a pointer escapes slash and tilde": {rule: drift.IgnoreRule{Kind: "*", JSONPointers: []string{"/metadata/annotations/example.com~1a~0b"}}},
		"a kind and a field are required": {
			want: []string{"[1].kind: FieldValueRequired", "[1].jsonPointers: FieldValueRequired"},
		},
		"a group has no version": {
			rule: drift.IgnoreRule{Group: "apps/v1", Kind: "Deployment", ManagedFieldsManagers: []string{"kube-controller-manager"}},
			want: []string{"[1].group: FieldValueInvalid"},
		},
		"a pointer starts at the root and escapes what it must": {
			rule: drift.IgnoreRule{Kind: "Service", JSONPointers: []string{"", "spec", "/a~2b", "/a~"}},
			want: []string{
				"[1].jsonPointers[0]: FieldValueInvalid", "[1].jsonPointers[1]: FieldValueInvalid",
				"[1].jsonPointers[2]: FieldValueInvalid", "[1].jsonPointers[3]: FieldValueInvalid",
			},
		},
		"empty entries ignore nothing": {
			rule: drift.IgnoreRule{Kind: "Service", JQPathExpressions: []string{" "}, ManagedFieldsManagers: []string{""}},
			want: []string{"[1].jqPathExpressions[0]: FieldValueRequired", "[1].managedFieldsManagers[0]: FieldValueRequired"},
		},
		"text is UTF-8": {
			rule: drift.IgnoreRule{Kind: "Service\xff", JSONPointers: []string{"/\xff"}},
			want: []string{"[1].kind: FieldValueInvalid", "[1].jsonPointers[0]: FieldValueInvalid"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rules := drift.IgnoreRules{{Kind: "Secret", JSONPointers: []string{"/data"}}, test.rule}
			var got []string
			for _, fault := range rules.Validate() {
				got = append(got, fault.Field+": "+string(fault.Type))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			_, err := rules.Build()
			require.Equal(t, len(test.want) > 0, apierrors.IsInvalid(err), "%v", err)
		})
	}
}

func FuzzIgnoreRules(f *testing.F) {
	f.Add("apps", "Deployment", "name", "/spec/replicas", ".spec")
	f.Add("", "\x00", "\xff", "~", " ")
	f.Fuzz(func(t *testing.T, group, kind, name, pointer, expression string) {
		rules := drift.IgnoreRules{{
			Group: group, Kind: kind, Name: name, Namespace: name,
			JSONPointers: []string{pointer}, JQPathExpressions: []string{expression}, ManagedFieldsManagers: []string{name},
		}}
		entries, err := rules.Build()
		if invalid := len(rules.Validate()) > 0; apierrors.IsInvalid(err) != invalid || err == nil && entries[0]["kind"] != kind {
			t.Fatalf("invalid: %v, built %v, error %v", invalid, entries, err)
		}
	})
}
