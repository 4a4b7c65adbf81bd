package workbench

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shark/dissector/field"
)

// unnumbered are the fields that do not tell where a packet stands among others.
func unnumbered(w *Workbench) (out []*field.Field) {
	for _, f := range w.Catalogue().Fields() {
		if !slices.Contains([]string{"conn_id", "stream", "flow_id", "conn_group_id", "flow_group_id", "first_packet", "last_packet", "node", "node_name", "node_id", "worker"}, f.Name) {
			out = append(out, f)
		}
	}
	return out
}

// TestDissectOfChosenPackets: an index of some packets is that of a file that only they were
// exported to, of captures as of snapshots.
func TestDissectOfChosenPackets(t *testing.T) {
	t.Parallel()
	w := newBench(t)
	id := town(t, w)
	e := open(t, w, id)
	capture := open(t, w, "../testdata/http/server.pcap", "../testdata/redis/basic.pcap")
	first, last, _ := e.stated()
	at := func(share float64) When { return When{At: first.Add(time.Duration(share * float64(last.Sub(first))))} }
	for _, c := range []struct {
		name string
		of   *Evidence
		q    Export
	}{
		{"time", e, Export{From: at(0.2), To: at(0.6)}},
		{"from the end", e, Export{From: When{BeforeEnd: last.Sub(first) / 3}}},
		{"address", e, Export{IP: "10.244.0.12"}},
		{"range", e, Export{IP: "10.244.0.16/28", To: at(0.5)}},
		{"workload", e, Export{Workload: "app-3"}},
		{"node", e, Export{Node: "n03"}},
		{"filter", e, Export{BPF: "udp port 53"}},
		{"all at once", e, Export{BPF: "tcp", Workload: "app-3", Node: "n05", From: at(0.1)}},
		{"none", e, Export{IP: "192.0.2.1"}},
		{"of captures", capture, Export{BPF: "tcp port 6379"}},
		{"address in captures", capture, Export{IP: "127.0.0.1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "some.db")
			d := must(c.of.Dissect(t.Context(), DissectOptions{Output: path, Packets: c.q}))(t)
			if c.of.ready() != nil || !strings.HasPrefix(d.Coverage.Notes[0], "only packets ") {
				t.Errorf("notes %q", d.Coverage.Notes)
			}
			file, x := export(t, c.of, c.q)
			if x.Packets != d.Coverage.Packets {
				t.Errorf("%d packets, and should be %d", d.Coverage.Packets, x.Packets)
			}
			ref := &Evidence{w: w, Name: file, inputs: []input{{path: file, label: file}}, identity: c.of.identity, excerpts: map[string]*opened{}, identitySum: "as the snapshot's"}
			defer ref.Close()
			got := must(entries(open(t, w, path), Query{}, unnumbered(w)...))(t)
			want := must(entries(ref, Query{}, unnumbered(w)...))(t)
			if !bytes.Equal(sortedLines(got), sortedLines(want)) {
				t.Errorf("%d bytes of entries, and should be %d:\n%.500s", len(got), len(want), firstDifference(sortedLines(got), sortedLines(want)))
			}
			if (len(got) == 0) != (c.name == "none") {
				t.Errorf("%d bytes of entries", len(got))
			}
		})
	}
	for name, o := range map[string]DissectOptions{
		"for the cache": {Packets: Export{IP: "10.244.0.12"}}, "a wrong filter": {Output: "x.db", Packets: Export{BPF: "udp prt"}},
		"KFL": {Output: "x.db", Packets: Export{KFL: "http"}}, "no node": {Output: "x.db", Packets: Export{Node: "none"}},
	} {
		if _, err := e.Dissect(t.Context(), o); !errors.Is(err, ErrUsage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := e.Dissect(t.Context(), DissectOptions{Output: "x.db", Packets: Export{From: When{At: last.Add(time.Hour)}}}); !errors.Is(err, ErrOutside) {
		t.Errorf("after the end: %v", err)
	}
}

// sortedLines puts entries of one time in an order of their own.
func sortedLines(b []byte) []byte {
	lines := bytes.SplitAfter(b, []byte("\n"))
	for i := range lines { // the id is where it stands
		if _, rest, ok := bytes.Cut(lines[i], []byte(`,`)); ok {
			lines[i] = rest
		}
	}
	slices.SortFunc(lines, bytes.Compare)
	return bytes.Join(lines, nil)
}
