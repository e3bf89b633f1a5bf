// Package policycorpus holds a sample of each rule of package policy, with requests that it must admit, deny, mutate or
// answer with objects. The tests of the rules, of the offline engine and of the live controllers share it.
//
// A sample is a directory of testdata with a file for each case. The file's name begins with the expectation and goes
// on as a sentence: denied-a-container-without-limits.yaml. The number of documents says what is asked:
//
//   - allowed-, denied-: one document is created; of two, the first is updated to the second
//   - mutated-: the document that is created, and what becomes of it
//   - generated-: the document that is created, and every object that is generated for it
//   - deleted-, kept-: an object that a cleanup looks at
//
// Comments at the top of a file can change the request: "# operation: DELETE", "# subresource: ephemeralcontainers".
// The documents of cluster.yaml are in the cluster already.
//
// A real API server accepts every object apart from the rules: live tests send them.
package policycorpus

import (
	"bufio"
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/controlbackbone/backbone/policy"
)

// Expectation is what must become of a case.
type Expectation string

// The expectations, as they begin the names of files.
const (
	Allowed   Expectation = "allowed"
	Denied    Expectation = "denied"
	Mutated   Expectation = "mutated"
	Generated Expectation = "generated"
	Deleted   Expectation = "deleted"
	Kept      Expectation = "kept"
)

// Sample is a rule with requests that show what it does.
type Sample struct {
	// Name of the sample and of its directory.
	Name string
	Rule policy.Rule
	// Cluster is what the cluster holds before the requests.
	Cluster []*unstructured.Unstructured
	// Cases in the order of their names.
	Cases []Case
}

// Case is one request, or one object of a cleanup.
type Case struct {
	// Name is a sentence: "denied: a container without limits".
	Name   string
	Expect Expectation
	// Operation is CREATE, UPDATE or DELETE.
	Operation string
	// Subresource of the request. Empty for the object itself.
	Subresource string
	// Object of the request. Nil on DELETE.
	Object *unstructured.Unstructured
	// Old is the object before the request. Nil on CREATE.
	Old *unstructured.Unstructured
	// Want is the mutated object alone, or everything that is generated.
	Want []*unstructured.Unstructured
}

//go:embed testdata
var files embed.FS

// Samples returns all samples in the order of their names.
func Samples(t testing.TB) []Sample {
	t.Helper()
	rules := maps.Clone(conventions)
	maps.Copy(rules, protections)
	entries, err := files.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if rules[entry.Name()] == nil {
			t.Fatalf("testdata/%s belongs to no rule", entry.Name())
		}
	}
	samples := make([]Sample, 0, len(rules))
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		sample, err := load(files, path.Join("testdata", name))
		if err != nil {
			t.Fatalf("load sample %s: %v", name, err)
		}
		sample.Name, sample.Rule = name, rules[name]
		samples = append(samples, sample)
	}
	return samples
}

// Manifests returns the objects of all cases, each once and fit to be created.
func Manifests(t testing.TB) []Manifest {
	t.Helper()
	var manifests []Manifest
	for _, sample := range Samples(t) {
		for _, item := range sample.Cases {
			obj := item.Object
			if obj == nil {
				obj = item.Old
			}
			manifests = append(manifests, Manifest{Name: sample.Name + "/" + item.Name, Object: obj})
		}
	}
	return manifests
}

// Manifest is an object of the corpus.
type Manifest struct {
	// Name says which case the object is of.
	Name   string
	Object *unstructured.Unstructured
}

// Namespaces returns those that the objects of the cases are in, without labels, in the order of their names. A sample
// whose Cluster has a Namespace of the same name means that one.
func Namespaces(t testing.TB) []*unstructured.Unstructured {
	t.Helper()
	names := map[string]bool{}
	for _, manifest := range Manifests(t) {
		names[manifest.Object.GetNamespace()] = true
	}
	delete(names, "")
	namespaces := make([]*unstructured.Unstructured, 0, len(names))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		namespaces = append(namespaces, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name},
		}})
	}
	return namespaces
}

func load(from fs.FS, dir string) (Sample, error) {
	var sample Sample
	entries, err := fs.ReadDir(from, dir)
	if err != nil {
		return Sample{}, err
	}
	for _, entry := range entries {
		raw, err := fs.ReadFile(from, path.Join(dir, entry.Name()))
		if err != nil {
			return Sample{}, err
		}
		objects, err := documents(raw)
		if err != nil {
			return Sample{}, fmt.Errorf("%s: %w", entry.Name(), err)
		}
		if entry.Name() == "cluster.yaml" {
			sample.Cluster = objects
			continue
		}
		item, err := newCase(strings.TrimSuffix(entry.Name(), ".yaml"), raw, objects)
		if err != nil {
			return Sample{}, fmt.Errorf("%s: %w", entry.Name(), err)
		}
		sample.Cases = append(sample.Cases, item)
	}
	return sample, nil
}

func newCase(name string, raw []byte, objects []*unstructured.Unstructured) (Case, error) {
	prefix, sentence, found := strings.Cut(name, "-")
	if !found {
		return Case{}, errors.New("the name needs an expectation and a sentence")
	}
	item := Case{
		Name:      prefix + ": " + strings.ReplaceAll(sentence, "-", " "),
		Expect:    Expectation(prefix),
		Operation: "CREATE",
	}
	item.Subresource = header(raw, "subresource")
	want := 1
	switch item.Expect {
	case Allowed, Denied:
		want = len(objects)
		if want < 1 || want > 2 {
			return Case{}, fmt.Errorf("%d documents, want one or two", want)
		}
		item.Object = objects[want-1]
		if want == 2 {
			item.Operation, item.Old = "UPDATE", objects[0]
		}
	case Mutated:
		want = 2
	case Generated:
		want = max(2, len(objects))
	case Deleted, Kept:
	default:
		return Case{}, fmt.Errorf("%q is no expectation", prefix)
	}
	if len(objects) != want {
		return Case{}, fmt.Errorf("%d documents, want %d", len(objects), want)
	}
	if item.Object == nil {
		item.Object, item.Want = objects[0], objects[1:]
	}
	switch operation := header(raw, "operation"); operation {
	case "":
	case "DELETE":
		item.Operation, item.Old, item.Object = operation, item.Object, nil
	default:
		return Case{}, fmt.Errorf("the operation %q cannot be asked for", operation)
	}
	return item, nil
}

// header returns the value of a comment at the top of the file.
func header(raw []byte, key string) string {
	for line := range strings.Lines(string(raw)) {
		comment, isComment := strings.CutPrefix(line, "#")
		if !isComment {
			return ""
		}
		if name, value, _ := strings.Cut(comment, ":"); strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func documents(raw []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		encoded, err := yaml.YAMLToJSONStrict(document)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", len(objects)+1, err)
		}
		obj := &unstructured.Unstructured{}
		if err := obj.UnmarshalJSON(encoded); err != nil {
			return nil, fmt.Errorf("document %d: %w", len(objects)+1, err)
		}
		objects = append(objects, obj)
	}
}
