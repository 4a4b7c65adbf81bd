package object

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

var order = binary.LittleEndian

// The kinds of segments and sections that are looked at.
const (
	segmentLoad = uint32(elf.PT_LOAD)
	segmentNote = uint32(elf.PT_NOTE)
)

// image is an ELF file: where its bytes are when it runs.
type image struct {
	r        io.ReaderAt
	size     uint64
	machine  elf.Machine
	fixed    bool // runs at the addresses it names: its code may have them whole
	segments []segment
	sections []section
	names    []byte // of sections
	left     uint64 // bytes that may yet be read
}

type segment struct {
	kind, flags     uint32
	off, addr, size uint64
}

func (s *segment) load() bool    { return s.kind == segmentLoad }
func (s *segment) code() bool    { return s.load() && s.flags&uint32(elf.PF_X) != 0 }
func (s *segment) written() bool { return s.flags&uint32(elf.PF_W) != 0 }

type section struct {
	name, kind, link uint32
	off, size        uint64
}

const (
	headerSize  = 64
	segmentSize = 56
	sectionSize = 64
	symbolSize  = 24
)

// open reads the headers. Debug/elf is not made for files that mean harm.
func open(r io.ReaderAt, size int64) (*image, error) {
	h := make([]byte, headerSize)
	if n, err := r.ReadAt(h, 0); n < len(h) {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read the header: %w", err)
		}
		return nil, ErrNotELF
	}
	if string(h[:4]) != elf.ELFMAG || elf.Class(h[4]) != elf.ELFCLASS64 || elf.Data(h[5]) != elf.ELFDATA2LSB {
		return nil, ErrNotELF
	}
	m := &image{r: r, size: uint64(size), left: maxPasses*uint64(size) + windowSize, machine: elf.Machine(order.Uint16(h[18:])), fixed: elf.Type(order.Uint16(h[16:])) == elf.ET_EXEC}
	if order.Uint16(h[54:]) != segmentSize {
		return nil, ErrNotELF
	}
	err := m.table(order.Uint64(h[32:]), min(int(order.Uint16(h[56:])), maxSegments), segmentSize, func(b []byte) {
		s := segment{kind: order.Uint32(b), flags: order.Uint32(b[4:]), off: order.Uint64(b[8:]), addr: order.Uint64(b[16:]), size: order.Uint64(b[32:])}
		if m.clip(s.off, &s.size) {
			m.segments = append(m.segments, s)
		}
	})
	if err != nil {
		return nil, err
	}
	if order.Uint16(h[58:]) == sectionSize { // a file runs without sections too
		err = m.table(order.Uint64(h[40:]), min(int(order.Uint16(h[60:])), maxSections), sectionSize, func(b []byte) {
			s := section{name: order.Uint32(b), kind: order.Uint32(b[4:]), off: order.Uint64(b[24:]), size: order.Uint64(b[32:]), link: order.Uint32(b[40:])}
			if s.kind == uint32(elf.SHT_NOBITS) || !m.clip(s.off, &s.size) {
				s.off, s.size = 0, 0
			}
			m.sections = append(m.sections, s)
		})
	}
	if i := int(order.Uint16(h[62:])); err == nil && i < len(m.sections) {
		m.names = make([]byte, min(m.sections[i].size, windowSize))
		if n, _ := r.ReadAt(m.names, int64(m.sections[i].off)); n < len(m.names) {
			m.names = nil
		}
	}
	return m, err
}

// clip cuts a size at the end of the file, and is false for what is not in it at all.
func (m *image) clip(off uint64, size *uint64) bool {
	if off >= m.size {
		return false
	}
	*size = min(*size, m.size-off)
	return true
}

// table gives each of n entries to f.
func (m *image) table(off uint64, n, size int, f func([]byte)) error {
	all := uint64(n * size)
	if n == 0 {
		return nil
	}
	if !m.clip(off, &all) {
		return fmt.Errorf("a table of %d entries lies outside of the file", n)
	}
	b := make([]byte, all)
	if got, err := m.r.ReadAt(b, int64(off)); got < len(b) {
		return fmt.Errorf("read a table: %w", err)
	}
	for ; len(b) >= size; b = b[size:] {
		f(b[:size])
	}
	return nil
}

// section says whether there is a section of this name.
func (m *image) section(name string) bool {
	for _, s := range m.sections {
		if end := int(s.name) + len(name); int64(s.name) < int64(len(m.names)) && end < len(m.names) &&
			string(m.names[s.name:end]) == name && m.names[end] == 0 {
			return true
		}
	}
	return false
}

// offset returns where in the file a byte of code is.
func (m *image) offset(addr uint64) (uint64, bool) {
	for i := range m.segments {
		if s := &m.segments[i]; s.code() && addr >= s.addr && addr-s.addr < s.size && addr != 0 {
			return s.off + (addr - s.addr), true
		}
	}
	return 0, false
}

// bytes reads up to n bytes of code at an address.
func (m *image) bytes(addr uint64, buf []byte) []byte {
	off, ok := m.offset(addr)
	if !ok {
		return nil
	}
	n, _ := m.r.ReadAt(buf, int64(off))
	return buf[:n]
}

// windows gives f the bytes of a part of the file piece by piece, with the place of each in the
// part. The first keep bytes of a piece end the one before, so that nothing is missed that is
// at most keep + 1 bytes long. f says whether to go on.
func (m *image) windows(off, size uint64, keep int, f func(at uint64, b []byte) bool) error {
	if size > m.left {
		return errTooMuch
	}
	m.left -= size
	buf := make([]byte, min(size, windowSize))
	for at := uint64(0); at < size; {
		b := buf[:min(size-at, uint64(len(buf)))]
		n, err := m.r.ReadAt(b, int64(off+at))
		if n < len(b) {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("read %d bytes at %d: %w", len(b), off+at, err)
		}
		if !f(at, b) || at+uint64(n) == size {
			return nil
		}
		at += uint64(n - keep)
	}
	return nil
}
