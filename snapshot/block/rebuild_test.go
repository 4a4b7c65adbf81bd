package block

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"shark/packet"
	"shark/packet/pcapng"
)

// known is what a manifest would say of a capture's interfaces: no counts of the source.
func known(c *capture) []Known {
	list := make([]Known, len(c.interfaces))
	for i, f := range c.interfaces {
		f.Received, f.Dropped = nil, nil
		list[i].Interface = f
	}
	for i := range c.records {
		list[c.records[i].Interface].Packets++
	}
	return list
}

// TestRebuild: the index is made again of the file, byte by byte.
func TestRebuild(t *testing.T) {
	counted := traffic(3, 2000)
	plain := traffic(4, 20_000)
	plain.interfaces[2].Received = nil
	fragments := &capture{interfaces: []packet.Interface{{Link: 101, Name: "eth0"}}}
	rng := rand.New(rand.NewPCG(5, 5))
	for i := range 6000 { // of large datagrams, so that some lie on both sides of a block's end
		a, b := fmt.Sprintf("10.0.0.%d", rng.IntN(4)), fmt.Sprintf("10.1.0.%d", rng.IntN(4))
		whole := udp4(a, b, uint16(i), 53, make([]byte, 2400))[20:]
		at := int64(1_700_000_000_000_000_000 + i*60_000_000_000)
		pieces := [][]byte{ip4(a, b, 17, 0x2000, whole[:1200]), ip4(a, b, 17, 0x2000|150, whole[1200:2000]), ip4(a, b, 17, 250, whole[2000:])}
		if i%7 == 0 { // one is lost
			pieces = pieces[rng.IntN(2)+1:]
		}
		for _, p := range pieces {
			fragments.add(at, 0, p)
		}
	}
	many := &capture{interfaces: []packet.Interface{{Link: 101}}}
	for i := range 150_000 {
		many.add(int64(i), 0, udp4(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), "192.168.0.1", uint16(i), 53, nil))
	}
	rotated := &capture{interfaces: []packet.Interface{{Link: 101, Name: "eth0"}, {Link: 101, Name: "eth0"}, {Link: 101, Name: "eth0"}, {Link: 101, Name: "lo"}}}
	for i := range 9000 {
		rotated.add(int64(i*1000), uint32(i/3001), udp4(fmt.Sprintf("10.0.%d.1", i%50), "10.1.1.1", 1, 2, make([]byte, 900)))
		rotated.add(int64(i*1000+1), 3, udp4("10.2.2.2", "10.1.1.1", 1, 2, nil))
	}
	little, least := *plain, *plain
	little.expected, least.expected = oneBytes+1, 1
	for name, c := range map[string]struct {
		*capture
		extras Extras
	}{
		"empty": {&capture{interfaces: []packet.Interface{{Link: 1, Name: "eth0"}}}, Extras{}},
		"plain": {plain, Extras{}}, "little": {&little, Extras{}}, "very little": {&least, Extras{}}, "counted": {counted, Extras{Names: names, Comments: []string{"hello"}}},
		"fragments": {fragments, Extras{}}, "many addresses": {many, Extras{}}, "rotated": {rotated, Extras{}},
	} {
		file, x := write(t, c.capture, 2, c.extras)
		y, err := Rebuild(t.Context(), bytes.NewReader(file), groupsFor(c.expected), known(c.capture))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !bytes.Equal(must(t, y), must(t, x)) {
			t.Errorf("%s: another index of %d blocks", name, len(x.Blocks))
		}
	}
}

// TestRebuildCaptures: so is that of every capture at hand, with all that captures have.
func TestRebuildCaptures(t *testing.T) {
	files, err := filepath.Glob("../../testdata/*/*.pcap*")
	if err != nil || len(files) < 50 {
		t.Fatal(len(files), err)
	}
	for _, path := range files {
		src, err := pcapng.OpenFiles(path)
		if err != nil {
			t.Fatal(err)
		}
		c := new(capture)
		if c.records, err = drain(src); err != nil {
			t.Fatal(err)
		}
		c.interfaces = src.Interfaces()
		file, x := write(t, c, 1, Extras{Interfaces: c.interfaces, Names: src.Names(), Comments: src.Comments()})
		y, err := Rebuild(t.Context(), bytes.NewReader(file), groups, known(c))
		if err != nil || !bytes.Equal(must(t, y), must(t, x)) {
			t.Errorf("%s: another index, %v", path, err)
		}
		src.Close()
	}
}

// TestRebuildUnknown: what cannot be told is an error, not a guess.
func TestRebuildUnknown(t *testing.T) {
	twins := &capture{interfaces: []packet.Interface{{Link: 101, Name: "eth0"}, {Link: 101, Name: "eth0"}}}
	for i := range 100 {
		twins.add(int64(i), uint32(i%2), udp4("10.0.0.1", fmt.Sprintf("10.1.1.%d", i%19), 1, 2, nil))
	}
	file, _ := write(t, twins, 1, Extras{})
	if _, err := Rebuild(t.Context(), bytes.NewReader(file), groups, known(twins)); err == nil || !strings.Contains(err.Error(), "look alike") {
		t.Errorf("two that look alike: %v", err)
	}
	if _, err := Rebuild(t.Context(), bytes.NewReader(file), groups, nil); err == nil || !strings.Contains(err.Error(), "which one") {
		t.Errorf("none is known: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Rebuild(ctx, bytes.NewReader(file), groups, known(twins)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	broken := errors.New("the line is broken")
	if _, err := Rebuild(t.Context(), io.MultiReader(bytes.NewReader(file[:50]), iotest.ErrReader(broken)), groups, nil); !errors.Is(err, broken) {
		t.Errorf("broken off: %v", err)
	}
}

// TestRebuildDamaged: of a file that is damaged there is no index as it was.
func TestRebuildDamaged(t *testing.T) {
	c := traffic(9, 300)
	file, x := write(t, c, 1, Extras{})
	want := must(t, x)
	rng := rand.New(rand.NewPCG(1, 9))
	for range 300 {
		bad := bytes.Clone(file)
		if at := rng.IntN(len(bad)); rng.IntN(3) == 0 {
			bad = bad[:at]
		} else {
			bad[at] ^= 1 << rng.IntN(8)
		}
		y, err := Rebuild(t.Context(), bytes.NewReader(bad), groups, known(c))
		if err == nil && bytes.Equal(must(t, y), want) {
			t.Fatal("a damaged file has the index of the sound one")
		}
	}
}

// FuzzRebuild: any bytes are refused, or have an index that can be written and read.
func FuzzRebuild(f *testing.F) {
	c := traffic(10, 40)
	file, _ := write(f, c, 1, Extras{Names: names})
	f.Add(file)
	f.Add(file[:len(file)-1])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := Rebuild(t.Context(), bytes.NewReader(data), groups, known(c))
		if err != nil {
			return
		}
		if y, err := ParseIndex(must(t, x)); err != nil || y.Size() != int64(len(data)) {
			t.Fatalf("an index of %d bytes: %v", len(data), err)
		}
	})
}
