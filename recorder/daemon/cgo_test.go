//go:build cgo

package daemon

// cgo says that there may be threads that Go does not know of.
const cgo = true
