// Package every makes a capture that has every block and option of pcapng, for tests, and lists
// what a capture has, to compare it with what became of it. It shares nothing with the reader
// and the writer that are tested.
package every

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// Start is the time of the first packet, in seconds since 1970.
const Start = 1_700_000_000

// file is a capture being made.
type file struct {
	b     []byte
	order interface {
		binary.ByteOrder
		binary.AppendByteOrder
	}
}

func (f *file) u16(v uint16) []byte { return f.order.AppendUint16(nil, v) }
func (f *file) u64(v uint64) []byte { return f.order.AppendUint64(nil, v) }
func (f *file) u32(v ...uint32) (b []byte) {
	for _, n := range v {
		b = f.order.AppendUint32(b, n)
	}
	return b
}

func pad(b []byte) []byte { return append(slices.Clone(b), make([]byte, -len(b)&3)...) }

func (f *file) block(kind uint32, parts ...[]byte) {
	body := pad(slices.Concat(parts...))
	n := uint32(len(body) + 12)
	f.b = slices.Concat(f.b, f.u32(kind, n), body, f.u32(n))
}

func (f *file) option(code uint16, v ...[]byte) []byte {
	all := slices.Concat(v...)
	return slices.Concat(f.u16(code), f.u16(uint16(len(all))), pad(all))
}

func (f *file) text(code uint16, s string) []byte { return f.option(code, []byte(s)) }

// common are the options that every block may have.
func (f *file) common(what string) []byte {
	return slices.Concat(
		f.text(1, "first comment on "+what), f.text(1, "second comment on "+what),
		f.option(2988, f.u32(32473), []byte("custom text")), f.option(2989, f.u32(32473), []byte{1, 2, 3}),
		f.option(19372, f.u32(32473), []byte("private text")), f.option(19373, f.u32(32473), []byte{4, 5}))
}

func (f *file) section(parts ...[]byte) {
	f.block(0x0a0d0d0a, slices.Concat(f.u32(0x1a2b3c4d), f.u16(1), f.u16(0), f.u64(1<<64-1)), slices.Concat(parts...), f.u32(0))
}

// when is a time of so many microseconds behind Start, as blocks have it.
func (f *file) when(micro uint64) []byte {
	t := Start*1e6 + micro
	return f.u32(uint32(t>>32), uint32(t))
}

// Private, Unknown and Sections are how many options and blocks must not be copied, how many are
// of unknown types, and how many sections there are in a File.
const (
	Private  = 2*8 + 1 // of two sections, an interface, a packet, names, statistics and two secrets; a block
	Unknown  = 4       // of an interface, of a packet, of statistics; a block
	Sections = 2
)

// File returns a capture in either byte order.
func File(big bool) []byte {
	f := &file{order: binary.LittleEndian}
	if big {
		f.order = binary.BigEndian
	}
	f.section(f.text(2, "a machine"), f.text(3, "an OS"), f.text(4, "a program"), f.common("section 0"))
	f.interfaces()
	f.beside()
	f.packets()
	f.block(5, f.u32(0), f.when(9), f.option(2, f.when(1)), f.option(3, f.when(8)), f.option(4, f.u64(100)), f.option(5, f.u64(7)),
		f.option(6, f.u64(90)), f.option(7, f.u64(3)), f.option(8, f.u64(80)), f.option(99, []byte("unknown")), f.common("statistics"), f.u32(0))
	f.section(f.text(2, "another machine"), f.text(4, "another program"), f.common("section 1"))
	f.block(1, f.u16(1), f.u16(0), f.u32(0))
	f.block(3, f.u32(60), Frame(9)) // simple packet
	f.block(9, []byte("__REALTIME_TIMESTAMP=1700000001000000\nMESSAGE=later\n"))
	f.block(0xbad, f.u32(32473), []byte("custom block of section 1"))
	return f.b
}

