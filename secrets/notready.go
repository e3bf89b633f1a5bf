package secrets

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// NotReadyError says what kept an ExternalSecret from being synced until the
// context ended.
type NotReadyError struct {
	Key client.ObjectKey
	// Reason is that of the condition Ready, for example SecretSyncedError, or one
	// of [ReasonMissing], [ReasonUnseen] and [ReasonOutdated].
	Reason string
	// Message is a sentence for people. It holds no value of a secret.
	Message string
	// Generation is the current one, and SyncedGeneration that of the last sync;
	// 0 stands for none.
	Generation       int64
	SyncedGeneration int64
	err              error
}

// The reasons that the client adds to those of the operator.
const (
	// ReasonMissing means that there is no such object.
	ReasonMissing = "Missing"
	// ReasonUnseen means that the operator has not reported on the object.
	ReasonUnseen = "Unseen"
	// ReasonOutdated means that the last sync saw an earlier state of the object.
	ReasonOutdated = "Outdated"
)

func newNotReadyError(key client.ObjectKey, obj *unstructured.Unstructured, cause error) *NotReadyError {
	failure := &NotReadyError{Key: key, err: cause}
	if obj == nil {
		failure.Reason, failure.Message = ReasonMissing, "there is no such object"
		return failure
	}
	failure.Generation, failure.SyncedGeneration = obj.GetGeneration(), syncedGeneration(obj)
	ready := readyCondition(obj)
	switch {
	case ready == nil:
		failure.Reason, failure.Message = ReasonUnseen, "the operator has not reported on it"
	case synced(obj) || ready["status"] == "True" && failure.SyncedGeneration != failure.Generation:
		failure.Reason = ReasonOutdated
		failure.Message = fmt.Sprintf("generation %d is not synced, the last sync saw generation %d", failure.Generation, failure.SyncedGeneration)
		if failure.SyncedGeneration == failure.Generation {
			failure.Message = "the last sync came before the refresh"
		}
	default:
		failure.Reason, _ = ready["reason"].(string)
		failure.Message, _ = ready["message"].(string)
	}
	return failure
}

// Error names the object, the reason and the message.
func (e *NotReadyError) Error() string {
	return fmt.Sprintf("ExternalSecret %s is not ready (%s): %s: %v", e.Key, e.Reason, e.Message, e.err)
}

// Unwrap returns why the waiting ended: the error of the context.
func (e *NotReadyError) Unwrap() error { return e.err }
