package workbench

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"shark/dissector/field"
	"shark/packet/pcapng"
	"shark/workbench/index"
)

// TestWindow: entries that begin in it, by times and by how long before the end.
func TestWindow(t *testing.T) {
	e := open(t, newBench(t), "../testdata/http/server.pcap")
	var times []time.Time
	each(t, e, "", func(r *index.Row) { times = append(times, r.Value(field.Timestamp).(time.Time)) })
	c := must(e.Query(t.Context(), Query{}))(t).Coverage
	middle := c.From.Add(c.To.Sub(c.From) / 2)
	late, first := 0, 0
	for _, at := range times {
		if at.Equal(times[0]) {
			first++
		}
		if !at.Before(middle) {
			late++
		}
	}
	if late == 0 || late == len(times) {
		t.Fatalf("%d of %d entries are late: no test", late, len(times))
	}
	before := func(d time.Duration) When { return When{BeforeEnd: d} }
	at := func(at time.Time) When { return When{At: at} }
	half := c.To.Sub(middle)
	for name, w := range map[string]struct {
		from, to When
		want     int
	}{
		"all":       {When{}, When{}, len(times)},
		"late":      {at(middle), When{}, late},
		"early":     {When{}, at(middle), len(times) - late},
		"last half": {before(half), When{}, late},
		"first":     {before(time.Hour), before(half), len(times) - late},
		"ages":      {at(time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)), at(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)), len(times)},
		"instant":   {at(times[0]), at(times[0].Add(1)), first},
	} {
		a := must(e.Query(t.Context(), Query{From: w.from, To: w.to}))(t)
		n := 0
		for _, err := range a.Rows {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != w.want {
			t.Errorf("%s: %d entries, want %d", name, n, w.want)
		}
	}
	for name, w := range map[string]struct {
		from, to When
		want     error
	}{
		"too late":    {at(c.To.Add(1)), When{}, ErrOutside},
		"too early":   {When{}, at(c.From), ErrOutside},
		"early, too":  {before(2 * time.Hour), before(time.Hour), ErrOutside},
		"upside down": {at(c.To), at(c.From), ErrUsage},
		"empty":       {at(middle), at(middle), ErrUsage},
	} {
		if _, err := e.Query(t.Context(), Query{From: w.from, To: w.to}); !errors.Is(err, w.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNanos(t *testing.T) {
	for want, at := range map[int64]time.Time{
		0: time.Unix(0, 0), math.MinInt64: {}, math.MaxInt64: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), 1e18 + 1: time.Unix(1e9, 1),
	} {
		if got := nanos(at); got != want {
			t.Errorf("%v: %d, want %d", at, got, want)
		}
	}
}

// TestEmptyCapture: no packets are no error.
func TestEmptyCapture(t *testing.T) {
	path := write(t, "empty.pcap", pcapng.Options{Format: pcapng.Pcap, Link: 1}, nil, nil, nil)
	e := open(t, newBench(t), path)
	for _, q := range []Query{{}, {KFL: "http"}, {From: When{BeforeEnd: time.Minute}}, {To: When{At: time.Unix(1e9, 0)}}} {
		if b := must(entries(e, q))(t); len(b) > 0 {
			t.Errorf("%+v: %s", q, b)
		}
	}
	if _, x := export(t, e, Export{From: When{BeforeEnd: time.Minute}}); x.Packets != 0 || !x.Coverage.From.IsZero() {
		t.Errorf("%+v", x)
	}
}

func TestQueryOptions(t *testing.T) {
	e := open(t, newBench(t), "../testdata/http/server.pcap")
	all := ids(t, e, "http")
	list := func(q Query) (out []int64) {
		q.KFL = "http"
		a := must(e.Query(t.Context(), q))(t)
		for r, err := range a.Rows {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, r.ID())
		}
		return out
	}
	if got := list(Query{Limit: 2}); len(got) != 2 || got[0] != all[0] {
		t.Errorf("the first two: %v", got)
	}
	if got := list(Query{Limit: 1, Newest: true}); got[0] != all[len(all)-1] {
		t.Errorf("the newest: %v", got)
	}
	if got := list(Query{After: all[1]}); len(got) != len(all)-2 || got[0] != all[2] {
		t.Errorf("after the second: %v", got)
	}
	for _, q := range []Query{{Limit: -1}, {KFL: "http &&"}, {KFL: `status_code == "a"`}} {
		if _, err := e.Query(t.Context(), q); !errors.Is(err, ErrUsage) {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

// TestUndecided: entries that a query has no answer for are not left out in silence,
// however often the answer is read.
func TestUndecided(t *testing.T) {
	e := open(t, newBench(t), "../testdata/http/server.pcap")
	a := must(e.Query(t.Context(), Query{KFL: `http && request.headers["nonsense"] == "a"`}))(t)
	for range 2 {
		for range a.Rows {
			t.Error("an entry matches")
		}
	}
	if len(a.Hints) != 1 || !strings.Contains(a.Hints[0], "no answer") {
		t.Errorf("hints %q", a.Hints)
	}
}

func TestStats(t *testing.T) {
	e := open(t, newBench(t), "../testdata/http/server.pcap")
	all := len(ids(t, e, "http"))
	groups, by, c, err := e.Stats(t.Context(), Stats{Query: Query{KFL: "http"}, By: []string{"status"}})
	if err != nil || len(by) != 1 || c.Packets == 0 {
		t.Fatalf("%v, %v, %+v", err, by, c)
	}
	n := int64(0)
	for _, g := range groups {
		n += g.Count
		if want := len(ids(t, e, `http && status == "`+g.Key[0].(string)+`"`)); g.Count != int64(want) {
			t.Errorf("status %v: %d, want %d", g.Key, g.Count, want)
		}
	}
	if n != int64(all) || len(groups) < 2 {
		t.Errorf("%d in %d groups, want %d", n, len(groups), all)
	}
	if groups, _, _, err := e.Stats(t.Context(), Stats{Query: Query{KFL: "http", Limit: 1}, By: []string{"status"}}); err != nil || len(groups) != 1 || groups[0].Count < 2 {
		t.Errorf("the largest: %v, %+v", err, groups)
	}
	for _, s := range []Stats{{By: []string{"nonsense"}}, {Query: Query{KFL: "nonsense"}}, {Query: Query{Limit: -1}}} {
		if _, _, _, err := e.Stats(t.Context(), s); !errors.Is(err, ErrUsage) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// TestCoverage: what is known to be missing is said, and only what was recorded and
// is not in the answer makes it partial.
func TestCoverage(t *testing.T) {
	w := newBench(t)
	lossy := conversationOf(t, func(n int) bool { return n == 4 }, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", strings.Repeat("z", 3000))
	c := must(open(t, w, lossy, rich(t)).Query(t.Context(), Query{}))(t).Coverage
	text := strings.Join(c.Notes, "\n")
	for _, want := range []string{"bytes of TCP streams that were never captured", "5 packets that the capture itself dropped", "no identity log"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if c.Partial || c.From.IsZero() || !c.To.After(c.From) || c.Packets == 0 || c.Bytes == 0 {
		t.Errorf("%+v", c)
	}
	evicting := newBench(t, func(c *Config) { c.Memory = 1 })
	if c := must(open(t, evicting, "../testdata/http/server.pcap").Query(t.Context(), Query{}))(t).Coverage; !c.Partial || !strings.Contains(strings.Join(c.Notes, "\n"), "memory limit") {
		t.Errorf("with little memory: %+v", c)
	}
	var keys map[string]any
	if err := json.Unmarshal(must(json.Marshal(c))(t), &keys); err != nil {
		t.Fatal(err)
	}
	for k := range keys {
		if strings.ToLower(k) != k {
			t.Errorf("key %s", k)
		}
	}
}
