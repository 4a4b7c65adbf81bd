package workbench

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"shark/packet"
	"shark/packet/pcapng/every"
	"shark/snapshot"
)

// TestRichHasEverything: every block and option of a capture is in a rich export of it and of its
// snapshot, or a note says that it is not; tshark reads it without a warning.
func TestRichHasEverything(t *testing.T) {
	want := must(every.Lines(every.File(false)))(t)
	for _, big := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "every.pcapng")
		if err := os.WriteFile(path, every.File(big), 0o600); err != nil {
			t.Fatal(err)
		}
		w := newBench(t)
		m := importSnapshot(t, w, snapshot.ImportOptions{Files: []string{"n=" + path}})
		for name, e := range map[string]*Evidence{"file": open(t, w, path), "snapshot": open(t, w, m.ID)} {
			what := fmt.Sprintf("%s, big-endian %v", name, big)
			out, x := export(t, e, Export{Profile: Rich, Secrets: true})
			got := must(every.Lines(must(os.ReadFile(out))(t)))(t)
			for _, line := range want {
				if line = every.Becomes(line); line == `block 0x6 option 5 "M\x00\x00\x00\x00\x00\x00\x00"` {
					continue // ids of packets are our own, by what is one packet
				}
				if there := slices.Contains(got, line); there == (every.IsPrivate(line) || big && every.IsUnknown(line)) {
					t.Errorf("%s: that there is %s: %v", what, line, there)
				}
			}
			notes := strings.Join(x.Coverage.Notes, "\n")
			if !strings.Contains(notes, "17 custom blocks and options left out") || big != strings.Contains(notes, "4 blocks and options of unknown types") {
				t.Errorf("%s: the notes say %s", what, notes)
			}
			if t.Failed() {
				t.Fatalf("%s: there is\n%s", what, strings.Join(got, "\n"))
			}
			if said := every.Warnings(command(t, "sh", "-c", "tshark -n -r "+out+" 2>&1 >/dev/null")); len(said) > 0 {
				t.Errorf("%s: tshark warns: %q", what, said)
			}
			out, x = export(t, e, Export{})
			notes = strings.Join(x.Coverage.Notes, "\n")
			if !strings.Contains(notes, "blocks beside packets (custom ones, journal entries...) left out: --profile rich") || !strings.Contains(notes, "1 interface without what else") {
				t.Errorf("%s: of the portable one the notes say %s", what, notes)
			}
			command(t, "tcpdump", "-nr", out)
			_, x = export(t, e, Export{Profile: Rich, BPF: "udp"})
			if notes = strings.Join(x.Coverage.Notes, "\n"); !strings.Contains(notes, "beside packets left out, since packets are chosen") {
				t.Errorf("%s: of chosen packets the notes say %s", what, notes)
			}
		}
	}
}

