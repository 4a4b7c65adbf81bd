package mongodb

import "shark/dissector"

// uses counts the uses of request ids. Most clients count their requests, and an id
// comes once; one that takes an id again has had the answer, whether that was captured
// or not, so that the latest use of an id is the one that waits.
type uses struct {
	n      uint64
	waits  map[uint32]use
	last   uint32 // id of the latest request
	reuses bool   // ids come again
}

// use is a request that waits for its answer.
type use struct {
	key   uint64
	again bool // one before it with the same id was not seen answered
}

func (u *uses) key(id uint32) uint64 {
	u.n++
	return u.n<<32 | uint64(id)
}

// ask lets a request wait for its answer.
func (u *uses) ask(id uint32, key uint64) {
	_, again := u.waits[id]
	u.reuses = u.reuses || again || u.n > 1 && id == u.last
	u.last = id
	if u.waits == nil || len(u.waits) >= maxWaiting {
		u.waits = make(map[uint32]use)
	}
	u.waits[id] = use{key, again}
}

// peek returns the key of an answer; without a request it is one of its own.
func (u *uses) peek(id uint32) uint64 {
	if w, ok := u.waits[id]; ok {
		return w.key
	}
	return u.key(id)
}

// take says that a request or an answer is there, which is not one-way.
func (u *uses) take(from dissector.Side, h *header, key uint64) {
	if from == dissector.Client {
		u.ask(h.requestID, key)
	} else {
		delete(u.waits, h.responseTo)
	}
}

// lose says that bytes of a side are missing. Where ids come again, the answers may be
// among them, and later ones be to requests that are missing too. An id that was taken
// again shows that what is missing is the answer before.
func (u *uses) lose(from dissector.Side) {
	if from == dissector.Client || !u.reuses {
		return
	}
	for id, w := range u.waits {
		if !w.again {
			delete(u.waits, id)
			continue
		}
		u.waits[id] = use{key: w.key}
	}
}
