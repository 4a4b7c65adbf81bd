package block

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/klauspost/compress/zstd"

	"shark/packet"
)

// magic is what an index begins with; its last byte is the version.
const magic = "sharkbx\x01"

// ErrFormat says that an index, or a block, is not what it should be.
var ErrFormat = errors.New("not sound")

// Sum is the first half of the SHA-256 of a block as it is packed.
type Sum [16]byte

func sumOf(packed []byte) Sum {
	full := sha256.Sum256(packed)
	return Sum(full[:16])
}

// Block is what the index says of one block.
type Block struct {
	Offset      int64 // of its first byte in the file
	Packed, Raw int   // its size in bytes, packed and unpacked
	Sum         Sum
	Partition   int
	Packets     int
	Before      uint64 // packets in the blocks before it: its own have the numbers from Before+1 on
	First, Last int64  // earliest and latest time of a packet, ns since 1970; without packets the latest before
	Extras      bool   // it holds no packets: statistics, names, sections, what else stood beside them
	Interfaces  []uint32
	addrs       []uint32 // of its packets, as indexes into the table, ascending
	anyAddr     bool     // it may have any address
	ports       []uint16 // ascending
	filter      []byte   // of ports, where those are too many; else nil
}

// Index is what is known of a file of blocks without reading it. It does not change
// once made and may be used by several goroutines.
type Index struct {
	Groups     int                // of addresses, by which packets have their partitions
	Interfaces []packet.Interface // of the node
	Blocks     []Block            // in the order of the file
	addrs      []packet.Addr      // of all blocks, ascending, IPv4 before IPv6
}

// Packets returns how many packets the file has.
func (x *Index) Packets() uint64 {
	if len(x.Blocks) == 0 {
		return 0
	}
	last := &x.Blocks[len(x.Blocks)-1]
	return last.Before + uint64(last.Packets)
}

// Size returns the size of the file in bytes.
func (x *Index) Size() int64 {
	if len(x.Blocks) == 0 {
		return 0
	}
	last := &x.Blocks[len(x.Blocks)-1]
	return last.Offset + int64(last.Packed)
}

// leastInterface is how many bytes an index has of each interface at least.
const leastInterface = 9

// leastBlock is how many bytes an index has of each block at least.
const leastBlock = 1 + 4 + 1 + 1 + len(Sum{}) + 1 + 1

const (
	flagExtras = 1 << iota
	flagAnyAddr
	flagFilter
)

