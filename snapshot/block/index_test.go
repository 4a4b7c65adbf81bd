package block

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"shark/packet"
)

// TestHostileIndexes: a few bytes do not become gigabytes, and are found out at once.
func TestHostileIndexes(t *testing.T) {
	const many, blocks = 1 << 16, 1000
	one := append([]byte{0, 1, 1, 0, 1, 0, 0}, make([]byte, len(Sum{}))...) // a block up to its interfaces
	all := binary.AppendUvarint(bytes.Clone(one), many)
	for i := range uint64(many) {
		all = binary.AppendUvarint(all, i)
	}
	listings := binary.AppendUvarint([]byte{groups}, many)
	listings = append(listings, make([]byte, leastInterface*many)...) // interfaces that say nothing
	listings = binary.AppendUvarint(append(listings, 0, 0), blocks)
	listings = append(listings, bytes.Repeat(append(all, 0, 0), blocks)...)
	for name, body := range map[string][]byte{"zeros": make([]byte, 256<<20), "listings": listings} {
		z, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		data := z.EncodeAll(body, []byte(magic))
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = ParseIndex(data)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, ErrFormat) || took > 64<<20 {
			t.Errorf("%s: %d bytes take %d bytes of memory, %v", name, len(data), took, err)
		}
	}
	body := append([]byte{groups, 1}, make([]byte, leastInterface)...)
	body = append(append(append(body, 0, 0, 1), one...), 1, 0, 0, 0)
	for named, want := range map[int]string{maxNamed: "name more than", maxNamed - 1: ""} {
		r := indexReader{b: body, named: named}
		if r.index(); !strings.Contains(r.err, want) || want == "" && r.err != "" {
			t.Errorf("one name more than %d: %q", named, r.err)
		}
	}
}

// TestHostileInterfaces: what interfaces say is bounded in all, however it is packed.
func TestHostileInterfaces(t *testing.T) {
	const many = 2 * maxDescribed / maxName
	one := binary.AppendUvarint(make([]byte, 6), maxName) // nothing up to the options
	one = append(append(one, make([]byte, maxName)...), 0, 0)
	body := append(binary.AppendUvarint([]byte{groups}, many), bytes.Repeat(one, many)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := indexReader{b: body}
	r.index()
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; !strings.Contains(r.err, "say more than") || took > maxDescribed+1<<20 {
		t.Errorf("%d bytes take %d bytes of memory, %q", len(body), took, r.err)
	}
	x := Index{Groups: groups, Interfaces: make([]packet.Interface, many)}
	for i := range x.Interfaces {
		x.Interfaces[i].Options = string(make([]byte, maxName))
	}
	if _, err := x.Encode(); err == nil {
		t.Error("it is written all the same")
	}
}
