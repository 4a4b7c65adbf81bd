package http2_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/field"
	"shark/dissector/protocol/grpc"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/http2"
	"shark/packet"
	"shark/packet/pcapng"
)

// Whatever part of a capture is seen, each value that is given is the one that
// the whole capture gives, and what needs no table of the past is known.
func TestPartsOfCapturesGiveNothingWrong(t *testing.T) {
	files := []string{"../../../testdata/http2/web.pcap", "../../../testdata/grpc/calls.pcap"}
	if root := os.Getenv("SHARK_CAPTURES"); root != "" {
		files = append(files, filepath.Join(root, "live/grpc.pcap"), filepath.Join(root, "suricata-verify/dns-over-http2-post__dns_over_https_POST.pcap"))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			recs := readAll(t, file)
			whole := facts(t, recs, true)
			rng := rand.New(rand.NewPCG(1, 1))
			methods, paths := 0, 0
			for round := range 200 / dissectortest.Part {
				part := recs[rng.IntN(len(recs)):]
				if round%2 == 1 { // packets are missing everywhere
					part = nil
					for _, r := range recs {
						if rng.IntN(20) > 0 {
							part = append(part, r)
						}
					}
				}
				for stream, got := range facts(t, part, false) {
					want, ok := whole[stream]
					if !ok {
						t.Fatalf("%s is not there in the whole capture", stream)
					}
					for fact := range got {
						if !want[fact] && !nameless(fact, want) {
							t.Fatalf("%s: %s, which the whole capture does not say", stream, fact)
						}
						if strings.HasPrefix(fact, "method") {
							methods++
						}
						if strings.HasPrefix(fact, "path") {
							paths++
						}
					}
				}
			}
			if methods < 60/dissectortest.Part || paths < 20/dissectortest.Part {
				t.Errorf("only %d methods and %d paths are known in all parts together", methods, paths)
			}
		})
	}
}

// lateStreams are recorded connections that somebody may come late to.
var lateStreams = []struct {
	name, file string
	whole      float64 // percent of later fields that are known wholly, at least
	both       float64 // the same of those whose values are
}{
	{"a web site", "http2/late/site.pcap", 90, 90},
	{"traced services", "http2/late/long.pcap", 74, 95},
	{"gRPC calls that are all alike", "grpc/calls.pcap", 43, 46},
}

// Whoever comes late to a connection is given every header field that can be known at
// all, and none that is wrong. That is asked of a reader of the frames which only counts
// entries (knowable_test.go). How much it is depends on who speaks: what is sent by its
// place in a table that was filled before cannot be known until newer headers have driven
// it out and it is sent anew, which connections with few new headers never do. The name
// of a header that is new in each call, such as traceparent, is given by the one before
// and may stay unknown as long as the connection lives: then the value stands alone.
func TestLateJoin(t *testing.T) {
	const (
		rounds = 200 / dissectortest.Part // each cut at another place
		enough = 99                       // percent of what can be known
	)
	for _, c := range lateStreams {
		t.Run(c.name, func(t *testing.T) {
			recs := readAll(t, "../../../testdata/"+c.file)
			whole, blocks := facts(t, recs, true), blocksOf(recs)
			begin := beginnings(blocks)
			rng := rand.New(rand.NewPCG(2, 2))
			var sum, can knowledge
			for range rounds {
				cut := rng.IntN(len(recs))
				counts := func(stream string) bool { return whole[stream] != nil && begin[stream] >= cut }
				sum.add(later(t, whole, facts(t, recs[cut:], false), counts))
				can.add(knowable(blocks, cut, counts))
			}
			if dissectortest.Part > 1 {
				return // the shares are those of all cuts
			}
			t.Logf("of %d later fields %.1f %% are given, of %.1f %% the value alone; %.1f %% and %.1f %% can be",
				sum.all, sum.percent(sum.whole), sum.percent(sum.value), can.percent(can.whole), can.percent(can.value))
			if off := sum.all - can.all; sum.all < 10_000 || 100*max(off, -off) > sum.all {
				t.Errorf("%d fields are given, marked or missing, of %d", sum.all, can.all)
			}
			if got, most := sum.percent(sum.whole), can.percent(can.whole); got < c.whole || got*100 < most*enough {
				t.Errorf("%.1f %% of the fields are given; %.1f %% can be", got, most)
			}
			if got, most := sum.percent(sum.whole+sum.value), can.percent(can.whole+can.value); got < c.both || got*100 < most*enough {
				t.Errorf("the values of %.1f %% of the fields are given; %.1f %% can be", got, most)
			}
		})
	}
}

// knowledge counts header fields.
type knowledge struct {
	all   int
	whole int // known
	value int // known but for the name
}

func (k *knowledge) add(n knowledge) {
	k.all, k.whole, k.value = k.all+n.all, k.whole+n.whole, k.value+n.value
}

func (k *knowledge) percent(n int) float64 { return 100 * float64(n) / float64(k.all) }

