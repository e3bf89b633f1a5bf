package conformance_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/eventing"
)

// rights are what one of the stores returns for an account.
type rights func(account string) ([]*unstructured.Unstructured, error)

// storeOf and lettersOf need no client to say what rights they need.
func storeOf(home string) eventing.KubernetesStore {
	return eventing.KubernetesStore{Namespace: home, Name: "ops"}
}

func lettersOf(home string) eventing.KubernetesDeadLetters {
	return eventing.KubernetesDeadLetters{Namespace: home, Name: "ops"}
}

// grant gives an account rights, without one of them if that is set.
func grant(t *testing.T, c client.WithWatch, home, account string, without *authorizationv1.ResourceAttributes, all ...rights) {
	t.Helper()
	for _, rights := range all {
		objects, err := rights(account)
		require.NoError(t, err)
		for _, obj := range objects {
			require.Equal(t, home, obj.GetNamespace())
			if without != nil && obj.GetKind() == "Role" {
				withhold(t, obj, *without)
			}
		}
		require.NoError(t, eventing.NewClient(c, eventing.ClientOptions{}).Apply(t.Context(), objects...))
	}
}

func withhold(t *testing.T, role *unstructured.Unstructured, right authorizationv1.ResourceAttributes) {
	t.Helper()
	rules, _, err := unstructured.NestedSlice(role.Object, "rules")
	require.NoError(t, err)
	for _, rule := range rules {
		fields := rule.(map[string]any)
		if slices.Contains(fields["resources"].([]any), any(right.Resource)) {
			fields["verbs"] = slices.DeleteFunc(fields["verbs"].([]any), func(verb any) bool { return verb == right.Verb })
		}
	}
	require.NoError(t, unstructured.SetNestedSlice(role.Object, rules, "rules"))
}

// allowed asks the API server what an account may do.
func allowed(t *testing.T, c client.Client, home, account string, right authorizationv1.ResourceAttributes) bool {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: "system:serviceaccount:" + home + ":" + account, ResourceAttributes: &right,
	}}
	require.NoError(t, c.Create(t.Context(), review))
	return review.Status.Allowed
}

// as returns a client with the rights of a ServiceAccount.
func as(t *testing.T, home, account string) client.Client {
	t.Helper()
	config := shared.cluster.Config()
	config.Impersonate.UserName = "system:serviceaccount:" + home + ":" + account
	c, err := client.New(config, client.Options{})
	require.NoError(t, err)
	return c
}

// waitAllowed waits until the API server has noticed the rights.
func waitAllowed(t *testing.T, c client.Client, home, account string, all ...authorizationv1.ResourceAttributes) {
	t.Helper()
	for _, right := range all {
		require.Eventually(t, func() bool { return allowed(t, c, home, account, right) }, soon, 20*time.Millisecond, right.String())
	}
}

// leaseRights and secretRights are all that a Responder does to the API server.
func leaseRights(home string) []authorizationv1.ResourceAttributes {
	var all []authorizationv1.ResourceAttributes
	for _, verb := range []string{"create", "get", "patch", "list", "delete"} {
		all = append(all, authorizationv1.ResourceAttributes{Namespace: home, Group: "coordination.k8s.io", Resource: "leases", Verb: verb})
	}
	return all
}

func secretRights(home string) []authorizationv1.ResourceAttributes {
	var all []authorizationv1.ResourceAttributes
	for _, verb := range []string{"create", "get", "list", "delete"} {
		all = append(all, authorizationv1.ResourceAttributes{Namespace: home, Resource: "secrets", Verb: verb})
	}
	return all
}

// useStores does everything that a Responder does with its stores.
func useStores(t *testing.T, c client.Client, home string) error {
	t.Helper()
	ctx := t.Context()
	store := eventing.KubernetesStore{Client: c, Namespace: home, Name: "ops", Retention: time.Nanosecond}
	letters := eventing.KubernetesDeadLetters{Client: c, Namespace: home, Name: "ops"}
	claim, err := store.Claim(ctx, eventing.ClaimRequest{ID: "1", For: time.Minute})
	if err != nil {
		return err
	}
	_, again := store.Claim(ctx, eventing.ClaimRequest{ID: "1", For: time.Minute})
	_, bind := store.Bind(ctx, "s", "1")
	settle := store.Settle(ctx, claim, eventing.ClaimDeadLettered)
	put := letters.Put(ctx, eventing.DeadLetter{Event: eventing.Event{ID: "1"}})
	_, list := letters.List(ctx)
	_, get := letters.Get(ctx, "1")
	remove := letters.Delete(ctx, "1")
	return errors.Join(again, bind, settle, put, list, get, remove, store.Collect(ctx))
}

func TestTheRightsOfAResponderSufficeAndAreTheLeast(t *testing.T) {
	c := kube(t)
	t.Run("they suffice", func(t *testing.T) {
		home := namespace(t, c)
		grant(t, c, home, "operator", nil, storeOf(home).RBAC, lettersOf(home).RBAC)
		waitAllowed(t, c, home, "operator", append(leaseRights(home), secretRights(home)...)...)
		require.NoError(t, useStores(t, as(t, home, "operator"), home))
		for _, right := range []authorizationv1.ResourceAttributes{
			{Namespace: home, Group: "coordination.k8s.io", Resource: "leases", Verb: "update"},
			{Namespace: home, Group: "coordination.k8s.io", Resource: "leases", Verb: "watch"},
			{Namespace: home, Group: "coordination.k8s.io", Resource: "leases", Verb: "deletecollection"},
			{Namespace: home, Resource: "secrets", Verb: "patch"},
			{Namespace: home, Resource: "secrets", Verb: "update"},
			{Namespace: home, Resource: "secrets", Verb: "watch"},
			{Namespace: home, Resource: "configmaps", Verb: "get"},
			{Namespace: "default", Resource: "secrets", Verb: "get"},
			{Namespace: "default", Group: "coordination.k8s.io", Resource: "leases", Verb: "get"},
			{Resource: "secrets", Verb: "list"},
		} {
			require.False(t, allowed(t, c, home, "operator", right), right.String())
		}
	})
	for _, missing := range append(leaseRights(""), secretRights("")...) {
		t.Run(strings.Join([]string{"without", missing.Verb, missing.Resource, "it fails"}, " "), func(t *testing.T) {
			home := namespace(t, c)
			grant(t, c, home, "operator", &missing, storeOf(home).RBAC, lettersOf(home).RBAC)
			waitAllowed(t, c, home, "operator", slices.DeleteFunc(append(leaseRights(home), secretRights(home)...), func(right authorizationv1.ResourceAttributes) bool {
				return right.Verb == missing.Verb && right.Resource == missing.Resource
			})...)
			err := useStores(t, as(t, home, "operator"), home)
			require.Error(t, err)
			require.Contains(t, err.Error(), `cannot `+missing.Verb+` resource "`+missing.Resource+`"`)
		})
	}
}

func TestRightsOfAResponderNeedAnAccount(t *testing.T) {
	_, err := eventing.KubernetesStore{Name: "ops", Namespace: "A"}.RBAC("")
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	require.ErrorContains(t, err, "namespace")
	require.ErrorContains(t, err, "serviceAccountName")
	_, err = eventing.KubernetesDeadLetters{Namespace: "a"}.RBAC("operator")
	require.True(t, apierrors.IsInvalid(err), "%v", err)
}
