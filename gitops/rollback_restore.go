package gitops

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/controlbackbone/backbone/internal/argoapp"
)

// RestoreAutomation undoes what [Client.Rollback] has changed around an Application, whichever step that had reached:
// automated sync becomes what it was, unless somebody has switched it on already; then the guards are removed from the
// owners, from the bottom up, and with the last one the records. What others have added meanwhile stays, and so do the
// guards of other Applications that are rolled back. It does not sync: automated sync brings the Application forward to
// the revision that it declares. Without a rollback it changes nothing, and after an error it can be called again. Of an
// Application that was deleted while it was rolled back, it removes the guards; for one of which there is nothing at all
// apierrors.IsNotFound holds.
//
// What is restored does not belong to this client's field manager: an Application that deploys this one by server-side
// apply removes automated sync when it disappears from git.
func (c *Client) RestoreAutomation(ctx context.Context, name string) error {
	err := c.restore(ctx, resourceOf(c.application(name)), func(RollbackAction, Resource, bool) {})
	if err != nil {
		return fmt.Errorf("restore the automated sync of Application %s/%s: %w", c.namespace, name, err)
	}
	return nil
}

func (c *Client) restore(ctx context.Context, ref Resource, report func(RollbackAction, Resource, bool)) error {
	holder := ref.Namespace + "/" + ref.Name
	obj, err := c.find(ctx, ref)
	if err != nil {
		return err
	}
	if obj == nil {
		return c.releaseOrphans(ctx, ref, holder)
	}
	owners, err := c.guardedOwners(ctx, obj)
	if err != nil {
		return err
	}
	noted, err := c.notedAutomation(ctx, owners, holder)
	if err != nil {
		return err
	}
	report(RollbackRestore, ref, false)
	if err := c.restoreAutomated(ctx, ref, noted); err != nil {
		return err
	}
	report(RollbackRestore, ref, true)
	for _, owner := range slices.Backward(owners) {
		report(RollbackRelease, owner, false)
		if err := c.release(ctx, owner, holder); err != nil {
			return err
		}
		report(RollbackRelease, owner, true)
	}
	_, err = c.patch(ctx, ref, func(obj *unstructured.Unstructured) (map[string]any, error) {
		metadata := map[string]any{}
		// The ApplicationSet controller, no longer kept from it, may have been faster.
		if _, found := obj.GetAnnotations()[RollbackAnnotation]; found {
			metadata["annotations"] = map[string]any{RollbackAnnotation: nil}
		}
		if fields := disowned(obj, c.fieldManager); fields != nil {
			metadata["managedFields"] = fields
		}
		if len(metadata) == 0 {
			return nil, nil
		}
		return map[string]any{"metadata": metadata}, nil
	})
	return err
}

// guardedOwners returns the owners that there are now and, before them, those that were guarded and own it no longer.
func (c *Client) guardedOwners(ctx context.Context, obj *unstructured.Unstructured) ([]Resource, error) {
	present, err := c.ownersOf(ctx, obj)
	if err != nil {
		return nil, err
	}
	record, err := rollbackRecordOf(obj)
	if err != nil {
		return nil, err
	}
	var former, owners []Resource
	for _, o := range present.owners {
		owners = append(owners, o.owner)
	}
	if record != nil {
		for _, owner := range record.Owners {
			if !slices.Contains(owners, owner.resource()) {
				former = append(former, owner.resource())
			}
		}
	}
	return append(former, owners...), nil
}

// notedAutomation returns what an owner remembers of automated sync, nil if none does.
func (c *Client) notedAutomation(ctx context.Context, owners []Resource, holder string) (json.RawMessage, error) {
	for _, ref := range owners {
		owner, err := c.find(ctx, ref)
		if err != nil {
			return nil, err
		}
		if owner == nil {
			continue
		}
		records, err := guardRecordsOf(owner)
		if err != nil {
			return nil, err
		}
		if noted := records[holder].Automated; noted != nil {
			return noted, nil
		}
	}
	return nil, nil
}

func (c *Client) restoreAutomated(ctx context.Context, ref Resource, noted json.RawMessage) error {
	_, err := c.patch(ctx, ref, func(obj *unstructured.Unstructured) (map[string]any, error) {
		view, err := viewOf(obj)
		if err != nil {
			return nil, err
		}
		remembered := noted
		patch := map[string]any{"metadata": map[string]any{}}
		if view.record != nil {
			if view.record.Phase == RollbackRestoring {
				return nil, nil
			}
			remembered = view.record.Automated
			next := *view.record
			next.Phase = RollbackRestoring
			if patch, err = next.patch(); err != nil {
				return nil, err
			}
		}
		if view.automated == nil && remembered != nil {
			patch["spec"] = map[string]any{"syncPolicy": map[string]any{"automated": remembered}}
		} else if view.record == nil {
			return nil, nil
		}
		return patch, nil
	})
	return err
}

func (c *Client) release(ctx context.Context, ref Resource, holder string) error {
	owner, err := c.find(ctx, ref)
	if owner == nil || err != nil {
		return err
	}
	_, err = c.patch(ctx, ref, func(obj *unstructured.Unstructured) (map[string]any, error) {
		return releasePatch(obj, holder)
	})
	return err
}

// releaseOrphans removes the guards of an Application that no longer exists. Nothing leads to its owners any more, so
// all that could be one are looked at.
func (c *Client) releaseOrphans(ctx context.Context, ref Resource, holder string) error {
	released := false
	for _, namespace := range slices.Compact([]string{c.namespace, c.projectNamespace}) {
		for _, kind := range []string{kindApplicationSet, kindApplication} {
			list := &metav1.PartialObjectMetadataList{}
			list.SetGroupVersionKind(argoapp.Kind(kind + "List"))
			if err := c.kube.List(ctx, list, client.InNamespace(namespace)); err != nil {
				return fmt.Errorf("list the %ss of namespace %s: %w", kind, namespace, err)
			}
			for _, owner := range list.Items {
				// A record that cannot be read is somebody else's trouble unless it names this Application.
				if !strings.Contains(owner.Annotations[RollbackGuardsAnnotation], strconv.Quote(holder)) {
					continue
				}
				at := Resource{Group: ref.Group, Kind: kind, Namespace: namespace, Name: owner.Name}
				if err := c.release(ctx, at, holder); err != nil {
					return err
				}
				released = true
			}
		}
	}
	if !released {
		return notFound(ref)
	}
	return nil
}
