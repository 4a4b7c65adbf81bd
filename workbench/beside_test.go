package workbench

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shark/packet/pcapng"
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

// TestRichProcesses: the first packet of a connection names the processes of both ends, with their
// numbers.
func TestRichProcesses(t *testing.T) {
	w := newBench(t)
	path := "../testdata/http/server.pcap"
	p := packetsOf(t, path)[0]
	at := time.Unix(0, p.Time).UTC().Add(-time.Minute).Format(time.RFC3339Nano)
	e := open(t, w, path)
	row := must(e.Query(t.Context(), Query{KFL: "conn", Limit: 1}))(t)
	var ends [2]string
	var ports [2]int64
	for r, err := range row.Rows {
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
{"time":%[1]q,"op":"upsert","kind":"process","uid":"2","name":"nginx","node":"n","pid":80}
{"time":%[1]q,"op":"upsert","kind":"socket","uid":"s2","name":"s2","node":"n","owner":"2","protocol":"tcp","port":%[4]d,"addresses":[%[5]q]}
`, at, ports[0], ends[0], ports[1], ends[1])
	file := filepath.Join(t.TempDir(), "identity.jsonl")
	if err := os.WriteFile(file, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	known := must(w.Open(t.Context(), []string{path}, OpenOptions{Identity: file}))(t)
	defer known.Close()
	out, _ := export(t, known, Export{Profile: Rich})
	first := strings.TrimSpace(command(t, "tshark", "-n", "-r", out, "-T", "fields", "-e", "frame.comment", "-c", "1"))
	if !strings.Contains(first, "curl") || !strings.Contains(first, "pid 4321)") || !strings.Contains(first, "nginx") || !strings.Contains(first, "pid 80)") {
		t.Errorf("the first packet says %q, by\n%s", first, log)
	}
	m := must(pcapng.OpenFiles(out))(t)
	defer m.Close()
	readToEnd(t, m)
}
