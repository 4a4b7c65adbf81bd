package dissectortest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/packet"
	"shark/packet/keylog"
	"shark/packet/pcapng"
)

// Open opens a capture file until the test ends.
func Open(t testing.TB, file string) packet.Source {
	t.Helper()
	src, err := pcapng.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close() }) // it is only read
	return src
}

// Dissect hands the entries of a capture to sink.
func Dissect(t testing.TB, src packet.Source, sink dissector.Sink, protocols ...*dissector.Protocol) {
	t.Helper()
	opts := dissector.Options{Protocols: protocols}
	if with, ok := src.(pcapng.WithSecrets); ok {
		opts.Secrets = new(keylog.Table)
		src = pcapng.Keyed(with, opts.Secrets)
	}
	if _, err := dissector.Run(t.Context(), src, opts, func(int) dissector.Sink { return sink }); err != nil {
		t.Fatal(err)
	}
}

// Told checks each capture of testdata/<name> that has beside it what its clients or
// servers said of it: the lines of the file that ends in .truth.
func Told(t *testing.T, name string, check func(t *testing.T, capture string, lines []string)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(moduleRoot(t), "testdata", name, "*.truth"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no truth in testdata/%s: %v", name, err)
	}
	for _, file := range files {
		capture := strings.TrimSuffix(file, ".truth") + ".pcap"
		if _, err := os.Stat(capture); err != nil {
			capture += "ng"
		}
		t.Run(filepath.Base(capture), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			check(t, capture, strings.Split(strings.TrimRight(string(b), "\n"), "\n"))
		})
	}
}

// Public returns the folder of other people's captures. Where none is named the test
// is skipped.
func Public(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("SHARK_CAPTURES")
	if dir == "" {
		t.Skip("SHARK_CAPTURES does not name the folder of captures")
	}
	return dir
}

// PublicWithTshark is Public for a test that asks tshark.
func PublicWithTshark(t testing.TB) string {
	t.Helper()
	needTshark(t)
	return Public(t)
}

// Oracle reads into v, as JSON, what is known of a capture of a public folder.
func Oracle(t testing.TB, dir, capture string, v any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "oracle", capture+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

// SameLines checks that two lists have the same lines, in any order.
func SameLines(t testing.TB, got, want []string) {
	t.Helper()
	if more, less := Without(got, want), Without(want, got); more != "" || less != "" {
		t.Errorf("too many:\n%s\nmissing:\n%s", more, less)
	}
	t.Logf("%d lines are compared", len(want))
}

// Without returns the lines of a that b has not, in order.
func Without(a, b []string) string {
	left := make(map[string]int)
	for _, s := range b {
		left[s]++
	}
	var out []string
	for _, s := range slices.Sorted(slices.Values(a)) {
		if left[s]--; left[s] < 0 {
			out = append(out, s)
		}
	}
	return strings.Join(out, "\n")
}

// Feed gives what a side says to a parser, piece more bytes at a time, as the engine
// does with a stream, up to the first error. blank makes a message that nothing is
// known of.
func Feed(t testing.TB, parse dissector.Parse, from dissector.Side, b []byte, piece int, blank func() *dissector.Message) {
	t.Helper()
	m, open := (*dissector.Message)(nil), false
	for off, have := 0, 0; have < len(b); {
		have = min(len(b), max(off, have)+piece)
		for off < have {
			if !open {
				m = blank()
			}
			m.Role, m.Open, m.Skip, m.Cancel, m.Remark, m.Again, m.Need = dissector.BySide, false, false, false, false, false, 0
			span, err := parse(from, b[off:have], m)
			if err == dissector.ErrShort {
				break
			}
			if err != nil {
				return
			}
			if span <= 0 {
				t.Fatalf("span %d", span)
			}
			if open = m.Open; !m.Again {
				off += int(min(span, int64(len(b))))
			}
		}
	}
}
