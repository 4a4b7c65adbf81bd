package http2

import (
	"maps"
	"math/rand/v2"
	"testing"
)

// TestStreamsAreAMap puts and ends streams at random and compares with a map.
func TestStreamsAreAMap(t *testing.T) {
	g := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		var ss streams
		want := make(map[uint32]int64)
		ids := uint32(1 + g.IntN(maxStreams-1))
		for range 3000 {
			id := g.Uint32N(ids)
			st := ss.get(id)
			if st.id != id || st.half[0].body != want[id] || st.kept != (want[id] > 0) {
				t.Fatalf("stream %d is %+v, want %d", id, *st, want[id])
			}
			st.half[0].body++
			want[id]++
			if g.IntN(3) == 0 {
				st.half[1].ended = true
				delete(want, id)
			}
			ss.put(st)
		}
		got := make(map[uint32]int64)
		for _, st := range ss.slots {
			if st.kept {
				got[st.id] = st.half[0].body
			}
		}
		if !maps.Equal(got, want) || ss.n != len(want) {
			t.Fatalf("got %v, %d of them, want %v", got, ss.n, want)
		}
	}
}

// TestShrinkForgetsResetStreams checks what stays when there are too many.
func TestShrinkForgetsResetStreams(t *testing.T) {
	for _, reset := range []int{maxStreams - 1, maxStreams/2 - 1} {
		var ss streams
		for id := range uint32(maxStreams + 1) {
			st := ss.get(id)
			st.reset = int(id) < reset
			ss.put(st)
		}
		want := maxStreams - reset + 1
		if reset < maxStreams/2 {
			want = 1
		}
		if st := ss.get(maxStreams); ss.n != want || !st.kept {
			t.Errorf("after %d resets: %d streams are left, want %d", reset, ss.n, want)
		}
	}
}
