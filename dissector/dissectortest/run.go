package dissectortest

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/packet"
)

var update = flag.Bool("update", false, "rewrite golden files; read the difference before you keep it")

// rounds is how many random variants of each capture are tried.
const rounds = 200

// Run checks a protocol against the captures in testdata/<name> at the top of the
// module. carriers are the protocols it rides on or changes from, if any.
func Run(t *testing.T, p *dissector.Protocol, carriers ...*dissector.Protocol) {
	t.Helper()
	root := moduleRoot(t)
	protocols := append([]*dissector.Protocol{p}, carriers...)
	files := captures(t, filepath.Join(root, "testdata", p.Name))
	if len(files) == 0 {
		t.Fatalf("no captures in testdata/%s", p.Name)
	}
	var all collector
	for _, file := range files {
		recs := readCapture(t, file)
		opts := dissector.Options{Protocols: protocols, Secrets: secretsOf(t, file)}
		t.Run(filepath.Base(file), func(t *testing.T) {
			golden(t, file, recs, opts, &all)
			variants(t, recs, opts)
			loss(t, recs, opts)
		})
	}
	t.Run("fields", func(t *testing.T) { fields(t, p, &all) })
	t.Run("strangers", func(t *testing.T) { strangers(t, protocols, root) })
}

func moduleRoot(t testing.TB) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = up
	}
}

// captures lists the capture files of a folder.
func captures(t testing.TB, dir string) []string {
	var out []string
	for _, pattern := range []string{"*.pcap", "*.pcapng"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, files...)
	}
	return out
}

// golden compares the calls with the file beside the capture.
func golden(t *testing.T, file string, recs []packet.Record, opts dissector.Options, all *collector) {
	var c collector
	run(t, recs, opts, &c)
	if all.fields == nil {
		all.fields = c.fields
	}
	for f := range c.fields {
		all.fields[f] = true
	}
	calls, _ := dissect(t, recs, opts)
	got := texts(calls, true)
	name := strings.TrimSuffix(file, filepath.Ext(file)) + ".golden"
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("%v; -update writes it", err)
	}
	diff(t, "golden", string(want), got)
}

// diff reports the first line that differs.
func diff(t *testing.T, what, want, got string) {
	t.Helper()
	if want == got {
		return
	}
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		var a, b string
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			t.Fatalf("%s: line %d differs\nwant %.400s\ngot  %.400s\n(%d and %d lines)", what, i+1, a, b, len(w), len(g))
		}
	}
}

// variants cuts, repeats and reorders the segments: the calls stay the same. Those of
// SCTP come in the order in which their messages are complete.
func variants(t *testing.T, recs []packet.Record, opts dissector.Options) {
	segs := segments(recs)
	calls, _ := dissect(t, records(segs), opts)
	anyOrder := slices.ContainsFunc(segs, func(s segment) bool { return hasData(&s) })
	texts := func(calls []call, times bool) string {
		if anyOrder {
			slices.SortStableFunc(calls, func(a, b call) int { return strings.Compare(a.text, b.text) })
		}
		return texts(calls, times)
	}
	want := texts(calls, false)
	if bytesOf(segs) < 64<<10/Part {
		calls, _ = dissect(t, records(cut(segs, func() int { return 1 })), opts)
		diff(t, "byte by byte", want, texts(calls, false))
	}
	for round := range roundsFor(segs) {
		rng := rand.New(rand.NewPCG(uint64(round), 1))
		v := cut(segs, func() int { return 1 + rng.IntN(1+rng.IntN(3000)) })
		if round%2 == 1 {
			v = shuffle(repeat(v, rng), rng)
		}
		calls, _ = dissect(t, records(v), opts)
		diff(t, "variant", want, texts(calls, false))
	}
}

// roundsFor keeps the time that a capture takes in bounds.
func roundsFor(segs []segment) int {
	return max(4, min(rounds, 50_000_000/(bytesOf(segs)+200*len(segs)+1))/Part)
}

func bytesOf(segs []segment) (n int) {
	for i := range segs {
		n += len(segs[i].payload)
	}
	return n
}

// repeat sends some TCP segments, and SCTP packets with data, twice.
func repeat(segs []segment, rng *rand.Rand) []segment {
	var out []segment
	for _, s := range segs {
		out = append(out, s)
		if (s.Proto == packet.TCP && s.Flags&packet.SYN == 0 || hasData(&s)) && rng.IntN(10) == 0 {
			out = append(out, s)
		}
	}
	return out
}

// hasData tells whether a packet is one of SCTP whose first chunk carries data.
func hasData(s *segment) bool {
	return s.Proto == packet.SCTP && len(s.payload) > 12 && (s.payload[12] == 0 || s.payload[12] == 64)
}

// shuffle moves some TCP segments of established connections a few places, and SCTP
// packets with data that the same side sent.
func shuffle(segs []segment, rng *rand.Rand) []segment {
	out := append([]segment(nil), segs...)
	movable := func(s *segment) bool {
		return s.Proto == packet.TCP && s.Flags&(packet.SYN|packet.RST) == 0 && len(s.payload) > 0
	}
	for i := range out {
		j := i + 1 + rng.IntN(4)
		if rng.IntN(5) > 0 || j >= len(out) {
			continue
		}
		ok := true
		for k := i; k <= j; k++ {
			ok = ok && (movable(&out[k]) || hasData(&out[k]) && out[k].Flow() == out[i].Flow())
		}
		if ok {
			out[i], out[j] = out[j], out[i]
		}
	}
	return out
}

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
// whole capture, and no pair is new.
func loss(t *testing.T, recs []packet.Record, opts dissector.Options) {
	segs := segments(recs)
	calls, _ := dissect(t, records(segs), opts)
	whole, pairs := make(map[string]int), make(map[string]bool)
	for _, c := range calls {
		whole[c.text]++
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
		for _, c := range lossy {
			if c.pair != "" && !pairs[c.pair] && !within(calls, c) {
				t.Fatalf("without packet %d: a pair that is not there with it: %s\n%s", segs[i].Number, c.pair, c.text)
			}
			if c.marks == 0 && c.pair != "" && whole[c.text] == 0 {
				t.Fatalf("without packet %d: a call that is not there with it and has no mark:\n%s", segs[i].Number, c.text)
			}
		}
	}
}
