package golang

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
)

// The header of the table, by the runtime's pcHeader: magic, two zeros, the size of the least
// instruction, the size of a pointer, then words.
const (
	magic118 = 0xfffffff0
	magic120 = 0xfffffff1

	headerSize    = 8 + 8*8
	functabEntry  = 8       // entry's offset from the text, offset of its record
	maxFunctions  = 2 << 20 // in one executable
	maxTable      = 512 << 20
	headerTextPos = 8 + 2*8 // the word that held the address of the text until Go 1.25
)

// table is the runtime's table of functions.
type table struct {
	addr, size   uint64 // of the whole, in memory
	r            *io.SectionReader
	text         uint64 // as the header says it; 0 since Go 1.26
	count        int64
	nameStart    int64
	nameEnd      int64
	functabStart int64
}

// span is a function's code, counted from the text.
type span struct{ start, end uint32 }

func (b *Binary) findTable() error {
	for _, name := range []string{".gopclntab", ".data.rel.ro.gopclntab"} {
		s := b.file.Section(name)
		if s == nil || s.Type == elf.SHT_NOBITS || s.Flags&elf.SHF_COMPRESSED != 0 {
			continue
		}
		if s.Size < headerSize || s.Size > maxTable {
			return fmt.Errorf("%w: a table of functions of %d bytes", ErrLimit, s.Size)
		}
		b.table = table{addr: s.Addr, size: s.Size, r: io.NewSectionReader(b.r, int64(s.Offset), int64(s.Size))}
		return b.table.header()
	}
	return fmt.Errorf("%w: it has no table of functions", ErrNotGo)
}

func (t *table) header() error {
	var h [headerSize]byte
	if _, err := t.r.ReadAt(h[:], 0); err != nil {
		return fmt.Errorf("%w: %w", ErrNotGo, err)
	}
	le := binary.LittleEndian
	if m := le.Uint32(h[:]); m != magic118 && m != magic120 {
		return fmt.Errorf("%w: table of functions of kind %#x", ErrNotGo, m)
	}
	if h[4] != 0 || h[5] != 0 || h[7] != 8 {
		return fmt.Errorf("%w: table of functions for pointers of %d bytes", ErrNotGo, h[7])
	}
	word := func(i int) uint64 { return le.Uint64(h[8+8*i:]) }
	n, names, cu, functab := word(0), word(3), word(4), word(7)
	if n == 0 || n > maxFunctions || names > cu || cu > t.size || functab > t.size || n*functabEntry+4 > t.size-functab {
		return fmt.Errorf("%w: the table of functions does not fit itself", ErrNotGo)
	}
	t.text = word(2)
	t.count, t.nameStart, t.nameEnd, t.functabStart = int64(n), int64(names), int64(cu), int64(functab)
	return nil
}

// names finds where the table has names, each with the zeros around it.
func (t *table) names(names []string) (map[uint32]string, error) {
	found := make(map[uint32]string, len(names))
	wanted := make(map[string][]byte, len(names))
	for _, n := range names {
		if n == "" || len(n) > maxName {
			return nil, fmt.Errorf("a function's name has 1 to %d bytes", maxName)
		}
		wanted[n] = []byte("\x00" + n + "\x00")
	}
	const overlap = maxName + 2
	buf := make([]byte, 64<<10)
	for at := t.nameStart; at < t.nameEnd && len(wanted) > 0; {
		part := buf[:min(int64(len(buf)), t.nameEnd-at)]
		if _, err := t.r.ReadAt(part, at); err != nil {
			return nil, fmt.Errorf("names of functions: %w", err)
		}
		for n, pattern := range wanted {
			if i := bytes.Index(part, pattern); i >= 0 {
				found[uint32(at+int64(i)+1-t.nameStart)] = n
				delete(wanted, n)
			}
		}
		if at+int64(len(part)) == t.nameEnd {
			break
		}
		at += int64(len(part)) - overlap
	}
	return found, nil
}

// functions finds the code of the functions whose names are at the offsets.
func (t *table) functions(names map[uint32]string) (map[string]span, error) {
	found := make(map[string]span, len(names))
	functab := window{r: t.r, buf: make([]byte, 64<<10)}
	records := window{r: t.r, buf: make([]byte, 64<<10)}
	le := binary.LittleEndian
	for i := int64(0); i < t.count && len(found) < len(names); i++ {
		e, err := functab.at(t.functabStart+i*functabEntry, functabEntry+4)
		if err != nil {
			return nil, fmt.Errorf("table of functions: %w", err)
		}
		start, record, end := le.Uint32(e), le.Uint32(e[4:]), le.Uint32(e[8:])
		if start > end {
			return nil, fmt.Errorf("%w: its functions are not in order", ErrNotGo)
		}
		f, err := records.at(t.functabStart+int64(record), 8)
		if err != nil {
			return nil, fmt.Errorf("table of functions: %w", err)
		}
		if name, ok := names[le.Uint32(f[4:])]; ok && le.Uint32(f) == start {
			if _, twice := found[name]; twice {
				return nil, fmt.Errorf("%w: it has %s twice", ErrNotGo, name)
			}
			found[name] = span{start, end}
		}
	}
	return found, nil
}

// window reads what lies in ascending order through one buffer. Records that do not ascend,
// as no linker writes them, are read one by one.
type window struct {
	r     *io.SectionReader
	buf   []byte
	start int64
	n     int
}

// at returns n bytes; they are valid until the next call.
func (w *window) at(off int64, n int) ([]byte, error) {
	if off >= w.start && off+int64(n) <= w.start+int64(w.n) {
		return w.buf[off-w.start:][:n], nil
	}
	part := w.buf
	if off < w.start {
		part = part[:n]
	}
	got, err := w.r.ReadAt(part, off)
	if got < n {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	w.start, w.n = off, got
	return w.buf[:n], nil
}
