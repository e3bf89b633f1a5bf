package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/policycorpus"
	"github.com/controlbackbone/backbone/policy"
	"github.com/controlbackbone/backbone/policy/admission"
	"github.com/controlbackbone/backbone/policy/admission/defaulting"
)

// TestOfflineVerdictsAreTheControllers asks the real admission controller and the offline engine the same: every rule of
// the library, in both generations, about every request of the corpus.
func TestOfflineVerdictsAreTheControllers(t *testing.T) {
	c := liveKube(t)
	stage := newVerdictStage(t, c)
	compared := 0
	for _, sample := range stage.samples {
		for generation, build := range generations {
			obj, err := build(sample.Rule)
			if errors.As(err, new(*policy.UnsupportedError)) {
				continue
			}
			require.NoError(t, err)
			t.Run(sample.Name+" "+generation, func(t *testing.T) {
				compared += stage.compare(t, sample, obj)
			})
		}
	}
	t.Logf("%d verdicts compared", compared)
	require.Positive(t, compared)
}

// verdictStage is a cluster that holds what the requests of the corpus presume.
type verdictStage struct {
	client        client.WithWatch
	samples       []policycorpus.Sample
	configuration *unstructured.Unstructured
	// requests are all of the corpus; those on objects that exist have names of their own.
	requests []verdictRequest
	// defaults has the engine see objects with the defaults of the API server.
	defaults bool
	// anyMessage leaves out what denials say.
	anyMessage bool
}

// verdictRequest is a case as the API server gets it.
type verdictRequest struct {
	name string
	policycorpus.Case
}

func newVerdictStage(t *testing.T, c client.WithWatch) *verdictStage {
	t.Helper()
	stage := &verdictStage{client: c, samples: policycorpus.Samples(t)}
	for _, namespace := range policycorpus.Namespaces(t) {
		stage.create(t, namespace)
	}
	for _, sample := range stage.samples {
		for _, obj := range sample.Cluster {
			if obj.GetKind() == "CustomResourceDefinition" {
				stage.createKind(t, obj)
			}
		}
	}
	for _, sample := range stage.samples {
		for i, item := range sample.Cases {
			request := verdictRequest{name: sample.Name + ": " + item.Name, Case: item}
			if item.Old != nil {
				request.Case = renamed(item, fmt.Sprintf("%s-%d", sample.Name, i))
				stage.create(t, request.Old)
			}
			stage.requests = append(stage.requests, request)
		}
	}
	stage.configuration = &unstructured.Unstructured{}
	stage.configuration.SetAPIVersion("v1")
	stage.configuration.SetKind("ConfigMap")
	require.NoError(t, c.Get(t.Context(), client.ObjectKey{Namespace: "kyverno", Name: "kyverno"}, stage.configuration))
	return stage
}

// renamed gives the objects of a case a name that no other case uses.
func renamed(item policycorpus.Case, name string) policycorpus.Case {
	item.Old = item.Old.DeepCopy()
	item.Old.SetName(name)
	if item.Object != nil {
		item.Object = item.Object.DeepCopy()
		item.Object.SetName(name)
	}
	return item
}

// create makes an object for the time of the test, unless it is there. What an earlier test has deleted is waited for. A
// namespace stays, because it takes minutes to go, and a kind, because Kyverno takes minutes to see that it is there again.
func (s *verdictStage) create(t *testing.T, obj *unstructured.Unstructured) {
	t.Helper()
	stored := obj.DeepCopy()
	err := s.client.Create(t.Context(), stored)
	for deadline := time.Now().Add(time.Minute); apierrors.IsAlreadyExists(err) && time.Now().Before(deadline); {
		found := obj.DeepCopy()
		if s.client.Get(t.Context(), client.ObjectKeyFromObject(obj), found) == nil && found.GetDeletionTimestamp() == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
		stored = obj.DeepCopy()
		err = s.client.Create(t.Context(), stored)
	}
	require.NoError(t, err, "%s %s/%s", obj.GetKind(), obj.GetNamespace(), obj.GetName())
	if kind := obj.GetKind(); kind == "Namespace" || kind == "CustomResourceDefinition" {
		return
	}
	t.Cleanup(func() {
		require.NoError(t, client.IgnoreNotFound(s.client.Delete(context.Background(), stored, client.GracePeriodSeconds(0))))
		if len(stored.GetFinalizers()) > 0 {
			release := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
			require.NoError(t, client.IgnoreNotFound(s.client.Patch(context.Background(), stored, release)))
		}
	})
}