// knownProcesses writes the identity log of both ends of the first connection of a capture: its
// client is process 4321 on node n, its server process 80 on node m.
func knownProcesses(t *testing.T, w *Workbench, path string) (file string, ports [2]int64) {
	at := time.Unix(0, packetsOf(t, path)[0].Time).UTC().Add(-time.Minute).Format(time.RFC3339Nano)
	var ends [2]string
	for r, err := range must(open(t, w, path).Query(t.Context(), Query{KFL: "conn", Limit: 1}))(t).Rows {
		if err != nil {
			t.Fatal(err)
		}
		for i, side := range []string{"src", "dst"} {
			ends[i], _ = r.Value(w.catalogue.Lookup(side + ".ip")).(string)
			ports[i], _ = r.Value(w.catalogue.Lookup(side + ".port")).(int64)
		}
	}
	log := fmt.Sprintf(`{"time":%q,"op":"upsert","kind":"process","uid":"1","name":"curl","node":"n","pid":4321}
{"time":%[1]q,"op":"upsert","kind":"socket","uid":"s1","name":"s1","node":"n","owner":"1","protocol":"tcp","port":%d,"addresses":[%q],"pid":4321}
{"time":%[1]q,"op":"upsert","kind":"process","uid":"2","name":"nginx","node":"m","pid":80}
{"time":%[1]q,"op":"upsert","kind":"socket","uid":"s2","name":"s2","node":"m","owner":"2","protocol":"tcp","port":%[4]d,"addresses":[%[5]q]}
`, at, ports[0], ends[0], ports[1], ends[1])
	file = filepath.Join(t.TempDir(), "identity.jsonl")
	if err := os.WriteFile(file, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, ports
}

// TestRichProcesses: the first packet of a connection names the processes of both ends, with their
// numbers, and each packet has the number of the process that sent it, as far as that ran on
// the node which captured it.
func TestRichProcesses(t *testing.T) {
	w := newBench(t)
	const path = "../testdata/http/server.pcap"
	log, ports := knownProcesses(t, w, path)
	importSnapshot(t, w, snapshot.ImportOptions{Name: "two", Files: []string{"n=" + path, "m=" + path}, Identity: log})
	file := must(w.Open(t.Context(), []string{path}, OpenOptions{Identity: log}))(t)
	defer file.Close()
	for name, c := range map[string]struct {
		e    *Evidence
		node string
		want [2]string // of client and server
	}{
		"file":        {file, "", [2]string{"\xe1\x10\x00\x00", "\x50\x00\x00\x00"}},
		"client node": {open(t, w, "two"), "n", [2]string{"\xe1\x10\x00\x00", ""}},
		"server node": {open(t, w, "two"), "m", [2]string{"", "\x50\x00\x00\x00"}},
	} {
		out, _ := export(t, c.e, Export{Profile: Rich, Node: c.node})
		first := strings.TrimSpace(command(t, "tshark", "-n", "-r", out, "-T", "fields", "-e", "frame.comment", "-c", "1"))
		if !strings.Contains(first, "curl") || !strings.Contains(first, "pid 4321)") || !strings.Contains(first, "nginx") || !strings.Contains(first, "pid 80)") {
			t.Errorf("%s: the first packet says %q", name, first)
		}
		senders := tshark(t, out, "", "tcp.srcport")
		options := processOptions(t, out)
		if len(options) != len(senders) || len(senders) == 0 {
			t.Fatalf("%s: %d packets, %d by tshark", name, len(options), len(senders))
		}
		for i, row := range senders {
			want := "" // other clients are not in the log
			if side := slices.Index(ports[:], must(strconv.ParseInt(row[0], 10, 64))(t)); side >= 0 {
				want = c.want[side]
			}
			if want != "" {
				want += "\x00\x00\x00\x00" // no thread
			}
			if options[i] != want {
				t.Fatalf("%s: packet %d, sent from port %s, has the process %q, not %q", name, i+1, row[0], options[i], want)
			}
		}
	}
}

// processOptions lists the values of the option epb_processid_threadid of each packet: empty
// where a packet has none.
func processOptions(t *testing.T, path string) (list []string) {
	t.Helper()
	for _, line := range must(every.Lines(must(os.ReadFile(path))(t)))(t) {
		if v, is := strings.CutPrefix(line, "block 0x6 option 8 "); is {
			list[len(list)-1] += must(strconv.Unquote(v))(t)
		} else if strings.HasPrefix(line, "block 0x6 ") && !strings.HasPrefix(line, "block 0x6 option") {
			list = append(list, "")
		}
	}
	return list
}

// TestRichWithoutPods: a rich export says of which nodes it has no interfaces of pods, and why.
func TestRichWithoutPods(t *testing.T) {
	w := newBench(t)
	const path, log = "../testdata/http/server.pcap", "../testdata/shop/identity.jsonl"
	known, _ := knownProcesses(t, w, path)
	const none, noneThere = "no pod has an interface of its own", "has an interface of its own: the identity log knows none there"
	for name, c := range map[string]struct {
		nodes    []string
		identity string
		want     string
	}{
		"no log":         {[]string{"node-a"}, "", none + " and no address a name: there is no identity log"},
		"processes only": {[]string{"node-a"}, known, none + ": the identity log knows none"},
		"all known":      {[]string{"node-a", "node-b"}, log, ""},
		"one unknown":    {[]string{"node-a", "node-x"}, log, "no pod of node-x " + noneThere},
		"many unknown":   {strings.Fields("k0 k1 k2 k3 k4 k5 k6 k7 k8 k9"), log, "no pod of k0, k1, k2, k3, k4, k5, k6, k7 and 2 more " + noneThere},
		"damaged":        {[]string{"node-a"}, "damaged", none + " and no address a name: the identity log cannot be read"},
	} {
		o := snapshot.ImportOptions{Identity: c.identity}
		if c.identity == "damaged" {
			o.Identity = log
		}
		for _, node := range c.nodes {
			o.Files = append(o.Files, node+"="+path)
		}
		m := importSnapshot(t, w, o)
		if c.identity == "damaged" {
			i := slices.IndexFunc(m.Objects, func(o snapshot.Object) bool { return o.Kind == snapshot.KindIdentity })
			if err := os.Remove(filepath.Join(w.cfg.Store, m.ID, filepath.FromSlash(m.Objects[i].Path))); err != nil {
				t.Fatal(err)
			}
		}
		for _, kfl := range []string{"", "http"} {
			if kfl != "" && len(c.nodes) > 1 {
				continue // entries of what several nodes captured have the packets of one
			}
			_, x := export(t, open(t, w, m.ID), Export{Profile: Rich, KFL: kfl})
			said := slices.DeleteFunc(slices.Clone(x.Coverage.Notes), func(s string) bool { return !strings.Contains(s, "has an interface of its own") })
			if got := strings.Join(said, "\n"); got != c.want {
				t.Errorf("%s, KFL %q: the notes say %q", name, kfl, got)
			}
			if damaged := c.identity == "damaged"; damaged != strings.Contains(strings.Join(x.Coverage.Notes, "\n"), "who had which address is not known") || x.Coverage.Partial != damaged {
				t.Errorf("%s, KFL %q: of the log %q, partial %v", name, kfl, x.Coverage.Notes, x.Coverage.Partial)
			}
		}
	}
}

// TestProcessOfCapture: what a capture itself says of a packet's process stays.
func TestProcessOfCapture(t *testing.T) {
	theirs := "\x08\x00\x08\x00\x07\x00\x00\x00\x09\x00\x00\x00"
	for name, c := range map[string]struct{ have, want string }{
		"none":          {"", "\x08\x00\x08\x00\x05\x00\x00\x00\x00\x00\x00\x00"},
		"its own":       {theirs, theirs},
		"with its end":  {theirs + "\x00\x00\x00\x00", theirs + "\x00\x00\x00\x00"},
		"another's end": {"\x00\x00\x00\x00", "\x08\x00\x08\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
	} {
		id := "\x05\x00\x08\x00\x02\x00\x00\x00\x00\x00\x00\x00"
		if got := identified(&packet.Record{Options: []byte(c.have)}, 2, 5); string(got) != id+c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
