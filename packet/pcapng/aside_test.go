package pcapng

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/packet"
	"shark/packet/pcapng/every"
)

// again writes all that a capture has into another file.
func again(t testing.TB, file []byte) ([]byte, *Reader) {
	t.Helper()
	r := open(t, file)
	var out bytes.Buffer
	w, err := NewWriter(&out, Options{})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	var b packet.Batch
	for err = nil; err == nil; {
		err = r.ReadBatch(&b)
		for i := range b.Records {
			must(w.Write(&b.Records[i], r.Interfaces()))
		}
	}
	if err != io.EOF {
		t.Fatal(err)
	}
	for _, s := range r.Secrets() {
		must(w.WriteSecrets(s))
	}
	must(w.WriteNames(r.Names()))
	list := r.Asides()
	for _, statistics := range []bool{true, false} {
		for i := range list {
			if list[i].IsStatistics() == statistics {
				must(w.WriteAside(&list[i], r.Interfaces()))
			}
		}
	}
	must(w.Close())
	o := r.Omitted()
	o.Add(w.Omitted())
	r.meta.omitted = o
	return out.Bytes(), r
}

// TestEverything: all that a capture has comes out again, or it is said that it does not.
func TestEverything(t *testing.T) {
	want, err := every.Lines(every.File(false))
	if err != nil {
		t.Fatal(err)
	}
	for _, big := range []bool{false, true} {
		out, r := again(t, every.File(big))
		if len(r.Damage()) > 0 {
			t.Errorf("damage: %v", r.Damage())
		}
		got, err := every.Lines(out)
		if err != nil {
			t.Fatal(err)
		}
		omitted := Omitted{Private: every.Private}
		for _, line := range want {
			unknown := every.IsUnknown(line)
			if every.IsPrivate(line) || big && unknown {
				if slices.Contains(got, line) {
					t.Errorf("big-endian %v: there is %s", big, line)
				}
				continue
			}
			if line = every.Becomes(line); !slices.Contains(got, line) {
				t.Errorf("big-endian %v: there is no %s", big, line)
			}
		}
		if line := `block 0x6 option 4 "\x05\x00\x00\x00\x00\x00\x00\x00"`; !slices.Contains(got, line) {
			t.Errorf("big-endian %v: there is no %s, of the obsolete block", big, line)
		}
		if big {
			omitted.Order = every.Unknown
		}
		if r.Omitted() != omitted {
			t.Errorf("big-endian %v: omitted %+v, want %+v: %q", big, r.Omitted(), omitted, r.Omitted().Notes())
		}
		if t.Failed() {
			t.Fatalf("there is\n%s", strings.Join(got, "\n"))
		}
		same, _ := again(t, out)
		if twice, err := every.Lines(same); err != nil || !slices.Equal(every.Sorted(twice), every.Sorted(got)) {
			t.Errorf("written once more it is another: %v\n%s", err, strings.Join(twice, "\n"))
		}
		path := filepath.Join(t.TempDir(), "every.pcapng")
		if err := os.WriteFile(path, out, 0o600); err != nil {
			t.Fatal(err)
		}
		var warn bytes.Buffer
		c := exec.Command("tshark", "-n", "-r", path)
		c.Stderr = &warn
		if list, err := c.Output(); err != nil || len(every.Warnings(warn.String())) > 0 {
			t.Errorf("tshark: %v, %s\n%s", err, warn.String(), list)
		}
	}
}

// TestAsidesAreBounded: what is more than is kept is counted.
func TestAsidesAreBounded(t *testing.T) {
	e := newEncoder(false)
	e.section(1)
	e.iface(1, 0, func(o *encoder) {
		o.option(optIfHardware, make([]byte, 40<<10))
		o.option(optComment, make([]byte, 40<<10))
	})
	e.iface(1, 0, func(o *encoder) { o.option(optIfHardware, make([]byte, 40<<10)) })
	e.block(blockJournal, func(b *encoder) { b.Write(make([]byte, maxAside+4)) })
	for range 20 {
		e.block(blockJournal, func(b *encoder) { b.Write(make([]byte, maxAside)) })
	}
	_, r := read(t, e.Bytes())
	size := 0
	for _, a := range r.Asides() {
		size += len(a.Body)
	}
	if size > maxAsides || size < maxAsides-maxAside-1<<10 || r.Omitted() != (Omitted{Excess: 2 + 5}) || len(r.Damage()) > 0 {
		t.Errorf("%d bytes are kept, omitted %+v, damage %v", size, r.Omitted(), r.Damage())
	}
	if n := []int{len(r.Interfaces()[0].Options), len(r.Interfaces()[1].Options)}; n[0] != 0 || n[1] != 40<<10+4 {
		t.Errorf("options of interfaces have %v bytes", n)
	}
}

// TestTimesOfInterfaces: what is finer than a nanosecond is said, and offsets are added.
func TestTimesOfInterfaces(t *testing.T) {
	e := newEncoder(true)
	e.section(1)
	for _, resolution := range []byte{9, 10, 0x80 | 9, 0x80 | 10} {
		e.iface(1, 0, func(o *encoder) { o.option(optResolution, []byte{resolution}) })
	}
	e.iface(1, 0, func(o *encoder) {
		o.option(optTimeOffset, []byte{0, 0, 0, 0, 0, 0, 0, 3})
		o.option(optTimeOffsetNS, []byte{0xff, 0xff, 0xff, 0xfe})
	})
	e.packet(4, 1_000_001, 0, nil, nil)
	recs, r := read(t, e.Bytes())
	if r.Omitted() != (Omitted{Fine: 2}) || len(recs) != 1 || recs[0].Time != 4_000_000_998 {
		t.Errorf("omitted %+v, packets %+v", r.Omitted(), recs)
	}
}
