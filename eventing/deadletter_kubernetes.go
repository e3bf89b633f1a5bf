package eventing

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/object"
)

// KubernetesDeadLetters keeps each dead letter in a Secret of its own, not in a
// ConfigMap: bodies of events carry tokens and personal data, and Secrets are what
// clusters encrypt and few may read. One object each bounds the size of a letter,
// not of all of them, and lets replicas write at the same time.
type KubernetesDeadLetters struct {
	// Client of the API server. Required. That of a manager is fine: Secrets are
	// read as unstructured objects, which it does not cache.
	Client client.Client
	// Namespace of the Secrets. Required. Give it no other Secrets: the right to list
	// the letters is the right to read them all.
	Namespace string
	// Name begins those of the Secrets. Required, a DNS label. Replicas share it,
	// different Responders do not.
	Name string
	// MaxLetters that are kept. Default: 100. Replicas that write at the same time
	// may exceed it by as many letters as they have workers.
	MaxLetters int
}

// maxLetterBody leaves half of the 1 MiB of a Secret to the headers and the
// reason, in bytes. kubernetes: MaxSecretSize in pkg/apis/core/types.go
const maxLetterBody = 512 << 10

// letterPage bounds how much of the letters is in memory before it is decoded.
const letterPage = 20

const secretType = "eventing.backbone.dev/dead-letter"

var secretKind = schema.GroupVersionKind{Version: "v1", Kind: "Secret"}

// Validate reports every fault of the store.
func (k KubernetesDeadLetters) Validate() field.ErrorList {
	var faults field.ErrorList
	if object.IsNil(k.Client) {
		faults = append(faults, field.Required(field.NewPath("client"), ""))
	}
	faults = append(faults, k.account("").validate()...)
	if k.MaxLetters < 0 {
		faults = append(faults, field.Invalid(field.NewPath("maxLetters"), k.MaxLetters, "must not be negative"))
	}
	return faults
}

// RBAC returns a Role and a RoleBinding with the least rights that the store
// needs, for a ServiceAccount of its namespace.
func (k KubernetesDeadLetters) RBAC(serviceAccountName string) ([]*unstructured.Unstructured, error) {
	return k.account(serviceAccountName).rights()
}

func (k KubernetesDeadLetters) account(serviceAccountName string) responderAccount {
	return responderAccount{
		owner: "responder-dead-letters", name: k.Name, namespace: k.Namespace, account: serviceAccountName,
		permission: Permission{Resource: "secrets", Verbs: []string{"create", "get", "list", "delete"}},
	}
}

// maxBody is for the limits of a Responder.
func (k KubernetesDeadLetters) maxBody() int64 { return maxLetterBody }

// Put is for [DeadLetterStore].
func (k KubernetesDeadLetters) Put(ctx context.Context, letter DeadLetter) error {
	obj := k.reference(letter.Event.ID)
	count, known := 0, false
	err := k.each(ctx, func(other *unstructured.Unstructured) error {
		count++
		known = known || other.GetName() == obj.GetName()
		return nil
	})
	if err != nil || known {
		return err
	}
	if count >= cmp.Or(k.MaxLetters, defaultMaxLetters) {
		return ErrDeadLettersFull
	}
	body := letter.Event.Body
	letter.Event.Body = nil
	text, err := json.Marshal(letter)
	if err != nil {
		return fmt.Errorf("encode the dead letter: %w", err)
	}
	obj.SetLabels(map[string]string{responderLabel: k.Name})
	obj.SetAnnotations(map[string]string{eventAnnotation: letter.Event.ID})
	obj.Object["type"], obj.Object["immutable"] = secretType, true
	obj.Object["data"] = map[string]any{
		"letter": base64.StdEncoding.EncodeToString(text),
		"body":   base64.StdEncoding.EncodeToString(body),
	}
	if err := k.Client.Create(ctx, obj); !apierrors.IsAlreadyExists(err) {
		return err
	}
	return nil
}

// Get is for [DeadLetterStore].
func (k KubernetesDeadLetters) Get(ctx context.Context, id string) (DeadLetter, error) {
	obj := k.reference(id)
	err := k.Client.Get(ctx, client.ObjectKeyFromObject(obj), obj)
	if apierrors.IsNotFound(err) {
		return DeadLetter{}, ErrNoDeadLetter
	}
	if err != nil {
		return DeadLetter{}, err
	}
	return letterOf(obj)
}

// List is for [DeadLetterStore].
func (k KubernetesDeadLetters) List(ctx context.Context) ([]DeadLetter, error) {
	letters := []DeadLetter{}
	err := k.each(ctx, func(obj *unstructured.Unstructured) error {
		letter, err := letterOf(obj)
		letters = append(letters, letter)
		return err
	})
	oldestFirst(letters)
	return letters, err
}

// Delete is for [DeadLetterStore].
func (k KubernetesDeadLetters) Delete(ctx context.Context, id string) error {
	err := k.Client.Delete(ctx, k.reference(id))
	if apierrors.IsNotFound(err) {
		return ErrNoDeadLetter
	}
	return err
}

func (k KubernetesDeadLetters) reference(id string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{}}
	obj.SetGroupVersionKind(secretKind)
	obj.SetNamespace(k.Namespace)
	obj.SetName(hashedName(k.Name, id))
	return obj
}

// each visits the Secrets, page by page.
func (k KubernetesDeadLetters) each(ctx context.Context, visit func(*unstructured.Unstructured) error) error {
	page := client.ListOptions{Namespace: k.Namespace, Limit: letterPage}
	client.MatchingLabels{responderLabel: k.Name}.ApplyToList(&page)
	for {
		var secrets unstructured.UnstructuredList
		secrets.SetGroupVersionKind(secretKind.GroupVersion().WithKind("SecretList"))
		if err := k.Client.List(ctx, &secrets, &page); err != nil {
			return fmt.Errorf("list dead letters of %s/%s: %w", k.Namespace, k.Name, err)
		}
		for i := range secrets.Items {
			if err := visit(&secrets.Items[i]); err != nil {
				return err
			}
		}
		page.Continue = secrets.GetContinue()
		if page.Continue == "" {
			return nil
		}
	}
}

// letterOf reads a Secret. Its errors do not repeat what the Secret holds.
func letterOf(obj *unstructured.Unstructured) (DeadLetter, error) {
	data, _, _ := unstructured.NestedStringMap(obj.Object, "data")
	var letter DeadLetter
	text, err := base64.StdEncoding.DecodeString(data["letter"])
	if err != nil || json.Unmarshal(text, &letter) != nil {
		return DeadLetter{}, fmt.Errorf("Secret %s/%s holds no dead letter", obj.GetNamespace(), obj.GetName())
	}
	letter.Event.Body, err = base64.StdEncoding.DecodeString(data["body"])
	if err != nil {
		return DeadLetter{}, fmt.Errorf("Secret %s/%s holds no body of an event", obj.GetNamespace(), obj.GetName())
	}
	return letter, nil
}
