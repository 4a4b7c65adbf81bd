package session

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"shark/packet"
)

// memoryOf counts anew what packets that wait take.
func memoryOf(w *waiting) int {
	n := cap(w.list) * heldSize
	live := make(map[*chunk]int)
	for i := range w.list {
		live[w.list[i].chunk]++
	}
	if w.into != nil && live[w.into] == 0 {
		live[w.into] = 0
	}
	for c, users := range live {
		if c.live != users {
			return -1
		}
		n += cap(c.data)
	}
	return n
}

// Whatever comes, of any size and time, and however seldom it is written: what waits is counted to
// the byte, stays within its bound, and each packet is written once and as it was; in the order of
// time, unless it came later than packets wait, or there was no room.
func TestWaiting(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 5))
			const most = 8 << 20
			slow, set := seed/4%2 == 1, seed%5 == 4 // the disk, and the clock
			var sizes []int
			var times, written []int64
			w := newWaiting(most, func(r *packet.Record) {
				i := int(r.Number)
				if len(r.Data) != sizes[i] || r.Time != times[i] || len(r.Data) > 0 && (r.Data[0] != byte(i) || r.Data[len(r.Data)-1] != byte(i)) || string(r.Options) != fmt.Sprint(i%3) {
					t.Fatalf("packet %d is not what it was", i)
				}
				written = append(written, int64(i))
			})
			largest := []int{1, 100, 2000, 300_000}[seed%4]
			perTurn := max([]int{3, 300, 3000}[seed%3]*2000/(largest+1900), 2)
			now := int64(1e9)
			var began []int64 // when turns did
			for turn := range 40 {
				began = append(began, now)
				for range rng.IntN(2*perTurn + 1) {
					i := len(sizes)
					now += rng.Int64N(1000)
					at := now
					switch {
					case set && rng.IntN(1000) == 0:
						at += rng.Int64N(1e15)
					case rng.IntN(10) == 0:
						at -= rng.Int64N(now - began[max(0, turn-5)] + 1)
					}
					data := slices.Repeat([]byte{byte(i)}, rng.IntN(largest+1))
					sizes, times = append(sizes, len(data)), append(times, at)
					w.hold(&packet.Record{Data: data, Options: fmt.Append(nil, i%3), Time: at, Number: uint64(i)})
					if got := w.memory(); got > most || i%4999 == 0 && got != memoryOf(w) {
						t.Fatalf("packet %d: %d bytes wait, %d are counted, %d may be", i, memoryOf(w), got, most)
					}
				}
				if !slow || turn%20 == 0 {
					w.next()
				}
				if got := w.memory(); turn%4 == 0 && got != memoryOf(w) {
					t.Fatalf("turn %d: %d bytes wait, %d are counted", turn, memoryOf(w), got)
				}
			}
			w.release(math.MaxInt64)
			if len(w.list) > 0 || w.memory() != memoryOf(w) {
				t.Errorf("%d packets still wait; %d bytes, %d are counted", len(w.list), memoryOf(w), w.memory())
			}
			sorted := slices.Clone(written)
			slices.Sort(sorted)
			for i := range sorted {
				if len(sorted) != len(sizes) || sorted[i] != int64(i) {
					t.Fatalf("%d of %d packets were written", len(sorted), len(sizes))
				}
			}
			ordered := slices.IsSortedFunc(written, func(a, b int64) int { return int(times[a] - times[b]) })
			if roomy := 30*perTurn*(4*heldSize+largest) < most; roomy && !slow && !set && !ordered {
				t.Error("packets are not in the order of time")
			}
		})
	}
}

// Packets wait for as many turns as the delay has, and no longer: however the clock is set.
func TestWaitingTurns(t *testing.T) {
	var written []uint64
	w := newWaiting(maxWaiting, func(r *packet.Record) { written = append(written, r.Number) })
	w.hold(&packet.Record{Time: 1e18, Number: 1})
	w.next()
	w.hold(&packet.Record{Time: 1e18 - 3600e9, Number: 2}) // the clock was set back
	w.next()
	turns := 2
	for ; len(written) == 0 && turns < 100; turns++ {
		w.next()
	}
	if turns != len(w.late) || !slices.Equal(written, []uint64{2, 1}) {
		t.Errorf("after %d turns, of %d: %d", turns, len(w.late), written)
	}
	w.hold(&packet.Record{Time: 1e18 - 3599e9, Number: 3})
	for range len(w.late) {
		w.next()
	}
	if len(written) != 3 {
		t.Errorf("%d", written)
	}
}
