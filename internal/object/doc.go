// Package object turns the values users write into Kubernetes objects that are fit for server-side apply: only the
// fields that were meant, nothing shared with the input, and one Invalid error that lists every fault.
package object
