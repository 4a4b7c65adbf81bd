package shark_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"shark/dissector"
	"shark/dissector/protocol"
)

const (
	module = "shark/"

	// What people write and what is no test stays within these, in lines.
	maxFile     = 600
	maxFunction = 80
)

// floors says what of ours the packages in and under a folder may import: the
// folders named and all below them. The longest folder that fits counts. The same
// arrows stand in ARCHITECTURE.md.
var floors = map[string][]string{
	"":                {},
	"bpf":             {"bpf"},
	"cmd":             {"cmd", "workbench", "recorder", "kfl", "dissector", "snapshot", "packet"},
	"dissector":       {"dissector", "packet"},
	"dissector/field": {},
	"kfl":             {"kfl", "dissector/field"},
	"packet":          {"packet"},
	"recorder":        {"recorder", "snapshot", "bpf", "packet"},
	"snapshot":        {"snapshot", "packet"},
	"workbench":       {"workbench", "kfl", "dissector", "snapshot", "packet"},

	// The generator knows the truth by itself: it must not ask the dissector.
	"traffic": {"traffic", "snapshot", "packet"},

	// Programs for those who work on shark.
	"bench": {"bench", "traffic", "recorder", "workbench", "kfl", "dissector", "snapshot", "packet"},
	"docs":  {"docs", "workbench", "kfl", "dissector"},
	"tools": {"tools"},
}

// poor are names of packages that do not say what is in them.
var poor = []string{"base", "common", "helper", "helpers", "misc", "shared", "types", "util", "utils"}

// source is one Go file.
type source struct {
	path   string // from the root, with slashes
	folder string // "" for the root
	test   bool
	text   []byte
	file   *ast.File
}

var fset = token.NewFileSet()

// walk calls f with each file of ours, by its path from the root, with slashes.
func walk(f func(name string) error) error {
	return filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			base := d.Name()
			if name != "." && (base[0] == '.' || base[0] == '_' || name == "bin" || name == "build" || base == "testdata" || base == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() {
			return f(filepath.ToSlash(name))
		}
		return nil
	})
}

// parsed returns all Go files, whatever system they are built for.
var parsed = sync.OnceValues(func() ([]source, error) {
	var all []source
	err := walk(func(name string) error {
		if path.Ext(name) != ".go" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder := path.Dir(name)
		if folder == "." {
			folder = ""
		}
		all = append(all, source{name, folder, strings.HasSuffix(name, "_test.go"), text, file})
		return nil
	})
	return all, err
})

