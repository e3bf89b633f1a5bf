package admission

import (
	"errors"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// Operation is what a request does to an object.
type Operation string

// The operations of Kubernetes.
const (
	Create  Operation = "CREATE"
	Update  Operation = "UPDATE"
	Delete  Operation = "DELETE"
	Connect Operation = "CONNECT"
)

// Request is what a client asks of the API server.
type Request struct {
	// Operation that is asked for. Default: Update if there is an OldObject, Create otherwise.
	Operation Operation
	// Object as it is to be. None for Delete.
	Object *unstructured.Unstructured
	// OldObject as it is. Required for Update and Delete.
	OldObject *unstructured.Unstructured
	// Subresource that is asked for, such as "status". Default: none, the object itself.
	Subresource string
	// Parent is the kind that the subresource belongs to, where the object is of another: Deployment for the Scale of one.
	// Default: the object's.
	Parent schema.GroupVersionKind
	// User who asks. Default: nobody, with no groups and no roles.
	User User
	// NamespaceLabels are those of the object's namespace. Default: those of the Namespace in Data.Objects. A policy that
	// selects by them gets the verdict Error if neither gives them.
	NamespaceLabels map[string]string
	// Payload is a JSON document to judge in place of an object, by ValidatingPolicies whose evaluation mode is JSON.
	Payload map[string]any
	// DryRun tells policies that the request changes nothing.
	DryRun bool
	// Only are the types of rules to evaluate. Default: all.
	Only []RuleType
}

// wants reports whether rules of the type are to be evaluated.
func (r Request) wants(kind RuleType) bool { return len(r.Only) == 0 || slices.Contains(r.Only, kind) }

// User is who makes a request, as the API server has authenticated it.
type User struct {
	Name   string
	UID    string
	Groups []string
	Extra  map[string][]string
	// Roles, as "namespace:name", and ClusterRoles are bound to the user. Kyverno finds them itself in a cluster.
	Roles        []string
	ClusterRoles []string
}

// operation returns the operation with its default.
func (r Request) operation() Operation {
	switch {
	case r.Operation != "":
		return r.Operation
	case r.OldObject != nil && r.Object == nil:
		return Delete
	case r.OldObject != nil:
		return Update
	default:
		return Create
	}
}

// subject returns the object that the request is about.
func (r Request) subject() *unstructured.Unstructured {
	if r.Object != nil {
		return r.Object
	}
	return r.OldObject
}

func (r Request) validate() error {
	if r.Payload != nil {
		if r.Object != nil || r.OldObject != nil {
			return errors.New("a payload stands alone: give no object with it")
		}
		return nil
	}
	switch operation := r.operation(); {
	case operation != Create && operation != Update && operation != Delete && operation != Connect:
		return fmt.Errorf("operation %q: want CREATE, UPDATE, DELETE or CONNECT", operation)
	case operation != Delete && r.Object == nil:
		return fmt.Errorf("%s needs the object", operation)
	case (operation == Update || operation == Delete) && r.OldObject == nil:
		return fmt.Errorf("%s needs the old object", operation)
	}
	for _, obj := range []*unstructured.Unstructured{r.Object, r.OldObject} {
		if obj == nil {
			continue
		}
		if obj.Object == nil || obj.GetKind() == "" || obj.GetAPIVersion() == "" {
			return errors.New("the object needs an apiVersion and a kind")
		}
	}
	return nil
}

// admissionOperation is the operation in the API server's terms.
func (r Request) admissionOperation() admissionv1.Operation {
	return admissionv1.Operation(r.operation())
}

// withoutNulls drops the fields of Kubernetes' own kinds that are null, as the API server does before it asks: a template
// that renders to nothing often leaves one.
func (r Request) withoutNulls() Request {
	for _, obj := range []**unstructured.Unstructured{&r.Object, &r.OldObject} {
		if *obj != nil && holdsNull((*obj).Object) && scheme.Scheme.Recognizes((*obj).GroupVersionKind()) {
			*obj = (*obj).DeepCopy()
			dropNulls((*obj).Object)
		}
	}
	return r
}

func holdsNull(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case map[string]any:
		for _, item := range value {
			if holdsNull(item) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(value, holdsNull)
	}
	return false
}

func dropNulls(value any) {
	switch value := value.(type) {
	case map[string]any:
		for key, item := range value {
			if item == nil {
				delete(value, key)
				continue
			}
			dropNulls(item)
		}
	case []any:
		for _, item := range value {
			dropNulls(item)
		}
	}
}
