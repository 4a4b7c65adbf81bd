package block

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"shark/packet"
)

func everyBlock(x *Index) []int { return x.Select(Selection{Extras: true}) }

// TestRoundTrip: every packet comes back as it was, by one worker or several to the same
// file, and the index that is stored is the one that was made.
func TestRoundTrip(t *testing.T) {
	for n, expected := range map[int]int64{0: 0, 1: 0, 300: 1, 3000: hardestBytes + 1, 29_999: oneBytes + 1, 30_000: hardBytes + 1} {
		c := traffic(uint64(n), n)
		c.expected = expected
		file, index := write(t, c, 1, Extras{Interfaces: c.interfaces, Names: names, Comments: []string{"a note"}})
		again, _ := write(t, c, 3, Extras{Interfaces: c.interfaces, Names: names, Comments: []string{"a note"}})
		if !bytes.Equal(file, again) {
			t.Errorf("%d packets: three workers make another file than one", n)
		}
		stored, err := index.Encode()
		if err != nil {
			t.Fatal(err)
		}
		read, err := ParseIndex(stored)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(read, index) {
			t.Errorf("%d packets: the index that is read is not the one that was written:\n%+v\n%+v", n, read, index)
		}
		if index.Size() != int64(len(file)) || index.Packets() != uint64(n) {
			t.Errorf("the index says %d bytes and %d packets, there are %d and %d", index.Size(), index.Packets(), len(file), n)
		}
		got := packets(t, file, read, everyBlock(read))
		sameContent(t, got, c.records)
		numbers := make(map[uint64]bool)
		for _, r := range got {
			if r.Number == 0 || r.Number > uint64(n) || numbers[r.Number] {
				t.Fatalf("number %d comes twice or is none", r.Number)
			}
			numbers[r.Number] = true
		}
	}
}

// TestLateNanoseconds: a block whose first times are whole microseconds keeps the nanoseconds of
// a later one, wherever that one stands, and packets with options on both sides of it.
func TestLateNanoseconds(t *testing.T) {
	for _, late := range []int{1, 2, 40, 998, 999} {
		c := traffic(1, 1000)
		for i := range c.records {
			c.records[i].Time -= c.records[i].Time % 1000
			if i%3 == 0 {
				c.records[i].Options = []byte{1, 0, 2, 0, 'h', 'i', 0, 0, 0, 0, 0, 0}
			}
		}
		c.records[late].Time++
		file, index := write(t, c, 1, Extras{Interfaces: c.interfaces})
		sameContent(t, packets(t, file, index, everyBlock(index)), c.records)
	}
}

// TestExtras: what a capture holds beside packets comes back.
func TestExtras(t *testing.T) {
	c := traffic(1, 100)
	file, x := write(t, c, 1, Extras{Names: names, Comments: []string{"a note"}})
	f := &File{Index: x, Fetch: inMemory(file)}
	src, err := f.Source(t.Context(), x.Select(Selection{Extras: true, Partition: func(int) bool { return false }}))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if list, err := drain(src); len(list) > 0 || err != nil {
		t.Errorf("%d packets, %v", len(list), err)
	}
	if !reflect.DeepEqual(src.Names(), names) || !slices.Contains(src.Comments(), "a note") || !reflect.DeepEqual(src.Interfaces(), c.interfaces) {
		t.Errorf("names %v, comments %v, interfaces %+v", src.Names(), src.Comments(), src.Interfaces())
	}
}

