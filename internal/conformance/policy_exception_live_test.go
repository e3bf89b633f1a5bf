package conformance_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/policy"
	"github.com/controlbackbone/backbone/policy/admission"
)

// The live controller and the offline engine heed an exception alike, in both generations, until it ends.
func TestExceptionsHoldUntilTheyEnd(t *testing.T) {
	c := reportingKube(t)
	own := namespace(t, c)
	builds := map[string]func(policy.Exception) (*unstructured.Unstructured, error){
		"CEL":     func(e policy.Exception) (*unstructured.Unstructured, error) { return e.CEL(kyverno) },
		"classic": func(e policy.Exception) (*unstructured.Unstructured, error) { return e.Classic(kyverno) },
	}
	for generation, build := range generations {
		t.Run(generation, func(t *testing.T) {
			rule := policy.ImmutableLabels{
				Name: "held", Labels: []string{"owner"}, Kinds: []policy.ResourceKind{{Kind: "ConfigMap"}},
			}
			rule.Name += "-" + map[string]string{"CEL": "cel", "classic": "classic"}[generation]
			held, err := build(rule)
			require.NoError(t, err)
			exception := policy.Exception{
				Name: rule.Name, Namespace: own, Rules: []policy.Rule{rule}, Owner: "team", Reason: "a test",
				Expires: time.Now().Add(time.Hour), Kinds: rule.Kinds, Namespaces: []string{own}, Names: []string{"exempt-*"},
			}
			exempt, err := builds[generation](exception)
			require.NoError(t, err)
			enforce(t, c, append(rule.RBAC(), held)...)
			enforce(t, c, append(exception.RBAC(), exempt)...)
			engine, err := admission.New([]*unstructured.Unstructured{held}, admission.Options{Exceptions: []*unstructured.Unstructured{exempt}})
			require.NoError(t, err)

			change := func(name string) (live bool, request admission.Request) {
				before := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{
					"name": name + "-" + rule.Name, "namespace": own, "labels": map[string]any{"owner": "a"},
				}}}
				if err := c.Create(t.Context(), before.DeepCopy()); !apierrors.IsAlreadyExists(err) {
					require.NoError(t, err)
				}
				after := before.DeepCopy()
				after.SetLabels(map[string]string{"owner": "b"})
				err := c.Patch(t.Context(), after.DeepCopy(), client.MergeFrom(before), client.DryRunAll)
				return err == nil, admission.Request{OldObject: before, Object: after, NamespaceLabels: map[string]string{}}
			}
			require.Eventually(t, func() bool { live, _ := change("exempt-1"); return live }, 30*time.Second, 200*time.Millisecond)
			live, request := change("other")
			require.False(t, live)
			admission.RequireDenied(t, engine, request)
			_, request = change("exempt-1")
			admission.RequireAllowed(t, engine, request)

			// At its end the exception is deleted, and no longer heeded.
			exception.Expires = time.Now().Add(2 * time.Second)
			ending, err := builds[generation](exception)
			require.NoError(t, err)
			require.NoError(t, policy.NewClient(c, policy.ClientOptions{}).Apply(t.Context(), ending))
			require.Eventually(t, func() bool {
				return apierrors.IsNotFound(c.Get(context.Background(), client.ObjectKeyFromObject(ending), ending.DeepCopy()))
			}, 90*time.Second, 200*time.Millisecond)
			if generation == "CEL" {
				// Kyverno may look at the policy again before its other cache has lost the exception.
				touched := held.DeepCopy()
				touched.SetAnnotations(map[string]string{"touched": "yes"})
				require.NoError(t, c.Patch(t.Context(), touched, client.MergeFrom(held)))
			}
			require.Eventually(t, func() bool { live, _ := change("exempt-1"); return !live }, 30*time.Second, 200*time.Millisecond)
		})
	}
}
