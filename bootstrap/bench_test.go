package bootstrap_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/bootstrap"
)

// benchConcurrency is the default of bootstrap.Options.
const benchConcurrency = 32

// BenchmarkApply creates 1,000 ConfigMaps, by a plan and by a bare loop of
// concurrent PATCH requests. The two take turns, and the ratio of their times is
// reported, so that a busy machine slows both down.
func BenchmarkApply(b *testing.B) {
	const count = 1000
	unlimited := rest.CopyConfig(config(b))
	unlimited.QPS = -1
	api, err := client.New(unlimited, client.Options{})
	require.NoError(b, err)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "bench-"}}
	require.NoError(b, api.Create(b.Context(), namespace))
	round := 0
	objects := func(prefix string) []*unstructured.Unstructured {
		round++
		all := make([]*unstructured.Unstructured, count)
		for i := range all {
			all[i] = configMap(namespace.Name, fmt.Sprintf("%s-%d-%d", prefix, round, i), map[string]any{"k": "v"})
		}
		return all
	}
	c, err := bootstrap.NewClient(config(b), bootstrap.Options{Namespace: namespace.Name})
	require.NoError(b, err)
	var bare, run float64
	for b.Loop() {
		all := objects("bare")
		bare += seconds(func() { err = patchAll(b, api, all) })
		require.NoError(b, err)
		plan := bootstrap.Plan{Name: fmt.Sprintf("bench-%d", round), Components: []bootstrap.Component{
			{Name: "many", Source: bootstrap.Objects(objects("run")...)}}}
		run += seconds(func() { _, err = c.Run(b.Context(), plan) })
		require.NoError(b, err)
	}
	b.ReportMetric(bare/float64(b.N), "bare-s/op")
	b.ReportMetric(run/float64(b.N), "run-s/op")
	b.ReportMetric(run/bare, "run/bare")
}

func patchAll(b *testing.B, api client.Client, objects []*unstructured.Unstructured) error {
	var group errgroup.Group
	group.SetLimit(benchConcurrency)
	for _, object := range objects {
		group.Go(func() error {
			body, err := json.Marshal(object.Object)
			if err != nil {
				return err
			}
			return api.Patch(b.Context(), object, client.RawPatch(types.ApplyPatchType, body), client.FieldOwner("bare"))
		})
	}
	return group.Wait()
}

func seconds(work func()) float64 {
	started := time.Now()
	work()
	return time.Since(started).Seconds()
}
