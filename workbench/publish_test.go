package workbench

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"shark/snapshot"
)

// Whoever has a published index gets the answers that a dissection gives, and makes none;
// with other options, another version or another identity log it is not used.
func TestPublishedIndexAnswers(t *testing.T) {
	w := newBench(t)
	m := importSnapshot(t, w, snapshot.ImportOptions{Files: []string{"../testdata/http/server.pcap", "../testdata/dns/records.pcap"}, Name: "outage"})
	want := must(entries(open(t, w, m.ID), Query{}))(t)
	d, published, err := open(t, w, m.ID).Publish(t.Context())
	if err != nil || !published || d.Fetched {
		t.Fatal(d, published, err)
	}
	sameStore := func(c *Config) { c.Store = w.cfg.Store }
	other := newBench(t, sameStore)
	e := open(t, other, m.ID)
	if got := must(entries(e, Query{}))(t); !bytes.Equal(got, want) || len(got) == 0 {
		t.Error(firstDifference(got, want))
	}
	if list, _ := os.ReadDir(other.cfg.Cache + "/index"); len(list) > 0 {
		t.Errorf("it has made %v", list)
	}
	if c := e.coverage(e.ready()); !strings.Contains(strings.Join(c.Notes, "\n"), "published with it") || c.Partial {
		t.Errorf("the coverage is %+v", c)
	}
	if _, again, err := open(t, other, m.ID).Publish(t.Context()); again || err != nil {
		t.Errorf("published again: %v, %v", again, err)
	}
	for name, change := range map[string]func(*Config){
		"another version": func(c *Config) { c.Version = "other" },
		"other protocols": func(c *Config) { c.Protocols = []string{"http"} },
		"other memory":    func(c *Config) { c.Memory = 1 << 20 },
		"not wanted":      func(c *Config) { c.NoFetch = true },
	} {
		e := open(t, newBench(t, sameStore, change), m.ID)
		if x := must(e.index(t.Context()))(t); x.note != "" {
			t.Errorf("%s: %s", name, x.note)
		}
	}
}

// What an estimate says is what is read then, and estimating reads no packets.
func TestEstimate(t *testing.T) {
	w := newBench(t)
	m := importSnapshot(t, w, snapshot.ImportOptions{Files: []string{"../testdata/http/server.pcap", "../testdata/dns/records.pcap", "../testdata/http2/web.pcap"}, Name: "outage"})
	for name, q := range map[string]Export{
		"all":     {},
		"window":  {From: When{At: m.Nodes[0].Got.From}, To: When{At: m.Nodes[0].Got.From.Add(time.Millisecond)}},
		"address": {IP: "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, w, m.ID)
			x := must(e.EstimateExport(t.Context(), q))(t)
			if x.Bytes > e.snapshot.PacketBytes()+1<<20 || x.AllBlocks == 0 || x.Latency != 0 || x.Ready {
				t.Errorf("%+v", x)
			}
			if name == "window" && x.Blocks > 1 || name == "all" && (x.Blocks != x.AllBlocks || x.Bytes < e.snapshot.PacketBytes()) {
				t.Errorf("%+v", x)
			}
		})
	}
	e := open(t, w, m.ID)
	if x := must(e.EstimateDissect(t.Context()))(t); x.Ready || x.Packets == 0 || e.ready() != nil {
		t.Errorf("before: %+v", x)
	}
	must(e.index(t.Context()))(t)
	if x := must(open(t, w, m.ID).EstimateDissect(t.Context()))(t); !x.Ready {
		t.Errorf("afterwards: %+v", x)
	}
}
