package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shark/workbench"
)

func TestByteSize(t *testing.T) {
	for in, want := range map[string]int64{
		"512": 512, "512M": 512e6, "2GiB": 2 << 30, "1.5k": 1500, "64Ki": 64 << 10, "3mb": 3e6, "7B": 7,
		"": 0, "M": 0, "-1": 0, "0": 0, "1X": 0, "1e30": 0, "1 M": 0, "9999999T": 0, "NaN": 0, "Inf": 0,
	} {
		var b byteSize
		if err := b.Set(in); int64(b) != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v, want %d", in, b, err, want)
		}
	}
}

func TestTimeFlag(t *testing.T) {
	at := time.Date(2026, 3, 14, 22, 0, 0, 0, time.UTC)
	local := time.Date(2026, 3, 14, 22, 0, 0, 0, time.Local)
	for in, want := range map[string]time.Time{
		"2026-03-14T22:00:00Z":           at,
		"2026-03-14T22:00:00.000000001Z": at.Add(1),
		"2026-03-14T23:00:00+01:00":      at,
		"2026-03-14 22:00":               local,
		"2026-03-14T22:00":               local,
		"2026-03-14 22:00:00.5":          local.Add(time.Second / 2),
		"2026-03-14":                     local.Add(-22 * time.Hour),
	} {
		var f timeFlag
		if err := f.Set(in); err != nil || !f.At.Equal(want) || f.BeforeEnd != 0 {
			t.Errorf("%q: %v, %v, want %v", in, f.At, err, want)
		}
	}
	var f timeFlag
	if err := f.Set("-1h30m"); err != nil || f.BeforeEnd != 90*time.Minute {
		t.Errorf("-1h30m: %v, %v", f.BeforeEnd, err)
	}
	for in, want := range map[string]workbench.Clock{
		"22:00":      {Since: 22 * time.Hour, Zone: time.Local},
		"09:05:07":   {Since: 9*time.Hour + 5*time.Minute + 7*time.Second, Zone: time.Local},
		"00:00:00.5": {Since: time.Second / 2, Zone: time.Local},
	} {
		if err := f.Set(in); err != nil || f.Clock == nil || *f.Clock != want || !f.At.IsZero() || f.BeforeEnd != 0 {
			t.Errorf("%q: %+v, %v, want %+v", in, f.When, err, want)
		}
	}
	for _, in := range []string{"", "now", "-15", "--15m", "-0s", "24:00", "22", "22:00Z", "22:00:00:00", "2026-13-01", "15m"} {
		if err := new(timeFlag).Set(in); err == nil {
			t.Errorf("%q is taken for a time", in)
		}
	}
}

func TestNumbersForPeople(t *testing.T) {
	for got, want := range map[string]string{
		byteText(999): "999 B", byteText(1000): "1.0 kB", byteText(999_949): "999.9 kB", byteText(999_950): "1.0 MB", byteText(12_345_678_901): "12.35 GB",
		microText(0): "0 µs", microText(999): "999 µs", microText(1500): "1.5 ms", microText(123_456): "123 ms", microText(61_000_000): "61.00 s",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSplitQuery(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"a.pcap", "b"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("http", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string // apart by |
		refs int
		expr string
		code exitCode
	}{
		{"a.pcap", 1, "", exitOK},
		{"outage", 1, "", exitOK},
		{"a.pcap|http", 1, "http", exitOK},
		{"a.pcap|b", 2, "", exitOK},
		{"a.pcap|b|http && path == \"/a.pcap\"", 2, "http && path == \"/a.pcap\"", exitOK},
		{"a.pcap|path.endsWith(\".gz\")", 1, "path.endsWith(\".gz\")", exitOK},
		{"a.pcap|src.ip == dst.ip", 1, "src.ip == dst.ip", exitOK},
		{"a.pcap|src.pod.name", 1, "src.pod.name", exitOK},
		{"a.pcap|-", 2, "", exitOK},
		{"a.pcap|c.pcap", 0, "", exitNotFound},
		{"a.pcap|c.pcapng.zst", 0, "", exitNotFound},
		{"a.pcap|dir/c", 0, "", exitNotFound},
		{"http && failed", 0, "", exitUsage},
		{"s3://bucket/outage?region=eu-central-1&use_path_style=true", 1, "", exitOK},
		{"s3://bucket/outage?region=eu-central-1|http", 1, "http", exitOK},
		{"a.pcap|gs://bucket/outage", 2, "", exitOK},
	} {
		refs, expr, err := splitQuery(strings.Split(c.args, "|"))
		if code := codeOf(t.Context(), err); len(refs) != c.refs || expr != c.expr || code != c.code {
			t.Errorf("%s: %q and %q, %v, want %d snapshots, %q and exit code %d", c.args, refs, expr, err, c.refs, c.expr, c.code.code)
		}
	}
}

// Every command and flag explains itself.
func TestHelpIsWhole(t *testing.T) {
	root := newRoot(new(app))
	root.SetArgs([]string{"help"})
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Name() == "completion" {
			return // cobra's
		}
		if c.Short == "" || c.Example == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: its help is %q with the examples %q", c.CommandPath(), c.Short, c.Example)
		}
		for line := range strings.Lines(c.Example) {
			if !strings.HasPrefix(line, "  ") || !strings.Contains(line, c.CommandPath()) && c.HasParent() && !c.HasSubCommands() {
				t.Errorf("%s: example %q", c.CommandPath(), line)
			}
		}
		if c.HasParent() && !c.HasSubCommands() && strings.Contains(c.Use, "SNAPSHOT") && c.ValidArgsFunction == nil {
			t.Errorf("%s completes no snapshots", c.CommandPath())
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" || strings.HasSuffix(f.Usage, ".") {
				t.Errorf("%s --%s: %q", c.CommandPath(), f.Name, f.Usage)
			}
			if filepath.IsAbs(f.DefValue) {
				t.Errorf("%s --%s: the help shows %s of this machine", c.CommandPath(), f.Name, f.DefValue)
			}
		})
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
}
