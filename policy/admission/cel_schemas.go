package admission

import (
	"fmt"
	"sync"
	"testing/fstest"

	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/data"
	mpolcompiler "github.com/kyverno/kyverno/pkg/cel/policies/mpol/compiler"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/openapi"
	"sigs.k8s.io/kubectl-validate/pkg/openapiclient"
)

// builtinSchemas are those of Kubernetes' types and of Kyverno's, as the command line has them. They are large, read only
// for mutations, a group at a time, and the same for every engine.
var builtinSchemas = sync.OnceValue(func() *schemaSet {
	clients := []openapi.Client{openapiclient.NewHardcodedBuiltins("1.32")}
	if crds, err := data.Crds(); err == nil {
		clients = append(clients, openapiclient.NewLocalCRDFiles(crds))
	}
	return newSchemaSet(openapiclient.NewComposite(clients...))
})

// schemaSet converts the types of a client. Kyverno's converter is not safe for concurrent use, and logs what it does not
// know.
type schemaSet struct {
	mutex  sync.Mutex
	groups map[string]openapi.GroupVersion
	inner  mpolcompiler.TypeConverterManager
}

func newSchemaSet(client openapi.Client) *schemaSet {
	groups, err := client.Paths()
	if err != nil {
		return &schemaSet{}
	}
	return &schemaSet{groups: groups, inner: mpolcompiler.NewStaticTypeConverterManager(client)}
}

func (s *schemaSet) converter(kind schema.GroupVersionKind) managedfields.TypeConverter {
	path := "apis/" + kind.GroupVersion().String()
	if kind.Group == "" {
		path = "api/" + kind.Version
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.groups[path] == nil {
		return nil
	}
	return s.inner.GetTypeConverter(kind)
}

// typeSchemas are the schemas that mutations of an engine need: those of custom kinds come with the data.
type typeSchemas struct {
	cluster *cluster
	once    sync.Once
	custom  *schemaSet
}

// GetTypeConverter implements Kyverno's TypeConverterManager. It returns nil for kinds without a schema.
func (t *typeSchemas) GetTypeConverter(kind schema.GroupVersionKind) managedfields.TypeConverter {
	t.once.Do(func() {
		files := fstest.MapFS{}
		for key, crd := range t.cluster.objects[schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}] {
			if document, err := crd.MarshalJSON(); err == nil {
				files[fmt.Sprintf("%s.json", key.Name)] = &fstest.MapFile{Data: document}
			}
		}
		t.custom = newSchemaSet(openapiclient.NewLocalCRDFiles(files))
	})
	if converter := t.custom.converter(kind); converter != nil {
		return converter
	}
	return builtinSchemas().converter(kind)
}
