package workbench

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shark/dissector/field"
	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot"
	"shark/traffic"
	"shark/workbench/index"
)

// pieces are as how many nodes town splits its capture: each is blocks of their own, so
// that there are several of every partition, one after the other.
const pieces = 12

// town imports generated traffic of some seconds, of pods whose names are known, with losses,
// connections that began before, and all else that happens.
func town(t testing.TB, w *Workbench) string {
	t.Helper()
	dir := t.TempDir()
	all := filepath.Join(dir, "all.pcapng")
	f := must(os.Create(all))(t)
	must(traffic.Generate(f, traffic.Options{
		Seed: 7, Size: 25e5, Pods: 30, Concurrency: 24, Format: pcapng.Pcapng, IPv6: 0.1,
		Flaws: traffic.Flaws{Loss: 0.01, Reorder: 0.01, Duplicate: 0.01, Drop: 0.005, Midstream: 0.1},
	}))(t)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	list := packetsOf(t, all)
	o := snapshot.ImportOptions{Identity: filepath.Join(dir, "identity.jsonl")}
	addrs := make(map[packet.Addr]bool)
	dec := packet.NewDecoder()
	for i := range pieces {
		var part []packet.Record
		for n, p := range list[i*len(list)/pieces : (i+1)*len(list)/pieces] {
			r := packet.Record{Time: p.Time, OrigLen: p.OrigLen, Link: p.Link, Data: []byte(p.Data), Number: uint64(n + 1)}
			part = append(part, r)
			var d packet.Packet
			dec.Decode(&r, &d)
			addrs[d.Src], addrs[d.Dst] = true, true
		}
		path := write(t, fmt.Sprintf("piece-%d", i), pcapng.Options{Format: pcapng.Pcapng, Nanosecond: true}, []packet.Interface{{Link: 1, Name: "eth0"}}, part, nil)
		o.Files = append(o.Files, fmt.Sprintf("n%02d=%s", i, path))
	}
	var log strings.Builder
	start := time.Unix(0, list[0].Time).Add(-time.Minute).UTC()
	n := 0
	for a := range addrs {
		if n++; a != (packet.Addr{}) && n%5 != 0 { // some are nobody's
			fmt.Fprintf(&log, `{"time":%q,"op":"upsert","kind":"pod","uid":"u-%s","namespace":"ns-%d","name":"pod-%s","addresses":[%q],"node":"n","workload":{"kind":"Deployment","name":"app-%d"}}`+"\n",
				start.Format(time.RFC3339Nano), a, len(a.String())%3, strings.NewReplacer(".", "-", ":", "-").Replace(a.String()), a.String(), len(a.String())%4)
		}
	}
	if err := os.WriteFile(o.Identity, []byte(log.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return must(w.ImportSnapshot(t.Context(), o, nil))(t).ID
}

// told are the fields that an excerpt tells as the whole does: of a time, all but those that
// depend on all packets of a connection.
func told(w *Workbench, timed bool) (out []*field.Field) {
	for _, f := range w.Catalogue().Fields() {
		if !elsewhere(f) && !(timed && counted(f)) {
			out = append(out, f)
		}
	}
	return out
}

// line is an entry of an answer.
type line struct {
	text, ends string
	begin      int64
	unfinished bool // no answer, or not to its end
}

// rowsFor answers a query.
func rowsFor(t *testing.T, e *Evidence, q Query, timed bool) (out []line, a *Answer) {
	t.Helper()
	a, err := e.Query(t.Context(), q)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	enc := e.w.JSON(told(e.w, timed)...)
	answered := e.w.Catalogue().Lookup("has_response")
	for r, err := range a.Rows {
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		begin := r.Value(field.Timestamp).(time.Time).UnixNano()
		out = append(out, line{
			text: string(must(enc.Append(nil, r))(t)), ends: endsOf(r), begin: begin,
			unfinished: r.Value(answered) != true || r.Value(field.Truncated.Field) == true,
		})
	}
	return out, a
}

// questions are about the ends of entries, of which some are of a snapshot.
func questions(rng *rand.Rand, addrs []string) string {
	a, b := addrs[rng.IntN(len(addrs))], addrs[rng.IntN(len(addrs))]
	pod := func(a string) string { return "pod-" + strings.NewReplacer(".", "-", ":", "-").Replace(a) }
	list := []string{
		fmt.Sprintf(`src.ip == %q`, a), fmt.Sprintf(`http && dst.pod.name == %q`, pod(a)), fmt.Sprintf(`%q == src.pod.name || dst.ip == %q`, pod(a), b),
		fmt.Sprintf(`(http || redis) && (src.ip == %q && dst.ip == %q || src.ip == %[2]q)`, a, b), fmt.Sprintf(`dst.ip in [%q, %q] && !conn`, a, b),
		fmt.Sprintf(`conn && src.pod.name.startsWith(%q)`, pod(a)), fmt.Sprintf(`flow && dst.ip == %q`, a), `dns && src.workload.name == "app-1"`,
		`http && dst.namespace == "ns-2" && status_code >= 500`, fmt.Sprintf(`src.ip == %q && conn_id %% 2 == 0`, a), `dst.pod.name == "" && !flow`,
		fmt.Sprintf(`src.ip != %q && ip_in_range(dst.ip, %q)`, a, a), `src.ip == "192.0.2.1"`, fmt.Sprintf(`map_get(src.labels, "x", "") == "" && dst.ip == %q`, b),
	}
	return list[rng.IntN(len(list))]
}

// TestExcerptIsTheWhole: whatever ends of entries are asked about, the answer from what their
// addresses say is that of the whole, to the byte, with the numbers of connections and flows.
func TestExcerptIsTheWhole(t *testing.T) {
	t.Parallel()
	w := newBench(t, func(c *Config) { c.Partial = PartialAlways })
	id := town(t, w)
	e, whole := open(t, w, id), open(t, newBench(t, func(c *Config) { c.Store, c.Partial = w.cfg.Store, PartialNever }), id)
	var addrs []string
	each(t, whole, "conn", func(r *index.Row) {
		addrs = append(addrs, r.Value(field.SrcIP.Field).(string), r.Value(field.DstIP.Field).(string))
	})
	slices.Sort(addrs)
	addrs = slices.Compact(addrs)
	rng := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range 40 {
		q := Query{KFL: questions(rng, addrs), Newest: rng.IntN(4) == 0, Limit: rng.IntN(2) * 5}
		got, a := rowsFor(t, e, q, false)
		want, _ := rowsFor(t, whole, q, false)
		if d := firstOther(got, want); d != "" {
			t.Errorf("%+v: %s", q, d)
		}
		if a.Coverage.Partial {
			t.Errorf("%+v: partial: %q", q, a.Coverage.Notes)
		}
		if found += len(got); e.ready() != nil {
			t.Fatalf("%+v: all was dissected", q)
		}
	}
	if found < 1000 {
		t.Errorf("%d entries are too few to say anything", found)
	}
}

// firstOther tells how two answers differ.
func firstOther(got, want []line) string {
	for i := range min(len(got), len(want)) {
		if got[i].text != want[i].text {
			return fmt.Sprintf("entry %d of %d, %d is\n%s\nand should be\n%s", i+1, len(got), len(want), got[i].text, want[i].text)
		}
	}
	if len(got) != len(want) {
		return fmt.Sprintf("%d entries, and should be %d", len(got), len(want))
	}
	return ""
}

// endsOf are the two ends of an entry, in an order of their own.
func endsOf(r *index.Row) string {
	a := endText(r.Value(field.SrcIP.Field).(string), r.Value(field.SrcPort.Field).(int64))
	b := endText(r.Value(field.DstIP.Field).(string), r.Value(field.DstPort.Field).(int64))
	return r.Value(field.Carrier.Field).(string) + " " + min(a, b) + " " + max(a, b)
}

// TestExcerptOfATime: of a time asked about alone, the calls that begin in it are those of the
// whole, but for connections that had begun before what is read, and for answers after it; and
// if there are any such, the coverage says so. A wider time adds parts to those there are.
func TestExcerptOfATime(t *testing.T) {
	t.Parallel()
	w := newBench(t, func(c *Config) { c.Partial = PartialAlways })
	w.margins = margins{before: 1, after: 20 * time.Millisecond}
	id := town(t, w)
	whole := open(t, newBench(t, func(c *Config) { c.Store, c.Partial = w.cfg.Store, PartialNever }), id)
	began := make(map[string]int64) // when the first connection between two ends began
	each(t, whole, "conn", func(r *index.Row) {
		at := r.Value(field.Timestamp).(time.Time).UnixNano()
		if k := endsOf(r); began[k] == 0 || at < began[k] {
			began[k] = at
		}
	})
	rng := rand.New(rand.NewPCG(3, 4))
	var same, old, late, joined int
	for range 6 {
		e := open(t, newBench(t, func(c *Config) { c.Store, c.Partial = w.cfg.Store, PartialAlways }), id)
		e.w.margins = w.margins
		first, last, _ := e.stated()
		span := last.Sub(first)
		from := first.Add(time.Duration(rng.Int64N(int64(span))))
		to := from.Add(time.Duration(1 + rng.Int64N(int64(span)/4)))
		kfl := []string{"!conn && !flow", "http", "dns || redis"}[rng.IntN(3)]
		for range 3 { // wider and wider
			q := Query{KFL: kfl, From: When{At: from}, To: When{At: to}}
			parts, _, err := e.ask(t.Context(), q, needCalls)
			if err != nil {
				t.Fatal(err)
			}
			joined = max(joined, len(parts))
			got, a := rowsFor(t, e, q, true)
			want, _ := rowsFor(t, whole, q, true)
			s, o, l := compareTimed(t, parts, got, want, began)
			same, old, late = same+s, old+o, late+l
			if (o > 0 || l > 0) && !a.Coverage.Partial {
				t.Errorf("%v to %v: %d and %d entries differ, and the coverage does not say so: %q", from, to, o, l, a.Coverage.Notes)
			}
			from, to = from.Add(-span/10), to.Add(span/10)
		}
		if e.ready() != nil {
			t.Fatalf("%s: all was dissected", kfl)
		}
	}
	t.Logf("%d entries are the same, %d of connections from before differ, %d without an answer; %d parts", same, old, late, joined)
	if same < 1000 || old == 0 || late == 0 || joined < 3 {
		t.Error("that is too few to say anything")
	}
}

// TestExcerptOfAWiderTimeReadsNoMore: where what is read around the new parts of a wider time is more
// than all that is asked for, that is dissected as one.
func TestExcerptOfAWiderTimeReadsNoMore(t *testing.T) {
	t.Parallel()
	w := newBench(t, func(c *Config) { c.Partial = PartialAlways })
	e := open(t, w, town(t, w))
	first, last, _ := e.stated()
	span := last.Sub(first)
	for i, around := range []time.Duration{span / 10, span / 5} {
		q := Query{KFL: "http", From: When{At: first.Add(span/2 - around)}, To: When{At: first.Add(span/2 + around)}}
		parts, _, err := e.ask(t.Context(), q, needCalls)
		if err != nil {
			t.Fatal(err)
		}
		if len(parts) != 1 || len(e.excerpts) != i+1 {
			t.Errorf("a time of %v is in %d parts of %d excerpts", 2*around, len(parts), len(e.excerpts))
		}
	}
}

// compareTimed returns how many entries are the same, and how many are not because their
// connection began before what was read, or because their answer came after it.
func compareTimed(t *testing.T, parts asked, got, want []line, began map[string]int64) (same, old, late int) {
	t.Helper()
	left, open := make(map[string]int), make(map[line]bool)
	for _, l := range want {
		left[l.text]++
	}
	excuse := func(l *line, more bool) {
		for _, p := range parts {
			x := p.x.account.Excerpt
			switch {
			case l.begin < p.from || l.begin >= p.to:
			case began[l.ends] < x.ReadFrom:
				old++
			case open[line{ends: l.ends, begin: l.begin}]:
				late++
			default:
				t.Errorf("more: %v, read from %d to %d: begins %d: %.200s", more, x.ReadFrom, x.ReadTo, l.begin, l.text)
			}
		}
	}
	for i := range got {
		if got[i].unfinished {
			open[line{ends: got[i].ends, begin: got[i].begin}] = true
		}
	}
	for i := range got {
		if left[got[i].text] > 0 {
			left[got[i].text]--
			same++
			continue
		}
		excuse(&got[i], true)
	}
	for i := range want {
		if left[want[i].text] > 0 {
			left[want[i].text]--
			excuse(&want[i], false)
		}
	}
	return same, old, late
}
