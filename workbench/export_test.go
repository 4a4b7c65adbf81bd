package workbench

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"shark/dissector/field"
	"shark/packet"
	"shark/packet/pcapng"
	"shark/snapshot"
	"shark/workbench/index"
)

// conversation asks tshark for the frames of the conversations that the chosen
// frames belong to, of several layers the innermost, and for the fragments those
// were put together from. What an ICMP error quotes does not count.
func conversation(t testing.TB, path string, chosen func(frame int) bool) []int {
	t.Helper()
	streams := make(map[string]bool)
	of := make(map[int]string)
	pieces := make(map[int][]int)
	out := command(t, "tshark", "-n", "-2", "-r", path, "-T", "fields", "-E", "separator=/t", "-E", "occurrence=l", "--disable-protocol", "tls",
		"-e", "frame.number", "-e", "tcp.stream", "-e", "udp.stream", "-e", "ip.reassembled_in", "-e", "ipv6.reassembled.in", "-e", "icmp.type", "-e", "icmpv6.type")
	for line := range strings.Lines(out) {
		row := strings.Split(strings.TrimRight(line, "\n"), "\t")
		n, _ := strconv.Atoi(row[0])
		stream := row[1] + "/"
		if row[1] == "" {
			stream += row[2]
		}
		if row[1]+row[2] != "" && row[5]+row[6] == "" {
			of[n] = stream
			streams[stream] = streams[stream] || chosen(n)
		}
		if whole, err := strconv.Atoi(row[3] + row[4]); err == nil {
			pieces[whole] = append(pieces[whole], n)
		}
	}
	for whole, list := range pieces {
		if slices.ContainsFunc(list, chosen) {
			streams[of[whole]] = true
		}
	}
	var frames []int
	for n, stream := range of {
		if streams[stream] {
			frames = append(append(frames, n), pieces[n]...)
		}
	}
	slices.Sort(frames)
	return slices.Compact(frames)
}

// framesOf asks tshark for the frames that a display filter selects.
func framesOf(t testing.TB, path, filter string) func(int) bool {
	t.Helper()
	frames := make(map[int]bool)
	for _, row := range tshark(t, path, filter, "frame.number") {
		n, _ := strconv.Atoi(row[0])
		frames[n] = true
	}
	return func(n int) bool { return frames[n] }
}

// said is what does not depend on what else a capture holds.
var said = []*field.Field{
	field.Timestamp, field.Protocol.Field, field.SrcIP.Field, field.SrcPort.Field, field.DstIP.Field, field.DstPort.Field, field.Tunnel.Field,
	field.ElapsedTime.Field, field.FirstByteTime.Field, field.RequestBytes, field.ResponseBytes, field.Complete.Field, field.LostBytes.Field,
}

// checkExport exports the connections of the entries that a query selects and
// compares: the packets with those of want, by number; what tshark has to say of
// the file; and the entries with those there were.
func checkExport(t *testing.T, w *Workbench, path, kfl string, want []int) {
	t.Helper()
	e := open(t, w, path)
	out, x := export(t, e, Export{KFL: kfl})
	original := packetsOf(t, path)
	var packets []pkt
	for _, n := range want {
		packets = append(packets, original[n-1])
	}
	got := packetsOf(t, out)
	if d := differ(got, byTime(packets)); d != "" {
		t.Errorf("%s: %s: %s", path, kfl, d)
		return
	}
	if x.Packets != int64(len(got)) || x.OutOfOrder != 0 {
		t.Errorf("%s: %s: wrote %d packets and says %+v", path, kfl, len(got), x)
	}
	command(t, "tshark", "-n", "-r", out, "-q") // complains where it does not like the file
	common := []string{"operation", "summary", "status", "status_code", "failed"}
	fields := slices.Clone(said)
	for _, name := range common {
		fields = append(fields, w.Catalogue().Lookup(name))
	}
	again := open(t, w, out)
	conns := make(map[int64]bool)
	each(t, e, kfl, func(r *index.Row) { conns[r.Value(field.ConnID.Field).(int64)] = true })
	var before bytes.Buffer
	enc := w.JSON(fields...)
	each(t, e, "!flow", func(r *index.Row) {
		if conns[r.Value(field.ConnID.Field).(int64)] {
			before.Write(must(enc.Append(nil, r))(t))
			before.WriteByte('\n')
		}
	})
	after := must(entries(again, Query{KFL: "!flow"}, fields...))(t)
	if !sameLines(before.Bytes(), after) {
		t.Errorf("%s: %s: the entries of the export are others:\n%s", path, kfl, firstDifference(after, before.Bytes()))
	}
}

