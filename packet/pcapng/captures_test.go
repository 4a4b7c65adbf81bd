package pcapng

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"shark/packet"
)

// captures returns the folder of test captures, or skips.
func captures(t testing.TB) string {
	dir := os.Getenv("SHARK_CAPTURES")
	if dir == "" {
		t.Skip("SHARK_CAPTURES does not name the folder of test captures")
	}
	return dir
}

// accepted are the captures of which another number of packets comes out than
// tshark reads, and why that is right.
var accepted = map[string]struct {
	packets uint64
	why     string
}{
	"gopacket/test102.pcapng": {5, "tshark counts the 3 custom blocks as frames"},
	"gopacket/test202.pcapng": {8, "tshark counts the 3 custom blocks as frames"},
	"formats/pcapng-odd-trailing-length.pcapng": {
		107,
		"the block after the wrong second length proves the first; the oracle stops there",
	},
	"malformed/gopacket/test901.pcapng": {
		2,
		"a section of version 2.0 is passed over; the index counts its packet, tshark ends there with 1",
	},
	"malformed/pcapplusplus/crash-8534c61cdf5987482365d7877ade12eef5aaf8b7.pcap": {
		1,
		"18 bytes of zeros at the end are no packet",
	},
	"malformed/pcapplusplus/crash-pcapng-epb-unbounded-length.pcapng": {
		0,
		"the only packet claims more bytes than its block has; the index counts it, tshark reads 0",
	},
	"malformed/suricata-verify/bug-1450-04__tls_DER-incomplete-header.pcap": {
		13,
		"7 sound packets follow 80 bytes of damage, at which tshark ends",
	},
	"malformed/tcpdump/vtp_asan.pcap": {2, "zeros are no packets"},
}

func TestPacketCountsAgreeWithTshark(t *testing.T) {
	dir := captures(t)
	index, err := os.ReadFile(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(index)), "\n")
	same := 0
	for _, line := range lines[1:] {
		col := strings.Split(line, "\t")
		name := col[0]
		want, err := strconv.ParseUint(col[9], 10, 64)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Logf("%s: %v", name, err)
			continue
		}
		if !strings.HasPrefix(name, "malformed/") {
			if o, ok := oracle(t, dir, name); ok {
				want = o
			}
		}
		got, damage := count(t, filepath.Join(dir, name))
		a, known := accepted[name]
		switch {
		case known && got == a.packets && got != want:
			t.Logf("%s: %d packets, not %d: %s", name, got, want, a.why)
		case known:
			t.Errorf("%s: %d packets, tshark %d: the table of accepted differences says %d", name, got, want, a.packets)
		case got != want:
			t.Errorf("%s: %d packets, tshark %d; damage %v", name, got, want, damage)
		default:
			same++
		}
	}
	t.Logf("%d of %d captures have the same packets", same, len(lines)-1)
}

// oracle reads the count of the capture's oracle.
func oracle(t *testing.T, dir, name string) (uint64, bool) {
	b, err := os.ReadFile(filepath.Join(dir, "oracle", name+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false
	}
	if err != nil {
		t.Fatal(err)
	}
	var o struct {
		Packets *uint64
		Whole   *uint64 `json:"whole_packets"`
	}
	if err := json.Unmarshal(b, &o); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if o.Packets != nil {
		return *o.Packets, true
	}
	if o.Whole != nil {
		return *o.Whole, true
	}
	return 0, false
}

// count reads a file to its end. One that is no capture has no packets.
func count(t *testing.T, path string) (uint64, []packet.Damage) {
	r, err := Open(path)
	if errors.Is(err, ErrFormat) {
		return 0, []packet.Damage{{Reason: err.Error()}}
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	recs, err := readAll(r)
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
	return uint64(len(recs)), r.Damage()
}

// scratch is used by one test after the other: a buffer for each of thousands
// of small files would be most of their time.
var scratch packet.Batch

// readAll reads a source to its end and copies what it gives.
func readAll(s packet.Source) ([]packet.Record, error) {
	b := &scratch
	var all []packet.Record
	for {
		err := s.ReadBatch(b)
		for _, rec := range b.Records {
			rec.Data = bytes.Clone(rec.Data)
			rec.Options = bytes.Clone(rec.Options)
			all = append(all, rec)
		}
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

// Each of the formats holds the packets of the same capture, unless its name
// says otherwise.
func TestFormatsHoldTheSamePackets(t *testing.T) {
	dir := captures(t)
	plain, err := Open(filepath.Join(dir, "live/graphql.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	want, err := readAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "formats/pcap*"))
	if err != nil || len(paths) < 26 {
		t.Fatal(len(paths), err)
	}
	for _, path := range paths {
		r, err := Open(path)
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := readAll(r)
		if err != nil {
			t.Error(err)
		}
		name := filepath.Base(path)
		whole, _ := oracle(t, dir, "formats/"+name)
		if a, ok := accepted["formats/"+name]; ok {
			whole = a.packets
		}
		if uint64(len(got)) != whole || whole > uint64(len(want)) {
			t.Errorf("%s: %d packets, want %d", name, len(got), whole)
			continue
		}
		cut := strings.Contains(name, "-cut-") || strings.Contains(name, "trailing")
		if cut != (len(r.Damage()) > 0) {
			t.Errorf("%s: damage %v", name, r.Damage())
		}
		for i := range got {
			checkFormat(t, name, i, &got[i], &want[i])
		}
		r.Close()
	}
}

// checkFormat compares a packet with the plain capture's.
func checkFormat(t *testing.T, name string, i int, got, want *packet.Record) {
	data, when, origLen := want.Data, want.Time, want.OrigLen
	switch {
	case strings.Contains(name, "snap64"):
		data = data[:min(64, len(data))]
	case strings.Contains(name, "odd-timestamps"):
		when -= 1e12 * int64(i%3)
	case strings.Contains(name, "spb"):
		when = 0
	case name == "pcapng-rich.pcapng" && i%3 == 1:
		when = got.Time // in units of 2^-20 seconds
		if d := want.Time - when; d < 0 || d > 1000 {
			t.Errorf("%s: packet %d is %d ns off", name, i+1, d)
		}
	}
	if !bytes.Equal(got.Data, data) || got.Time != when || got.OrigLen != origLen || got.Link != want.Link {
		t.Errorf("%s: packet %d is %+v, want %+v", name, i+1, got, want)
	}
}

// Every capture, written anew in pcapng, holds the same packets.
func TestCapturesAreRewritten(t *testing.T) {
	dir := captures(t)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.Contains(d.Name(), ".pcap") || strings.HasSuffix(path, ".json") {
			return err
		}
		r, err := Open(path)
		if errors.Is(err, ErrFormat) {
			return nil
		}
		if err != nil {
			return err
		}
		defer r.Close()
		recs, err := readAll(r)
		if err != nil {
			return err
		}
		rewrite(t, recs, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