// later counts what part says of the fields of the streams that count.
func later(t *testing.T, whole, part map[string]map[string]bool, counts func(string) bool) (n knowledge) {
	for stream, want := range whole {
		if !counts(stream) {
			continue
		}
		for fact := range want {
			if !isField(fact) {
				continue
			}
			n.all++
			kind, line, _ := strings.Cut(fact, " ")
			_, value, _ := strings.Cut(line, ": ")
			switch {
			case part[stream][fact]:
				n.whole++
			case part[stream][kind+" ?: "+value]:
				n.value++
			}
		}
		for fact := range part[stream] {
			if !want[fact] && !nameless(fact, want) {
				t.Fatalf("%s: %s, which is wrong", stream, fact)
			}
		}
	}
	return n
}

// isField tells whether a fact is a field of a header list: a line of headers or
// trailers, or what a pseudo-header says.
func isField(fact string) bool {
	name, _, _ := strings.Cut(fact, " ")
	switch name {
	case http.Method.Name, http.URL.Name, http.Host.Name, dissector.StatusCode.Name:
		return true
	}
	return strings.HasSuffix(name, ".headers") || strings.HasSuffix(name, ".trailers")
}

// nameless tells whether a fact is the value of a header whose name is not known, and
// right.
func nameless(fact string, want map[string]bool) bool {
	kind, value, ok := strings.Cut(fact, " ?: ")
	if !ok {
		return false
	}
	for w := range want {
		if strings.HasPrefix(w, kind+" ") && strings.HasSuffix(w, ": "+value) {
			return true
		}
	}
	return false
}

// source yields records.
type source struct{ records []packet.Record }

func (s *source) ReadBatch(b *packet.Batch) error {
	if len(s.records) == 0 {
		b.Records = nil
		return io.EOF
	}
	b.Records, s.records = s.records, nil
	return nil
}

func (*source) Interfaces() []packet.Interface { return nil }
func (*source) Damage() []packet.Damage        { return nil }
func (*source) Close() error                   { return nil }

func readAll(t testing.TB, file string) []packet.Record {
	t.Helper()
	src, err := pcapng.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var out []packet.Record
	for {
		var b packet.Batch // of its own: the records stay
		err := src.ReadBatch(&b)
		out = append(out, b.Records...)
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// facts returns what a capture says of each stream.
func facts(t testing.TB, recs []packet.Record, whole bool) map[string]map[string]bool {
	t.Helper()
	c := factSink{make(map[string]map[string]bool), whole}
	opts := dissector.Options{Protocols: []*dissector.Protocol{http.Protocol, http2.Protocol, grpc.Protocol}}
	src := &source{append([]packet.Record(nil), recs...)}
	if _, err := dissector.Run(context.Background(), src, opts, func(int) dissector.Sink { return c }); err != nil {
		t.Fatal(err)
	}
	return c.facts
}

type factSink struct {
	facts map[string]map[string]bool // by stream
	whole bool
}

// told are the single values that must be right whenever they are there.
var told = []*field.Field{
	http.Method.Field, http.URL.Field, http.Path.Field, http.Host.Field, dissector.StatusCode.Field, http2.Reset.Field,
	http.RequestHeadersSize.Field, http.RequestBodySize.Field, http.ResponseBodySize.Field,
	grpc.Method.Field, grpc.Service.Field, grpc.Status.Field, grpc.RequestMessages.Field, grpc.ResponseMessages.Field,
}

// sums may come out lower when a call is cut short.
var sums = map[*field.Field]bool{
	http.RequestBodySize.Field: true, http.ResponseBodySize.Field: true,
	grpc.RequestMessages.Field: true, grpc.ResponseMessages.Field: true,
}

func (c factSink) Entry(e *dissector.Entry) error {
	if e.Flow.Proto != packet.TCP || e.Protocol != http2.Protocol && e.Protocol != grpc.Protocol {
		return nil
	}
	var id int64
	for _, m := range []*dissector.Message{e.Request, e.Response} {
		if m != nil {
			id = max(id, http2.StreamID.Get(&m.Values))
		}
	}
	key := fmt.Sprintf("%s:%d stream %d", e.Flow.Src, e.Flow.SrcPort, id)
	if c.facts[key] == nil {
		c.facts[key] = make(map[string]bool)
	}
	e.Each(func(f *field.Field, v field.Value) {
		if f.Kind == field.Map {
			for line := range bytes.Lines(v.Bytes) {
				c.facts[key][fmt.Sprintf("%s %s", f.Name, line)] = true
			}
			return
		}
		unsure := e.Marks&dissector.MarkTruncated != 0 && sums[f]
		for _, x := range told {
			if x == f && (c.whole || !unsure) {
				c.facts[key][fmt.Sprintf("%s %d %s", f.Name, v.Int, v.Bytes)] = true
			}
		}
	})
	return nil
}
