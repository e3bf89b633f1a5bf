package admission

import (
	"fmt"
	"strings"
	"sync"

	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/data"
	"github.com/kyverno/kyverno/ext/resource/loader"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kubectl-validate/pkg/openapiclient"
)

// policySchemas validates policies against their CustomResourceDefinitions and fills in the defaults, as the API server
// does: Kyverno's types rely on them. The schemas never change, so they are read once.
var policySchemas = sync.OnceValues(func() (loader.Loader, error) {
	crds, err := data.Crds()
	if err != nil {
		return nil, err
	}
	return loader.New(openapiclient.NewComposite(
		openapiclient.NewHardcodedBuiltins("1.32"),
		openapiclient.NewLocalCRDFiles(crds),
	))
})

// schemaLock guards the schemas, which parse on demand.
var schemaLock sync.Mutex

// decode reads a policy or an exception into Kyverno's type, with its defaults. The API versions and the namespaced kinds
// that came after Kyverno 1.15 are read as the ones that they grew from; a field that those do not have is an error.
func decode(obj *unstructured.Unstructured, into any) error {
	known := obj.DeepCopy()
	if obj.GroupVersionKind().Group == celGroup {
		known.SetAPIVersion(celGroup + "/v1alpha1")
		known.SetKind(strings.TrimPrefix(obj.GetKind(), "Namespaced"))
		if known.GetKind() != obj.GetKind() {
			known.SetNamespace("")
		}
	}
	delete(known.Object, "status")
	if isCleanup(known.GetKind()) {
		// The command line, whose schemas these are, does not know the kinds. They have no defaults.
		return decodeStrictly(known, obj, into)
	}
	document, err := known.MarshalJSON()
	if err != nil {
		return &CompileError{Policy: refOf(obj), Err: err}
	}
	schemas, err := policySchemas()
	if err != nil {
		return fmt.Errorf("read the schemas of policies: %w", err)
	}
	schemaLock.Lock()
	_, defaulted, err := schemas.Load(document)
	schemaLock.Unlock()
	if err != nil {
		return &CompileError{Policy: refOf(obj), Err: err}
	}
	return decodeStrictly(&defaulted, obj, into)
}

// decodeStrictly reports fields that the type does not have as faults of the policy.
func decodeStrictly(from, policy *unstructured.Unstructured, into any) error {
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(from.Object, into, true); err != nil {
		return &CompileError{Policy: refOf(policy), Err: err}
	}
	return nil
}
