package preview_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/controlbackbone/backbone/gitops/preview"
	"github.com/controlbackbone/backbone/internal/golden"
)

// testSets returns the ApplicationSets of testdata/applicationsets, which internal/conformance gives to the real
// controller too, with the objects that they need.
func testSets(t testing.TB) []*unstructured.Unstructured {
	t.Helper()
	files, err := filepath.Glob("testdata/applicationsets/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var objects []*unstructured.Unstructured
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		objects = append(objects, documents(t, string(text))...)
	}
	return objects
}

// pluginAnswer is what the plugin of the tests answers to everything.
var pluginAnswer = preview.PluginAnswer{ConfigMap: "plugin", Parameters: []map[string]any{
	{"name": "one", "number": 1, "deep": map[string]any{"er": "x"}},
	{"name": "two", "number": 2.5, "deep": map[string]any{"er": "y"}},
}}

func TestExpandSets(t *testing.T) {
	state, err := preview.Expand(t.Context(), testSets(t), preview.Inputs{
		Repositories: []preview.Repository{{URL: "https://git.example.com/platform.git", Content: os.DirFS("testdata/repository")}},
		Plugins:      []preview.PluginAnswer{pluginAnswer},
	})
	require.NoError(t, err)
	var objects []*unstructured.Unstructured
	for _, app := range state.Applications {
		objects = append(objects, app.Object)
	}
	golden.Equal(t, "expanded", objects...)
}