// sameLines compares lines, those of the same time in any order.
func sameLines(a, b []byte) bool {
	sorted := func(b []byte) []string {
		lines := strings.Split(string(b), "\n")
		slices.Sort(lines)
		return lines
	}
	return slices.Equal(sorted(a), sorted(b))
}

// TestExportOfCalls: the export of calls holds exactly the packets of their
// connections, by tshark's word.
func TestExportOfCalls(t *testing.T) {
	t.Parallel()
	const httpErrors, tsharkErrors = "http && status_code >= 400", "http.response.code >= 400 || http2.headers.status >= 400"
	const nxdomain, tsharkNX = "dns && status_code == 3", "dns.flags.rcode == 3 && dns.flags.response == 1"
	w := newBench(t)
	for _, c := range []struct{ path, kfl, display string }{
		{"../testdata/http/server.pcap", httpErrors, tsharkErrors},
		{"../testdata/http2/web.pcap", httpErrors, tsharkErrors},
		{"../testdata/dns/records.pcap", nxdomain, tsharkNX},
		{"arkime/arkime_synthetic.pcap", httpErrors, tsharkErrors},
		{"live/http.pcap", httpErrors, tsharkErrors},
		{"ndpi/http_asymmetric.pcapng", httpErrors, tsharkErrors},
		{"pcapplusplus/many_interfaces-1.pcapng", nxdomain, tsharkNX},
		{"deepflow/nxdomain.pcap", nxdomain, tsharkNX},
	} {
		t.Run(filepath.Base(c.path), func(t *testing.T) {
			path := c.path
			if !strings.HasPrefix(path, "..") {
				path = public(t, path)
			}
			frames := conversation(t, path, framesOf(t, path, c.display))
			if len(frames) == 0 {
				t.Fatalf("%s: tshark finds none of %s", path, c.display)
			}
			checkExport(t, w, path, c.kfl, frames)
			out, _ := export(t, open(t, w, path), Export{KFL: c.kfl})
			calls := func(path string) string {
				var lines []string
				for _, row := range tshark(t, path, c.display, "frame.time_epoch", "http.response.code", "http2.headers.status", "dns.qry.name") {
					lines = append(lines, strings.Join(row, " "))
				}
				slices.Sort(lines)
				return strings.Join(lines, "\n")
			}
			if got, want := calls(out), calls(path); got != want {
				t.Errorf("tshark finds other calls in the export:\n%s\nnot\n%s", got, want)
			}
		})
	}
}

// TestExportOfConnections: the same of connections chosen at random, in tunnels,
// in fragments, over IPv6, on several interfaces. A connection's number is that of
// its first frame, so tshark knows which one is meant.
func TestExportOfConnections(t *testing.T) {
	t.Parallel()
	w := newBench(t)
	rng := rand.New(rand.NewPCG(7, 0))
	check := func(t *testing.T, path string) {
		var conns []int64
		each(t, open(t, w, path), `conn && transport in ["tcp", "udp"]`, func(r *index.Row) {
			conns = append(conns, r.Value(field.ConnID.Field).(int64))
		})
		rng.Shuffle(len(conns), func(i, j int) { conns[i], conns[j] = conns[j], conns[i] })
		conns = conns[:min(len(conns), 3)]
		var list []string
		for _, c := range conns {
			list = append(list, strconv.FormatInt(c, 10))
		}
		frames := conversation(t, path, func(n int) bool { return slices.Contains(conns, int64(n)) })
		checkExport(t, w, path, "conn && conn_id in ["+strings.Join(list, ", ")+"]", frames)
	}
	t.Run("fragments", func(t *testing.T) { check(t, fragmented(t)) })
	for _, name := range []string{
		"ndpi/zoom.pcap", "arkime/socks5-http-302-frag.pcap", "ndpi/vxlan.pcap", "arkime/tcpdump-geneve.pcap", "arkime/gre-sample.pcap", "ndpi/http_origin_different_than_host.pcap",
		"arkime/v6-http.pcap", "packetbeat/http_get_2k_file.pcap", "deepflow/istio-tcp-frag.pcap", "pcapplusplus/many_interfaces-1.pcapng",
		"tcpreplay/test.rewrite_vlan802.1ad.pcap",
	} {
		t.Run(filepath.Base(name), func(t *testing.T) { check(t, public(t, name)) })
	}
}

