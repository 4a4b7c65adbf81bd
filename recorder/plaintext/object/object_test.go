package object

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"shark/bpf/bpftest"
)

// Where a program of the tests has its parts.
const (
	dataAt, codeAt = 0x1000, 0x2000
	base           = 0x400000
)

// program makes an ELF file with labels in a segment that is read and code in another.
func program(machine elf.Machine, kind elf.Type, code []byte) []byte {
	b := make([]byte, codeAt, codeAt+len(code))
	copy(b, elf.ELFMAG)
	b[4], b[5], b[6] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	binary.LittleEndian.PutUint16(b[16:], uint16(kind))
	binary.LittleEndian.PutUint16(b[18:], uint16(machine))
	binary.LittleEndian.PutUint64(b[32:], headerSize)
	binary.LittleEndian.PutUint16(b[54:], segmentSize)
	binary.LittleEndian.PutUint16(b[56:], 3)
	segment := func(i int, kind elf.ProgType, flags elf.ProgFlag, off, size uint64) {
		s := b[headerSize+i*segmentSize:]
		binary.LittleEndian.PutUint32(s, uint32(kind))
		binary.LittleEndian.PutUint32(s[4:], uint32(flags))
		for j, v := range []uint64{off, base + off, base + off, size, size} {
			binary.LittleEndian.PutUint64(s[8+8*j:], v)
		}
	}
	note := "\x04\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00GNU\x00\xab\xcd\x00\x00"
	segment(0, elf.PT_LOAD, elf.PF_R, dataAt, codeAt-dataAt)
	segment(1, elf.PT_LOAD, elf.PF_R|elf.PF_X, codeAt, uint64(len(code)))
	segment(2, elf.PT_NOTE, elf.PF_R, 0x200, uint64(len(note)))
	copy(b[0x200:], note)
	at := dataAt
	for _, l := range labels {
		at += 1 + copy(b[at:], l)
	}
	copy(b[at+1:], "OpenSSL 3.0.0 \x00")
	return append(b, code...)
}

// labelAt returns the address of a label in a program.
func labelAt(i int) uint64 {
	at := uint64(base + dataAt)
	for _, l := range labels[:i] {
		at += uint64(len(l)) + 1
	}
	return at
}

// x86 is code that gives n labels to a function at 0x200, each in one of the ways that compilers
// do, and four to another as the first argument.
func x86(n int, fixed bool) []byte {
	code := bytes.Repeat([]byte{0x90}, 0x300)
	at := 0
	put := func(b ...byte) { at += copy(code[at:], b) }
	rel := func(op []byte, to uint64, from int) {
		put(op...)
		put(binary.LittleEndian.AppendUint32(nil, uint32(to-uint64(base+codeAt+from)))...)
	}
	for i := range n {
		if fixed {
			put(append([]byte{0xbe}, binary.LittleEndian.AppendUint32(nil, uint32(labelAt(i)))...)...)
		} else {
			rel([]byte{0x48, 0x8d, 0x35}, labelAt(i), at+7)
		}
		put(0x48, 0x89, 0xdf) // mov rdi, rbx
		if i%2 == 0 {
			rel([]byte{0xe8}, base+codeAt+0x200, at+5) // call
		} else {
			rel([]byte{0xe9}, base+codeAt+0x200, at+5) // jmp
		}
	}
	for i := range 4 {
		rel([]byte{0x48, 0x8d, 0x3d}, labelAt(i), at+7) // lea rdi
		rel([]byte{0xe8}, base+codeAt+0x280, at+5)
	}
	return code
}

// arm is code that gives n labels to a function at 0x200.
func arm(n int) []byte {
	code := make([]byte, 0x300)
	at := 0
	put := func(w uint32) { binary.LittleEndian.PutUint32(code[at:], w); at += 4 }
	for i := range n {
		pages := (labelAt(i)&^0xfff - uint64(base+codeAt+at)&^0xfff) >> 12
		put(0x90000000 | uint32(pages&3)<<29 | uint32(pages>>2&0x7ffff)<<5 | 1) // adrp x1
		put(0x91000000 | uint32(labelAt(i)&0xfff)<<10 | 1<<5 | 1)               // add x1, x1
		put(0xaa1303e0)                                                         // mov x0, x19
		put(0x94000000 | uint32(0x200-at)>>2&0x3ffffff)                         // bl
	}
	return code
}

