package pcapng

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/packet"
)

func u64(v uint64) *uint64 { return &v }

// rich is what the writer tests write: packets with options in both byte orders.
func rich(n int) ([]packet.Record, []packet.Interface) {
	var recs []packet.Record
	for i, p := range samplePackets(n, 500) {
		rec := packet.Record{Data: p, Time: start*1e9 + int64(i)*1001, Number: uint64(i + 1), OrigLen: uint32(len(p) + i%3), Interface: uint32(i % 2), Link: 1}
		e := newEncoder(i%4 == 3)
		if i%4 >= 2 {
			e.option(optComment, []byte("a comment"))
			e.option(optFlags, e.order.AppendUint32(nil, 1))
			e.option(optDropCount, e.order.AppendUint64(nil, 5))
			e.option(optPacketID, e.order.AppendUint64(nil, uint64(i)))
			e.option(optQueue, e.order.AppendUint32(nil, 3))
			e.option(optVerdict, e.order.AppendUint64([]byte{2}, 2))
			e.option(2988, append(e.order.AppendUint32(nil, 32473), "text"...))
			if i%8 < 4 {
				e.u32(0)
			}
			rec.Options, rec.OptionsBigEndian = e.Bytes(), i%4 == 3
		}
		recs = append(recs, rec)
	}
	return recs, []packet.Interface{
		{Link: 1, SnapLen: 262144, Name: "eth0", Description: "première", Filter: "tcp port 80", OS: "Linux 6", Received: u64(200), Dropped: u64(7)},
		{Link: 1, Name: "eth1"},
	}
}

