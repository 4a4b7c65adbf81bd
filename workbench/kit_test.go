package workbench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/dissector/field"
	"shark/packet"
	"shark/packet/pcapng"
	"shark/workbench/index"
)

// newBench makes a Workbench with a cache and a store of its own.
func newBench(t testing.TB, change ...func(*Config)) *Workbench {
	t.Helper()
	cfg := Config{Version: "test", Cache: t.TempDir(), Store: filepath.Join(t.TempDir(), "store")}
	for _, f := range change {
		f(&cfg)
	}
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func open(t testing.TB, w *Workbench, refs ...string) *Evidence {
	t.Helper()
	e, err := w.Open(t.Context(), refs, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// entries returns the entries of a query as JSON, an object a line.
func entries(e *Evidence, q Query, fields ...*field.Field) ([]byte, error) {
	a, err := e.Query(context.Background(), q)
	if err != nil {
		return nil, err
	}
	enc := e.w.JSON(fields...)
	var b []byte
	for r, err := range a.Rows {
		if err != nil {
			return nil, err
		}
		if b, err = enc.Append(b, r); err != nil {
			return nil, err
		}
		b = append(b, '\n')
	}
	return b, nil
}

// each calls f with every entry of a query.
func each(t testing.TB, e *Evidence, kfl string, f func(*index.Row)) {
	t.Helper()
	a := must(e.Query(t.Context(), Query{KFL: kfl}))(t)
	for r, err := range a.Rows {
		if err != nil {
			t.Fatal(err)
		}
		f(r)
	}
}

// ids returns the entries of a query.
func ids(t testing.TB, e *Evidence, kfl string) (out []int64) {
	t.Helper()
	each(t, e, kfl, func(r *index.Row) { out = append(out, r.ID()) })
	return out
}

// ours are the captures of this repository.
func ours(t testing.TB) []string {
	t.Helper()
	list := must(filepath.Glob("../testdata/*/*.pcap*"))(t)
	if len(list) < 10 {
		t.Fatalf("testdata holds %d captures only", len(list))
	}
	return list
}

// all are the captures of this repository and those of SHARK_CAPTURES, if there
// are any.
func all(t testing.TB) []string {
	t.Helper()
	list := ours(t)
	dir := os.Getenv("SHARK_CAPTURES")
	if dir == "" {
		return list
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.Contains(filepath.Base(path), "cap") && filepath.Ext(path) != ".json" && filepath.Ext(path) != ".tsv" {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// public returns the path of a capture of SHARK_CAPTURES, or skips the test.
func public(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("SHARK_CAPTURES")
	if dir == "" {
		t.Skip("SHARK_CAPTURES does not name a folder of captures")
	}
	return filepath.Join(dir, name)
}

// pkt is all that a capture says of a packet.
type pkt struct {
	Time    int64
	OrigLen uint32
	Link    packet.LinkType
	Data    string
	Options string
	Iface   string // name of its interface
}

// packetsOf reads a capture.
func packetsOf(t testing.TB, paths ...string) (out []pkt) {
	t.Helper()
	src := must(pcapng.OpenFiles(paths...))(t)
	defer src.Close()
	var b packet.Batch
	for {
		err := src.ReadBatch(&b)
		for i := range b.Records {
			r := &b.Records[i]
			out = append(out, pkt{r.Time, r.OrigLen, r.Link, string(r.Data), string(r.Options), src.Interfaces()[r.Interface].Name})
		}
		if errors.Is(err, io.EOF) {
			if d := src.Damage(); len(d) > 0 {
				t.Fatalf("%v is damaged: %v", paths, d)
			}
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// byTime puts packets in order of time, those of the same time in their order.
func byTime(list []pkt) []pkt {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b pkt) int {
		switch {
		case a.Time < b.Time:
			return -1
		case a.Time > b.Time:
			return 1
		}
		return 0
	})
	return list
}

// differ tells how two lists of packets differ; empty when they do not.
func differ(got, want []pkt) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("packet %d of %d, %d is\n %.200x\nand should be\n %.200x", i+1, len(got), len(want), fmt.Sprint(got[i]), fmt.Sprint(want[i]))
		}
	}
	if len(got) != len(want) {
		return fmt.Sprintf("%d packets, and should be %d", len(got), len(want))
	}
	return ""
}

// export writes to a file and returns its path.
func export(t testing.TB, e *Evidence, q Export) (string, *Exported) {
	t.Helper()
	name := "out.pcapng"
	if q.Format == pcapng.Pcap {
		name = "out.pcap"
	}
	path := filepath.Join(t.TempDir(), name)
	f := must(os.Create(path))(t)
	defer f.Close()
	x, err := e.Export(t.Context(), q, f)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	if info := must(f.Stat())(t); info.Size() != x.Bytes {
		t.Errorf("%+v: says %d bytes, wrote %d", q, x.Bytes, info.Size())
	}
	return path, x
}

// command runs another program on a capture and returns what it writes; the test
// is skipped without the program. What it complains of is an error.
func command(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, complaint := commandAndComplaint(t, name, args...)
	if complaint != "" {
		t.Errorf("%s %s: %s", name, strings.Join(args, " "), complaint)
	}
	return out
}

func commandAndComplaint(t testing.TB, name string, args ...string) (out, complaint string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed: nothing to compare with", name)
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var lines []string
	for line := range strings.Lines(stderr.String()) {
		if line = strings.TrimSpace(line); line != "" && !strings.Contains(line, "Running as user") && !strings.HasPrefix(line, "reading from file ") {
			lines = append(lines, line)
		}
	}
	if err != nil {
		lines = append(lines, err.Error())
	}
	return stdout.String(), strings.Join(lines, "; ")
}

// tshark asks for fields of the packets that a display filter selects, a list of
// values for each. It looks at TCP as it came: what is late stays late.
func tshark(t testing.TB, path, filter string, fields ...string) [][]string {
	t.Helper()
	args := []string{"-n", "-r", path, "-T", "fields", "-E", "separator=/t"}
	if filter != "" {
		args = append(args, "-Y", filter)
	}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	var out [][]string
	for line := range strings.Lines(command(t, "tshark", args...)) {
		out = append(out, strings.Split(strings.TrimRight(line, "\n"), "\t"))
	}
	return out
}

// readToEnd reads all packets.
func readToEnd(t testing.TB, src packet.Source) {
	t.Helper()
	var b packet.Batch
	for {
		err := src.ReadBatch(&b)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
