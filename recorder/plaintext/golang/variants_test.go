package golang_test

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"shark/bpf/bpftest"
	"shark/recorder/plaintext/golang"
)

var wanted = []string{"main.(*conn).small", "main.(*conn).large", "main.(*conn).huge"}

// TestVariants builds a program in all the ways that people do and compares what is found in
// it with the symbols and the disassembly of the same program as it was before it was stripped.
func TestVariants(t *testing.T) {
	tests := []struct {
		name, arch, c string
		flags         []string // of both
		stripFlags    string   // of the linker, where it strips
		strip         bool     // afterwards
	}{
		{name: "normal", arch: "amd64"},
		{name: "without tables", arch: "amd64", stripFlags: "-s -w"},
		{name: "stripped", arch: "amd64", strip: true},
		{name: "pie", arch: "amd64", flags: []string{"-buildmode=pie"}},
		{name: "pie, stripped", arch: "amd64", flags: []string{"-buildmode=pie"}, strip: true},
		{name: "C linker", arch: "amd64", c: "external"},
		{name: "C linker, stripped", arch: "amd64", c: "external", strip: true},
		{name: "C linker, pie, stripped", arch: "amd64", c: "external", flags: []string{"-buildmode=pie"}, strip: true},
		{name: "arm64", arch: "arm64"},
		{name: "arm64, pie, without tables", arch: "arm64", flags: []string{"-buildmode=pie"}, stripFlags: "-s -w"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			whole, asked := filepath.Join(dir, "whole"), filepath.Join(dir, "asked")
			ld := ""
			if tt.c != "" {
				bpftest.Program(t, "gcc")
				ld = "-linkmode=" + tt.c
			}
			build(t, whole, tt.arch, tt.c != "", append(tt.flags, "-ldflags="+ld))
			switch {
			case tt.strip:
				run(t, nil, bpftest.Program(t, "strip"), "-o", asked, whole)
			case tt.stripFlags != "":
				build(t, asked, tt.arch, tt.c != "", append(tt.flags, "-ldflags="+ld+" "+tt.stripFlags))
			default:
				asked = whole
			}
			f, err := os.Open(asked)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			b, err := golang.Open(f)
			if err != nil {
				t.Fatal(err)
			}
			got, err := b.Functions(append(wanted, "main.(*conn).smal")...)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(wanted) {
				t.Errorf("found %d functions of %d", len(got), len(wanted))
			}
			for name, want := range symbols(t, whole, wanted) {
				if g := got[name]; g.Entry != want.Entry {
					t.Errorf("%s begins at %#x of the file, want %#x", name, g.Entry, want.Entry)
				} else if g.Size < want.Size || g.Size > want.Size+31 {
					t.Errorf("%s has %d bytes, want %d and padding", name, g.Size, want.Size)
				} else if tt.arch == "amd64" && !slices.Equal(g.Returns, want.Returns) {
					t.Errorf("%s returns at %#x, want %#x", name, g.Returns, want.Returns)
				} else if len(g.Returns) == 0 {
					t.Errorf("%s never returns", name)
				}
			}
		})
	}
}

// symbols has the functions as the symbol table says, and their returns as objdump does.
func symbols(t *testing.T, file string, names []string) map[string]golang.Function {
	t.Helper()
	f, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]golang.Function{}
	for _, s := range all {
		if !slices.Contains(names, s.Name) {
			continue
		}
		section := f.Sections[s.Section]
		shift := section.Addr - section.Offset
		fn := golang.Function{Name: s.Name, Entry: s.Value - shift, Size: s.Size}
		if f.Machine == elf.EM_X86_64 {
			text := run(t, nil, bpftest.Program(t, "objdump"), "-d", "--no-show-raw-insn",
				fmt.Sprintf("--start-address=%#x", s.Value), fmt.Sprintf("--stop-address=%#x", s.Value+s.Size), file)
			for line := range strings.Lines(text) {
				addr, instruction, ok := strings.Cut(strings.TrimSpace(line), ":")
				if !ok || strings.TrimSpace(instruction) != "ret" {
					continue
				}
				at, err := strconv.ParseUint(addr, 16, 64)
				if err != nil {
					t.Fatal(err)
				}
				fn.Returns = append(fn.Returns, at-shift)
			}
		}
		found[s.Name] = fn
	}
	if len(found) != len(names) {
		t.Fatalf("the symbol table has %d functions of %d", len(found), len(names))
	}
	return found
}

func build(t *testing.T, out, arch string, cgo bool, flags []string) {
	t.Helper()
	c := "CGO_ENABLED=0"
	if cgo {
		c = "CGO_ENABLED=1"
	}
	args := append([]string{"build", "-o", out}, flags...)
	run(t, append(os.Environ(), "GOOS=linux", "GOARCH="+arch, c), "go", append(args, "./testdata/program")...)
}

func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = env
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, errs.String())
	}
	return string(out)
}