func sources(t *testing.T) []source {
	t.Helper()
	all, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// imports returns the folders of ours that a file imports.
func (s source) imports() []string {
	var folders []string
	for _, i := range s.file.Imports {
		if p, err := strconv.Unquote(i.Path.Value); err == nil && strings.HasPrefix(p, module) {
			folders = append(folders, strings.TrimPrefix(p, module))
		}
	}
	return folders
}

func within(folder, root string) bool {
	return folder == root || strings.HasPrefix(folder, root+"/")
}

// floorOf returns the folder of floors that counts for a package.
func floorOf(folder string) (string, bool) {
	for f := folder; ; f = path.Dir(f) {
		if f == "." {
			return "", folder == ""
		}
		if _, ok := floors[f]; ok {
			return f, true
		}
	}
}

func TestImportsPointDown(t *testing.T) {
	for _, s := range sources(t) {
		floor, ok := floorOf(s.folder)
		if !ok {
			t.Errorf("%s: no floor of the house: say in floors and in ARCHITECTURE.md what it may import", s.path)
			continue
		}
		if s.test {
			continue // may look around, to compare
		}
		for _, to := range s.imports() {
			if !slices.ContainsFunc(floors[floor], func(f string) bool { return within(to, f) }) && !within(to, floor) {
				t.Errorf("%s imports %s, which is not below it", s.path, to)
			}
		}
	}
}

// A protocol knows no other, but for those that it rides on or is a kind of.
func TestProtocolsImportTheirCarriersOnly(t *testing.T) {
	const list = "dissector/protocol"
	kin := make(map[string][]string) // by folder, the names of the protocols in it and of those they imply
	over := make(map[string][]string)
	for _, p := range protocol.All() {
		folder := folderOf(p)
		kin[folder] = append(append(kin[folder], p.Name), p.Implies...)
		over[folder] = append(append(over[folder], p.Over), p.Implies...)
		if p.Transport == dissector.QUIC {
			over[folder] = append(over[folder], "quic")
		}
	}
	for _, s := range sources(t) {
		if s.test || s.folder == list || !within(s.folder, list) {
			continue
		}
		own := protocolFolder(s.folder)
		for _, to := range s.imports() {
			if other := protocolFolder(to); within(to, list) && other != own &&
				!slices.ContainsFunc(kin[other], func(name string) bool { return slices.Contains(over[own], name) }) {
				t.Errorf("%s imports %s, which neither carries it nor is implied by it", s.path, to)
			}
		}
	}
}

// folderOf returns the folder a protocol is declared in, by where its functions are.
func folderOf(p *dissector.Protocol) string {
	var f any
	if p.Carry != nil {
		f = p.Carry.Claim
	} else {
		f = p.Probe
	}
	name := runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name() // shark/dissector/protocol/redis.probe
	folder, _, _ := strings.Cut(strings.TrimPrefix(name, module), ".")
	return folder
}

// protocolFolder returns the folder of the protocol that a package belongs to.
func protocolFolder(folder string) string {
	parts := strings.SplitN(folder, "/", 4)
	return strings.Join(parts[:min(len(parts), 3)], "/")
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	docs := make(map[string]int)
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		docs[s.folder] += 0
		name := s.file.Name.Name
		if slices.Contains(poor, name) || slices.Contains(poor, path.Base(s.folder)) {
			t.Errorf("%s: the name of the package does not say what is in it", s.path)
		}
		if s.file.Doc == nil {
			continue
		}
		docs[s.folder]++
		want := "Package " + name + " "
		if name == "main" {
			want = "Command "
		}
		if !strings.HasPrefix(s.file.Doc.Text(), want) {
			t.Errorf("%s: the comment of the package does not begin with %q", s.path, want)
		}
	}
	for folder, n := range docs {
		if n != 1 {
			t.Errorf("package in %q has %d comments, want 1", "./"+folder, n)
		}
	}
}

func TestFilesFitTheEye(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || ast.IsGenerated(s.file) {
			continue
		}
		if n := bytes.Count(s.text, []byte("\n")); n > maxFile {
			t.Errorf("%s has %d lines, more than %d", s.path, n, maxFile)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := fset.Position(f.End()).Line - fset.Position(f.Pos()).Line + 1; n > maxFunction {
				t.Errorf("%s: %s has %d lines, more than %d", fset.Position(f.Pos()), f.Name.Name, n, maxFunction)
			}
		}
	}
}

// What a program does is in main and below, not in what it imports.
func TestNothingRunsByItself(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: init", fset.Position(f.Pos()))
			}
		}
	}
}

// Tests do not wait for time to pass, and say why they do not run.
func TestTestsDoNotSleepNorSkipInSilence(t *testing.T) {
	for _, s := range sources(t) {
		if !s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, _ := f.X.(*ast.Ident)
			switch {
			case f.Sel.Name == "SkipNow", f.Sel.Name == "Skip" && len(call.Args) == 0:
				t.Errorf("%s: skips without a reason", fset.Position(call.Pos()))
			case f.Sel.Name == "Sleep" && pkg != nil && pkg.Name == "time":
				t.Errorf("%s: sleeps: wait for what is to happen, or pass the time in", fset.Position(call.Pos()))
			}
			return true
		})
	}
}

func TestNothingIsLeftForLater(t *testing.T) {
	later := regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b|\b[Ff]or now\b`)
	for _, s := range sources(t) {
		for _, group := range s.file.Comments {
			for _, c := range group.List {
				if m := later.FindString(c.Text); m != "" {
					t.Errorf("%s: %s", fset.Position(c.Pos()), m)
				}
			}
		}
	}
}

// The repository stands by itself: it names no place on the machine it is written on.
func TestNoPlaceOfOneMachine(t *testing.T) {
	place := regexp.MustCompile(`/[w]ork/|/[f]arm/|\b[s]hared/(captures|bench|live|cluster|stores)\b`)
	err := walk(func(name string) error {
		text, err := os.ReadFile(name)
		if err != nil || !utf8.Valid(text) {
			return err
		}
		for _, at := range place.FindAllIndex(text, -1) {
			t.Errorf("%s:%d: %s", name, 1+bytes.Count(text[:at[0]], []byte("\n")), text[at[0]:at[1]])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