// Encode returns the index as it is stored.
func (x *Index) Encode() ([]byte, error) {
	b := binary.AppendUvarint(nil, uint64(x.Groups))
	b = binary.AppendUvarint(b, uint64(len(x.Interfaces)))
	described := 0
	for i := range x.Interfaces {
		b = appendInterface(b, &x.Interfaces[i])
		described += Described(&x.Interfaces[i])
	}
	if described > maxDescribed {
		return nil, fmt.Errorf("%d interfaces say %d bytes of themselves, more than %d", len(x.Interfaces), described, maxDescribed)
	}
	v4, _ := slices.BinarySearchFunc(x.addrs, true, func(a packet.Addr, _ bool) int {
		if a.Is4() {
			return -1
		}
		return 1
	})
	b = binary.AppendUvarint(b, uint64(v4))
	for _, a := range x.addrs[:v4] {
		b = append(b, a[12:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(x.addrs)-v4))
	for _, a := range x.addrs[v4:] {
		b = append(b, a[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(x.Blocks)))
	before := int64(0)
	for i := range x.Blocks {
		b = appendBlock(b, &x.Blocks[i], before)
		before = x.Blocks[i].First
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	out := z.EncodeAll(b, []byte(magic))
	if most := unpackedMost(len(out)); len(b) > most || len(x.Blocks) > maxBlocks {
		return nil, errors.Join(fmt.Errorf("the index has %d bytes of %d blocks, more than %d or %d", len(b), len(x.Blocks), most, maxBlocks), z.Close())
	}
	return out, z.Close()
}

// unpackedMost is how many bytes an index of so many may have when it is unpacked.
func unpackedMost(packed int) int { return min(maxRatio*packed+maxSmall, maxIndexed) }

// Described is how many bytes an interface says of itself, of which those of a file have limits
// in all.
func Described(f *packet.Interface) int {
	return len(f.Name) + len(f.Description) + len(f.Filter) + len(f.OS) + len(f.Options)
}

func appendInterface(b []byte, f *packet.Interface) []byte {
	b = binary.AppendUvarint(b, uint64(f.Link))
	b = binary.AppendUvarint(b, uint64(f.SnapLen))
	for _, s := range []string{f.Name, f.Description, f.Filter, f.OS, f.Options} {
		s = s[:min(len(s), maxName)]
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	for _, n := range []*uint64{f.Received, f.Dropped} { // 0: not stated
		switch {
		case n == nil:
			b = append(b, 0)
		default:
			b = binary.AppendUvarint(append(b, 1), *n)
		}
	}
	return b
}

func appendBlock(b []byte, x *Block, before int64) []byte {
	flags := byte(0)
	if x.Extras {
		flags |= flagExtras
	}
	if x.anyAddr {
		flags |= flagAnyAddr
	}
	if x.filter != nil {
		flags |= flagFilter
	}
	b = append(b, flags)
	for _, n := range []int{x.Packed, x.Raw, x.Partition, x.Packets} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = binary.AppendVarint(b, x.First-before)
	b = binary.AppendUvarint(b, uint64(x.Last-x.First))
	b = append(b, x.Sum[:]...)
	b = binary.AppendUvarint(b, uint64(len(x.Interfaces)))
	for _, n := range x.Interfaces { // in the order of the section
		b = binary.AppendUvarint(b, uint64(n))
	}
	if !x.anyAddr {
		b = appendAscending(b, x.addrs)
	}
	if x.filter != nil {
		return append(b, x.filter...)
	}
	return appendAscending(b, x.ports)
}

// appendAscending appends numbers, each as how much more it is than the one before.
func appendAscending[T uint16 | uint32](b []byte, list []T) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	before := T(0)
	for _, n := range list {
		b = binary.AppendUvarint(b, uint64(n-before))
		before = n
	}
	return b
}

// ParseIndex reads an index and checks that it is sound in itself.
func ParseIndex(data []byte) (*Index, error) {
	if len(data) < len(magic) || string(data[:len(magic)-1]) != magic[:len(magic)-1] {
		return nil, fmt.Errorf("the block index is %w: it does not begin as one", ErrFormat)
	}
	if v := data[len(magic)-1]; v != magic[len(magic)-1] {
		return nil, fmt.Errorf("the block index has version %d, and this program reads %d: %w", v, magic[len(magic)-1], errors.ErrUnsupported)
	}
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(unpackedMost(len(data)))))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	body, err := z.DecodeAll(data[len(magic):], nil)
	if err != nil {
		return nil, fmt.Errorf("the block index is %w: %w", ErrFormat, err)
	}
	r := &indexReader{b: body}
	x := r.index()
	if r.err == "" && len(r.b) > 0 {
		r.fail("there is more behind its end")
	}
	if r.err != "" {
		return nil, fmt.Errorf("the block index is %w: %s", ErrFormat, r.err)
	}
	return x, nil
}

// indexReader reads the parts of an index. After an error it reads zeros.
type indexReader struct {
	b     []byte
	err   string
	named int // interfaces, addresses and ports of blocks

	described int // bytes of what interfaces say
}

func (r *indexReader) fail(format string, args ...any) {
	if r.err == "" {
		r.err = fmt.Sprintf(format, args...)
	}
	r.b = nil
}

// number reads one of at most limit.
func (r *indexReader) number(what string, limit uint64) uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > limit {
		r.fail("%s is missing or too large", what)
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *indexReader) bytes(what string, n int) []byte {
	if n > len(r.b) {
		r.fail("%s is cut off", what)
		return make([]byte, min(n, filterSize))
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// count reads how many of something follow, of which each takes some bytes.
func (r *indexReader) count(what string, limit uint64, each int) int {
	n := r.number("the number of "+what, limit)
	if n > uint64(len(r.b)/each) {
		r.fail("there are fewer %s than it says", what)
		return 0
	}
	return int(n)
}

func (r *indexReader) index() *Index {
	x := &Index{Groups: int(r.number("the number of groups", groups))}
	if x.Groups != groups && x.Groups != fewGroups && x.Groups != oneGroup {
		r.fail("it has %d groups of addresses, not %d, %d or %d", x.Groups, groups, fewGroups, oneGroup)
	}
	for range r.count("interfaces", maxInterfaces, leastInterface) {
		x.Interfaces = append(x.Interfaces, packet.Interface{})
		r.iface(&x.Interfaces[len(x.Interfaces)-1])
	}
	for range r.count("IPv4 addresses", maxAddrs, 4) {
		x.addrs = append(x.addrs, packet.AddrFrom4(r.bytes("an address", 4)))
	}
	for range r.count("IPv6 addresses", maxAddrs, 16) {
		x.addrs = append(x.addrs, packet.Addr(r.bytes("an address", 16)))
	}
	if !slices.IsSortedFunc(x.addrs, compareAddrs) {
		r.fail("its addresses are not in order")
	}
	for i := range r.count("blocks", maxBlocks, leastBlock) {
		var b Block
		if i > 0 {
			p := &x.Blocks[i-1]
			b.Offset, b.Before, b.First = p.Offset+int64(p.Packed), p.Before+uint64(p.Packets), p.First
		}
		r.block(&b, x)
		x.Blocks = append(x.Blocks, b)
		if r.named += len(b.Interfaces) + len(b.addrs) + len(b.ports); r.named > maxNamed {
			r.fail("its blocks name more than %d interfaces, addresses and ports", maxNamed)
		}
		if r.err != "" {
			break
		}
	}
	return x
}

func (r *indexReader) iface(f *packet.Interface) {
	f.Link = packet.LinkType(r.number("a link type", math.MaxUint16))
	f.SnapLen = uint32(r.number("a snap length", math.MaxUint32))
	for _, s := range []*string{&f.Name, &f.Description, &f.Filter, &f.OS, &f.Options} {
		n := int(r.number("the length of a name", maxName))
		if r.described += n; r.described > maxDescribed {
			r.fail("its interfaces say more than %d bytes", maxDescribed)
			return
		}
		*s = string(r.bytes("a name", n))
	}
	for _, n := range []**uint64{&f.Received, &f.Dropped} {
		if r.number("whether it is stated", 1) == 1 {
			v := r.number("a count of packets", math.MaxUint64)
			*n = &v
		}
	}
}

// block reads a block of x. Its First is that of the one before.
func (r *indexReader) block(b *Block, x *Index) {
	flags := r.bytes("a block", 1)[0]
	if flags&^(flagExtras|flagAnyAddr|flagFilter) != 0 {
		r.fail("block %d has flags that nobody knows", len(x.Blocks))
	}
	b.Extras, b.anyAddr = flags&flagExtras != 0, flags&flagAnyAddr != 0
	b.Packed = int(r.number("the size of a block", maxPacked))
	b.Raw = int(r.number("the unpacked size of a block", maxRaw))
	if b.Partition = int(r.number("the partition of a block", Partitions-1)); b.Partition != x.Part(b.Partition) {
		r.fail("block %d is of a partition that there is not with %d groups", len(x.Blocks), x.Groups)
	}
	b.Packets = int(r.number("the packets of a block", maxRaw))
	first, size := binary.Varint(r.b)
	if r.b = r.b[max(size, 0):]; size <= 0 {
		r.fail("the time of a block is cut off")
	}
	if b.First += first; b.First < 0 {
		r.fail("the time of a block is before 1970")
	}
	b.Last = b.First + int64(r.number("the duration of a block", uint64(math.MaxInt64-max(b.First, 0))))
	b.Sum = Sum(r.bytes("the sum of a block", len(Sum{})))
	for range r.count("interfaces of a block", uint64(len(x.Interfaces)), 1) {
		b.Interfaces = append(b.Interfaces, uint32(r.number("an interface of a block", uint64(len(x.Interfaces)-1))))
	}
	if !b.anyAddr {
		b.addrs = ascending[uint32](r, "addresses of a block", len(x.addrs))
	}
	if flags&flagFilter != 0 {
		b.filter = r.bytes("the ports of a block", filterSize)
	} else {
		b.ports = ascending[uint16](r, "ports of a block", math.MaxUint16+1)
	}
	if b.Packed == 0 || b.Raw == 0 {
		r.fail("a block has no bytes")
	}
}

// ascending reads what appendAscending wrote: numbers below limit.
func ascending[T uint16 | uint32](r *indexReader, what string, limit int) []T {
	n := r.count(what, uint64(limit), 1)
	if n == 0 {
		return nil
	}
	list, before := make([]T, 0, n), uint64(0)
	for i := range n {
		d := r.number(what, uint64(limit))
		if before += d; before >= uint64(limit) || d == 0 && i > 0 {
			r.fail("the %s are not in order", what)
			return nil
		}
		list = append(list, T(before))
	}
	return list
}

// compareAddrs orders IPv4 before IPv6, and each by their bytes.
func compareAddrs(a, b packet.Addr) int {
	if a4, b4 := a.Is4(), b.Is4(); a4 != b4 {
		if a4 {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(binary.BigEndian.Uint64(a[:]), binary.BigEndian.Uint64(b[:])),
		cmp.Compare(binary.BigEndian.Uint64(a[8:]), binary.BigEndian.Uint64(b[8:])))
}
