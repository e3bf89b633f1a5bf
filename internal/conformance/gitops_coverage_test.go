package conformance_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// notBuilt are fields of the CRDs that no builder sets, and why.
var notBuilt = map[*regexp.Regexp]string{
	regexp.MustCompile(`^AppProject\.spec\.roles\[\]\.jwtTokens`):                    "argocd-server issues the tokens of roles",
	regexp.MustCompile(`\.syncPolicy\.automated\.enabled$`):                          "Manual leaves automated out, in every version",
	regexp.MustCompile(`^ApplicationSet\.spec\.template\.metadata\.finalizers`):      "the ApplicationSet decides with preserveResourcesOnDeletion",
	regexp.MustCompile(`\.source\.(ref|name)$`):                                      "only one of several sources is referred to",
	regexp.MustCompile(`\.generators\[\]\.[a-zA-Z]+\.template\.`):                    "an override has fewer fields than a template: see TemplateOverride",
	regexp.MustCompile(`\.generators\[\]\.(matrix|merge)\.generators\[\]`):           "inner generators are those of the top level",
	regexp.MustCompile(`^ApplicationSet\.spec\.generators\[\]\.list\.elements\[\]$`): "elements are free",
}

func TestGitopsBuildersSetEveryFieldOfTheCRDs(t *testing.T) {
	for name, test := range map[string]struct {
		module  string
		objects []map[string]*unstructured.Unstructured
	}{
		"Argo CD 2.14": {module: moduleDir(t, argoCDModule), objects: []map[string]*unstructured.Unstructured{gitopsObjects(t)}},
		"Argo CD 3.x":  {module: downloaded(t, argoCDv3), objects: []map[string]*unstructured.Unstructured{gitopsObjects(t), gitopsObjectsOf3x(t)}},
	} {
		t.Run(name, func(t *testing.T) {
			set := map[string]bool{}
			for _, objects := range test.objects {
				for _, obj := range objects {
					addPaths(set, obj.GetKind()+".spec", obj.Object["spec"])
				}
			}
			var missing []string
			for _, path := range crdFields(t, test.module) {
				if !set[path] && !isExcepted(path) {
					missing = append(missing, path)
				}
			}
			require.Empty(t, missing)
		})
	}
}

func isExcepted(path string) bool {
	for pattern := range notBuilt {
		if pattern.MatchString(path) {
			return true
		}
	}
	return false
}

// crdFields returns the path of every field of the specs, without those of free objects.
func crdFields(t *testing.T, module string) []string {
	t.Helper()
	var paths []string
	for _, file := range argoCDCRDs {
		raw, err := os.ReadFile(filepath.Join(module, file))
		require.NoError(t, err)
		var crd apiextensionsv1.CustomResourceDefinition
		require.NoError(t, yaml.Unmarshal(raw, &crd))
		paths = append(paths, schemaPaths(crd.Spec.Names.Kind+".spec", crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"])...)
	}
	require.NotEmpty(t, paths)
	return paths
}

func schemaPaths(path string, schema apiextensionsv1.JSONSchemaProps) []string {
	paths := []string{path}
	for name, property := range schema.Properties {
		paths = append(paths, schemaPaths(path+"."+name, property)...)
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		paths = append(paths, schemaPaths(path+"[]", *schema.Items.Schema)...)
	}
	return paths
}

// addPaths adds the path of every field that the value sets.
func addPaths(set map[string]bool, path string, value any) {
	set[path] = true
	switch typed := value.(type) {
	case map[string]any:
		for name, field := range typed {
			addPaths(set, path+"."+name, field)
		}
	case []any:
		for _, item := range typed {
			addPaths(set, path+"[]", item)
		}
	}
}

// downloaded returns the folder of a module that go.mod does not require.
func downloaded(t *testing.T, module string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module).Output()
	require.NoError(t, err, "%s", out)
	var answer struct{ Dir string }
	require.NoError(t, json.Unmarshal(out, &answer))
	return answer.Dir
}
