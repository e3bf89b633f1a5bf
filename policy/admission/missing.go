package admission

import (
	"context"
	"fmt"
	"sync"
)

// MissingContextError says that a policy asked for something that Data does not hold.
type MissingContextError struct {
	// What was asked for, such as "ConfigMap platform/registries".
	What string
	// Supply says where in Data to put it.
	Supply string
}

func (e *MissingContextError) Error() string {
	return fmt.Sprintf("%s is not in the data: supply it in %s", e.What, e.Supply)
}

// recorder remembers what was missing while something was evaluated. The engines turn such errors into text, and
// expressions may swallow them.
type recorder struct {
	mutex   sync.Mutex
	missing []*MissingContextError
}

func (r *recorder) note(missing *MissingContextError) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.missing = append(r.missing, missing)
}

// record notes what is missing and returns it as the error to go on with.
func (r *recorder) record(missing *MissingContextError) error {
	r.note(missing)
	return missing
}

func (r *recorder) first() error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if len(r.missing) == 0 {
		return nil
	}
	return r.missing[0]
}

func (r *recorder) forget() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.missing = nil
}

type recorderKey struct{}

func withRecorder(ctx context.Context, r *recorder) context.Context {
	return context.WithValue(ctx, recorderKey{}, r)
}

// recorderOf returns the recorder of the evaluation, or one that nobody reads.
func recorderOf(ctx context.Context) *recorder {
	if r, ok := ctx.Value(recorderKey{}).(*recorder); ok {
		return r
	}
	return &recorder{}
}
