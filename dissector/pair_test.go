package dissector

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"shark/packet"
)

type sinkFunc func(e *Entry) error

func (f sinkFunc) Entry(e *Entry) error { return f(e) }

// testTalk returns a talk of a partition of its own that hands entries to a sink.
func testTalk(sink Sink) *talk {
	p := newPartition(&Options{Memory: DefaultMemory}, newRegistry(nil), 0)
	p.sink = sink
	c := p.open(0, new(connKey), &packet.Packet{Proto: packet.TCP, Number: 1})
	c.talk = p.talk(c)
	return c.talk
}

// TestOfOnePacketTheFirstComesFirst begins exchanges in one packet: wherever they
// stand in the table, they come out in the order of their bytes.
func TestOfOnePacketTheFirstComesFirst(t *testing.T) {
	defer func(seed [2]uint64) { tableSeed = seed }(tableSeed)
	rng := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		tableSeed = [2]uint64{rng.Uint64(), rng.Uint64()}
		var got []int64
		talk := testTalk(sinkFunc(func(e *Entry) error {
			got = append(got, e.Request.offset)
			return nil
		}))
		for _, off := range rng.Perm(6) {
			m := talk.c.p.message()
			m.First, m.offset, m.done = 7, int64(off), true
			m.SetKey(rng.Uint64())
			m.ex = talk.c.p.exchange(m, nil)
			talk.pairs.keep(m)
		}
		talk.pairs.dropOldest(talk)
		talk.pairs.drain(talk, false)
		if want := []int64{0, 1, 2, 3, 4, 5}; !slices.Equal(got, want) {
			t.Fatalf("came out as %v", got)
		}
	}
}

// TestFailedSinkIsLeftAlone: who says that a disk is full is not asked again for every
// entry that is left.
func TestFailedSinkIsLeftAlone(t *testing.T) {
	full := errors.New("full")
	asked := 0
	talk := testTalk(sinkFunc(func(*Entry) error {
		asked++
		return full
	}))
	for range 3 {
		talk.c.p.put(&Entry{})
	}
	if p := talk.c.p; asked != 1 || !errors.Is(p.err, full) {
		t.Errorf("asked %d times, the error is %v", asked, p.err)
	}
}
