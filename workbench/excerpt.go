package workbench

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"shark/packet"
	"shark/snapshot"
)

// Of a snapshot that was not dissected yet a question is answered from an excerpt, if it can
// be proven that nothing else can be an answer: the packets of some addresses, or of a time.
// Only the blocks that may have some are read.
//
// An excerpt by addresses has all that their conversations say, from the first packet to the
// last, and so the entries of the whole, those that do not concern it left out. Where that is
// too much, an excerpt of a time has the calls that begin in it; connections may have begun
// before what is read for it, and answers may come after it: its coverage counts both.
//
// Entries of an excerpt have ids of their own, which are the same whenever it is made again.

// excerpt says what of a snapshot an index is of.
type excerpt struct {
	// Addrs are sets of addresses, as texts, sorted: of each, one of an entry's two is in it.
	Addrs    [][]string `json:",omitempty"`
	From, To int64      // calls that begin in [From, To), ns since 1970; both 0: all entries
	// ReadFrom and ReadTo are from when to when all packets were read, 0 for no limit.
	ReadFrom, ReadTo int64
	Bytes            int64 // of the blocks that were read, as they are kept
	Begun            int64 // connections and calls of the time that had begun before ReadFrom
	Unfinished       int64 // calls without an answer, or the end of it, by ReadTo

	sets []map[packet.Addr]bool
}

const (
	// maxAddrs is how many addresses an excerpt may be by.
	maxAddrs = 4096
	// maxExcerpt is how many bytes of a snapshot's blocks are read at most to have all that
	// some addresses said.
	maxExcerpt = 512 << 20
	// maxShare is the share of all blocks from which on the whole is dissected instead.
	maxShare = 0.5
	// smallSnapshot is up to how many bytes a snapshot always is.
	smallSnapshot = 16 << 20
	// maxExcerpts is how many excerpts of a snapshot the cache keeps.
	maxExcerpts = 32
	// idsPerExcerpt is how far the first ids of two excerpts are apart: no index has as many.
	idsPerExcerpt = 10_000_000_000
	// excerptNumbers is how many numbers excerpts may have: the largest id is one that
	// every reader of JSON can tell from the next.
	excerptNumbers = 900_000
)

// margins are how much is read around a time.
type margins struct {
	before int64         // bytes of blocks before it, or as many as there are in it
	after  time.Duration // so long answers are waited for
}

var usualMargins = margins{before: 32 << 20, after: 10 * time.Second}

// timed tells whether it is of a time only.
func (x *excerpt) timed() bool { return x != nil && (x.From != 0 || x.To != 0) }

// selection is what has to be read for it.
func (x *excerpt) selection() (sel snapshot.Selection) {
	if x == nil {
		return sel
	}
	for _, set := range x.sets {
		sel.Addrs = append(sel.Addrs, func(a packet.Addr) bool { return set[a] })
	}
	sel.From, sel.To = x.ReadFrom, x.ReadTo
	return sel
}

// wants tells whether it has the conversation of a packet.
func (x *excerpt) wants(p *packet.Packet) bool {
	if x == nil {
		return true
	}
	for _, set := range x.sets {
		if !set[p.Src] && !set[p.Dst] {
			return false
		}
	}
	return true
}

// by makes it one by sets of addresses.
func (x *excerpt) by(sets []map[packet.Addr]bool) {
	x.Addrs, x.sets = nil, nil
	for _, set := range sets {
		var list []string
		for a := range set {
			list = append(list, a.String())
		}
		slices.Sort(list)
		x.sets, x.Addrs = append(x.sets, set), append(x.Addrs, list)
	}
}

// has tells whether all conversations of another excerpt are in it.
func (x *excerpt) has(o *excerpt) bool {
	for _, mine := range x.Addrs {
		within := func(theirs []string) bool {
			return !slices.ContainsFunc(theirs, func(a string) bool { _, found := slices.BinarySearch(mine, a); return !found })
		}
		if !slices.ContainsFunc(o.Addrs, within) {
			return false
		}
	}
	return true
}

// number is what tells it from others of the same snapshot, mostly.
func (x *excerpt) number() int64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %d", x.Addrs, x.From, x.To))
	return 1 + int64(binary.BigEndian.Uint64(sum[:])%excerptNumbers)
}

// text is the same for the same excerpts.
func (x *excerpt) text() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", x.Addrs))
	return fmt.Sprintf("%s %d %d", hex.EncodeToString(sum[:]), x.From, x.To)
}

// describe adds to the coverage of a dissection that it was of an excerpt.
func (x *excerpt) describe(c *Coverage, whole int64) {
	var of string
	switch {
	case len(x.Addrs) == 0:
		of = "what was said in the time asked for"
	case len(x.Addrs) == 1:
		of = "what was said from and to " + Count(int64(len(x.Addrs[0])), "addresses")
	default:
		of = "what was said between some addresses"
	}
	notes := []string{fmt.Sprintf("%s was dissected, from %s of the snapshot's %s; DNS names of addresses are those in it", of, bytesText(x.Bytes), bytesText(whole))}
	if x.ReadFrom != 0 || x.ReadTo != 0 {
		notes[0] += "; numbers of connections and flows are of what was read"
	}
	c.Notes = append(notes, c.Notes...)
	if x.Begun > 0 {
		c.recorded([]string{fmt.Sprintf("%s had begun before %s, where reading began: of what they said some may be missing", Count(x.Begun, "connections or calls"), clockText(x.ReadFrom))}, true)
	}
	if x.Unfinished > 0 {
		c.recorded([]string{fmt.Sprintf("%s had no answer, or not the end of it, by %s, where reading ended", Count(x.Unfinished, "calls"), clockText(x.ReadTo))}, true)
	}
}

// clockText is a time for people.
func clockText(ns int64) string { return time.Unix(0, ns).UTC().Format("15:04:05.000") }

// bytesText is a number of bytes for people.
func bytesText(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", (n+1023)>>10)
}
