package workbench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot"
)

// Link types of the tests.
const (
	ethernet = 1
	rawIP    = 101
	cooked   = 113
	usb      = 189
)

// linked returns the packets of a capture in another link type.
func linked(t testing.TB, path string, link packet.LinkType) []packet.Record {
	list := records(t, path)
	for i := range list {
		r := &list[i]
		r.Link = link
		switch link {
		case rawIP:
			r.Data, r.OrigLen = r.Data[14:], r.OrigLen-14
		case cooked:
			head := append([]byte{0, 0, 0, 1, 0, 6}, r.Data[6:12]...)
			head = append(append(head, 0, 0), r.Data[12:14]...)
			r.Data, r.OrigLen = append(head, r.Data[14:]...), r.OrigLen+2
		case usb:
			r.Data, r.OrigLen = make([]byte, 64), 64
		}
	}
	return list
}

// linkedFile writes packets of one link type and a snap length to a file.
func linkedFile(t testing.TB, path string, link packet.LinkType, snap uint32) string {
	faces := []packet.Interface{{Link: link, Name: fmt.Sprint("any", link), SnapLen: snap, Received: new(uint64(100)), Dropped: new(uint64(link))}}
	return write(t, "linked.pcapng", pcapng.Options{}, faces, linked(t, path, link), nil)
}

// mixedLinks is a snapshot of two nodes: node-a with interfaces of two link types, node-b of
// a third, with different snap lengths.
func mixedLinks(t testing.TB, w *Workbench, identity string) *Evidence {
	importSnapshot(t, w, snapshot.ImportOptions{Name: "two", Identity: identity, Files: []string{
		"node-a=" + linkedFile(t, "../testdata/http/server.pcap", ethernet, 65535),
		"node-a=" + linkedFile(t, "../testdata/redis/basic.pcap", cooked, 262144),
		"node-b=" + linkedFile(t, "../testdata/dns/records.pcap", rawIP, 65535),
	}})
	return open(t, w, "two")
}

// insides are the packets of captures from behind their Ethernet headers, with their times.
func insides(list []pkt) (out []string) {
	for _, p := range list {
		out = append(out, fmt.Sprint(p.Time, p.OrigLen-14, " ")+p.Data[14:])
	}
	slices.Sort(out)
	return out
}

// TestPortable: packets of several nodes, link types and snap lengths in a file that
// libpcap and tshark read to the last packet without a complaint.
func TestPortable(t *testing.T) {
	t.Parallel()
	w := newBench(t)
	e := mixedLinks(t, w, "")
	want := insides(packetsOf(t, "../testdata/http/server.pcap", "../testdata/redis/basic.pcap", "../testdata/dns/records.pcap"))
	for _, kfl := range []string{"", "conn"} {
		for _, format := range []pcapng.Format{pcapng.Pcapng, pcapng.Pcap} {
			out, x := export(t, e, Export{KFL: kfl, Format: format})
			got := packetsOf(t, out)
			if !slices.Equal(insides(got), want) || len(got) != len(want) {
				t.Errorf("%q %v: %d packets, or other ones than the %d of the input", kfl, format, len(got), len(want))
			}
			if notes := strings.Join(x.Coverage.Notes, "\n"); !strings.Contains(notes, "written as Ethernet") || x.Coverage.Partial {
				t.Errorf("%q %v: %+v", kfl, format, x.Coverage)
			}
			if n := strings.Count(command(t, "tcpdump", "-nr", out), "\n"); n < len(want) {
				t.Errorf("%q %v: tcpdump reads %d of %d packets", kfl, format, n, len(want))
			}
			if n := len(tshark(t, out, "", "frame.number")); n != len(want) {
				t.Errorf("%q %v: tshark reads %d of %d packets", kfl, format, n, len(want))
			}
			if format == pcapng.Pcap {
				continue
			}
			r := must(pcapng.OpenFiles(out))(t)
			defer r.Close()
			readToEnd(t, r)
			i := r.Interfaces()
			if len(i) != 2 || i[0].Description != "node node-a" || i[1].Description != "node node-b" {
				t.Fatalf("%q: interfaces %+v", kfl, i)
			}
			for _, one := range i {
				if one.Link != ethernet || one.SnapLen != i[0].SnapLen {
					t.Errorf("%q: interfaces %+v", kfl, i)
				}
			}
			if *i[0].Dropped != ethernet+cooked || *i[0].Received != 200 || *i[1].Dropped != rawIP {
				t.Errorf("%q: statistics %d %d %d", kfl, *i[0].Dropped, *i[0].Received, *i[1].Dropped)
			}
		}
	}
}

