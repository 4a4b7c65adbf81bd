package http2

import (
	"math/rand/v2"

	"shark/dissector"
)

// stream is what is remembered of a stream: enough to tell a head from
// trailers, and what is still open.
type stream struct {
	id    uint32
	kept  bool // by the table
	reset bool
	gone  bool // it was the server, going away, that said it would not process it
	half  [2]half
}

// half is one side of a stream.
type half struct {
	begun  bool  // a piece of its message was seen
	headed bool  // the head of its message was
	ended  bool  // END_STREAM was
	holed  bool  // frames of it may be missing
	cut    bool  // its last DATA used up a window, and was not the end
	body   int64 // bytes of DATA
	credit int64 // bytes by which its stream's window is larger than a new one
	mark   int64 // of the time that the connection's window was used up, what stall has
	stall  *stall
}

// streams are the streams of a connection that are not closed, by id, and those
// that were reset: a hash table with open addressing, which is asked with every frame.
type streams struct {
	slots []stream // a power of two of them, of which a quarter or more are free
	n     int      // kept
	shift uint8    // 32 less the bits of a slot's number
	fresh stream
}

// spread is odd, and made up anew for each run: whoever picks ids that meet in one
// slot must not know it.
var spread = rand.Uint32() | 1

// home is the slot in which a search for id begins.
func (ss *streams) home(id uint32) int { return int(id * spread >> ss.shift) }

// find returns the slot of a stream or, if it is not there, the free one where it
// belongs.
func (ss *streams) find(id uint32) int {
	i := ss.home(id)
	for ss.slots[i].kept && ss.slots[i].id != id {
		i = (i + 1) & (len(ss.slots) - 1)
	}
	return i
}

// get returns a stream, an empty one if nothing is remembered of it. What is changed
// in it counts once it is put back, before the next get.
func (ss *streams) get(id uint32) *stream {
	if ss.n > 0 {
		if st := &ss.slots[ss.find(id)]; st.kept {
			return st
		}
	}
	ss.fresh = stream{id: id}
	return &ss.fresh
}

// put remembers a stream until both sides have ended it; a side of which nothing
// was seen counts as ended once the response is.
func (ss *streams) put(st *stream) {
	client, server := &st.half[dissector.Client], &st.half[dissector.Server]
	if server.ended && (client.ended || !client.begun) {
		if st.kept {
			ss.remove(ss.find(st.id))
		}
		return
	}
	if st.kept {
		return
	}
	if ss.n >= maxStreams {
		ss.shrink()
	}
	if ss.n >= len(ss.slots)/4*3 {
		ss.resize(max(8, 2*len(ss.slots)))
	}
	ss.insert(*st)
}

func (ss *streams) insert(st stream) {
	st.kept = true
	ss.slots[ss.find(st.id)] = st
	ss.n++
}

// remove empties slot i and moves those behind it up that could not be found any more.
func (ss *streams) remove(i int) {
	mask := len(ss.slots) - 1
	ss.n--
	for j := (i + 1) & mask; ss.slots[j].kept; j = (j + 1) & mask {
		if (j-ss.home(ss.slots[j].id))&mask >= (j-i)&mask {
			ss.slots[i] = ss.slots[j]
			i = j
		}
	}
	ss.slots[i] = stream{}
}

// resize makes n slots, a power of two.
func (ss *streams) resize(n int) {
	old := ss.slots
	ss.slots, ss.n, ss.shift = make([]stream, n), 0, 32
	for ; n > 1; n /= 2 {
		ss.shift--
	}
	for _, st := range old {
		if st.kept {
			ss.insert(st)
		}
	}
}

// shrink forgets the streams that were reset or, if that is no help, all: their
// trailers and what they reset are then told by what stands in them.
func (ss *streams) shrink() {
	for i := range ss.slots {
		if ss.slots[i].reset {
			ss.slots[i] = stream{}
		}
	}
	ss.resize(len(ss.slots))
	if ss.n >= maxStreams/2 {
		clear(ss.slots)
		ss.n = 0
	}
}

// lose says that frames of a side may be missing.
func (ss *streams) lose(from dissector.Side) {
	for i := range ss.slots {
		if st := &ss.slots[i]; st.kept && !st.half[from].ended {
			st.half[from].holed = true
		}
	}
}
