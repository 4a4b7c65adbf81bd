package workbench

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"shark/dissector/field"
	"shark/packet/pcapng"
	"shark/packet/sighting/sightingtest"
	"shark/snapshot"
	"shark/workbench/index"
)

// twoNodes writes what both nodes of a world captured to a file each.
func twoNodes(t testing.TB, w *sightingtest.World) (a, b string) {
	t.Helper()
	files := [2]string{}
	for node, name := range []string{"a.pcapng", "b.pcapng"} {
		recs, _ := w.On(uint32(2*node), uint32(2*node+1))
		files[node] = write(t, name, pcapng.Options{Nanosecond: true}, sightingtest.Interfaces[2*node:2*node+2], recs, nil)
	}
	return files[0], files[1]
}

// One packet that four interfaces on two nodes captured, whose clocks differ by 400 ms, counts
// once: no request twice, nothing sent again, no answer that took as long as the clocks differ.
// The offset is told, and times stay what they were.
func TestTwoNodesDissected(t *testing.T) {
	for _, offset := range []time.Duration{400 * time.Millisecond, -400 * time.Millisecond} {
		w := sightingtest.Make(sightingtest.Options{
			Seed: 5, Talks: 80, Only: sightingtest.TCP | sightingtest.TCP6, Overlay: sightingtest.Geneve, Offset: offset,
		})
		a, b := twoNodes(t, w)
		bench := newBench(t)
		_, err := bench.ImportSnapshot(t.Context(), snapshot.ImportOptions{Files: []string{"node-a=" + a, "node-b=" + b}, Name: "both"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for what, refs := range map[string][]string{"files": {a, b}, "snapshot": {"both"}} {
			e := open(t, bench, refs...)
			d := must(e.Dissect(t.Context(), DissectOptions{}))(t)
			if n := len(ids(t, e, "http && status_code == 200")); n != w.Requests {
				t.Errorf("%s, %v: %d entries of %d requests", what, offset, n, w.Requests)
			}
			if n := len(ids(t, e, "conn && (conn_retransmissions > 0 || conn_out_of_order > 0 || conn_missing_bytes > 0)")); n > 0 {
				t.Errorf("%s, %v: %d connections with packets that were never sent again", what, offset, n)
			}
			if n := len(ids(t, e, "http && elapsed_time > 100000")); n > 0 {
				t.Errorf("%s, %v: %d answers took as long as the clocks differ", what, offset, n)
			}
			checkSightings(t, d.Coverage, w, offset)
			checkTimes(t, e, w)
		}
	}
}

// checkSightings compares what the coverage says with what is true.
func checkSightings(t *testing.T, c Coverage, w *sightingtest.World, offset time.Duration) {
	t.Helper()
	s := c.Sightings
	if s == nil || s.Merged != int64(len(w.Sightings)-w.Packets) || len(s.Offsets) != 1 || c.Packets != int64(len(w.Sightings)) {
		t.Errorf("%d packets, %+v: of %d packets with %d sightings", c.Packets, s, w.Packets, len(w.Sightings))
		return
	}
	o := s.Offsets[0]
	if off := (time.Duration(o.OffsetNS) - offset).Abs(); off > time.Millisecond || o.OneWay || !strings.Contains(o.A, "a") || !strings.Contains(o.B, "b") {
		t.Errorf("%+v, want %v", o, offset)
	}
	if !slices.ContainsFunc(c.Notes, func(n string) bool {
		return strings.HasPrefix(n, "the clock of ") && strings.Contains(n, "399.9") || strings.Contains(n, "400.")
	}) {
		t.Errorf("notes %q", c.Notes)
	}
}

// checkTimes looks for the time of each entry among those that were captured.
func checkTimes(t *testing.T, e *Evidence, w *sightingtest.World) {
	t.Helper()
	captured := make(map[int64]bool)
	for i := range w.Sightings {
		captured[w.Sightings[i].Time] = true
	}
	each(t, e, "http", func(r *index.Row) {
		if at := r.Value(field.Timestamp).(time.Time).UnixNano(); !captured[at] {
			t.Errorf("entry %d at %d, when nothing was captured", r.ID(), at)
		}
	})
}

// What one node missed another captured: nothing is missing, and each entry can be shown.
func TestTwoNodesFill(t *testing.T) {
	w := sightingtest.Make(sightingtest.Options{
		Seed: 9, Talks: 60, Only: sightingtest.TCP, Overlay: sightingtest.VXLAN, Offset: 250 * time.Millisecond, Loss: 0.05,
	})
	a, b := twoNodes(t, w)
	e := open(t, newBench(t), a, b)
	d := must(e.Dissect(t.Context(), DissectOptions{}))(t)
	if d.Coverage.Sightings.Filled == 0 {
		t.Error("no packet of the other node was needed")
	}
	list := ids(t, e, "http && status_code == 200")
	if len(list) != w.Requests {
		t.Errorf("%d entries of %d requests", len(list), w.Requests)
	}
	for _, id := range list {
		x := must(e.Show(t.Context(), id, 0))(t)
		if x.Response == nil || int64(len(x.Response.Body)) != x.Response.BodySize || x.Response.Lost > 0 {
			t.Errorf("entry %d: %+v", id, x.Response)
		}
	}
}

// Before and behind NAT a connection has other addresses: it is dissected once for each.
func TestTwoNodesNAT(t *testing.T) {
	w := sightingtest.Make(sightingtest.Options{Seed: 2, Talks: 60, Only: sightingtest.TCP, NAT: true, Offset: 250 * time.Millisecond})
	a, b := twoNodes(t, w)
	e := open(t, newBench(t), a, b)
	service, pods := len(ids(t, e, `http && dst.ip.startsWith("10.96.")`)), len(ids(t, e, `http && dst.ip.startsWith("10.244.")`))
	if pods != w.Requests || service == 0 || service >= pods {
		t.Errorf("%d requests to services, %d to pods, want %d to pods", service, pods, w.Requests)
	}
	if n := len(ids(t, e, "conn && conn_retransmissions > 0")); n > 0 {
		t.Errorf("%d connections with packets sent again", n)
	}
}

// An export without further sightings has each packet once, through NAT too.
func TestDedupe(t *testing.T) {
	w := sightingtest.Make(sightingtest.Options{
		Seed: 4, Talks: 80, Only: sightingtest.TCP, NAT: true, Overlay: sightingtest.VXLAN, Offset: 300 * time.Millisecond, Resend: 0.05,
	})
	a, b := twoNodes(t, w)
	e := open(t, newBench(t), a, b)
	var out bytes.Buffer
	x := must(e.Export(t.Context(), Export{Dedupe: true}, &out))(t)
	if x.Packets != int64(w.Packets) || x.Dropped != int64(len(w.Sightings)-w.Packets) {
		t.Errorf("%d packets, %d left out: want %d of %d", x.Packets, x.Dropped, w.Packets, len(w.Sightings))
	}
	if s := x.Coverage.Sightings; s == nil || len(s.Offsets) != 1 {
		t.Errorf("%+v", s)
	}
	all := must(e.Export(t.Context(), Export{}, &out))(t)
	if all.Packets != int64(len(w.Sightings)) || all.Coverage.Sightings != nil {
		t.Errorf("%d packets, want %d", all.Packets, len(w.Sightings))
	}
	one := must(e.Export(t.Context(), Export{Dedupe: true, BPF: "udp port 4789"}, &out))(t)
	if one.Packets != int64(w.Packets) {
		t.Errorf("%d packets in the tunnel, want %d", one.Packets, w.Packets)
	}
}
