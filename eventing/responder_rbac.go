package eventing

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/controlbackbone/backbone/internal/object"
)

// responderAccount gives one permission to an account that the caller manages.
type responderAccount struct {
	owner, name, namespace, account string
	permission                      Permission
}

func (a responderAccount) validate() field.ErrorList {
	faults := label(field.NewPath("name"), a.name)
	return append(faults, object.Namespace(field.NewPath("namespace"), a.namespace)...)
}

func (a responderAccount) rights() ([]*unstructured.Unstructured, error) {
	faults := append(a.validate(), object.Name(field.NewPath("serviceAccountName"), a.account)...)
	if err := object.Invalid(rbacVersion.WithKind("Role").GroupKind(), a.name, faults); err != nil {
		return nil, err
	}
	return account{
		owner: a.owner, meta: object.Meta{Name: a.name, Namespace: a.namespace}, given: a.account,
		permissions: []Permission{a.permission},
	}.objects()
}
