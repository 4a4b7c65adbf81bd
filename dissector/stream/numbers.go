package stream

// Limits on the numbers of chunks.
const (
	// recentTSNs is how many numbers up to the highest are known one by one: what is
	// older has been seen.
	recentTSNs = 4096
	// maxTSNJump is how far a number may be from the highest: beyond it, the side
	// has begun to count anew.
	maxTSNJump = 1 << 20
)

// numbers tells which chunks of a side have been seen, by their transmission
// sequence numbers, which count up by one, modulo 2^32 (RFC 9260 section 1.6).
type numbers struct {
	known  bool
	from   uint32 // the first that is expected
	high   uint32 // the highest that was seen or skipped
	sent   int64  // from the first to the highest
	seen   int64  // different ones of these
	gone   int64  // never seen, of those before it began to count anew
	recent [recentTSNs / 64]uint64
}

// start says that tsn is the next to come.
func (n *numbers) start(tsn uint32) {
	if n.known {
		n.gone = n.missing()
	}
	n.known, n.from, n.high, n.sent, n.seen = true, tsn, tsn-1, 0, 0
	n.recent = [recentTSNs / 64]uint64{}
}

// add tells whether tsn is seen for the first time.
func (n *numbers) add(tsn uint32) bool {
	if !n.known {
		n.start(tsn)
	}
	d := int32(tsn - n.high)
	if d > maxTSNJump || d < -maxTSNJump {
		n.start(tsn)
		d = 1
	}
	if d <= -recentTSNs {
		return false
	}
	n.raise(tsn)
	word, bit := &n.recent[tsn%recentTSNs/64], uint64(1)<<(tsn%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	if n.sent > recentTSNs || int32(tsn-n.from) >= 0 {
		n.seen++
	}
	return true
}

// raise makes tsn the highest, if it is higher.
func (n *numbers) raise(tsn uint32) {
	ahead := int32(tsn - n.high)
	n.sent += int64(max(ahead, 0))
	if ahead >= recentTSNs {
		n.recent = [recentTSNs / 64]uint64{}
		n.high = tsn
	}
	for int32(tsn-n.high) > 0 {
		n.high++
		if n.high%64 == 0 && tsn-n.high >= 63 { // a word at once
			n.recent[n.high%recentTSNs/64] = 0
			n.high += 63
			continue
		}
		n.recent[n.high%recentTSNs/64] &^= 1 << (n.high % 64)
	}
}

// skip says that the sender will not send those up to tsn that are missing (RFC 3758
// section 3.5).
func (n *numbers) skip(tsn uint32) {
	if !n.known || int32(tsn-n.high) > maxTSNJump || int32(tsn-n.high) <= 0 {
		return
	}
	n.seen += int64(tsn - n.high)
	n.raise(tsn)
}

// missing returns how many have not been seen.
func (n *numbers) missing() int64 {
	return n.gone + max(0, n.sent-n.seen)
}
