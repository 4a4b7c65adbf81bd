package golang

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// Where the runtime's moduledata, the content of section .go.module since Go 1.26, has the
// addresses of the table and of the text. The text of a program that a C compiler linked
// does not begin where its section does.
const (
	moduleTable = 0
	moduleText  = 0xb0
	moduleSize  = 0xb8
)

// textAddress finds the address that the table counts from.
func (b *Binary) textAddress() (uint64, error) {
	if s := b.file.Section(".go.module"); s != nil && s.Size >= moduleSize && s.Type != elf.SHT_NOBITS {
		words, err := b.words(s.Addr+moduleTable, s.Addr+moduleText)
		if err != nil {
			return 0, err
		}
		if words[0] == b.table.addr && words[1] != 0 {
			return words[1], nil
		}
		return 0, fmt.Errorf("%w: its module does not point at its table of functions", ErrNotGo)
	}
	words, err := b.words(b.table.addr + headerTextPos)
	if err != nil {
		return 0, err
	}
	if words[0] == 0 {
		return 0, fmt.Errorf("%w: nothing says where its text begins", ErrNotGo)
	}
	return words[0], nil
}

// words reads words of memory as they are when the program was loaded at its own addresses:
// those of the file, and of its relocations where it is to be moved.
func (b *Binary) words(addrs ...uint64) ([]uint64, error) {
	words := make([]uint64, len(addrs))
	for i, addr := range addrs {
		for _, p := range b.file.Progs {
			if p.Type != elf.PT_LOAD || addr < p.Vaddr || addr-p.Vaddr >= p.Filesz {
				continue
			}
			var w [8]byte
			if _, err := b.r.ReadAt(w[:], int64(p.Off+addr-p.Vaddr)); err != nil {
				return nil, fmt.Errorf("word at %#x: %w", addr, err)
			}
			words[i] = binary.LittleEndian.Uint64(w[:])
			break
		}
	}
	if b.file.Type != elf.ET_DYN {
		return words, nil
	}
	for _, s := range b.file.Sections {
		if s.Type == elf.SHT_RELA && s.Flags&elf.SHF_ALLOC != 0 { //nolint:misspell // the name of the format
			if err := b.relocate(s, addrs, words); err != nil {
				return nil, err
			}
		}
	}
	return words, nil
}

// relocate applies the relocations of one section that are relative to where the program is
// loaded.
func (b *Binary) relocate(s *elf.Section, addrs, words []uint64) error {
	const size = 24 // offset, type and symbol, addend
	if s.Size > maxTable {
		return fmt.Errorf("%w: relocations of %d bytes", ErrLimit, s.Size)
	}
	relative := uint64(elf.R_X86_64_RELATIVE)
	if b.file.Machine == elf.EM_AARCH64 {
		relative = uint64(elf.R_AARCH64_RELATIVE)
	}
	le := binary.LittleEndian
	buf := make([]byte, size*2048)
	for at := uint64(0); at+size <= s.Size; {
		part := buf[:min(uint64(len(buf)), (s.Size-at)/size*size)]
		if _, err := b.r.ReadAt(part, int64(s.Offset+at)); err != nil {
			return fmt.Errorf("relocations: %w", err)
		}
		at += uint64(len(part))
		for ; len(part) > 0; part = part[size:] {
			if le.Uint64(part[8:]) != relative {
				continue
			}
			for i, addr := range addrs {
				if le.Uint64(part) == addr {
					words[i] = le.Uint64(part[16:])
				}
			}
		}
	}
	return nil
}
