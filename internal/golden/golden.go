// Package golden compares objects with YAML files that are kept beside the tests. Run the tests with -update to write
// the files anew, and read the difference before committing it.
package golden

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// Equal fails the test if the objects, as YAML documents, differ from testdata/<name>.yaml.
func Equal(t testing.TB, name string, objects ...*unstructured.Unstructured) {
	t.Helper()
	documents := make([][]byte, len(objects))
	for i, obj := range objects {
		document, err := yaml.Marshal(obj.Object)
		if err != nil {
			t.Fatalf("encode %s %s: %v", obj.GetKind(), obj.GetName(), err)
		}
		documents[i] = document
	}
	Text(t, filepath.Join("testdata", name+".yaml"), string(bytes.Join(documents, []byte("---\n"))))
}

// Text fails the test if the text differs from the file.
func Text(t testing.TB, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