// write writes a whole capture.
func write(t testing.TB, o Options, recs []packet.Record, interfaces []packet.Interface) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, o)
	if err != nil {
		t.Fatal(err)
	}
	if o.Format == Pcapng {
		names := []Name{{packet.AddrFrom4([]byte{10, 0, 0, 1}), "pod.shop"}, {packet.AddrFrom16(bytes.Repeat([]byte{0xfd}, 16)), "six"}}
		if err := errors.Join(w.WriteNames(names), w.WriteSecrets(Secret{Type: SecretTLS, Data: []byte("CLIENT_RANDOM 00 11\n")})); err != nil {
			t.Fatal(err)
		}
	}
	for i := range recs {
		if err := w.Write(&recs[i], interfaces); err != nil {
			t.Fatal(err)
		}
	}
	if o.Format == Pcapng {
		for i := range interfaces {
			if err := w.WriteStatistics(uint32(i), interfaces, start*1e9); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w.Size() != int64(out.Len()) {
		t.Errorf("Size is %d of %d bytes", w.Size(), out.Len())
	}
	return out.Bytes()
}

func TestPcapngRoundTrip(t *testing.T) {
	recs, interfaces := rich(100)
	o := Options{Hardware: "amd64", OS: "Linux", Application: "shark", Comments: []string{"of the section", "2"}}
	got, r := read(t, write(t, o, recs, interfaces))
	if len(r.Damage()) > 0 {
		t.Fatal(r.Damage())
	}
	for i := range got {
		// Every option must come back, in little-endian order.
		e := newEncoder(false)
		if len(recs[i].Options) > 0 {
			e.option(optComment, []byte("a comment"))
			e.option(optFlags, []byte{1, 0, 0, 0})
			e.option(optDropCount, []byte{5, 0, 0, 0, 0, 0, 0, 0})
			e.option(optPacketID, binary.LittleEndian.AppendUint64(nil, uint64(i)))
			e.option(optQueue, []byte{3, 0, 0, 0})
			e.option(optVerdict, []byte{2, 2, 0, 0, 0, 0, 0, 0, 0})
			e.option(2988, append(binary.LittleEndian.AppendUint32(nil, 32473), "text"...))
			e.u32(0)
		}
		recs[i].Options = e.Bytes()
	}
	sameRecords(t, got, recs)
	i := r.Interfaces()
	if len(i) != 2 || i[0].Name != "eth0" || i[0].Description != "première" || i[0].Filter != "tcp port 80" || i[0].OS != "Linux 6" ||
		i[0].SnapLen != 262144 || *i[0].Received != 200 || *i[0].Dropped != 7 || i[1].Received != nil {
		t.Errorf("interfaces %+v", i)
	}
	if !slices.Equal(r.Comments(), o.Comments) || len(r.Names()) != 2 || r.Names()[0].Name != "pod.shop" || len(r.Secrets()) != 1 {
		t.Error(r.Comments(), r.Names(), r.Secrets())
	}
}

func TestNamesOfOddAddresses(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out, Options{})
	if err != nil {
		t.Fatal(err)
	}
	names := []Name{{packet.AddrFrom16(make([]byte, 16)), "all"}, {packet.AddrFrom4(make([]byte, 4)), "any"}}
	if err := errors.Join(w.WriteNames(append(names, Name{packet.Addr{}, "none"})), w.Close()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(out.Bytes(), append(make([]byte, 16), "all\x00"...)) {
		t.Errorf(":: is not written as zeros: %x", out.Bytes())
	}
	if _, r := read(t, out.Bytes()); !slices.Equal(r.Names(), names) {
		t.Errorf("names %v, want %v", r.Names(), names)
	}
}

func TestPcapRoundTrip(t *testing.T) {
	recs, _ := rich(100)
	for i := range recs {
		recs[i].Options, recs[i].Interface = nil, 0
	}
	got, r := read(t, write(t, Options{Format: Pcap, Nanosecond: true, SnapLen: 4096}, recs, nil))
	sameRecords(t, got, recs)
	if i := r.Interfaces()[0]; i.Link != 1 || i.SnapLen != 4096 {
		t.Errorf("interface %+v", i)
	}
	got, _ = read(t, write(t, Options{Format: Pcap}, recs, nil))
	for i := range recs {
		recs[i].Time -= recs[i].Time % 1000
	}
	sameRecords(t, got, recs)
	got, r = read(t, write(t, Options{Format: Pcap, Link: 113}, nil, nil))
	if len(got) != 0 || r.Interfaces()[0].Link != 113 {
		t.Error("a file without packets keeps its link type")
	}
}

func TestWriterRefuses(t *testing.T) {
	w, err := NewWriter(io.Discard, Options{Format: Pcap})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteNames(nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	if err := w.Write(&packet.Record{Link: 1}, nil); err != nil {
		t.Error(err)
	}
	if err := w.Write(&packet.Record{Link: 113}, nil); !errors.Is(err, ErrLinkType) {
		t.Error(err)
	}
	if w, err = NewWriter(io.Discard, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(&packet.Record{Interface: maxInterfaces}, nil); err == nil {
		t.Error("an interface number beyond the limit is taken")
	}
	if _, err := NewWriter(io.Discard, Options{Format: 9}); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	full := errors.New("disk full")
	if w, err = NewWriter(failing{full}, Options{}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds no room
		err = w.Write(&packet.Record{Data: make([]byte, chunkSize)}, nil)
	}
	if !errors.Is(err, full) {
		t.Error(err)
	}
	if err := w.Close(); !errors.Is(err, full) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestWriterTakesLargePackets(t *testing.T) {
	recs := []packet.Record{{Data: make([]byte, 5<<20+1), OrigLen: 5<<20 + 1, Number: 1, Link: 1}, {Data: []byte("x"), OrigLen: 1, Number: 2, Link: 1}}
	for _, f := range []Format{Pcap, Pcapng} {
		got, _ := read(t, write(t, Options{Format: f, SnapLen: maxRecord}, recs, nil))
		sameRecords(t, got, recs)
	}
}

func TestWriteDoesNotAllocate(t *testing.T) {
	recs, interfaces := rich(40)
	for _, f := range []Format{Pcap, Pcapng} {
		w, err := NewWriter(io.Discard, Options{Format: f})
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(50, func() {
			for i := range recs {
				if err := w.Write(&recs[i], interfaces); err != nil {
					t.Fatal(err)
				}
			}
		}); n > 0 {
			t.Errorf("format %d: %v allocations for %d packets", f, n, len(recs))
		}
	}
}

func TestTsharkReadsWhatIsWritten(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
	recs, interfaces := rich(100)
	section := write(t, Options{Application: "shark", Comments: []string{"c"}}, recs, interfaces)
	for name, c := range map[string]struct {
		b      []byte
		frames int
	}{
		"pcapng":       {section, 100},
		"two sections": {slices.Concat(section, section), 200},
		"pcap":         {write(t, Options{Format: Pcap}, recs, nil), 100},
		"pcap nano":    {write(t, Options{Format: Pcap, Nanosecond: true}, recs, nil), 100},
	} {
		path := filepath.Join(t.TempDir(), "capture")
		if err := os.WriteFile(path, c.b, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(tshark, "-n", "-r", path, "-T", "fields", "-e", "frame.number", "-e", "frame.time_epoch", "-e", "frame.interface_name", "-e", "frame.comment")
		var talk bytes.Buffer
		cmd.Stderr = &talk
		out, err := cmd.Output()
		said := strings.ReplaceAll(talk.String(), "Running as user \"root\" and group \"root\". This could be dangerous.\n", "")
		if err != nil || said != "" {
			t.Errorf("%s: %v: %s", name, err, said)
		}
		lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		if len(lines) != c.frames {
			t.Fatalf("%s: %d frames, want %d", name, len(lines), c.frames)
		}
		if want := "3\t1700000000.000002002\teth0\ta comment"; name == "pcapng" && lines[2] != want {
			t.Errorf("%s: %q, want %q", name, lines[2], want)
		}
	}
}

// The log comes out as it went in, before the packets and between them, and in whole lines.
func TestWriteIdentity(t *testing.T) {
	recs, interfaces := rich(2)
	var out bytes.Buffer
	w, err := NewWriter(&out, Options{})
	if err != nil {
		t.Fatal(err)
	}
	long := bytes.Repeat([]byte("{\"name\":\"x\"}\n"), MaxIdentity/10)
	want := slices.Concat([]byte("{\"a\":1}\n"), long)
	if err := errors.Join(w.WriteIdentity(want[:8]), w.Write(&recs[0], interfaces), w.WriteIdentity(want[8:]), w.Write(&recs[1], interfaces), w.Close()); err != nil {
		t.Fatal(err)
	}
	got, r := read(t, out.Bytes())
	if len(got) != 2 || len(r.Damage()) > 0 || !bytes.Equal(slices.Concat(r.Identity()...), want) {
		t.Errorf("%d packets, damage %v, %d blocks of the log", len(got), r.Damage(), len(r.Identity()))
	}
	for i, b := range r.Identity()[1:] {
		if b[len(b)-1] != '\n' {
			t.Errorf("block %d ends within a line", i)
		}
	}
	if w, err = NewWriter(&out, Options{Format: Pcap}); err != nil || !errors.Is(w.WriteIdentity(want), errors.ErrUnsupported) {
		t.Error("a pcap file takes an identity log")
	}
}
