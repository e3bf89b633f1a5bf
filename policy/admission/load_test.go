package admission_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/policy/admission"
)

func TestLoadReadsWhatIsThere(t *testing.T) {
	fsys := fstest.MapFS{
		"a/one.yaml":    {Data: []byte("# first\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: b}\n")},
		"a/two.json":    {Data: []byte(`{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "c"}}]}`)},
		"a/README.md":   {Data: []byte("not a manifest")},
		"a/.git/x.yaml": {Data: []byte("hidden")},
		"a/empty.yml":   {Data: []byte("# nothing\n")},
	}
	documents, err := admission.Load(fsys, "a")
	require.NoError(t, err)
	var places []string
	for _, document := range documents {
		places = append(places, document.String()+" "+document.Object.GetName())
	}
	require.Equal(t, []string{"a/one.yaml:1 a", "a/one.yaml:8 b", "a/two.json:1 c"}, places)
}

func TestReadSaysWhereTheFaultIs(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"broken YAML":               {"apiVersion: v1\nkind: A\n---\napiVersion: v1\n  kind: B\n", "f.yaml:4: yaml: line 5"},
		"a key that is there twice": {"apiVersion: v1\nkind: A\nkind: B\n", "line 3: key \"kind\" already set"},
		"no kind":                   {"apiVersion: v1\n---\nkey: value\n", "f.yaml:3: it is no Kubernetes object"},
		"a list of values":          {"- a\n", "f.yaml:1: it is no Kubernetes object"},
		"a bomb": {"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n" +
			"e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n", "excessive aliasing"},
		"a file that is too large": {strings.Repeat("# a line of sixteen\n", 1<<20), "f.yaml: it is larger than 16 MiB"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := admission.Read(bytes.NewBufferString(test.text), "f.yaml")
			require.ErrorContains(t, err, test.want)
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("apiVersion: v1\nkind: A\n---\n{}\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		documents, err := admission.Read(bytes.NewReader(raw), "f")
		for _, document := range documents {
			require.NotEmpty(t, document.Object.GetKind())
		}
		if err == nil {
			return
		}
		require.ErrorContains(t, err, "f:")
	})
}
