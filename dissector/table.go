package dissector

import (
	"math/bits"
	"math/rand/v2"
)

// table finds a V by a number. The connection of every packet and the exchange of every
// piece of a keyed message are looked up: this takes half of the time of a Go map.
// Several of one number are the caller's to chain.
type table[V any] struct {
	slots []tableSlot[V] // a power of two of them, at least a quarter free; linear probing
	n     int
}

type tableSlot[V any] struct {
	key uint64
	v   *V // nil: the slot is free
}

// tableSeed is different in every run: it makes it hard to choose numbers that fall on
// one slot. What is found does not depend on it.
var tableSeed = [2]uint64{rand.Uint64() | 1, rand.Uint64()}

const minTable = 4

// home is the slot where the search for a key begins.
func (t *table[V]) home(key uint64) uint64 {
	hi, lo := bits.Mul64(key^tableSeed[0], 0x9e3779b97f4a7c15)
	return (hi ^ lo) & uint64(len(t.slots)-1)
}

// at returns the slot of a key, or the free one where it belongs.
func (t *table[V]) at(key uint64) uint64 {
	i := t.home(key)
	for t.slots[i].v != nil && t.slots[i].key != key {
		i = (i + 1) & uint64(len(t.slots)-1)
	}
	return i
}

// get returns what stands under a key, or nil.
func (t *table[V]) get(key uint64) *V {
	if t.n == 0 {
		return nil
	}
	return t.slots[t.at(key)].v
}

// put puts v under a key, in the place of what stood there.
func (t *table[V]) put(key uint64, v *V) {
	if 4*(t.n+1) > 3*len(t.slots) {
		t.grow()
	}
	s := &t.slots[t.at(key)]
	if s.v == nil {
		t.n++
	}
	*s = tableSlot[V]{key, v}
}

func (t *table[V]) grow() {
	old := t.slots
	t.slots = make([]tableSlot[V], max(minTable, 2*len(old)))
	for i := range old {
		if old[i].v != nil {
			t.slots[t.at(old[i].key)] = old[i]
		}
	}
}

// remove frees a key's slot. Those behind it that were pushed on move up.
func (t *table[V]) remove(key uint64) {
	if t.n == 0 {
		return
	}
	mask := uint64(len(t.slots) - 1)
	free := t.at(key)
	if t.slots[free].v == nil {
		return
	}
	t.n--
	for i := (free + 1) & mask; t.slots[i].v != nil; i = (i + 1) & mask {
		if home := t.home(t.slots[i].key); (i-home)&mask >= (i-free)&mask {
			t.slots[free] = t.slots[i]
			free = i
		}
	}
	t.slots[free] = tableSlot[V]{}
}

// all yields everything, in no order.
func (t *table[V]) all(yield func(*V) bool) {
	for i := range t.slots {
		if v := t.slots[i].v; v != nil && !yield(v) {
			return
		}
	}
}
