package preview

import "context"

// untilDone returns what a function returns, or the error of the context once that is done: then the function goes on
// and nobody hears of what it returns. It is for code that does not look at a context. What it writes to, nobody else
// may read.
func untilDone[T any](ctx context.Context, run func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		value, err := run()
		done <- outcome{value, err}
	}()
	select {
	case got := <-done:
		return got.value, got.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
