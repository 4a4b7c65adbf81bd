package golang_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"shark/recorder/plaintext/golang"
)

const (
	textAddr  = 0x401000
	tableAddr = 0x402000
	base      = 0x400000
)

// code is a function of 16 bytes that returns at its bytes 6 and 8.
var code = []byte{0x49, 0x3b, 0x66, 0x10, 0x76, 0x03, 0xc3, 0x90, 0xc3, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc}

// small makes the least executable with two functions, a.f and b.f: the text at 0x1000 of the
// file, the table at 0x2000, the headers of its sections at 0x3000. change may spoil the table.
func small(change func(table []byte) []byte) []byte {
	le := binary.LittleEndian
	text := slices.Concat(code, code)
	names := "\x00a.f\x00b.f\x00"
	table := make([]byte, 72)
	le.PutUint32(table, 0xfffffff1)
	table[6], table[7] = 1, 8
	for i, w := range []uint64{2, 0, textAddr, 72, 88, 88, 88, 88} {
		le.PutUint64(table[8+8*i:], w)
	}
	table = append(table, names...)
	table = append(table, make([]byte, 88-len(table))...)
	for _, w := range []uint32{0, 20, 16, 28, 32, 0, 1, 16, 5} { // two entries, the end, two records
		table = le.AppendUint32(table, w)
	}
	le.PutUint32(table[88+20:], 0)
	if change != nil {
		table = change(table)
	}
	strings := "\x00.text\x00.gopclntab\x00.shstrtab\x00"
	file := make([]byte, 0x3000)
	copy(file[0x1000:], text)
	file = append(file[:0x2000], table...)
	file = append(file, make([]byte, 64)...)
	strOff := uint64(len(file))
	file = append(file, strings...)
	shOff := uint64(len(file))
	sections := []elf.Section64{
		{},
		{Name: 1, Type: uint32(elf.SHT_PROGBITS), Addr: textAddr, Off: 0x1000, Size: uint64(len(text))},
		{Name: 7, Type: uint32(elf.SHT_PROGBITS), Addr: tableAddr, Off: 0x2000, Size: uint64(len(table))},
		{Name: 18, Type: uint32(elf.SHT_STRTAB), Off: strOff, Size: uint64(len(strings))},
	}
	var b bytes.Buffer
	for _, s := range sections {
		_ = binary.Write(&b, le, s)
	}
	file = append(file, b.Bytes()...)
	header := elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1,
		Phoff: 64, Shoff: shOff, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64, Shnum: 4, Shstrndx: 3,
	}
	b.Reset()
	_ = binary.Write(&b, le, header)
	_ = binary.Write(&b, le, elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: base, Filesz: strOff, Memsz: strOff,
	})
	copy(file, b.Bytes())
	return file
}

// put32 is a change of one number of the table.
func put32(at int, v uint32) func([]byte) []byte {
	return func(t []byte) []byte {
		binary.LittleEndian.PutUint32(t[at:], v)
		return t
	}
}

func TestSmall(t *testing.T) {
	b, err := golang.Open(bytes.NewReader(small(nil)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Functions("a.f", "b.f", "f", ".f", "a.")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 {
		t.Errorf("found %v", got)
	}
	for i, name := range []string{"a.f", "b.f"} {
		f, entry := got[name], uint64(0x1000+16*i)
		if f.Entry != entry || f.Size != 16 || !slices.Equal(f.Returns, []uint64{entry + 6, entry + 8}) {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if _, err := b.Functions(strings.Repeat("a", 2000)); err == nil {
		t.Error("a name of 2000 bytes was looked up")
	}
}

// TestHostile spoils the file, one place a time.
func TestHostile(t *testing.T) {
	tests := []struct {
		name   string
		change func([]byte) []byte
		want   string
	}{
		{"another kind of table", put32(0, 0xfffffffb), "not an executable of Go"},
		{"32 bits", func(t []byte) []byte { t[7] = 4; return t }, "pointers of 4 bytes"},
		{"more functions than fit", put32(8, 3000), "does not fit"},
		{"as many as a number can say", func(t []byte) []byte {
			binary.LittleEndian.PutUint64(t[8:], math.MaxUint64/8+1)
			return t
		}, "does not fit"},
		{"names behind the end", put32(40, 1<<20), "does not fit"},
		{"no text", put32(24, 0), "nothing says where"},
		{"text elsewhere", put32(24, 0x500000), "not in the executable's code"},
		{"text in the middle of a function", put32(24, textAddr+1), "check of its stack"},
		{"functions not in order", put32(88+8, 100), "not in order"},
		{"a record behind the end", put32(88+4, 1<<30), "unexpected EOF"},
		{"a function of 2 MiB", put32(88+16, 2<<20), "beyond the limits"},
		{"a function behind the end", put32(88+16, 1<<18), "not in the executable's code"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := golang.Open(bytes.NewReader(small(tt.change)))
			if err == nil {
				_, err = b.Functions("a.f", "b.f")
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// TestCode gives functions that no probe may be set in.
func TestCode(t *testing.T) {
	tests := []struct {
		name, want string
		code       []byte
	}{
		{"no check", "check of its stack", []byte{0x90, 0x90, 0x90, 0x90, 0xc3}},
		{"not known", "is not known", []byte{0x49, 0x3b, 0x66, 0x10, 0xc5, 0xf8, 0x77, 0xc3}},
		{"no return", "never returns", []byte{0x49, 0x3b, 0x66, 0x10, 0xeb, 0xfe}},
		{"cut", "is not known", []byte{0x49, 0x3b, 0x66, 0x10, 0xc3, 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 0x48}},
	}
	for _, tt := range tests {
		file := small(nil)
		copy(file[0x1000:], bytes.Repeat([]byte{0xcc}, 16))
		copy(file[0x1000:], tt.code)
		b, err := golang.Open(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = b.Functions("a.f"); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.want)
		}
	}
}

// endless is a file of a terabyte that begins like an executable: its table of the names of
// sections is the whole of it.
type endless struct{ head []byte }

func (e endless) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	if off < int64(len(e.head)) {
		copy(p, e.head[off:])
	}
	if off > 1<<40 {
		return 0, io.EOF
	}
	return len(p), nil
}

func TestEndless(t *testing.T) {
	file := small(nil)
	binary.LittleEndian.PutUint64(file[len(file)-64+32:], 1<<40)
	_, err := golang.Open(endless{file})
	if !errors.Is(err, golang.ErrLimit) {
		t.Errorf("error %v, want ErrLimit", err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(small(nil))
	f.Add(small(put32(24, 0)))
	f.Add(small(put32(8, 1)))
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, file []byte) {
		b, err := golang.Open(bytes.NewReader(file))
		if err != nil {
			return
		}
		found, err := b.Functions("a.f", "b.f")
		if err != nil {
			return
		}
		for _, fn := range found {
			if fn.Entry+fn.Size > uint64(len(file)) || len(fn.Returns) == 0 {
				t.Fatalf("%+v is not in a file of %d bytes", fn, len(file))
			}
			for _, at := range fn.Returns {
				if at < fn.Entry || at >= fn.Entry+fn.Size {
					t.Fatalf("%+v returns outside", fn)
				}
			}
		}
	})
}
