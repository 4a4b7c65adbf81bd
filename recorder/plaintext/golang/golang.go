// Package golang finds functions in executables that the Go toolchain (1.18 and later) built,
// whatever was stripped of them: their entries and every place where they return.
//
// In: an ELF file for amd64 or arm64 and names such as "crypto/tls.(*Conn).Read". Out: offsets
// in that file, where probes can be set. They come from the table that the runtime itself
// unwinds stacks with, and a function is given only if it begins with the check of its stack
// and all its instructions can be told apart: a probe on anything else would break the program.
//
// The file belongs to somebody else and may be hostile. However large it is and whatever it
// says, it costs at most maxRead bytes read and less than 16 MiB of memory.
package golang

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
)

// Limits.
const (
	maxHeaders  = 8 << 20   // bytes of a file's headers and table of names
	maxRead     = 768 << 20 // bytes read of a file in all
	maxFunction = 1 << 20   // bytes of a function
	maxNames    = 64        // names asked for at once
	maxName     = 1 << 10   // bytes of one
)

var (
	// ErrNotGo says that a file is no executable of Go that this package can read.
	ErrNotGo = errors.New("not an executable of Go 1.18 or later for amd64 or arm64")
	// ErrLimit says that a file asks for more than the limits allow.
	ErrLimit = errors.New("executable beyond the limits")
)

// Function is where a function lies.
type Function struct {
	Name    string
	Entry   uint64   // offset in the file
	Size    uint64   // bytes, padding at the end included
	Returns []uint64 // offsets in the file of its return instructions, ascending
}

// Binary is an executable of Go.
type Binary struct {
	r     *budget
	file  *elf.File
	table table
	text  uint64 // the address that the table counts from
}

// Open reads the headers of an executable. Files that have no table of Go's functions are
// ErrNotGo. The Binary reads from r as long as it is used.
func Open(r io.ReaderAt) (*Binary, error) {
	b := &Binary{r: &budget{r: r, left: maxHeaders}}
	var err error
	if b.file, err = elf.NewFile(b.r); err != nil {
		if errors.Is(err, ErrLimit) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", ErrNotGo, err)
	}
	b.r.left = maxRead
	if b.file.Class != elf.ELFCLASS64 || b.file.Data != elf.ELFDATA2LSB ||
		b.file.Machine != elf.EM_X86_64 && b.file.Machine != elf.EM_AARCH64 {
		return nil, fmt.Errorf("%w: %v, %v", ErrNotGo, b.file.Machine, b.file.Class)
	}
	if err := b.findTable(); err != nil {
		return nil, err
	}
	if b.text, err = b.textAddress(); err != nil {
		return nil, err
	}
	return b, nil
}

// Functions finds functions by their full names. What the executable does not have is not in
// the answer; what it has but is not sure to be probed in the right places is an error.
func (b *Binary) Functions(names ...string) (map[string]Function, error) {
	if len(names) > maxNames {
		return nil, fmt.Errorf("%d functions asked for, at most %d are looked up at once", len(names), maxNames)
	}
	offsets, err := b.table.names(names)
	if err != nil {
		return nil, err
	}
	spans, err := b.table.functions(offsets)
	if err != nil {
		return nil, err
	}
	found := make(map[string]Function, len(spans))
	for name, s := range spans {
		f, err := b.function(name, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		found[name] = f
	}
	return found, nil
}

// function reads a function's code.
func (b *Binary) function(name string, s span) (Function, error) {
	size := uint64(s.end - s.start)
	if size == 0 || size > maxFunction {
		return Function{}, fmt.Errorf("%w: a function of %d bytes", ErrLimit, size)
	}
	entry, err := b.offset(b.text+uint64(s.start), size)
	if err != nil {
		return Function{}, err
	}
	code := make([]byte, size)
	if _, err := b.r.ReadAt(code, int64(entry)); err != nil {
		return Function{}, err
	}
	f := Function{Name: name, Entry: entry, Size: size}
	if b.file.Machine == elf.EM_AARCH64 {
		f.Returns, err = returnsARM64(code)
	} else {
		f.Returns, err = returnsAMD64(code)
	}
	for i := range f.Returns {
		f.Returns[i] += entry
	}
	return f, err
}

// offset says where in the file the n bytes of code at an address are.
func (b *Binary) offset(addr, n uint64) (uint64, error) {
	for _, p := range b.file.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && addr >= p.Vaddr && addr-p.Vaddr < p.Filesz && n <= p.Filesz-(addr-p.Vaddr) {
			return p.Off + (addr - p.Vaddr), nil
		}
	}
	return 0, fmt.Errorf("address %#x is not in the executable's code", addr)
}

// budget is a file of which only so much may be read.
type budget struct {
	r    io.ReaderAt
	left int64
}

func (b *budget) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("%w: offset %#x", ErrLimit, uint64(off))
	}
	if int64(len(p)) > b.left {
		return 0, fmt.Errorf("%w: too much of it to read", ErrLimit)
	}
	b.left -= int64(len(p))
	return b.r.ReadAt(p, off)
}
