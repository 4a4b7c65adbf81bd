package workbench

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot"
)

func importSnapshot(t testing.TB, w *Workbench, o snapshot.ImportOptions) *snapshot.Manifest {
	t.Helper()
	return must(w.ImportSnapshot(t.Context(), o, nil))(t)
}

// nodeless returns entries without what only a snapshot knows, and without the numbers of
// packets: those of a snapshot are places in its file.
func nodeless(t testing.TB, lines []byte) []byte {
	t.Helper()
	var out []byte
	for line := range bytes.Lines(lines) {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		for _, k := range []string{"node", "node_name", "node_ip", "node_id", "worker", "conn_id", "conn_group_id", "flow_id", "flow_group_id", "stream", "first_packet", "last_packet"} {
			delete(v, k)
		}
		out = append(append(out, must(json.Marshal(v))(t)...), '\n')
	}
	return out
}

// TestSnapshotAnswersLikeItsFiles: import and query is query, to the ids of the entries.
func TestSnapshotAnswersLikeItsFiles(t *testing.T) {
	w := newBench(t)
	for name, refs := range map[string][]string{
		"http":  {"../testdata/http/server.pcap"},
		"large": {large(t, pcapng.Pcapng, 0)},
		"rich":  {rich(t)},
		"three": {"../testdata/http/server.pcap", "../testdata/dns/records.pcap", "../testdata/http2/web.pcap"},
	} {
		t.Run(name, func(t *testing.T) {
			m := importSnapshot(t, w, snapshot.ImportOptions{Files: refs, Name: name})
			want := nodeless(t, must(entries(open(t, w, refs...), Query{}))(t))
			for _, ref := range []string{m.ID, name, filepath.Join(w.cfg.Store, m.ID)} {
				e := open(t, w, ref)
				got := nodeless(t, must(entries(e, Query{}))(t))
				if !bytes.Equal(got, want) || len(got) == 0 {
					t.Errorf("%s: %s", ref, firstDifference(got, want))
				}
				if e.Name != name {
					t.Errorf("is called %s", e.Name)
				}
			}
			e := open(t, w, name)
			if d := must(e.Dissect(t.Context(), DissectOptions{}))(t); !d.Cached || len(d.Coverage.Nodes) != len(refs) {
				t.Errorf("%+v", d)
			}
			out, _ := export(t, e, Export{Profile: Rich})
			if d := differ(uncommented(packetsOf(t, out)), byTime(packetsOf(t, refs...))); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestSnapshotWorkers: whoever dissects the partitions of a snapshot, the index is the same
// to the byte.
func TestSnapshotWorkers(t *testing.T) {
	one := newBench(t, func(c *Config) { c.Workers = 1 })
	m := importSnapshot(t, one, snapshot.ImportOptions{Identity: "../testdata/shop/identity.jsonl", Files: []string{
		"a=../testdata/shop/shop.pcapng.zst", "b=../testdata/http/server.pcap", "b=../testdata/http2/web.pcap", "a=" + large(t, pcapng.Pcapng, 0),
	}})
	var first []byte
	for _, workers := range []int{1, 8, 3} {
		w := newBench(t, func(c *Config) { c.Store, c.Workers = one.cfg.Store, workers })
		path := filepath.Join(t.TempDir(), "x.db")
		if d := must(open(t, w, m.ID).Dissect(t.Context(), DissectOptions{Output: path}))(t); d.Coverage.Packets != int64(m.Nodes[0].Packets+m.Nodes[1].Packets) {
			t.Errorf("%d workers read %d packets", workers, d.Coverage.Packets)
		}
		got := must(os.ReadFile(path))(t)
		if first == nil {
			first = got
		} else if !bytes.Equal(got, first) {
			t.Errorf("%d workers make another index than one", workers)
		}
	}
}

// TestExportOfNodes: by the node that captured, whose interfaces are described once.
func TestExportOfNodes(t *testing.T) {
	w := newBench(t)
	a, b := large(t, pcapng.Pcapng, 0), large(t, pcapng.Pcapng, 1000)
	importSnapshot(t, w, snapshot.ImportOptions{Files: []string{"worker-1=" + a, "worker-2=" + b}, Name: "two"})
	e := open(t, w, "two")
	for node, path := range map[string]string{"worker-1": a, "worker-2": b} {
		for _, kfl := range []string{"", "conn"} {
			out, _ := export(t, e, Export{Node: node, KFL: kfl, Profile: Rich})
			if d := differ(uncommented(packetsOf(t, out)), packetsOf(t, path)); d != "" {
				t.Errorf("%s %q: %s", node, kfl, d)
			}
			r := must(pcapng.OpenFiles(out))(t)
			readToEnd(t, r)
			if i := r.Interfaces(); len(i) != 2 || i[0].Name != "eth0" || i[1].Name != "eth1" || i[0].Description != "node "+node {
				t.Errorf("%s %q: interfaces %+v", node, kfl, i)
			}
			r.Close()
		}
	}
	_, err := e.Export(t.Context(), Export{Node: "worker-3"}, new(bytes.Buffer))
	if !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "worker-1, worker-2") {
		t.Errorf("a node that is not there: %v", err)
	}
}

// TestSnapshotRemembersDamage: what was damaged when it was imported is missing
// ever after.
func TestSnapshotRemembersDamage(t *testing.T) {
	w := newBench(t)
	path := filepath.Join(t.TempDir(), "cut.pcap")
	b := must(os.ReadFile("../testdata/http/server.pcap"))(t)
	replace(t, path, b[:len(b)-10], time.Now())
	importSnapshot(t, w, snapshot.ImportOptions{Files: []string{"worker-1=" + path}, Name: "cut"})
	e := open(t, w, "cut")
	a := must(e.Query(t.Context(), Query{}))(t)
	_, x := export(t, e, Export{})
	for _, c := range []Coverage{a.Coverage, x.Coverage} {
		if !c.Partial || !strings.Contains(strings.Join(c.Notes, "\n"), "worker-1: cut.pcap, byte") {
			t.Errorf("%+v", c)
		}
	}
}

// TestSnapshotWithNames: its identity log answers, and another one in its stead.
func TestSnapshotWithNames(t *testing.T) {
	w := newBench(t)
	path := conversationOf(t, nil, "GET /pay HTTP/1.1\r\nHost: x\r\n\r\n")
	importSnapshot(t, w, snapshot.ImportOptions{Files: []string{path}, Identity: cluster(t), Name: "named"})
	if e := open(t, w, "named"); len(ids(t, e, `http && src.pod.name == "cart-1"`)) != 1 {
		t.Error("the name is not there")
	}
	e := must(w.Open(t.Context(), []string{"named"}, OpenOptions{Identity: identityLog(t, "other", "10.0.0.1")}))(t)
	defer e.Close()
	if len(ids(t, e, `http && src.pod.name == "other"`)) != 1 {
		t.Error("the other log is not asked")
	}
}

func TestStore(t *testing.T) {
	w := newBench(t)
	m := importSnapshot(t, w, snapshot.ImportOptions{Files: []string{"../testdata/http/server.pcap"}, Name: "a", Created: time.Unix(1e9, 0)})
	importSnapshot(t, w, snapshot.ImportOptions{Files: []string{"../testdata/dns/records.pcap"}, Name: "b", Created: time.Unix(2e9, 0)})
	if m.Creator != "shark test" {
		t.Errorf("made by %s", m.Creator)
	}
	list := must(w.Snapshots(t.Context()))(t)
	if len(list) != 2 || list[0].ID != m.ID {
		t.Errorf("%+v", list)
	}
	if got := must(w.Snapshot(t.Context(), "a"))(t); got.ID != m.ID {
		t.Errorf("%+v", got)
	}
	if v := must(w.VerifySnapshot(t.Context(), "a", snapshot.VerifyOptions{}))(t); v.Objects == 0 || len(v.Problems) > 0 {
		t.Errorf("%+v", v)
	}
	for _, name := range []string{"a", "b"} {
		dissect(t, w, DissectOptions{}, name)
	}
	other := filepath.Join(t.TempDir(), "kept.db")
	dissect(t, w, DissectOptions{Output: other}, "a")
	if err := w.DeleteSnapshot(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if n := len(files(t, filepath.Join(w.cfg.Cache, "index"))); n != 1 {
		t.Errorf("%d indexes are left of two", n)
	}
	if _, err := os.Stat(other); err != nil {
		t.Errorf("an index elsewhere is gone: %v", err)
	}
	if _, err := w.Open(t.Context(), []string{"a"}, OpenOptions{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("after it is deleted: %v", err)
	}
	if err := w.DeleteSnapshot(t.Context(), "a"); !errors.Is(err, snapshot.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
}

// TestSnapshotOfManyParts: entries of one moment may come in another order where the capture's
// packets are in several parts; they are the same.
func TestSnapshotOfManyParts(t *testing.T) {
	var list []packet.Record
	for i := range 600 {
		data := segment(uint16(20000+i%500), 9, 1, 0, 2, "")
		copy(data[26:], []byte{10, 1, byte(i >> 8), byte(i)})
		list = append(list, packet.Record{Time: 1e18 + int64(i/200)*1e6, Link: 1, Data: data})
	}
	path := write(t, "moments.pcapng", pcapng.Options{}, []packet.Interface{{Link: 1}}, list, nil)
	w := newBench(t)
	m := importSnapshot(t, w, snapshot.ImportOptions{Files: []string{"a=" + path, "a=" + room(t)}})
	sorted := func(e *Evidence) []string {
		text := nodeless(t, must(entries(e, Query{}))(t))
		lines := regexp.MustCompile(`"id":"?\d+"?,?`).ReplaceAllString(string(text), "")
		return slices.Sorted(strings.Lines(lines))
	}
	if got, want := sorted(open(t, w, m.ID)), sorted(open(t, w, path)); !slices.Equal(got, want) || len(got) != 1200 {
		t.Errorf("%d entries, other than the %d of the capture: %s", len(got), len(want), firstDifference([]byte(strings.Join(got, "")), []byte(strings.Join(want, ""))))
	}
}

// TestSnapshotHasTheMemoryOfItsFiles: connections that a dissection of a capture keeps, one of its
// snapshot keeps too, of few parts as well.
func TestSnapshotHasTheMemoryOfItsFiles(t *testing.T) {
	const n, each = 4000, 2048 // connections, and bytes for each with its flow: a connection counts 900
	var list []packet.Record
	for i := range n {
		data := segment(uint16(20000+i%500), 9, 1, 0, 2, "")
		copy(data[26:], []byte{10, 1, byte(i >> 8), byte(i)}) // from as many hosts
		list = append(list, packet.Record{Time: 1e18 + int64(i)*1e6, Link: 1, Data: data})
	}
	path := write(t, "scan.pcap", pcapng.Options{}, []packet.Interface{{Link: 1}}, list, nil)
	for memory, fits := range map[int64]bool{n * each * 4: true, n * each / 8: false} {
		w := newBench(t, func(c *Config) { c.Memory = memory })
		few := importSnapshot(t, w, snapshot.ImportOptions{Files: []string{path}})
		more := importSnapshot(t, w, snapshot.ImportOptions{Files: []string{"a=" + path, "a=" + room(t)}})
		for name, e := range map[string]*Evidence{"file": open(t, w, path), "few parts": open(t, w, few.ID), "three parts": open(t, w, more.ID)} {
			if c := must(e.Dissect(t.Context(), DissectOptions{}))(t).Coverage; c.Partial == fits {
				t.Errorf("%s, %d bytes: %q", name, memory, c.Notes)
			}
		}
	}
}
