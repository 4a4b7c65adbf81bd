// A program with functions that return in several places and have frames of all sizes. It
// imports nothing, so that it is built in no time.
package main

import "unsafe"

type conn struct {
	data []byte
	next func(*conn, []byte) int
}

//go:noinline
func (c *conn) small(p []byte) int {
	switch {
	case len(p) == 0:
		return 0
	case c.next == nil:
		return copy(p, c.data)
	}
	defer func() { c.data = c.data[:0] }()
	return c.next(c, p)
}

//go:noinline
func (c *conn) large(p []byte) int {
	var buf [4 << 10]byte
	n := c.small(buf[:])
	if n > len(p) {
		return -1
	}
	return copy(p, buf[:n])
}

//go:noinline
func (c *conn) huge(p []byte) int {
	var buf [64 << 10]byte
	if n := c.next(c, buf[:]); n < 0 {
		return n
	}
	return copy(p, buf[:])
}

func main() {
	c := &conn{data: make([]byte, 100)}
	c.next = func(_ *conn, p []byte) int { return int(uintptr(unsafe.Pointer(&p[0])) & 1) }
	p := make([]byte, 10)
	println(c.small(p), c.large(p), c.huge(p))
}