func (f *file) interfaces() {
	bpf := slices.Concat([]byte{1}, f.u16(0x28), []byte{0, 0}, f.u32(12), f.u16(0x15), []byte{1, 2}, f.u32(0x800))
	f.block(1, f.u16(1), f.u16(0), f.u32(65535),
		f.text(2, "eth0"), f.text(3, "the first"), f.option(4, []byte{192, 0, 2, 1, 255, 255, 255, 0}), f.option(4, []byte{192, 0, 2, 2, 255, 255, 255, 0}),
		f.option(5, []byte("\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x40")), f.option(6, []byte{2, 0, 0, 0, 0, 1}),
		f.option(7, []byte{2, 0, 0, 0, 0, 0, 0, 1}), f.option(8, f.u64(1e9)), f.option(9, []byte{6}), f.option(10, f.u32(3600)), f.text(11, "\x00tcp or udp"),
		f.text(12, "its OS"), f.option(13, []byte{4}), f.option(14, f.u64(0)), f.text(15, "a card"), f.option(16, f.u64(2e9)), f.option(17, f.u64(3e9)),
		f.text(18, "Europe/Berlin"), f.option(19, f.u32(0)), f.option(11, bpf), f.option(0x8001, []byte{1, 2, 3, 4}), f.common("interface"), f.u32(0))
	f.block(1, f.u16(1), f.u16(0), f.u32(0), f.text(2, "eth1"), f.option(9, []byte{9}), f.u32(0))
}

// beside writes what describes packets.
func (f *file) beside() {
	f.block(4, f.option(1, []byte("\xc0\x00\x02\x01one.example\x00uno.example\x00")), f.option(2, []byte("\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01six.example\x00")),
		f.option(3, []byte("\x02\x00\x00\x00\x00\x01mac.example\x00")), f.option(4, []byte("\x02\x00\x00\x00\x00\x00\x00\x01eui.example\x00")), f.u32(0),
		f.text(2, "dns.example"), f.option(3, []byte{192, 0, 2, 53}), f.option(4, []byte("\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x35")), f.common("names"), f.u32(0))
	secret := func(kind uint32, data string, more ...[]byte) {
		f.block(10, f.u32(kind, uint32(len(data))), pad([]byte(data)), slices.Concat(more...))
	}
	secret(0x544c534b, "# a key log\n", f.common("TLS"), f.u32(0))
	secret(0x57474b4c, "LOCAL_STATIC_PRIVATE_KEY = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", f.common("WireGuard"), f.u32(0))
	secret(0x5a4e574b, "0123456789abcdefPA")
	secret(0x5a415053, "0123456789abcdefPAlohi")
	secret(0x12345678, "of an unknown kind")
	f.block(9, []byte("__REALTIME_TIMESTAMP=1700000000000000\nMESSAGE=something happened\n"))
	f.block(0xbad, f.u32(32473), []byte("custom block"))
	f.block(0x40000bad, f.u32(32473), []byte("private block"))
	f.block(0x0b16b00b, []byte("of an unknown type"))
}

func (f *file) packets() {
	data := Frame(0)
	f.block(6, f.u32(0), f.when(1), f.u32(60, 64), data, f.option(2, f.u32(0x201)), f.option(3, []byte{2, 0xec, 0x1d, 0x87, 0x97}), f.option(4, f.u64(2)),
		f.option(5, f.u64(77)), f.option(6, f.u32(3)), f.option(7, []byte{2}, f.u64(2)), f.option(7, []byte{0, 9}), f.option(8, f.u32(1234, 5678)),
		f.option(0x9999, []byte("unknown")), f.common("packet"), f.u32(0))
	nanos := uint64(Start*1e9 + 2000)
	f.block(6, f.u32(1, uint32(nanos>>32), uint32(nanos), 60, 60), Frame(1))
	f.block(2, f.u16(0), f.u16(5), f.when(3), f.u32(60, 60), Frame(2), f.option(2, f.u32(1)), f.u32(0)) // the obsolete one
}

// Frame is a packet: UDP of 60 bytes from 192.0.2.1 to 192.0.2.2.
func Frame(n byte) []byte {
	b := []byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x00\x45\x00\x00\x2e\x00\x00\x00\x00\x40\x11\x00\x00\xc0\x00\x02\x01\xc0\x00\x02\x02\x27\x10\x27\x11\x00\x1a\x00\x00")
	return append(b, slices.Repeat([]byte{n}, 60-len(b))...)
}