// createKind makes a kind, and waits until the API server says that it serves it. Kyverno looks at what is served when a
// kind comes or changes, and not again: if it was too early, what it holds against the kind would stay.
func (s *verdictStage) createKind(t *testing.T, crd *unstructured.Unstructured) {
	t.Helper()
	s.create(t, crd)
	var typed apiextensionsv1.CustomResourceDefinition
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(crd.Object, &typed))
	served, err := discovery.NewDiscoveryClientForConfig(live.cluster.Config())
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, lists, err := served.ServerGroupsAndResources()
		return err == nil && slices.ContainsFunc(lists, func(list *metav1.APIResourceList) bool {
			return list.GroupVersion == typed.Spec.Group+"/"+typed.Spec.Versions[0].Name &&
				slices.ContainsFunc(list.APIResources, func(resource metav1.APIResource) bool { return resource.Name == typed.Spec.Names.Plural })
		})
	}, 30*time.Second, 100*time.Millisecond)
	change := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"annotations":{"example.com/served":%q}}}`, time.Now().Format(time.RFC3339Nano)))
	require.NoError(t, s.client.Patch(t.Context(), crd.DeepCopy(), change))
}

// compare puts one policy in force and asks about every request.
func (s *verdictStage) compare(t *testing.T, sample policycorpus.Sample, obj *unstructured.Unstructured) int {
	for _, neighbour := range sample.Cluster {
		s.create(t, neighbour)
	}
	data := append([]*unstructured.Unstructured{s.configuration}, policycorpus.Namespaces(t)...)
	engine, err := admission.New([]*unstructured.Unstructured{obj}, admission.Options{
		Data: admission.Data{Objects: append(data, sample.Cluster...)},
	})
	require.NoError(t, err)
	mutated := s.mutated(t, engine, sample)
	enforce(t, s.client, append(sample.Rule.RBAC(), obj)...)
	for _, request := range s.requests {
		stored, err := s.send(t.Context(), request)
		if want, known := mutated[request.name]; known {
			require.NoError(t, err, request.name)
			require.Equal(t, want, withoutChance(t, stored), request.name)
		}
		if err != nil {
			// What the API server itself refuses is no verdict.
			require.True(t, apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) || strings.Contains(err.Error(), "admission webhook"),
				"%s: %v", request.name, err)
		}
		response := s.evaluate(t, engine, request)
		require.Equal(t, err == nil, response.Allowed(), "%s: %v; offline: %v", request.name, err, response.Verdicts)
		for _, denial := range response.Denials() {
			if s.anyMessage {
				break
			}
			if denial.Status == admission.Fail { // the API server's own errors name no policy
				require.ErrorContains(t, err, denial.Policy.Name, request.name)
			}
			for line := range strings.SplitSeq(denial.Message, "\n") {
				require.Contains(t, unfolded(err.Error()), unfolded(line), request.name)
			}
		}
	}
	for i, item := range sample.Cases {
		if item.Expect == policycorpus.Generated {
			s.compareGenerated(t, engine, item.Object, fmt.Sprintf("%s-%d-%s", sample.Name, i, strings.ToLower(obj.GetKind())))
		}
	}
	return len(s.requests)
}

func (s *verdictStage) evaluate(t *testing.T, engine *admission.Engine, request verdictRequest) *admission.Response {
	t.Helper()
	if s.defaults {
		var err error
		request.Object, err = defaulting.Object(request.Object)
		require.NoError(t, err, request.name)
		request.Old, err = defaulting.Object(request.Old)
		require.NoError(t, err, request.name)
	}
	response, err := engine.Evaluate(t.Context(), admission.Request{
		Operation: admission.Operation(request.Operation), Object: request.Object, OldObject: request.Old, Subresource: request.Subresource,
		User: admission.User{Name: "admin", Groups: []string{"system:masters", "system:authenticated"}},
	})
	require.NoError(t, err, request.name)
	return response
}

// mutated returns what the API server would store, by the requests' names, if it were sent what the engine makes of each
// object that is created. The policy is not in force yet, and a sample without a mutation has none.
func (s *verdictStage) mutated(t *testing.T, engine *admission.Engine, sample policycorpus.Sample) map[string]string {
	t.Helper()
	isMutated := func(item policycorpus.Case) bool { return item.Expect == policycorpus.Mutated }
	if !slices.ContainsFunc(sample.Cases, isMutated) {
		return nil
	}
	out := map[string]string{}
	for _, request := range s.requests {
		if request.Operation != "CREATE" {
			continue
		}
		request.Object = s.evaluate(t, engine, request).Object
		if stored, err := s.send(t.Context(), request); err == nil && stored != nil {
			out[request.name] = withoutChance(t, stored)
		}
	}
	require.NotEmpty(t, out)
	return out
}

// chance is what the API server draws.
var chance = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|kube-api-access-[a-z0-9]{5}`)

