package traffic

import "math/bits"

// random is a source of numbers that are the same on every machine and with
// every version of Go: SplitMix64 (Steele, Lea, Flood: Fast splittable
// pseudorandom number generators, 2014). Whole numbers only, so that no
// rounding of a processor shows in a capture.
type random struct{ state uint64 }

// newRandom returns the source of one purpose under a seed.
func newRandom(seed, purpose uint64) random {
	r := random{seed}
	r.state = r.next() ^ purpose*0xd1342543de82ef95
	r.next()
	return r
}

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number from 0 to n-1; n must be above 0.
func (r *random) below(n int) int {
	hi, _ := bits.Mul64(r.next(), uint64(n))
	return int(hi)
}

// between returns a number from lo to hi-1, or lo when there is none.
func (r *random) between(lo, hi int64) int64 {
	if hi <= lo {
		return lo
	}
	return lo + int64(r.below(int(hi-lo)))
}

// skewed is between with most numbers near lo, as latencies are.
func (r *random) skewed(lo, hi int64) int64 {
	return r.between(lo, r.between(lo, r.between(lo, hi)+1)+1)
}

// chance tells whether something of probability p happens. It draws nothing
// when it cannot.
func (r *random) chance(p float64) bool {
	return p > 0 && float64(r.next()>>11) < p*(1<<53)
}

// pick returns one of the choices.
func pick[T any](r *random, choices []T) T { return choices[r.below(len(choices))] }
