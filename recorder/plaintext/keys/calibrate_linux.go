package keys

import (
	"bytes"
	"encoding/binary"

	kernel "shark/bpf/keylog"
)

// random is the 32 bytes that tell a session from all others.
type random = [kernel.RandomSize]byte

// hellos are the randoms of the last ClientHellos that went by.
type hellos struct {
	all  [maxHellos]random
	next int
	have map[random]struct{}
}

func (h *hellos) add(r random) (fresh bool) {
	if h.have == nil {
		h.have = make(map[random]struct{}, maxHellos)
	}
	if _, ok := h.have[r]; ok || r == (random{}) {
		return false
	}
	delete(h.have, h.all[h.next])
	h.all[h.next] = r
	h.have[r] = struct{}{}
	h.next = (h.next + 1) % maxHellos
	return true
}

// calibration is the search for where the objects of one file have the random.
type calibration struct {
	waiting []*kernel.Dump
	agree   map[kernel.Place]map[random]struct{}
}

// want is how many handshakes have to agree.
const want = 2

// add keeps a dump, and returns how many older ones it had to let go.
func (c *calibration) add(d *kernel.Dump) (dropped int) {
	if len(c.waiting) == maxWaiting {
		c.waiting = append(c.waiting[:0], c.waiting[1:]...)
		dropped = 1
	}
	c.waiting = append(c.waiting, d)
	return dropped
}

// look searches a dump for hellos.
func (c *calibration) look(d *kernel.Dump, hellos map[random]struct{}) {
	for r := range hellos {
		occurrences(d, r, func(p kernel.Place) {
			if c.agree == nil {
				c.agree = make(map[kernel.Place]map[random]struct{})
			}
			if c.agree[p] == nil {
				c.agree[p] = make(map[random]struct{})
			}
			c.agree[p][r] = struct{}{}
		})
	}
}

// result returns the place that enough handshakes agree on: of several the one that most do, and
// then the first in the object itself, or behind its first pointer.
func (c *calibration) result() (kernel.Place, bool) {
	var best kernel.Place
	votes := want - 1
	for p, randoms := range c.agree {
		if n := len(randoms); n > votes || n == votes && n >= want && before(p, best) {
			best, votes = p, n
		}
	}
	return best, best.Known
}

func before(a, b kernel.Place) bool {
	if a.Deref != b.Deref {
		return b.Deref
	}
	if a.Pointer != b.Pointer {
		return a.Pointer < b.Pointer
	}
	return a.Offset < b.Offset
}

// occurrences gives yield each place of a random in a dump.
func occurrences(d *kernel.Dump, r random, yield func(kernel.Place)) {
	places(d.Object[:], r, func(at uint32) { yield(kernel.Place{Known: true, Offset: at}) })
	for i := range d.Behind {
		places(d.Behind[i][:], r, func(at uint32) {
			yield(kernel.Place{Known: true, Deref: true, Pointer: uint32(8 * i), Offset: at})
		})
	}
}

func places(b []byte, r random, yield func(uint32)) {
	for from := 0; ; {
		i := bytes.Index(b[from:], r[:])
		if i < 0 {
			return
		}
		yield(uint32(from + i))
		from += i + 1
	}
}

// take returns the random that a dump has at a place.
func take(d *kernel.Dump, p kernel.Place) (r random, ok bool) {
	b := d.Object[:]
	if p.Deref {
		if p.Pointer/8 >= kernel.Words || binary.NativeEndian.Uint64(d.Object[p.Pointer:]) == 0 {
			return r, false
		}
		b = d.Behind[p.Pointer/8][:]
	}
	if int(p.Offset)+len(r) > len(b) {
		return r, false
	}
	r = random(b[p.Offset:])
	return r, r != random{}
}