// write makes a capture file; the packets get numbers.
func write(t testing.TB, name string, o pcapng.Options, interfaces []packet.Interface, records []packet.Record, before func(*pcapng.Writer) error) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	f := must(os.Create(path))(t)
	defer f.Close()
	x := must(pcapng.NewWriter(f, o))(t)
	if before != nil {
		if err := before(x); err != nil {
			t.Fatal(err)
		}
	}
	for i := range records {
		if err := x.Write(&records[i], interfaces); err != nil {
			t.Fatal(err)
		}
	}
	for i := range interfaces {
		if o.Format == pcapng.Pcapng {
			if err := x.WriteStatistics(uint32(i), interfaces, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// records reads a capture into memory.
func records(t testing.TB, path string) (out []packet.Record) {
	t.Helper()
	for i, p := range packetsOf(t, path) {
		out = append(out, packet.Record{Data: []byte(p.Data), Time: p.Time, OrigLen: p.OrigLen, Link: p.Link, Number: uint64(i + 1)})
	}
	return out
}

// fragmented returns a capture in which every IPv4 packet with a payload of more
// than 40 bytes comes in two fragments, on Ethernet, every third pair the wrong way round.
func fragmented(t testing.TB) string {
	var out []packet.Record
	for i, r := range records(t, "../testdata/http/server.pcap") {
		const eth = 14
		size := len(r.Data)
		if size < eth+20+48 || r.Data[12] != 8 || r.Data[13] != 0 || r.Data[eth] != 0x45 {
			out = append(out, r)
			continue
		}
		head := r.Data[:eth+20]
		first, second := bytes.Clone(r.Data[:eth+20+24]), append(bytes.Clone(head), r.Data[eth+20+24:]...)
		for k, b := range [][]byte{first, second} {
			n := len(b) - eth
			b[eth+2], b[eth+3] = byte(n>>8), byte(n)
			b[eth+4], b[eth+5] = byte(i>>8), byte(i+1) // identification
			b[eth+6], b[eth+7] = 0x20>>(8*k), byte(3*k)
			b[eth+10], b[eth+11] = 0, 0 // checksum: nobody minds
		}
		two := []packet.Record{r, r}
		two[0].Data, two[1].Data = first, second
		if i%3 == 0 {
			slices.Reverse(two)
		}
		two[0].OrigLen, two[1].OrigLen = uint32(len(two[0].Data)), uint32(len(two[1].Data))
		out = append(out, two...)
	}
	return write(t, "fragments.pcap", pcapng.Options{Format: pcapng.Pcap, Nanosecond: true}, nil, out, nil)
}

// filters makes random packet filter expressions of the kind people write, about
// the hosts and ports of a capture.
type filters struct {
	*rand.Rand
	hosts, nets, ports []string
}

func newFilters(t testing.TB, path string, seed uint64) *filters {
	f := &filters{Rand: rand.New(rand.NewPCG(seed, 1)), hosts: []string{"host 192.0.2.1"}, nets: []string{"net 10.0.0.0/8"}, ports: []string{"80"}}
	dec := packet.NewDecoder()
	for _, r := range records(t, path) {
		var p packet.Packet
		dec.Decode(&r, &p)
		if p.Src == (packet.Addr{}) {
			continue
		}
		bits := 64
		if p.Src.Is4() {
			bits = 24
		}
		f.hosts = append(f.hosts, "host "+p.Src.String())
		f.nets = append(f.nets, "net "+must(p.Src.IP().Prefix(bits))(t).String())
		f.ports = append(f.ports, strconv.Itoa(int(p.SrcPort)), strconv.Itoa(int(p.DstPort)))
	}
	return f
}

func (f *filters) pick(list ...string) string { return list[f.IntN(len(list))] }

func (f *filters) expression(depth int) string {
	if depth > 0 {
		switch f.IntN(6) {
		case 0, 1:
			return "(" + f.expression(depth-1) + f.pick(" and ", " or ") + f.expression(depth-1) + ")"
		case 2:
			return "not " + f.expression(depth-1)
		}
	}
	switch f.IntN(8) {
	case 0:
		return f.pick("", "src ", "dst ") + f.pick(f.hosts...)
	case 1:
		return f.pick("", "src ", "dst ") + f.pick(f.nets...)
	case 2, 3:
		return f.pick("", "tcp ", "udp ") + f.pick("", "src ", "dst ") + "port " + f.pick(f.ports...)
	case 4:
		return f.pick("tcp", "udp", "icmp", "ip", "ip6", "arp", "icmp6")
	case 5:
		return f.pick("tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "tcp[tcpflags] == tcp-ack", "tcp[13] & 4 != 0", "icmp[icmptype] == icmp-echo", "ip[8] < 64", "ip[6:2] & 0x3fff != 0")
	case 6:
		return f.pick("less ", "greater ") + strconv.Itoa(40+f.IntN(1500))
	}
	return "portrange " + strconv.Itoa(f.IntN(1000)) + "-" + strconv.Itoa(1000+f.IntN(60000))
}

// TestExportByFilter: for random expressions the packets are those that tcpdump
// selects.
func TestExportByFilter(t *testing.T) {
	w := newBench(t)
	paths := []string{"../testdata/http/server.pcap", "../testdata/dns/records.pcap", fragmented(t)}
	if os.Getenv("SHARK_CAPTURES") != "" {
		paths = append(paths, public(t, "pcapplusplus/DnsPackets.pcap"), public(t, "tcpreplay/test.rewrite_vlan802.1ad.pcap"), public(t, "open5gs/volte.pcapng"))
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			f := newFilters(t, path, uint64(len(path)))
			e := open(t, w, path)
			some := 0
			for range 100 {
				expr := f.expression(2)
				want, complaint := tcpdump(t, path, expr)
				if strings.Contains(complaint, "rejects all packets") {
					complaint = ""
				}
				if complaint != "" {
					t.Fatalf("%s: %s", expr, complaint)
				}
				var got bytes.Buffer
				if _, err := e.Export(t.Context(), Export{BPF: expr, Format: pcapng.Pcap}, &got); err != nil {
					t.Errorf("%s: %v", expr, err)
					continue
				}
				out := filepath.Join(t.TempDir(), "got.pcap")
				if err := os.WriteFile(out, got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
				if d := differ(packetsOf(t, out), byTime(want)); d != "" {
					t.Errorf("%s: %s", expr, d)
				}
				if len(want) > 0 {
					some++
				}
			}
			if some < 20 {
				t.Errorf("only %d of 100 expressions select anything", some)
			}
		})
	}
}

// tcpdump returns the packets that it selects.
func tcpdump(t testing.TB, path, expr string) (_ []pkt, complaint string) {
	t.Helper()
	args := []string{"-r", path, "-w", "-", "--time-stamp-precision=nano"}
	if os.Geteuid() == 0 {
		args = append(args, "-Z", "root")
	}
	out, complaint := commandAndComplaint(t, "tcpdump", append(args, "--", expr)...)
	if complaint != "" {
		return nil, complaint
	}
	file := filepath.Join(t.TempDir(), "want.pcap")
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	return packetsOf(t, file), ""
}

// shuffledTimes is a capture whose packets come late now and then.
func shuffledTimes(t testing.TB) string {
	list := records(t, "../testdata/http/server.pcap")
	rng := rand.New(rand.NewPCG(3, 3))
	for i := range list {
		list[i].Time += int64(rng.IntN(int(time.Second)))
	}
	return write(t, "shuffled.pcap", pcapng.Options{Format: pcapng.Pcap, Nanosecond: true}, nil, list, nil)
}

func TestExportIsInOrderOfTime(t *testing.T) {
	w := newBench(t)
	for _, format := range []pcapng.Format{pcapng.Pcapng, pcapng.Pcap} {
		path := shuffledTimes(t)
		out, x := export(t, open(t, w, path), Export{Format: format})
		if d := differ(packetsOf(t, out), byTime(packetsOf(t, path))); d != "" {
			t.Error(d)
		}
		if x.OutOfOrder != 0 {
			t.Errorf("%d packets out of order", x.OutOfOrder)
		}
	}
}

// rich writes a pcapng file with all that one can say: two interfaces of two link
// types with statistics, a comment on the section and on packets, names, secrets.
func rich(t testing.TB) string {
	interfaces := []packet.Interface{
		{Link: 1, SnapLen: 65535, Name: "eth0", Description: "uplink", Filter: "tcp", OS: "Linux", Received: new(uint64), Dropped: new(uint64)},
		{Link: 101, Name: "tun0"},
	}
	*interfaces[0].Received, *interfaces[0].Dropped = 1000, 5
	var list []packet.Record
	for i, r := range records(t, "../testdata/http/server.pcap") {
		if i%4 == 3 { // half of the exchange on the other interface
			r.Interface, r.Link, r.Data, r.OrigLen = 1, 101, r.Data[14:], r.OrigLen-14
		}
		if i%2 == 0 {
			r.Options = append([]byte{1, 0, 5, 0}, "hello\x00\x00\x00\x00\x00\x00\x00"...)
		}
		list = append(list, r)
	}
	return write(t, "rich.pcapng", pcapng.Options{Comments: []string{"taken at noon"}}, interfaces, list, func(x *pcapng.Writer) error {
		return errors.Join(
			x.WriteNames([]pcapng.Name{{Addr: packet.AddrFrom4([]byte{192, 0, 2, 80}), Name: "server.example"}}),
			x.WriteSecrets(pcapng.Secret{Type: pcapng.SecretTLS, Data: []byte("CLIENT_RANDOM 00 11\n")}))
	})
}

// TestExportKeepsWhatIsSaid: comments, names, secrets and interfaces with their
// statistics survive, whether or not the packets are selected by an index.
func TestExportKeepsWhatIsSaid(t *testing.T) {
	w := newBench(t)
	path := rich(t)
	for _, kfl := range []string{"", "conn"} {
		e := open(t, w, path)
		out, x := export(t, e, Export{KFL: kfl, Profile: Rich, Secrets: true})
		if d := differ(uncommented(packetsOf(t, out)), packetsOf(t, path)); d != "" {
			t.Errorf("%q: %s", kfl, d)
		}
		m := must(pcapng.OpenFiles(out))(t)
		defer m.Close()
		var b packet.Batch
		for m.ReadBatch(&b) == nil {
			for i := range b.Records {
				if len(m.Secrets()) != 1 {
					t.Fatalf("%q: the secrets come after packet %d", kfl, i)
				}
			}
		}
		if n := m.Names(); len(n) != 1 || n[0].Name != "server.example" {
			t.Errorf("%q: names %v", kfl, n)
		}
		if s := m.Secrets(); len(s) != 1 || string(s[0].Data) != "CLIENT_RANDOM 00 11\n" || s[0].Type != pcapng.SecretTLS {
			t.Errorf("%q: secrets %v", kfl, s)
		}
		if c := m.Comments(); len(c) != 1 || c[0] != "taken at noon" {
			t.Errorf("%q: comments %v", kfl, c)
		}
		i := m.Interfaces()
		if len(i) != 2 || i[0].Name != "eth0" || i[0].Description != "uplink" || i[0].Filter != "tcp" || i[0].OS != "Linux" || i[0].SnapLen != 65535 ||
			i[0].Received == nil || *i[0].Received != 1000 || *i[0].Dropped != 5 || i[1].Name != "tun0" || i[1].Link != 101 || i[1].Dropped != nil {
			t.Errorf("%q: interfaces %+v", kfl, i)
		}
		if !strings.Contains(strings.Join(x.Coverage.Notes, "\n"), "5 packets that the capture itself dropped") {
			t.Errorf("%q: coverage %+v", kfl, x.Coverage)
		}
		command(t, "tshark", "-n", "-r", out, "-q")
	}
}

// uncommented takes off the comments and ids that a rich export puts before what options a
// packet has.
func uncommented(list []pkt) []pkt {
	for i, p := range list {
		o := p.Options
		if strings.HasPrefix(o, "\x01\x00") && strings.Contains(o, "; entry ") {
			n := int(o[2]) | int(o[3])<<8
			o = o[4+(n+3)&^3:]
		}
		if strings.HasPrefix(o, "\x05\x00\x08\x00") {
			o = o[12:]
		}
		if o == "\x00\x00\x00\x00" {
			o = "" // nothing but the end mark
		}
		list[i].Options = o
	}
	return list
}

// TestExportToPcap: what a pcap file cannot hold is refused or is named.
func TestExportToPcap(t *testing.T) {
	w := newBench(t)
	e := open(t, w, rich(t))
	for _, q := range []Export{{Format: pcapng.Pcap, Secrets: true}, {Format: pcapng.Pcap, Profile: Rich}} {
		if _, err := e.Export(t.Context(), q, new(bytes.Buffer)); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "pcapng") {
			t.Errorf("%+v: %v", q, err)
		}
	}
	out, x := export(t, e, Export{Format: pcapng.Pcap, BPF: "ip", KFL: "conn && src.port == 1"})
	if notes := strings.Join(x.Coverage.Notes, "\n"); x.Packets != 0 || !strings.Contains(notes, "comments and address names") || !strings.Contains(notes, "1 TLS session secret left out") {
		t.Errorf("%+v", x)
	}
	if got := packetsOf(t, out); len(got) > 0 {
		t.Errorf("%d packets", len(got))
	}
	command(t, "tshark", "-n", "-r", out, "-q")
}

// TestExportOfNothing: a file without packets is a sound one of the input's link type.
func TestExportOfNothing(t *testing.T) {
	w := newBench(t)
	for _, format := range []pcapng.Format{pcapng.Pcapng, pcapng.Pcap} {
		out, x := export(t, open(t, w, "../testdata/http/server.pcap"), Export{BPF: "host 192.0.2.254", Format: format})
		if x.Packets != 0 {
			t.Errorf("%d packets", x.Packets)
		}
		command(t, "tshark", "-n", "-r", out, "-q")
		command(t, "tcpdump", "-n", "-r", out)
		if format == pcapng.Pcap {
			r := must(pcapng.Open(out))(t)
			if i := r.Interfaces(); i[0].Link != 1 {
				t.Errorf("link type %d", i[0].Link)
			}
			r.Close()
		}
	}
}

// TestExportConditions: every condition that is set must hold.
func TestExportConditions(t *testing.T) {
	w := newBench(t)
	path := "../testdata/dns/records.pcap"
	original := packetsOf(t, path)
	e := open(t, w, path)
	begin, end := original[0].Time, original[len(original)-1].Time
	middle := time.Unix(0, begin+(end-begin)/2)
	at := func(ns int64) When { return When{At: time.Unix(0, ns)} }
	keep := func(f func(pkt) bool) (out []pkt) {
		for _, p := range original {
			if f(p) {
				out = append(out, p)
			}
		}
		return byTime(out)
	}
	bySize := func(p pkt) bool { return p.OrigLen < 100 }
	early := func(p pkt) bool { return p.Time < middle.UnixNano() }
	for name, c := range map[string]struct {
		q    Export
		want func(pkt) bool
	}{
		"all":      {Export{}, func(pkt) bool { return true }},
		"to":       {Export{To: When{At: middle}}, early},
		"from":     {Export{From: When{At: middle}}, func(p pkt) bool { return !early(p) }},
		"last":     {Export{From: at(end)}, func(p pkt) bool { return p.Time == end }},
		"relative": {Export{From: When{BeforeEnd: time.Duration(end - middle.UnixNano())}}, func(p pkt) bool { return !early(p) }},
		"far":      {Export{From: When{At: time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC)}, To: When{At: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}}, func(pkt) bool { return true }},
		"both":     {Export{BPF: "less 99", To: When{At: middle}}, func(p pkt) bool { return bySize(p) && early(p) }},
		"three":    {Export{BPF: "less 99", To: When{At: middle}, KFL: "conn"}, func(p pkt) bool { return bySize(p) && early(p) }},
		"nobody":   {Export{IP: "192.0.2.254"}, func(pkt) bool { return false }},
		"block":    {Export{IP: "0.0.0.0/0"}, func(pkt) bool { return true }},
		"mapped":   {Export{IP: "::ffff:0.0.0.0/96"}, func(pkt) bool { return true }},
		"IPv6":     {Export{IP: "::/0"}, func(pkt) bool { return false }},
	} {
		out, _ := export(t, e, c.q)
		if d := differ(packetsOf(t, out), keep(c.want)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestExportRefuses(t *testing.T) {
	w := newBench(t)
	e := open(t, w, "../testdata/dns/records.pcap")
	for name, c := range map[string]struct {
		q    Export
		want error
		text string
	}{
		"query":       {Export{KFL: "htpp"}, ErrUsage, "http"},
		"filter":      {Export{BPF: "tcp prot 80"}, ErrUsage, "usage: filter: "},
		"link type":   {Export{BPF: "inbound"}, ErrUsage, "usage: filter: "},
		"node":        {Export{Node: "worker-1"}, ErrUsage, "name no node"},
		"workload":    {Export{Workload: "cart"}, ErrUsage, "identity log"},
		"address":     {Export{IP: "10.0.0"}, ErrUsage, "address"},
		"outside":     {Export{From: When{At: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)}}, ErrOutside, "packets from"},
		"upside down": {Export{From: When{BeforeEnd: time.Minute}, To: When{BeforeEnd: time.Hour}}, ErrUsage, "ends at"},
	} {
		_, err := e.Export(t.Context(), c.q, new(bytes.Buffer))
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestExportOfFlows: a flow stands for all its connections.
func TestExportOfFlows(t *testing.T) {
	w := newBench(t)
	path := "../testdata/http/server.pcap"
	e := open(t, w, path)
	_, all := export(t, e, Export{KFL: "conn"})
	_, x := export(t, e, Export{KFL: "flow"})
	if x.Conns != all.Conns || x.Packets != all.Packets || x.Conns < 2 {
		t.Errorf("flows: %d connections with %d packets; all: %d with %d", x.Conns, x.Packets, all.Conns, all.Packets)
	}
}

// TestExportFailsWithItsOutput: an error of what is written to ends the export.
func TestExportFailsWithItsOutput(t *testing.T) {
	e := open(t, newBench(t), "../testdata/http/server.pcap")
	broken := errors.New("broken")
	if _, err := e.Export(t.Context(), Export{}, writerFunc(func([]byte) (int, error) { return 0, broken })); !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// TestExportWithoutPackets: what captured nothing still says by what.
func TestExportWithoutPackets(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pcap")
	replace(t, empty, []byte("\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x01\x00\x00\x00"), time.Now().Add(-time.Hour))
	w := newBench(t)
	m := importSnapshot(t, w, snapshot.ImportOptions{Files: []string{empty}, Name: "empty"})
	for _, ref := range []string{empty, m.ID} {
		for _, profile := range []Profile{Portable, Rich} {
			path, x := export(t, open(t, w, ref), Export{Profile: profile})
			if x.Packets != 0 {
				t.Errorf("%s: %d packets", ref, x.Packets)
			}
			src := must(pcapng.OpenFiles(path))(t)
			var b packet.Batch
			if err := src.ReadBatch(&b); err != io.EOF {
				t.Error(err)
			}
			if list := src.Interfaces(); len(list) != 1 || list[0].Link != packet.Ethernet {
				t.Errorf("%s, profile %v: interfaces %+v", ref, profile, list)
			}
			if err := src.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