// TestPortableOfOneLinkType: nothing is converted where nothing must be.
func TestPortableOfOneLinkType(t *testing.T) {
	w := newBench(t)
	for _, link := range []packet.LinkType{rawIP, cooked} {
		path := linkedFile(t, "../testdata/http/server.pcap", link, 65535)
		out, _ := export(t, open(t, w, path), Export{})
		if d := differ(packetsOf(t, out), packetsOf(t, path)); d != "" {
			t.Errorf("link type %d: %s", link, d)
		}
		r := must(pcapng.OpenFiles(out))(t)
		readToEnd(t, r)
		if i := r.Interfaces(); len(i) != 1 || i[0].SnapLen != 65535 || i[0].Name == "" {
			t.Errorf("link type %d: interfaces %+v", link, i)
		}
		r.Close()
	}
}

// TestPortableLeavesOutAloud: what does not go into Ethernet is counted, and the answer is
// partial.
func TestPortableLeavesOutAloud(t *testing.T) {
	w := newBench(t)
	a, b := linkedFile(t, "../testdata/http/server.pcap", ethernet, 0), linkedFile(t, "../testdata/redis/basic.pcap", usb, 0)
	lost := len(packetsOf(t, b))
	out, x := export(t, open(t, w, a, b), Export{})
	if note := fmt.Sprintf("%d packets of link type 189 left out", lost); !x.Coverage.Partial || !strings.Contains(strings.Join(x.Coverage.Notes, "\n"), note) {
		t.Errorf("%+v", x.Coverage)
	}
	if d := differ(packetsOf(t, out), packetsOf(t, a)); d != "" {
		t.Error(d)
	}
	out, x = export(t, open(t, w, a, b), Export{Profile: Rich})
	if got := packetsOf(t, out); len(got) != len(packetsOf(t, a, b)) || x.Coverage.Partial {
		t.Errorf("rich: %d packets, %+v", len(got), x.Coverage)
	}
}

// TestPortableInterfaceComesLate: an interface of another link type, or another snap
// length, which is described behind packets, begins the file anew, or is refused where
// nothing can be taken back.
func TestPortableInterfaceComesLate(t *testing.T) {
	t.Parallel()
	w := newBench(t)
	first := must(os.ReadFile(linkedFile(t, "../testdata/http/server.pcap", cooked, 65535)))(t)
	for name, other := range map[string]string{
		"link type":   linkedFile(t, "../testdata/redis/basic.pcap", rawIP, 65535),
		"snap length": linkedFile(t, "../testdata/redis/basic.pcap", cooked, 1500),
	} {
		// Sections one after the other: the second one's interface comes behind the packets
		// of the first, and a long first one is written out before.
		both := bytes.Join([][]byte{bytes.Repeat(first, 300), must(os.ReadFile(other))(t)}, nil)
		path := filepath.Join(t.TempDir(), "late.pcapng")
		if err := os.WriteFile(path, both, 0o600); err != nil {
			t.Fatal(err)
		}
		e := open(t, w, path)
		out, x := export(t, e, Export{})
		if n := len(packetsOf(t, path)); x.Packets != int64(n) || len(packetsOf(t, out)) != n {
			t.Errorf("%s: %d packets of %d", name, x.Packets, n)
		}
		command(t, "tcpdump", "-nr", out)
		if _, err := e.Export(t.Context(), Export{}, new(bytes.Buffer)); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "--profile rich") {
			t.Errorf("%s: to a pipe: %v", name, err)
		}
		dir := newFolder(t)
		if x, err := e.ExportSplit(t.Context(), Export{}, Split{By: ByNode}, dir); err != nil || x.Files != 1 {
			t.Errorf("%s: split: %v, %+v", name, err, x)
		}
		command(t, "tcpdump", "-nr", dir.path("no-node"))
	}
}

