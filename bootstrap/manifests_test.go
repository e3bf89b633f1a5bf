package bootstrap_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/bootstrap"
)

func TestReadManifests(t *testing.T) {
	const a, b = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"
	tests := map[string]struct {
		text string
		want []string
	}{
		"a file without content has no objects":            {text: "\n# nothing\n---\n  \n---\n"},
		"one document needs no marker":                     {text: a, want: []string{"ConfigMap a"}},
		"documents are separated by ---":                   {text: a + "---\n" + b, want: []string{"ConfigMap a", "ConfigMap b"}},
		"a marker may carry a comment":                     {text: "--- # one\n" + a + "---\t# two\n" + b, want: []string{"ConfigMap a", "ConfigMap b"}},
		"a marker may carry the document":                  {text: "--- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n--- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}", want: []string{"ConfigMap a", "ConfigMap b"}},
		"... ends a document":                              {text: "%YAML 1.2\n---\n" + a + "...\n# between\n---\n" + b, want: []string{"ConfigMap a", "ConfigMap b"}},
		"Windows line ends and a byte order mark are fine": {text: "\xef\xbb\xbf" + strings.ReplaceAll(a+"---\n"+b, "\n", "\r\n"), want: []string{"ConfigMap a", "ConfigMap b"}},
		"an indented --- is text": {
			text: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  k: |\n    ---\n    x: y\n", want: []string{"ConfigMap a"}},
		"a line that only begins like a marker is none": {
			text: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---x: y\n", want: []string{"ConfigMap a"}},
		"JSON may be indented with tabs": {text: "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"ConfigMap\",\n\t\"metadata\": {\"name\": \"a\"}\n}\n", want: []string{"ConfigMap a"}},
		"a List gives its items, however deep": {
			text: `{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}]}]}`,
			want: []string{"Secret x"}},
		"the items of a typed list may leave their kind to it": {
			text: "apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: a}\n- metadata: {name: b}\n", want: []string{"ConfigMap a", "ConfigMap b"}},
		"an empty list has no objects": {text: "apiVersion: v1\nkind: List\nitems: []\n"},
		"a custom resource may be called a list and have items": {
			text: "apiVersion: example.com/v1\nkind: AllowList\nmetadata: {name: a}\nitems: [x]\n", want: []string{"AllowList a"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			objects, err := bootstrap.ReadManifests("f.yaml", []byte(test.text))
			require.NoError(t, err)
			var got []string
			for _, object := range objects {
				got = append(got, object.GetKind()+" "+object.GetName())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadManifestsSaysWhatIsWrongAndWhere(t *testing.T) {
	const good = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	tests := map[string]struct {
		text string
		want []string
	}{
		"text that is not YAML, with the line of the file": {
			text: good + "---\n# comment\n\napiVersion: v1\nkind: Secret\n  bad: indent\n",
			want: []string{"f.yaml:7: document 2: not valid YAML: yaml: line 9: mapping values are not allowed in this context"}},
		"a key that occurs twice": {
			text: good + "---\nkind: A\nkind: B\n",
			want: []string{"f.yaml:5: document 2: not valid YAML: yaml: unmarshal errors:\n  line 6: key \"kind\" already set in map"}},
		"a key that occurs twice in JSON": {
			text: `{"kind": "A", "kind": "B"}`,
			want: []string{"f.yaml:1: document 1: not valid YAML: yaml: unmarshal errors:\n  line 1: key \"kind\" already set in map"}},
		"a document that is not an object": {text: "- a\n- b\n", want: []string{"f.yaml:1: document 1: not an object"}},
		"all documents at once": {
			text: "kind: A\n---\n" + good + "---\napiVersion: v1\n---\napiVersion: v1\nkind: Secret\n",
			want: []string{"f.yaml:1: document 1: apiVersion is missing", "f.yaml:7: document 3: kind is missing",
				"f.yaml:9: document 4: Secret: metadata.name is missing"}},
		"the item of a list": {
			text: "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items: [1]\n",
			want: []string{"f.yaml:1: document 1: items[0]: items[0]: not an object"}},
		"lists that are too deep": {
			text: strings.Repeat(`{"apiVersion": "v1", "kind": "List", "items": [`, 20) + strings.Repeat("]}", 20),
			want: []string{"f.yaml:1: document 1: " + strings.Repeat("items[0]: ", 8) + "lists within lists are more than 8 deep"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := bootstrap.ReadManifests("f.yaml", []byte(test.text))
			require.Error(t, err)
			var got []string
			for _, fault := range err.(interface{ Unwrap() []error }).Unwrap() {
				located := &bootstrap.ManifestError{}
				require.True(t, errors.As(fault, &located))
				got = append(got, fault.Error())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestManifests(t *testing.T) {
	file := func(name string) *fstest.MapFile {
		return &fstest.MapFile{Data: fmt.Appendf(nil, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n", name)}
	}
	fsys := fstest.MapFS{
		"install.yaml":     file("install"),
		"README.md":        {Data: []byte("# no manifest")},
		"base/b.yml":       file("b"),
		"base/a.yaml":      file("a"),
		"base/deep/c.json": {Data: []byte(`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}`)},
		"broken/x.yaml":    {Data: []byte("a: b: c\n")},
	}
	tests := map[string]struct {
		patterns []string
		want     []string
		wantErr  string
	}{
		"a file":                        {patterns: []string{"install.yaml"}, want: []string{"install"}},
		"a directory and all below":     {patterns: []string{"base"}, want: []string{"a", "b", "c"}},
		"a pattern":                     {patterns: []string{"base/*.yaml"}, want: []string{"a"}},
		"patterns in their order, once": {patterns: []string{"install.yaml", "base/b.yml", "base"}, want: []string{"install", "b", "a", "c"}},
		"a pattern without a file":      {patterns: []string{"base", "missing/*.yaml"}, wantErr: `manifests "missing/*.yaml": file does not exist`},
		"a pattern that is malformed":   {patterns: []string{"["}, wantErr: `manifests "[": syntax error in pattern`},
		"everything, without a pattern": {wantErr: `broken/x.yaml:1: document 1: not valid YAML: yaml: mapping values are not allowed in this context`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			objects, err := bootstrap.Manifests(fsys, test.patterns...).Objects(t.Context())
			if test.wantErr != "" {
				require.EqualError(t, err, test.wantErr)
				return
			}
			require.NoError(t, err)
			var got []string
			for _, object := range objects {
				got = append(got, object.GetName())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("a missing file is fs.ErrNotExist", func(t *testing.T) {
		_, err := bootstrap.Manifests(fsys, "nothing").Objects(t.Context())
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
	t.Run("a missing file system is an error", func(t *testing.T) {
		_, err := bootstrap.Manifests(nil, "a").Objects(t.Context())
		require.EqualError(t, err, `manifests ["a"]: the file system is nil`)
	})
}

func TestSourcesReportsANilSource(t *testing.T) {
	_, err := bootstrap.Sources{bootstrap.Objects(), nil}.Objects(t.Context())
	require.EqualError(t, err, "source 2 of 2 is nil")
}

// FuzzReadManifests checks that no text makes the reader panic, and that what
// it accepts can be applied: every object has an apiVersion, a kind and a name.
func FuzzReadManifests(f *testing.F) {
	for _, seed := range []string{
		"", "---", "--- \n...\n", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\nkind: x",
		`{"apiVersion": "v1", "kind": "List", "items": [{"metadata": {"name": "x"}}]}`,
		"a: &a [*a]", "? {}\n: 1", "\xef\xbb\xbf%YAML 1.2\n---\n!!binary x", "metadata: {name: 1e400}", "<<: {a: b}\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		objects, err := bootstrap.ReadManifests("f.yaml", data)
		if err != nil {
			require.Empty(t, objects)
			return
		}
		for _, object := range objects {
			if object.GetAPIVersion() == "" || object.GetKind() == "" || object.GetName() == "" {
				t.Errorf("%v from %q", object.Object, data)
			}
			object.DeepCopy()
		}
	})
}
