package listwatch_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/embedded"
	"github.com/controlbackbone/backbone/internal/listwatch"
)

var configMaps = corev1.SchemeGroupVersion.WithKind("ConfigMap")

func TestFollow(t *testing.T) {
	cluster, err := embedded.Start(t.Context(), embedded.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Stop(context.Background())) })
	c, err := client.NewWithWatch(cluster.Config(), client.Options{})
	require.NoError(t, err)
	create := func(t *testing.T, namespace, name string) {
		t.Helper()
		require.NoError(t, c.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}))
	}
	namespace := func(t *testing.T) string {
		t.Helper()
		obj := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "follow-"}}
		require.NoError(t, c.Create(t.Context(), obj))
		return obj.Name
	}

	t.Run("lists what is there and watches what comes", func(t *testing.T) {
		own := namespace(t)
		create(t, own, "before")
		var names []string
		err := follow(t.Context(), c, listwatch.Selection{Kind: configMaps, Namespace: own}, func(name string) bool {
			if name == "before" {
				create(t, own, "after")
			}
			names = append(names, name)
			return name == "after"
		})
		require.NoError(t, err)
		require.Subset(t, names, []string{"before", "after"})
	})

	t.Run("continues from a resource version", func(t *testing.T) {
		own := namespace(t)
		create(t, own, "before")
		list := &corev1.ConfigMapList{}
		require.NoError(t, c.List(t.Context(), list, client.InNamespace(own)))
		create(t, own, "first")
		create(t, own, "second")
		var names []string
		err := follow(t.Context(), c, listwatch.Selection{Kind: configMaps, Namespace: own, ResourceVersion: list.ResourceVersion}, func(name string) bool {
			names = append(names, name)
			return name == "second"
		})
		require.NoError(t, err)
		require.False(t, slices.Contains(names, "before"), names)
		require.Contains(t, names, "first")
	})

	t.Run("survives a restart of the API server", func(t *testing.T) {
		own := namespace(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		seen := make(chan string, 100)
		ended := make(chan error, 1)
		go func() {
			ended <- follow(ctx, c, listwatch.Selection{Kind: configMaps, Namespace: own}, func(name string) bool {
				seen <- name
				return name == "after"
			})
		}()
		create(t, own, "before")
		for name := range seen {
			if name == "before" {
				break
			}
		}
		require.NoError(t, cluster.RestartAPIServer(ctx))
		create(t, own, "after")
		require.NoError(t, <-ended)
	})

	t.Run("ends with the follower's error", func(t *testing.T) {
		own := errors.New("own")
		err := listwatch.Follow(t.Context(), c, listwatch.Selection{Kind: configMaps}, listwatch.Follower{
			Listed: func([]unstructured.Unstructured) (bool, error) { return false, own },
		})
		require.ErrorIs(t, err, own)
	})

	t.Run("ends with the context", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		err := follow(ctx, c, listwatch.Selection{Kind: configMaps}, func(string) bool { return false })
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})

	t.Run("ends when the API server refuses", func(t *testing.T) {
		config := cluster.Config()
		config.Impersonate.UserName = "nobody"
		nobody, err := client.NewWithWatch(config, client.Options{})
		require.NoError(t, err)
		err = follow(t.Context(), nobody, listwatch.Selection{Kind: configMaps}, func(string) bool { return false })
		require.True(t, apierrors.IsForbidden(err), "%v", err)
		err = follow(t.Context(), c, listwatch.Selection{Kind: schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Unknown"}}, func(string) bool { return false })
		require.ErrorContains(t, err, "Unknown")
	})
}

// follow hands each name that is listed or changed to saw, until that is done.
func follow(ctx context.Context, c client.WithWatch, selection listwatch.Selection, saw func(name string) bool) error {
	return listwatch.Follow(ctx, c, selection, listwatch.Follower{
		Listed: func(items []unstructured.Unstructured) (bool, error) {
			for _, item := range items {
				if saw(item.GetName()) {
					return true, nil
				}
			}
			return false, nil
		},
		Changed: func(_ watch.EventType, obj *unstructured.Unstructured) (bool, error) { return saw(obj.GetName()), nil },
	})
}