// shopSnapshot is the shop as a snapshot of one node.
func shopSnapshot(t testing.TB, w *Workbench) *Evidence {
	importSnapshot(t, w, snapshot.ImportOptions{Name: "shop", Files: []string{"node-a=../testdata/shop/shop.pcapng.zst"}, Identity: "../testdata/shop/identity.jsonl"})
	return open(t, w, "shop")
}

// TestRich: tshark shows the names of pods with no plugin, an interface for each, and a
// comment on the first packet of every connection; the packets stay as they are.
func TestRich(t *testing.T) {
	t.Parallel()
	w := newBench(t)
	e := shopSnapshot(t, w)
	out, _ := export(t, e, Export{Profile: Rich})
	if got, want := packetsOf(t, out), packetsOf(t, "../testdata/shop/shop.pcapng.zst"); !slices.Equal(insides(got), insides(want)) {
		t.Errorf("%d packets, or other ones than the %d of the input", len(got), len(want))
	}
	conns := make(map[string]string) // comment by first frame
	text := command(t, "tshark", "-N", "n", "-r", out, "-T", "fields", "-e", "frame.number", "-e", "frame.comment", "-e", "frame.interface_name", "-e", "ip.src_host", "-e", "ip.dst_host")
	faces := make(map[string]bool)
	named := false
	for line := range strings.Lines(text) {
		row := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if row[1] != "" {
			conns[row[0]] = row[1]
		}
		faces[row[2]] = true
		named = named || row[3] == "prometheus-0.monitoring" && row[2] == "monitoring/prometheus-0"
	}
	if !named || !faces["shop/orders-84f7b6d5c9-2cfkq"] {
		t.Errorf("tshark knows the interfaces %v, and the pod's name: %t", faces, named)
	}
	list := ids(t, e, "conn")
	if len(conns) != len(list) {
		t.Errorf("%d comments for %d connections", len(conns), len(list))
	}
	all := strings.Join(strings.Fields(text), " ") + " "
	for _, id := range ids(t, e, "dns && index == 0") { // of UDP, which begin when their connection does
		if !strings.Contains(all, fmt.Sprintf("; calls %d", id)) {
			t.Errorf("no comment begins with call %d", id)
		}
	}
	for _, id := range list {
		if !strings.Contains(all, fmt.Sprintf("; entry %d; ", id)) && !strings.Contains(all, fmt.Sprintf("; entry %d ", id)) {
			t.Errorf("no comment names entry %d", id)
		}
	}
}

// TestRichNames: an address has a name where one alone had it in the window.
func TestRichNames(t *testing.T) {
	w := newBench(t)
	first := packetsOf(t, "../testdata/http/server.pcap")[0].Time
	at := func(s int) string {
		return time.Unix(0, first).UTC().Add(time.Duration(s) * time.Second).Format(time.RFC3339Nano)
	}
	pod := func(when int, op, name, addrs string) string {
		return fmt.Sprintf(`{"time":%q,"op":%q,"kind":"pod","uid":"%s","namespace":"ns","name":"%s","addresses":[%s]}`+"\n", at(when), op, name, name, addrs)
	}
	log := pod(-10, "upsert", "one", `"10.0.0.1"`) + pod(-10, "upsert", "old", `"10.0.0.2"`) +
		pod(-5, "upsert", "old", "") + pod(-4, "upsert", "new", `"10.0.0.2"`) + pod(-4, "upsert", `bad\u001b[31m`, `"10.0.0.3"`)
	path := filepath.Join(t.TempDir(), "identity.jsonl")
	if err := os.WriteFile(path, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	e := must(w.Open(t.Context(), []string{"../testdata/http/server.pcap"}, OpenOptions{Identity: path}))(t)
	defer e.Close()
	for _, c := range []struct {
		from string
		want []string
	}{
		{"", []string{"10.0.0.1 one.ns", "10.0.0.3 bad\ufffd[31m.ns"}},
		{"later", []string{"10.0.0.1 one.ns", "10.0.0.2 new.ns", "10.0.0.3 bad\ufffd[31m.ns"}},
	} {
		q := Export{Profile: Rich}
		if c.from != "" {
			q.From = When{At: time.Unix(0, first)}
		}
		out, _ := export(t, e, q)
		m := must(pcapng.OpenFiles(out))(t)
		readToEnd(t, m)
		var got []string
		for _, n := range m.Names() {
			got = append(got, n.Addr.String()+" "+n.Name)
		}
		m.Close()
		if slices.Sort(got); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q", c.from, got)
		}
	}
}