func TestInspect(t *testing.T) {
	for _, c := range []struct {
		name  string
		file  []byte
		point uint64
	}{
		{"x86", program(elf.EM_X86_64, elf.ET_DYN, x86(6, false)), codeAt + 0x200},
		{"x86 at fixed addresses", program(elf.EM_X86_64, elf.ET_EXEC, x86(6, true)), codeAt + 0x200},
		{"x86, two labels", program(elf.EM_X86_64, elf.ET_DYN, x86(2, false)), codeAt + 0x200},
		{"x86, one label is none", program(elf.EM_X86_64, elf.ET_DYN, x86(1, false)), 0},
		{"x86, no label", program(elf.EM_X86_64, elf.ET_DYN, x86(0, false)), 0},
		{"arm64", program(elf.EM_AARCH64, elf.ET_DYN, arm(6)), codeAt + 0x200},
		{"another machine", program(elf.EM_RISCV, elf.ET_DYN, x86(6, false)), 0},
	} {
		o, err := Inspect(bytes.NewReader(c.file), int64(len(c.file)))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if o.Point != c.point || o.Library != OpenSSL || o.BuildID != "abcd" || o.Shared || (o.Why == "") != (c.point != 0) {
			t.Errorf("%s: %+v, want a point at %#x", c.name, o, c.point)
		}
	}
}

func TestNoELF(t *testing.T) {
	for _, b := range [][]byte{nil, []byte("#!/bin/sh\n"), bytes.Repeat([]byte{0}, 100), []byte("\x7fELF")} {
		if _, err := Inspect(bytes.NewReader(b), int64(len(b))); !errors.Is(err, ErrNotELF) {
			t.Errorf("%q: %v", b, err)
		}
	}
	if _, err := Inspect(bytes.NewReader(nil), maxFile+1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a file of %d bytes: %v", maxFile+1, err)
	}
}

