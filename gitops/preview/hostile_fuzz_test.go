package preview

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

func FuzzFilesTakeAnyPattern(f *testing.F) {
	for _, pattern := range []string{"K8s/*/config.json", "[[:alpha:]-z]", "[!", `\`, "a/../..", ":(glob)**"} {
		f.Add(pattern, "K8s/app/config.json")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if !fs.ValidPath(name) || name == "." || len(name) > 200 || len(pattern) > 200 {
			t.Skip()
		}
		found, err := files(fstest.MapFS{name: {Data: []byte("{}")}}, pattern)
		if err == nil && !strings.ContainsAny(pattern, `*?[\`) && len(found) > 0 {
			spec, _ := parsePathspec(pattern)
			if !strings.HasPrefix(name+"/", strings.TrimSuffix(spec.text, "/")) {
				t.Errorf("%q matches %q", pattern, name)
			}
		}
	})
}

func FuzzLoadTakesAnyFile(f *testing.F) {
	f.Add([]byte(manifest+"---\n"+manifest), false)
	f.Add([]byte(`{"apiVersion": "argoproj.io/v1alpha1", "kind": "List", "items": [{}, 3]}`), true)
	f.Add([]byte("argoproj.io: &a [*a]"), false)
	f.Fuzz(func(t *testing.T, data []byte, asJSON bool) {
		name := "a.yaml"
		if asJSON {
			name = "a.json"
		}
		objects, err := Load(fstest.MapFS{name: {Data: data}}, name)
		if err != nil && len(objects) > 0 {
			t.Error("objects and an error")
		}
		for _, object := range objects {
			object.DeepCopy()
		}
	})
}