// TestRichPacketIDs: what two nodes captured of one packet has one id, by tshark's word.
func TestRichPacketIDs(t *testing.T) {
	w := newBench(t)
	const path = "../testdata/http/server.pcap"
	importSnapshot(t, w, snapshot.ImportOptions{Name: "two", Files: []string{"node-a=" + path, "node-b=" + path}})
	e := open(t, w, "two")
	all := len(packetsOf(t, path))
	out, _ := export(t, e, Export{Profile: Rich})
	seen := make(map[string]int)
	for _, row := range tshark(t, out, "", "frame.packet_id") {
		seen[row[0]]++
	}
	for id, n := range seen {
		if n != 2 || id == "" {
			t.Errorf("%d packets have the id %q", n, id)
		}
	}
	if len(seen) != all {
		t.Errorf("%d ids for %d packets", len(seen), all)
	}
	if out, x := export(t, e, Export{Profile: Rich, Dedupe: true}); len(packetsOf(t, out)) != all || x.Dropped != int64(all) {
		t.Errorf("one sighting of each: %+v", x)
	}
}

// TestRichPacketIDsAreOurs: an id that a packet has from elsewhere is not taken for that of
// another one.
func TestRichPacketIDsAreOurs(t *testing.T) {
	var list []packet.Record
	for i := range 4 {
		rec := packet.Record{Data: segment(40000, 80, uint32(i), 0, 0x10, ""), Time: 1e18 + int64(i), Link: 1}
		if i == 0 {
			rec.Options = []byte("\x01\x00\x03\x00why\x00\x05\x00\x08\x00\x03\x00\x00\x00\x00\x00\x00\x00")
		}
		list = append(list, rec)
	}
	out, _ := export(t, open(t, newBench(t), write(t, "ids.pcapng", pcapng.Options{}, nil, list, nil)), Export{Profile: Rich})
	got := tshark(t, out, "", "frame.packet_id", "frame.comment")
	seen := make(map[string]bool)
	for _, row := range got {
		seen[row[0]] = true
	}
	if len(got) != 4 || len(seen) != 4 || !strings.Contains(got[0][1], "why") {
		t.Errorf("%q", got)
	}
}

// TestSecretsAreAskedFor: what decrypts the traffic is left out, and said, unless it is
// asked for; then it comes before all packets.
func TestSecretsAreAskedFor(t *testing.T) {
	w := newBench(t)
	e := open(t, w, rich(t))
	for _, profile := range []Profile{Portable, Rich} {
		out, x := export(t, e, Export{Profile: profile})
		if b := must(os.ReadFile(out))(t); bytes.Contains(b, []byte("CLIENT_RANDOM")) || !strings.Contains(strings.Join(x.Coverage.Notes, "\n"), "1 TLS session secret left out: --secrets") {
			t.Errorf("%d: %+v", profile, x.Coverage)
		}
		out, x = export(t, e, Export{Profile: profile, Secrets: true})
		b := must(os.ReadFile(out))(t)
		first := packetsOf(t, out)[0].Data
		if at := bytes.Index(b, []byte("CLIENT_RANDOM")); at < 0 || at > bytes.Index(b, []byte(first)) || strings.Contains(strings.Join(x.Coverage.Notes, "\n"), "secret") {
			t.Errorf("%d: secrets at %d, %+v", profile, at, x.Coverage)
		}
	}
}

// TestLongerThanStated: captures exist with packets that are longer than the snap length
// they state. A portable file does not say what is not so: libpcap reads it to its end.
func TestLongerThanStated(t *testing.T) {
	path := linkedFile(t, "../testdata/http/server.pcap", ethernet, 200)
	for name, q := range map[string]Export{"all": {}, "pcap": {Format: pcapng.Pcap}, "some": {BPF: "greater 100"}} {
		t.Run(name, func(t *testing.T) {
			file, done := export(t, open(t, newBench(t), path), q)
			list, complaint := tcpdump(t, file, "")
			if int64(len(list)) != done.Packets || done.Packets == 0 || complaint != "" {
				t.Errorf("tcpdump reads %d of %d packets: %s", len(list), done.Packets, complaint)
			}
		})
	}
}
