//go:build !cgo

package pages

// Trim does nothing: without the C library there is no memory outside of Go's heap.
func Trim() {}
