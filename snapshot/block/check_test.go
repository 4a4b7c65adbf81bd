package block

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// checkAll checks blocks as a stream, and by ranges, which must find the same.
func checkAll(t *testing.T, file []byte, x *Index) Found {
	t.Helper()
	c := x.Checker(3)
	at := 0
	var all []int
	for i := range x.Blocks {
		b := c.Buffer(x.Blocks[i].Packed)
		copy(b, file[at:])
		at += len(b)
		c.Add(i, b)
		all = append(all, i)
	}
	found := c.Close()
	f := &File{Name: "test", Index: x, Fetch: inMemory(file)}
	read := 0
	again, err := f.Check(t.Context(), all, 2, func(n int) { read += n })
	if err != nil || read != at || (again.Fault == nil) != (found.Fault == nil) || found.Fault != nil && *found.Fault != *again.Fault {
		t.Errorf("a stream gives %+v, ranges %+v, %v", found, again, err)
	}
	return found
}

// fragmented is traffic with datagrams in pieces, in tunnels or not, whole or not.
func fragmented() *capture {
	c := traffic(11, 3000)
	whole := udp4("10.0.0.1", "10.0.0.2", 7, 8, make([]byte, 4000))[20:]
	tunnel := udp4("192.168.0.1", "192.168.0.2", 5000, 4790, append([]byte{0x0c, 0, 0, 1, 0, 0, 7, 0}, udp4("10.0.2.1", "10.0.2.2", 9, 10, make([]byte, 4000))...))[20:]
	t := c.records[len(c.records)-1].Time
	for _, src := range []string{"192.168.0.1", "192.168.0.7"} { // of the second the rest is missing
		for _, payload := range [][]byte{whole, tunnel} {
			t += 1000
			c.add(t, 0, ip4(src, "192.168.0.2", 17, 0x2000, payload[:1480]))
			if src == "192.168.0.1" {
				c.add(t+1, 0, ip4(src, "192.168.0.2", 17, 185, payload[1480:]))
			}
		}
	}
	return c
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]*capture{"none": {}, "one": traffic(1, 1), "many": traffic(2, 20_000), "fragments": fragmented()} {
		file, x := write(t, c, 1, Extras{Names: names})
		found := checkAll(t, file, x)
		want := Found{Packets: uint64(len(c.records))}
		if len(c.records) > 0 {
			want.First, want.Last, want.Interfaces = c.records[0].Time, c.records[0].Time, make([]uint64, len(c.interfaces))
		}
		for _, r := range c.records {
			want.Bytes += uint64(r.OrigLen)
			want.First, want.Last = min(want.First, r.Time), max(want.Last, r.Time)
			want.Interfaces[r.Interface]++
			if int(r.OrigLen) > len(r.Data) {
				want.Cut++
			}
		}
		if !reflect.DeepEqual(found, want) {
			t.Errorf("%s: %+v, fault %v", name, found, found.Fault)
		}
	}
}

