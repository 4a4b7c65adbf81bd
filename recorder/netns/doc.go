// Package netns enters network namespaces.
//
// In: a namespace, by a descriptor or a path. Out: which one it is, and what a function did on a
// thread that is in it; no other thread of the process ever is. Only on Linux: elsewhere there
// are none.
package netns