// Lines lists all that is in a little-endian capture, one line for each block and each option,
// with the hexadecimal of its bytes. What writers say of themselves, that is how they count time
// and ids, is not among it.
func Lines(b []byte) (lines []string, err error) {
	le := binary.LittleEndian
	fixed := map[uint32]int{0x0a0d0d0a: 16, 1: 8, 5: 12, 6: 20}
	for len(b) > 0 {
		if len(b) < 12 || int(le.Uint32(b[4:])) > len(b) || le.Uint32(b[4:]) < 12 {
			return lines, fmt.Errorf("no block %d bytes before the end", len(b))
		}
		kind, n := le.Uint32(b), le.Uint32(b[4:])
		body := b[8 : n-4]
		b = b[n:]
		name := fmt.Sprintf("block %#x", kind)
		at, known := fixed[kind]
		switch {
		case kind == 6:
			size := int(le.Uint32(body[12:]))
			lines = append(lines, fmt.Sprintf("%s %d %x", name, le.Uint32(body[16:]), body[20:20+size]))
			at += (size + 3) &^ 3
		case kind == 10:
			size := int(le.Uint32(body[4:]))
			lines = append(lines, fmt.Sprintf("%s %#x %q", name, le.Uint32(body), body[8:8+size]))
			at, known = 8+(size+3)&^3, true
		case kind == 1:
			lines = append(lines, fmt.Sprintf("%s link %d snap %d", name, le.Uint16(body), le.Uint32(body[4:])))
		case kind == 4:
			var records []string
			records, body = list(name+" record", body)
			lines = append(lines, records...)
			at, known = 0, true
		case !known:
			lines = append(lines, fmt.Sprintf("%s %q", name, strings.TrimRight(string(body), "\x00")))
		}
		if known {
			options, _ := list(name+" option", body[at:])
			lines = append(lines, options...)
		}
	}
	return lines, nil
}

// list lists options or records up to their end, and returns what is behind that.
func list(name string, b []byte) (lines []string, rest []byte) {
	for len(b) >= 4 {
		code, n := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		if code == 0 {
			return lines, b[4:]
		}
		v := b[4 : 4+n]
		b = b[4+(n+3)&^3:]
		if name == "block 0x1 option" && (code == 9 || code == 14 || code == 19) {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s %d %q", name, code, v))
	}
	return lines, b
}

// IsPrivate tells whether a line is of what must not be copied.
func IsPrivate(line string) bool {
	return strings.HasPrefix(line, "block 0x40000bad") || strings.Contains(line, " option 19372 ") || strings.Contains(line, " option 19373 ")
}

// IsUnknown tells whether a line is of what nobody knows.
func IsUnknown(line string) bool {
	return strings.HasPrefix(line, "block 0xb16b00b") || strings.Contains(line, " option 39321 ") ||
		strings.HasPrefix(line, "block 0x1 option 32769 ") || strings.HasPrefix(line, "block 0x5 option 99 ")
}

// Becomes returns the line that there is of a block of packets in a file of Enhanced Packet
// Blocks with times in nanoseconds; it is mostly the same.
func Becomes(line string) string {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(line, "block "), " ")
	switch {
	case kind == "0x3": // "<\x00\x00\x00" and the packet
		return fmt.Sprintf("block 0x6 60 %x", Frame(9))
	case kind == "0x2":
		return fmt.Sprintf("block 0x6 60 %x", Frame(2))
	case kind == "0x5" && (strings.HasPrefix(rest, "option 2 ") || strings.HasPrefix(rest, "option 3 ")):
		t := uint64(Start*1e9 + 1000)
		if strings.HasPrefix(rest, "option 3 ") {
			t += 7000
		}
		v := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, uint32(t>>32)), uint32(t))
		return fmt.Sprintf("block 0x5 %s %q", rest[:len("option 2")], v)
	}
	return line
}

// Sorted returns lines in order, each once.
func Sorted(lines []string) []string {
	lines = slices.Clone(lines)
	slices.Sort(lines)
	return slices.Compact(lines)
}

// Warnings returns what tshark says on its standard error, but for that it runs as root.
func Warnings(text string) (lines []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "Running as user") {
			lines = append(lines, line)
		}
	}
	return lines
}