// withoutChance returns the object as JSON, apart from what differs from request to request.
func withoutChance(t *testing.T, obj *unstructured.Unstructured) string {
	t.Helper()
	obj = obj.DeepCopy()
	obj.SetManagedFields(nil)
	obj.SetCreationTimestamp(metav1.Time{})
	if obj.GetKind() == "Job" {
		// The API server adds labels to those of the pods, which are a Job's own for as long as no webhook answers.
		obj.SetLabels(nil)
	}
	raw, err := obj.MarshalJSON()
	require.NoError(t, err)
	return chance.ReplaceAllString(string(raw), "chance")
}

// compareGenerated makes a Namespace and waits for the objects that the engine generates for it, as the API server stores
// them.
func (s *verdictStage) compareGenerated(t *testing.T, engine *admission.Engine, namespace *unstructured.Unstructured, name string) {
	t.Helper()
	trigger := namespace.DeepCopy()
	trigger.SetName(name)
	offline := s.evaluate(t, engine, verdictRequest{name, policycorpus.Case{Operation: "CREATE", Object: trigger}})
	require.NotEmpty(t, offline.Generated)
	s.create(t, trigger)
	for _, obj := range offline.Generated {
		live := obj.DeepCopy()
		require.Eventually(t, func() bool {
			return s.client.Get(t.Context(), client.ObjectKeyFromObject(obj), live) == nil
		}, time.Minute, 100*time.Millisecond, "%s %s/%s", obj.GetKind(), obj.GetNamespace(), obj.GetName())
		want := obj.DeepCopy()
		want.SetName("") // with the API server's defaults, under a name of its own
		want.SetGenerateName("offline-")
		require.NoError(t, s.client.Create(t.Context(), want, client.DryRunAll))
		for _, one := range []*unstructured.Unstructured{want, live} {
			delete(one.Object, "metadata")
			delete(one.Object, "status")
		}
		require.Equal(t, want.Object, live.Object)
	}
}

// unfolded undoes the line breaks and quotes of the YAML in which classic denials come.
func unfolded(text string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("'", "", `"`, "", "\\", "").Replace(text)), " ")
}

// send asks for the request, without its having an effect, and returns what would be stored. That is nil for an object
// that is there already: the names of the corpus are not unique, and admission comes before the name is looked up.
func (s *verdictStage) send(ctx context.Context, request verdictRequest) (*unstructured.Unstructured, error) {
	switch request.Operation {
	case "DELETE":
		return nil, s.client.Delete(ctx, request.Old.DeepCopy(), client.DryRunAll)
	case "UPDATE":
		change, err := patchOf(request)
		if err != nil {
			return nil, err
		}
		stored := request.Old.DeepCopy()
		if request.Subresource != "" {
			return stored, s.client.SubResource(request.Subresource).Patch(ctx, stored, change, client.DryRunAll)
		}
		return stored, s.client.Patch(ctx, stored, change, client.DryRunAll)
	default:
		stored := request.Object.DeepCopy()
		err := s.client.Create(ctx, stored, client.DryRunAll)
		if apierrors.IsAlreadyExists(err) {
			return nil, nil //nolint:nilnil // there is no object, and it is no error
		}
		return stored, err
	}
}

// patchOf is the change of an update. It leaves alone what the API server has set by default, which the corpus does not
// name and some of which must not change.
func patchOf(request verdictRequest) (client.Patch, error) {
	before, err := request.Old.MarshalJSON()
	if err != nil {
		return nil, err
	}
	after, err := request.Object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	typed, err := scheme.Scheme.New(request.Old.GroupVersionKind())
	if err != nil {
		change, err := jsonpatch.CreateMergePatch(before, after)
		return client.RawPatch(types.MergePatchType, change), err
	}
	change, err := strategicpatch.CreateTwoWayMergePatch(before, after, typed)
	return client.RawPatch(types.StrategicMergePatchType, change), err
}
