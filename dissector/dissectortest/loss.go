package dissectortest

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/packet"
)

// within tells whether both halves of a pair lie within those of one that the
// whole capture has: a message that lost its beginning begins later.
func within(calls []call, c call) bool {
	for _, w := range calls {
		if w.conn == c.conn && w.pair != "" && w.span[0] <= c.span[0] && c.span[1] <= w.span[1] && w.span[2] <= c.span[2] && c.span[3] <= w.span[3] {
			return true
		}
	}
	return false
}

// loss takes single segments away: the calls that are not marked are those of the
// whole capture, and no pair is new. It returns what was found behind them.
func loss(t *testing.T, recs []packet.Record, opts dissector.Options) (f found) {
	t.Helper()
	segs := segments(recs)
	calls, _ := dissect(t, records(segs), opts)
	whole, pairs, said := make(map[string]int), make(map[string]bool), messages(calls)
	for _, c := range calls {
		whole[c.text]++
		whole[unmeasured(c.text)]++
		pairs[c.pair] = true
	}
	var data []int
	for i := range segs {
		if segs[i].Proto == packet.TCP && len(segs[i].payload) > 0 || hasData(&segs[i]) {
			data = append(data, i)
		}
	}
	rng := rand.New(rand.NewPCG(7, 7))
	rng.Shuffle(len(data), func(i, j int) { data[i], data[j] = data[j], data[i] })
	for _, i := range data[:min(len(data), roundsFor(segs))] {
		left := append(append([]segment(nil), segs[:i]...), segs[i+1:]...)
		lossy, _ := dissect(t, records(left), opts)
		f.add(foundBehind(&segs[i], said, lossy))
		for _, c := range lossy {
			if c.pair != "" && !pairs[c.pair] && !within(calls, c) {
				t.Fatalf("without packet %d: a pair that is not there with it: %s\n%s", segs[i].Number, c.pair, c.text)
			}
			known := c.text
			if strings.Contains(known, unknown) {
				known = unmeasured(known)
			}
			if c.marks == 0 && c.pair != "" && whole[known] == 0 {
				t.Fatalf("without packet %d: a call that is not there with it and has no mark:\n%s", segs[i].Number, c.text)
			}
		}
	}
	return f
}

// unknown says of a call, in place of a mark, that what is worked out from all that its
// connection had said before is not known: the lines that begin as those of measured do.
const unknown = "\thttp2_windows_unknown = true\n"

var measured = []string{unknown, "\thttp2_request_stall =", "\thttp2_response_stall =", "\thttp2_exhausted_window ="}

// unmeasured returns the text of a call without those lines.
func unmeasured(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !slices.ContainsFunc(measured, func(begin string) bool { return strings.HasPrefix(line, begin) }) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// found counts the messages that a side sent behind a lost segment of its own, and those of
// them that were found.
type found struct{ found, of int }

func (f *found) add(g found) { f.found, f.of = f.found+g.found, f.of+g.of }

// message is one that a call has, by where it begins.
type message struct {
	flow  packet.Flow // of who sent it
	first uint64      // packet
}

// messages returns those that the calls have.
func messages(calls []call) map[message]bool {
	all := make(map[message]bool)
	for _, c := range calls {
		for i, first := range []uint64{c.span[0], c.span[2]} {
			if first == 0 {
				continue
			}
			flow := c.flow
			if i == 1 {
				flow = flow.Reverse()
			}
			all[message{flow, first}] = true
		}
	}
	return all
}

// foundBehind counts what a loss left of the messages of the whole capture.
func foundBehind(lost *segment, whole map[message]bool, lossy []call) (f found) {
	have := messages(lossy)
	for m := range whole {
		if m.flow != lost.Flow() || m.first <= lost.Number {
			continue
		}
		f.of++
		if have[m] {
			f.found++
		}
	}
	return f
}

// Of the messages behind a loss, a protocol must find foundAgain of a hundred, where its
// captures have enough of them to tell.
const foundAgain, enough = 80, 50

// hidden are the protocols that cannot, with the share that they find: their docs say why.
var hidden = map[string]int{
	"tlsx": 50, // a handshake that is lost hides all that follows it
}

// resync checks that losses hid no more of the messages behind them than they must.
func resync(t *testing.T, p *dissector.Protocol, f found) {
	must := foundAgain
	if share, ok := hidden[p.Name]; ok {
		must = share
	}
	if f.of >= enough && f.found*100 < f.of*must {
		t.Errorf("of %d messages behind losses %d are found", f.of, f.found)
	}
}