// A file of which every part is the whole costs no more than a large one.
func TestPartsOverEachOther(t *testing.T) {
	b := program(elf.EM_X86_64, elf.ET_DYN, x86(6, false))
	binary.LittleEndian.PutUint64(b[40:], uint64(len(b)))
	binary.LittleEndian.PutUint16(b[58:], sectionSize)
	binary.LittleEndian.PutUint16(b[60:], 200)
	for range 200 {
		s := make([]byte, sectionSize)
		binary.LittleEndian.PutUint32(s[4:], uint32(elf.SHT_STRTAB))
		binary.LittleEndian.PutUint64(s[32:], 1<<40)
		b = append(b, s...)
	}
	for at := len(b) - 199*sectionSize; at < len(b); at += sectionSize {
		binary.LittleEndian.PutUint32(b[at+4:], uint32(elf.SHT_DYNSYM)) // with the first for its names
	}
	b = append(b, make([]byte, windowSize)...)
	r := &sum{ReaderAt: bytes.NewReader(b)}
	if _, err := Inspect(r, int64(len(b))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
	if limit := (maxPasses + 1) * (len(b) + windowSize); r.n > limit {
		t.Errorf("%d bytes are read of %d", r.n, len(b))
	}
}

// sum counts the bytes that are read.
type sum struct {
	io.ReaderAt
	n int
}

func (s *sum) ReadAt(b []byte, off int64) (int, error) {
	s.n += len(b)
	return s.ReaderAt.ReadAt(b, off)
}

// windows are read with memory for one, and lose nothing where they meet.
func TestLabelsWhereWindowsMeet(t *testing.T) {
	for _, shift := range []int{0, 1, 7, 20, 31, 40} {
		b := program(elf.EM_X86_64, elf.ET_DYN, nil)
		data := make([]byte, 3*windowSize)
		for i, l := range labels[:2] {
			copy(data[(i+1)*windowSize-shift-len(l)/2:], l)
		}
		binary.LittleEndian.PutUint64(b[headerSize+8:], codeAt)
		binary.LittleEndian.PutUint64(b[headerSize+32:], uint64(len(data)))
		b = append(b, data...)
		m, err := open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		at, _, err := m.labels()
		found := make(map[string]bool)
		for _, l := range at {
			found[l] = true
		}
		if err != nil || len(found) != 2 {
			t.Errorf("%d bytes before the end of a window: %v, %v", shift, at, err)
		}
	}
}

// The function that is found by labels is the one with the name, in real compilers' code.
func TestLabelsAgreeWithSymbol(t *testing.T) {
	cc := bpftest.Program(t, "gcc")
	for i, flags := range [][]string{{"-O2", "-fPIC", "-shared", "-fvisibility=hidden"}, {"-O2", "-pie"}, {"-O1", "-no-pie"}, {"-Os", "-fPIC", "-shared", "-fvisibility=hidden", "-fcf-protection=full"}} {
		path := filepath.Join(t.TempDir(), "program")
		cmd := exec.Command(cc, append(flags, "-o", path, "testdata/log.c")...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", cmd, err, out)
		}
		agree(t, fmt.Sprint(i, flags), path)
	}
	if node, err := exec.LookPath("node"); err == nil {
		agree(t, "node", node)
	}
}

func agree(t *testing.T, name, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	o, err := Inspect(f, st.Size())
	if err != nil || o.Found != BySymbol {
		t.Fatalf("%s: %+v, %v, want a symbol", name, o, err)
	}
	m, err := open(f, st.Size())
	if err != nil {
		t.Fatal(err)
	}
	labels, _, err := m.labels()
	if err != nil {
		t.Fatal(err)
	}
	at, err := m.called(labels)
	if off, _ := m.offset(at); err != nil || off != o.Point {
		t.Errorf("%s: by labels %#x, by symbol %#x, %v", name, off, o.Point, err)
	}
	if strings.HasPrefix(name, "0") && (o.Random == nil || *o.Random != (Random{Offset: 0x160})) {
		t.Errorf("%s: the accessor tells %+v", name, o.Random)
	}
}

// Accessors by their code.
func TestAccessor(t *testing.T) {
	for name, c := range map[string]struct {
		code string
		want *Random
	}{
		"lea":                   {"\x48\x8d\xb7\x60\x01\x00\x00\xc3", &Random{Offset: 0x160}},
		"after a check":         {"\x48\x85\xd2\x74\x05\x48\x8d\x47\x50\xc3", &Random{Offset: 0x50}},
		"load":                  {"\xf3\x0f\x6f\x87\x88\x01\x00\x00\xc3", &Random{Offset: 0x188}},
		"asks for the kind":     {"\x83\x3f\x00\x48\x8d\xb7\x60\x01\x00\x00\xc3", nil},
		"compares a field":      {"\x83\x7f\x10\x00\xc3", nil},
		"another object":        {"\x48\x89\xf7\x48\x8d\xb7\x60\x01\x00\x00\xc3", nil},
		"far away":              {"\x48\x8d\xb7\x00\x00\x00\x10\xc3", nil},
		"calls something first": {"\xe8\x00\x00\x00\x00\x48\x8d\xb7\x60\x01\x00\x00\xc3", nil},
		"nothing":               {"\xc3", nil},
	} {
		b := program(elf.EM_X86_64, elf.ET_DYN, []byte(c.code))
		m, err := open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.random(base + codeAt)
		if err != nil || (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s: %+v, want %+v, %v", name, got, c.want, err)
		}
	}
}

// reads counts what is read, and fails at a place.
type reads struct {
	io.ReaderAt
	n, fail int
}

func (r *reads) ReadAt(b []byte, off int64) (int, error) {
	if r.n++; r.n == r.fail {
		return 0, io.ErrClosedPipe
	}
	return r.ReaderAt.ReadAt(b, off)
}

// A read that fails is an error or leaves something unknown, but never another function.
func TestReadErrors(t *testing.T) {
	b := program(elf.EM_X86_64, elf.ET_DYN, x86(6, false))
	all := &reads{ReaderAt: bytes.NewReader(b)}
	if _, err := Inspect(all, int64(len(b))); err != nil {
		t.Fatal(err)
	}
	for fail := 1; fail <= all.n; fail++ {
		o, err := Inspect(&reads{ReaderAt: bytes.NewReader(b), fail: fail}, int64(len(b)))
		if err == nil && o.Point != 0 && o.Point != codeAt+0x200 {
			t.Errorf("read %d of %d fails: %+v", fail, all.n, o)
		}
	}
}

func FuzzInspect(f *testing.F) {
	f.Add(program(elf.EM_X86_64, elf.ET_DYN, x86(6, false)))
	f.Add(program(elf.EM_X86_64, elf.ET_EXEC, x86(6, true)))
	f.Add(program(elf.EM_AARCH64, elf.ET_DYN, arm(6)))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := Inspect(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		if o.Point >= uint64(len(b)) && o.Point != 0 {
			t.Errorf("a point at %d of %d bytes", o.Point, len(b))
		}
		if o.Random != nil && o.Random.Offset > maxOffset {
			t.Errorf("a random at %d", o.Random.Offset)
		}
	})
}
