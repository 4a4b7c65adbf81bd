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
			for round := range 200 {
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
			if methods < 60 || paths < 20 {
				t.Errorf("only %d methods and %d paths are known in all parts together", methods, paths)
			}
		})
	}
}

// Who comes late to the long-lived connections of traced services knows most of the
// headers of the calls that begin from then on, and none of them wrongly. What is sent
// again and again by its place in a table that was filled before is not known, until
// the newer headers of other calls have driven it out and it is sent anew. The name of
// a header that is new in each call, such as traceparent, is given by the one before,
// and may stay unknown as long as the connection lives: then the value stands alone.
func TestLateJoinKnowsMostHeaders(t *testing.T) {
	const enough = 90 // percent
	recs := readAll(t, "../../../testdata/http2/late/long.pcap")
	whole := facts(t, recs, true)
	rng := rand.New(rand.NewPCG(2, 2))
	known, values, all := 0, 0, 0
	for range 200 {
		cut := rng.IntN(len(recs))
		begun := facts(t, recs[:cut], true)
		part := facts(t, recs[cut:], false)
		for stream, want := range whole {
			if begun[stream] != nil {
				continue
			}
			for fact := range want {
				kind, value, ok := strings.Cut(fact, ".headers ")
				if !ok {
					continue
				}
				all++
				_, value, _ = strings.Cut(value, ": ")
				switch {
				case part[stream][fact]:
					known++
				case part[stream][kind+".headers ?: "+value]:
					values++
				}
			}
			for fact := range part[stream] {
				if !want[fact] && !nameless(fact, want) {
					t.Fatalf("cut at %d, %s: %s, which is wrong", cut, stream, fact)
				}
			}
		}
	}
	percent := func(n int) float64 { return 100 * float64(n) / float64(all) }
	t.Logf("of %d headers %.1f %% are known, of %.1f %% the value", all, percent(known), percent(values))
	if percent(known+values) < enough || all < 100_000 {
		t.Errorf("%d of %d headers are known", known+values, all)
	}
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