// TestOtherPrograms: the file is one that zstd unpacks and tshark reads.
func TestOtherPrograms(t *testing.T) {
	for _, tool := range []string{"zstd", "tshark"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	c := traffic(2, 20_000)
	file, _ := write(t, c, 2, Extras{Names: names})
	packed, plain := filepath.Join(t.TempDir(), "x.pcapng.zst"), filepath.Join(t.TempDir(), "x.pcapng")
	if err := os.WriteFile(packed, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("zstd", "-qd", packed, "-o", plain).CombinedOutput(); err != nil {
		t.Fatalf("zstd: %v: %s", err, out)
	}
	cmd := exec.Command("tshark", "-n", "-r", plain, "-T", "fields", "-e", "frame.number")
	var talk strings.Builder
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v: %s", err, talk.String())
	}
	if n := bytes.Count(out, []byte("\n")); n != len(c.records) {
		t.Errorf("tshark reads %d packets of %d", n, len(c.records))
	}
	for line := range strings.Lines(talk.String()) {
		if !strings.Contains(line, "Running as user") {
			t.Errorf("tshark says: %s", line)
		}
	}
}

// TestOrder: the packets of each partition come in order of time as far as the capture
// has them so, and of all partitions together.
func TestOrder(t *testing.T) {
	c := &capture{interfaces: []packet.Interface{{Link: 101}}}
	for i := range 5000 {
		c.add(int64(i+1)*1000, 0, udp4(fmt.Sprintf("10.0.0.%d", i%50), fmt.Sprintf("10.0.1.%d", i%70), 1, 2, make([]byte, 100)))
	}
	file, x := write(t, c, 2, Extras{})
	got := packets(t, file, x, everyBlock(x))
	if !slices.IsSortedFunc(got, func(a, b packet.Record) int { return int(a.Time - b.Time) }) {
		t.Error("packets are not in order of time")
	}
	sameContent(t, got, c.records)
}

// TestPartitions: what two addresses say to each other is in one partition, fragments and
// tunnels too.
func TestPartitions(t *testing.T) {
	all := partitionsOf(t, 0)
	few, one := partitionsOf(t, fewBytes), partitionsOf(t, oneBytes)
	if more := partitionsOf(t, oneBytes+1); !reflect.DeepEqual(more, few) {
		t.Error("more than very little has partitions of its own")
	}
	if n := partitionsOf(t, fewBytes+1); !reflect.DeepEqual(n, all) {
		t.Error("more than little has partitions of its own")
	}
	parts := make(map[int]bool)
	for pair, p := range all {
		if at := (&Index{Groups: fewGroups}).Part(p); at != few[pair] {
			t.Fatalf("%v are in partition %d of a file of little, and %d of another is part of %d", pair, few[pair], p, at)
		}
		if at := (&Index{Groups: oneGroup}).Part(p); at != one[pair] || at != (&Index{Groups: oneGroup}).Part(few[pair]) || at%otherPartition != 0 {
			t.Fatalf("%v are in partition %d of a file of very little, and %d of another is part of %d", pair, one[pair], p, at)
		}
		if at := (&Index{Groups: groups}).Part(p); at != p {
			t.Fatalf("partition %d is part of %d with as many groups", p, at)
		}
		parts[few[pair]] = true
	}
	if len(all) < 1000 || len(parts) != fewGroups*(fewGroups+1)/2 {
		t.Errorf("%d pairs of addresses are in %d partitions of a file of little", len(all), len(parts))
	}
}

// partitionsOf returns where each pair of addresses is in a file that is told how much comes.
func partitionsOf(t *testing.T, expected int64) map[[2]packet.Addr]int {
	t.Helper()
	c := traffic(3, 5000)
	c.expected = expected
	big := make([]byte, 4000)
	whole := udp4("10.0.0.1", "10.0.0.2", 7, 8, big)[20:]
	c.add(1_800_000_000_000_000_000, 0, ip4("10.0.0.1", "10.0.0.2", 17, 0x2000, whole[:1480]))
	c.add(1_800_000_000_000_000_001, 0, ip4("10.0.0.1", "10.0.0.2", 17, 185, whole[1480:]))
	// a tunnel that is fragmented: its pieces belong with what is inside
	inside := udp4("10.0.2.1", "10.0.2.2", 9, 10, big)
	tunnel := udp4("192.168.0.1", "192.168.0.2", 5000, 4790, append([]byte{0x0c, 0, 0, 1, 0, 0, 7, 0}, inside...))[20:]
	c.add(1_800_000_000_000_000_002, 0, ip4("192.168.0.1", "192.168.0.2", 17, 0x2000, tunnel[:1480]))
	c.add(1_800_000_000_000_000_003, 0, ip4("192.168.0.1", "192.168.0.2", 17, 185, tunnel[1480:]))
	file, x := write(t, c, 1, Extras{})

	home := make(map[[2]packet.Addr]int)
	seen := 0
	for part := range Partitions {
		list := packets(t, file, x, x.Select(Selection{Partition: func(p int) bool { return p == part }}))
		dec := packet.NewDecoder()
		for i := range list {
			var p packet.Packet
			dec.Decode(&list[i], &p)
			if seen++; p.Kind != packet.Transport {
				if p.Kind == packet.Other && part != otherPartition {
					t.Errorf("what is no IP packet is in partition %d", part)
				}
				continue
			}
			k := [2]packet.Addr{p.Src, p.Dst}
			if bytes.Compare(k[0][:], k[1][:]) > 0 {
				k[0], k[1] = k[1], k[0]
			}
			if at, ok := home[k]; ok && at != part {
				t.Fatalf("%v and %v are in partitions %d and %d", k[0], k[1], at, part)
			}
			home[k] = part
		}
		if n := dec.Stats().Evicted; n > 0 {
			t.Errorf("partition %d has %d fragments without the others", part, n)
		}
	}
	if seen != len(c.records) {
		t.Errorf("%d packets in all partitions, of %d", seen, len(c.records))
	}
	return home
}

// TestSelect: whatever is asked for, the blocks that are left out have none of it.
func TestSelect(t *testing.T) {
	c := traffic(4, 12_000)
	file, x := write(t, c, 2, Extras{})
	all := packets(t, file, x, everyBlock(x))
	rng := rand.New(rand.NewPCG(5, 5))
	fewer := 0
	for range 100 {
		s, match := question(rng, c, x)
		blocks := x.Select(s)
		if len(blocks) < len(x.Blocks) {
			fewer++
		}
		want := 0
		for i := range all {
			if match(&all[i]) {
				want++
			}
		}
		got := 0
		for _, r := range packets(t, file, x, blocks) {
			if match(&r) {
				got++
			}
		}
		if got != want {
			t.Fatalf("%+v: %d packets of %d", s, got, want)
		}
	}
	if fewer < 50 {
		t.Errorf("only %d of 100 questions left a block out", fewer)
	}
}

// question is a random selection, and what it asks for.
func question(rng *rand.Rand, c *capture, x *Index) (s Selection, match func(*packet.Record) bool) {
	var conditions []func(*packet.Record, *packet.Packet) bool
	if rng.IntN(2) == 0 {
		s.From = c.records[rng.IntN(len(c.records))].Time
		s.To = s.From + rng.Int64N(500_000_000)
		conditions = append(conditions, func(r *packet.Record, _ *packet.Packet) bool { return r.Time >= s.From && r.Time <= s.To })
	}
	for range rng.IntN(3) {
		want := x.addrs[rng.IntN(len(x.addrs))]
		s.Addrs = append(s.Addrs, func(a packet.Addr) bool { return a == want })
		conditions = append(conditions, func(_ *packet.Record, p *packet.Packet) bool {
			return p.Src == want || p.Dst == want || p.Tunnel.Src == want || p.Tunnel.Dst == want
		})
	}
	if rng.IntN(3) == 0 {
		port := uint16(rng.IntN(700))
		s.Ports = append(s.Ports, []uint16{port, 1})
		conditions = append(conditions, func(_ *packet.Record, p *packet.Packet) bool {
			return p.SrcPort == port || p.DstPort == port || p.SrcPort == 1 || p.DstPort == 1
		})
	}
	if rng.IntN(4) == 0 {
		s.Numbers = []uint64{rng.Uint64N(x.Packets()) + 1, x.Packets() + 9}
		conditions = append(conditions, func(r *packet.Record, _ *packet.Packet) bool { return r.Number == s.Numbers[0] })
	}
	dec := packet.NewDecoder()
	return s, func(r *packet.Record) bool {
		var p packet.Packet
		dec.Decode(r, &p)
		for _, f := range conditions {
			if !f(r, &p) {
				return false
			}
		}
		return true
	}
}

// TestDamage: a block that is not what the index says is damage, and gives no packets; all
// others do.
func TestDamage(t *testing.T) {
	c := traffic(6, 3000)
	file, x := write(t, c, 1, Extras{})
	all := packets(t, file, x, everyBlock(x))
	rng := rand.New(rand.NewPCG(6, 6))
	for range 200 {
		bad := bytes.Clone(file)
		place := rng.IntN(len(bad))
		bad[place] ^= 1 << rng.IntN(8)
		f := &File{Name: "bad", Index: x, Fetch: inMemory(bad)}
		src, err := f.Source(t.Context(), everyBlock(x))
		if err != nil {
			t.Fatal(err)
		}
		got, err := drain(src)
		if d := src.Damage(); err != nil || len(d) != 1 || int64(place) < d[0].Offset || int64(place) >= d[0].Offset+d[0].Lost {
			t.Fatalf("a changed bit at %d gives %v, %v", place, d, err)
		}
		var want []packet.Record
		lost := x.Blocks[slices.IndexFunc(x.Blocks, func(b Block) bool { return b.Offset == src.Damage()[0].Offset })]
		for _, r := range all {
			if r.Number <= lost.Before || r.Number > lost.Before+uint64(lost.Packets) {
				want = append(want, r)
			}
		}
		sameContent(t, got, want)
		if err := src.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHostileBlocks: an index that lies about sound bytes is damage or an error, within bounds.
func TestHostileBlocks(t *testing.T) {
	c := traffic(7, 200)
	file, x := write(t, c, 1, Extras{})
	bomb := pack(t, make([]byte, 12*maxRaw))
	for name, change := range map[string]func(b *Block) []byte{
		"a bomb":                  func(*Block) []byte { return bomb },
		"no pcapng":               func(*Block) []byte { return pack(t, make([]byte, 100)) },
		"no zstd":                 func(*Block) []byte { return make([]byte, 100) },
		"another size":            func(b *Block) []byte { b.Raw++; return nil },
		"more packets":            func(b *Block) []byte { b.Packets++; return nil },
		"fewer packets":           func(b *Block) []byte { b.Packets--; return nil },
		"an interface too few":    func(b *Block) []byte { b.Interfaces = nil; return nil },
		"beyond the file":         func(b *Block) []byte { b.Offset += int64(len(file)); return nil },
		"packed longer than file": func(b *Block) []byte { b.Packed = len(file) + 1; return nil },
	} {
		y := *x
		y.Blocks = slices.Clone(x.Blocks)[:1]
		b := &y.Blocks[0]
		b.Before = 0
		data := file
		if bad := change(b); bad != nil {
			data, b.Offset, b.Packed, b.Sum = bad, 0, len(bad), sumOf(bad)
		}
		f := &File{Name: "bad", Index: &y, Fetch: inMemory(data)}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		src, err := f.Source(t.Context(), []int{0})
		if err != nil {
			t.Fatal(err)
		}
		list, err := drain(src)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 3*maxRaw {
			t.Errorf("%s: %d MiB were allocated", name, took>>20)
		}
		if err == nil && len(src.Damage()) == 0 || len(list) > len(c.records) {
			t.Errorf("%s: no error, and %d packets", name, len(list))
		}
		if err := src.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func pack(t *testing.T, b []byte) []byte {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return z.EncodeAll(b, nil)
}

// failing is a file that takes some bytes.
type failing struct{ left int }

var errFull = errors.New("no room")

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// TestWriteFails: the first error of the file is the Writer's, which then ends.
func TestWriteFails(t *testing.T) {
	c := traffic(8, 30_000)
	w, err := NewWriter(t.Context(), &failing{100_000}, Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.records {
		if err = w.Write(&c.records[i], c.interfaces); err != nil {
			break
		}
	}
	x, end := w.Close(Extras{})
	if x != nil || !errors.Is(errors.Join(err, end), errFull) {
		t.Errorf("%v, %v, %v", x, err, end)
	}
}

// TestCancelled: when the context ends, writing and reading do.
func TestCancelled(t *testing.T) {
	c := traffic(9, 2000)
	ctx, cancel := context.WithCancel(t.Context())
	w, err := NewWriter(ctx, new(bytes.Buffer), Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.records {
		if err := w.Write(&c.records[i], c.interfaces); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if x, err := w.Close(Extras{}); x != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("writing ends with %v", err)
	}
	file, x := write(t, c, 1, Extras{})
	f := &File{Index: x, Fetch: inMemory(file)}
	src, err := f.Source(ctx, everyBlock(x))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if _, err := drain(src); !errors.Is(err, context.Canceled) {
		t.Errorf("reading ends with %v", err)
	}
}

// TestManyAddresses: blocks with more addresses, or ports, than the index names.
func TestManyAddresses(t *testing.T) {
	c := &capture{interfaces: []packet.Interface{{Link: 101}}}
	for i := range 150_000 {
		c.add(int64(i), 0, udp4(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), "192.168.0.1", uint16(i), 53, nil))
	}
	file, x := write(t, c, 2, Extras{})
	if !slices.ContainsFunc(x.Blocks, func(b Block) bool { return b.anyAddr }) {
		t.Error("no block has any address")
	}
	want := packet.AddrFrom4([]byte{10, 1, 2, 3})
	found := 0
	for _, r := range packets(t, file, x, x.Select(Selection{Addrs: []func(packet.Addr) bool{func(a packet.Addr) bool { return a == want }}, Ports: [][]uint16{{2<<8 | 3}}})) {
		if bytes.Equal(r.Data[12:16], want[12:]) {
			found++
		}
	}
	if found != 1 {
		t.Errorf("%d packets, not 1", found)
	}
}

// FuzzIndex: an index from anywhere is refused or one that can be asked and written.
func FuzzIndex(f *testing.F) {
	_, x := write(f, traffic(10, 300), 1, Extras{Names: names})
	told := &Index{Groups: groups, Interfaces: []packet.Interface{{Link: 1, Name: "eth0", Options: "\x01\x00\x04\x00text"}}}
	for _, data := range [][]byte{{}, []byte(magic), must(f, x), must(f, new(Index)), must(f, told)} {
		f.Add(unpacked(data))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := &indexReader{b: body}
		x := r.index()
		if r.err != "" || len(r.b) > 0 {
			return
		}
		x.Select(Selection{From: 1, To: 2, Addrs: []func(packet.Addr) bool{packet.Addr.Is4}, Ports: [][]uint16{{53}}, Numbers: []uint64{1}})
		y, err := ParseIndex(must(t, x))
		if err != nil || !reflect.DeepEqual(x, y) {
			t.Fatalf("it is not read as it was written: %v\n%+v\n%+v", err, x, y)
		}
	})
}

func must(t testing.TB, x *Index) []byte {
	data, err := x.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// unpacked is the body of an index; nil when it has none.
func unpacked(data []byte) []byte {
	z, err := zstd.NewReader(nil)
	if err != nil || len(data) < len(magic) {
		return nil
	}
	defer z.Close()
	body, err := z.DecodeAll(data[len(magic):], nil)
	if err != nil {
		return nil
	}
	return body
}
