package http2

import "shark/dissector"

// stream is what is remembered of a stream: enough to tell a head from
// trailers, and what is still open.
type stream struct {
	half  [2]half
	reset bool
}

// half is one side of a stream.
type half struct {
	begun  bool  // a piece of its message was seen
	headed bool  // the head of its message was
	ended  bool  // END_STREAM was
	holed  bool  // frames of it may be missing
	body   int64 // bytes of DATA
}

// streams are the streams of a connection that are not closed, by id, and those
// that were reset.
type streams map[uint32]stream

// put remembers a stream until both sides have ended it; a side of which nothing
// was seen counts as ended once the response is.
func (ss streams) put(id uint32, st stream) {
	client, server := &st.half[dissector.Client], &st.half[dissector.Server]
	if server.ended && (client.ended || !client.begun) {
		delete(ss, id)
		return
	}
	if _, known := ss[id]; !known && len(ss) >= maxStreams {
		ss.shrink()
	}
	ss[id] = st
}

// shrink forgets the streams that were reset or, if that is no help, all: their
// trailers and what they reset are then told by what stands in them.
func (ss streams) shrink() {
	for id, st := range ss {
		if st.reset {
			delete(ss, id)
		}
	}
	if len(ss) >= maxStreams/2 {
		clear(ss)
	}
}

// lose says that frames of a side may be missing.
func (ss streams) lose(from dissector.Side) {
	for id, st := range ss {
		if !st.half[from].ended {
			st.half[from].holed = true
			ss[id] = st
		}
	}
}