// TestCheckLies: an index that says too little of any block is found out, and one that says
// too much is not.
func TestCheckLies(t *testing.T) {
	c := fragmented()
	file, sound := write(t, c, 1, Extras{Names: names})
	for name, lie := range map[string]struct {
		change func(b *Block) bool // false: there is nothing to change in this block
		reason string              // empty: it says too much
	}{
		"an address less": {func(b *Block) bool { return len(b.addrs) > 0 && less(&b.addrs) }, "an address"},
		"another address": {func(b *Block) bool { return len(b.addrs) > 0 && b.addrs[0] > 0 && set(&b.addrs[0], 0) }, "an address"},
		"a port less":     {func(b *Block) bool { return len(b.ports) > 0 && less(&b.ports) }, "a port"},
		"a filter less": {func(b *Block) bool {
			return b.filter != nil && b.Partition != otherPartition && set(&b.filter, make([]byte, filterSize))
		}, "a "},
		"tunnels not told":   {func(b *Block) bool { return b.everyPort() && b.Partition != otherPartition && oneBit(b) }, "a "},
		"another partition":  {func(b *Block) bool { return b.Packets > 0 && set(&b.Partition, (b.Partition+1)%Partitions) }, "a partition"},
		"a nanosecond early": {func(b *Block) bool { return b.Packets > 0 && set(&b.Last, b.Last-1) }, "a time"},
		"a nanosecond late":  {func(b *Block) bool { return b.Packets > 0 && set(&b.First, b.First+1) }, "a time"},
		"a packet less":      {func(b *Block) bool { return b.Packets > 0 && set(&b.Packets, b.Packets-1) }, "packets"},
		"another interface":  {func(b *Block) bool { return b.Packets > 0 && set(&b.Interfaces[0], (b.Interfaces[0]+1)%3) }, "interfaces"},
		"no interface":       {func(b *Block) bool { return b.Packets > 0 && set(&b.Interfaces, nil) }, "interfaces"},
		"names not told":     {func(b *Block) bool { return b.Extras && set(&b.Extras, false) }, "names"},
		"another sum":        {func(b *Block) bool { b.Sum[15]++; return true }, "sum"},
		"another size":       {func(b *Block) bool { b.Raw--; return true }, "unpacked"},
		"any address":        {func(b *Block) bool { return set(&b.anyAddr, true) }, ""},
		"any port":           {func(b *Block) bool { return set(&b.filter, bytes.Repeat([]byte{0xff}, filterSize)) }, ""},
		"an hour around":     {func(b *Block) bool { b.First, b.Last = b.First-3600e9, b.Last+3600e9; return true }, ""},
		"extras everywhere":  {func(b *Block) bool { return set(&b.Extras, true) }, ""},
	} {
		found, lies := 0, 0
		for i := range sound.Blocks {
			x := *sound
			x.Blocks = slices.Clone(x.Blocks)
			b := &x.Blocks[i]
			b.addrs, b.ports, b.Interfaces = slices.Clone(b.addrs), slices.Clone(b.ports), slices.Clone(b.Interfaces)
			if !lie.change(b) {
				continue
			}
			lies++
			f := &File{Name: "test", Index: &x, Fetch: inMemory(file)}
			all, err := f.Check(t.Context(), []int{i}, 1, nil)
			switch fault := all.Fault; {
			case err != nil:
				t.Fatal(err)
			case fault == nil:
			case lie.reason == "" || fault.Block != i || !strings.Contains(fault.Reason, lie.reason):
				t.Errorf("%s of block %d: %v", name, i, fault)
			default:
				found++
			}
		}
		if lies == 0 || lie.reason != "" && found != lies {
			t.Errorf("%s: %d of %d were found", name, found, lies)
		}
	}
}

func set[T any](p *T, v T) bool {
	*p = v
	return true
}

func less[T any](list *[]T) bool { return set(list, (*list)[1:]) }

// oneBit clears a bit of a filter.
func oneBit(b *Block) bool {
	b.filter = slices.Clone(b.filter)
	b.filter[99] &^= 4
	return true
}

// TestCheckHostile: bombs and nonsense with the right sums are faults.
func TestCheckHostile(t *testing.T) {
	for name, raw := range map[string][]byte{"a bomb": make([]byte, 3*maxRaw), "no pcapng": make([]byte, 100), "nothing": {}} {
		packed := pack(t, raw)
		x := &Index{Blocks: []Block{{Packed: len(packed), Raw: len(raw), Sum: sumOf(packed)}}}
		if found := checkAll(t, packed, x); found.Fault == nil {
			t.Errorf("%s: no fault", name)
		}
	}
}

// TestCheckUnread: what cannot be read is an error, not a fault.
func TestCheckUnread(t *testing.T) {
	file, x := write(t, traffic(12, 500), 1, Extras{})
	all := everyBlock(x)
	broken := errors.New("broken")
	f := &File{Index: x, Fetch: func(context.Context, int64, int64) (io.ReadCloser, error) { return nil, broken }}
	if _, err := f.Check(t.Context(), all, 2, nil); !errors.Is(err, broken) {
		t.Errorf("a broken file: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.Fetch = func(ctx context.Context, from, n int64) (io.ReadCloser, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return inMemory(file)(ctx, from, n)
	}
	if _, err := f.Check(ctx, all, 2, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}
