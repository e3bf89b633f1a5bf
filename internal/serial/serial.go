// Package serial calls a callback for one event at a time, however many goroutines report.
package serial

import "sync"

// Calls returns a function that calls progress for one event at a time. It does nothing if progress is nil.
func Calls[E any](progress func(E)) func(E) {
	if progress == nil {
		return func(E) {}
	}
	var mu sync.Mutex
	return func(event E) {
		mu.Lock()
		defer mu.Unlock()
		progress(event)
	}
}
