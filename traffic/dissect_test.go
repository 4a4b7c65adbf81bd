package traffic_test

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/protocol"
	"shark/packet/pcapng"
	"shark/traffic"
)

// entries is what the dissector says of a capture.
type entries struct {
	calls  []string // in the words of describe, sorted
	lone   []string // calls of which only one side was found
	doubt  []string // calls that are marked as incomplete or uncertain
	conns  map[string]int64
	report *dissector.Report

	trouble []trouble
}

// trouble is a connection with retransmissions or a reset.
type trouble struct {
	client, server netip.AddrPort
	retransmitted  int64
	reset          bool
}

func (x *entries) Entry(e *dissector.Entry) error {
	if e.Protocol == dissector.ConnProtocol {
		x.conns[e.Flow.Proto.String()]++
		v := &e.Request.Values
		c := trouble{retransmitted: field.ConnRetransmissions.Get(v), reset: field.ConnResets.Get(v) > 0}
		if c.retransmitted > 0 || c.reset {
			c.client, c.server = ends(e)
			x.trouble = append(x.trouble, c)
		}
		return nil
	}
	if e.Protocol == dissector.FlowProtocol {
		return nil
	}
	k := traffic.Call{Protocol: e.Protocol.Name, Start: e.Time, Elapsed: e.End - e.Time}
	k.Client, k.Server = ends(e)
	if e.Request != nil {
		k.Method = string(dissector.Operation.Get(&e.Request.Values))
		k.Path = string(dissector.Summary.Get(&e.Request.Values))
	}
	if e.Response != nil {
		k.Status = string(dissector.Status.Get(&e.Response.Values))
		if k.Protocol == "tlsx" {
			k.Elapsed = e.Response.Start - e.Time
		}
	}
	if e.Request == nil || e.Response == nil {
		x.lone = append(x.lone, describe(&k))
		return nil
	}
	if e.Marks != 0 {
		x.doubt = append(x.doubt, describe(&k))
		return nil
	}
	x.calls = append(x.calls, describe(&k))
	return nil
}

func ends(e *dissector.Entry) (client, server netip.AddrPort) {
	return netip.AddrPortFrom(e.Flow.Src.IP(), e.Flow.SrcPort), netip.AddrPortFrom(e.Flow.Dst.IP(), e.Flow.DstPort)
}

func describe(k *traffic.Call) string {
	return fmt.Sprintf("%s %s %s -> %s; %s to %s at %d for %d", k.Protocol, k.Method, k.Path, k.Status, k.Client, k.Server, k.Start, k.Elapsed)
}

func dissect(t *testing.T, capture []byte) *entries {
	t.Helper()
	src, err := pcapng.NewReader(bytes.NewReader(capture), "capture")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	x := &entries{conns: map[string]int64{}}
	x.report, err = dissector.Run(context.Background(), src, dissector.Options{Protocols: protocol.All()}, func(int) dissector.Sink { return x })
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(x.calls)
	return x
}

// generate makes a capture and lists its calls, the whole and the partial ones.
func generate(t *testing.T, o traffic.Options) (capture []byte, truth *traffic.Truth, whole, partial []string) {
	t.Helper()
	var b bytes.Buffer
	o.OnCall = func(k *traffic.Call) error {
		if k.Partial {
			partial = append(partial, describe(k))
		} else {
			whole = append(whole, describe(k))
		}
		return nil
	}
	truth, err := traffic.Generate(&b, o)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(whole)
	slices.Sort(partial)
	return b.Bytes(), truth, whole, partial
}

// rich has everything that a clean capture can have.
func rich() traffic.Options {
	return traffic.Options{
		Seed: 7, Calls: 4000, Nodes: 3, Format: pcapng.Pcapng,
		IPv6: 0.3, Gzip: 0.3, Chunked: 0.3, Pipelined: 0.1, Continue: 0.1, Huffman: true,
	}
}

// missing returns what of want is not in got; both are sorted.
func missing(want, got []string) (out []string) {
	for _, w := range want {
		for len(got) > 0 && got[0] < w {
			got = got[1:]
		}
		if len(got) > 0 && got[0] == w {
			got = got[1:]
			continue
		}
		out = append(out, w)
	}
	return out
}

func some(lines []string) string {
	n := len(lines)
	return fmt.Sprintf("%d:\n\t%s", n, strings.Join(lines[:min(n, 8)], "\n\t"))
}

// The dissector finds every call of a whole capture, at its time to the
// nanosecond, and nothing else.
func TestDissectorFindsTheTruth(t *testing.T) {
	plain := rich()
	plain.Huffman, plain.Format, plain.Nodes = false, pcapng.Pcap, 1
	short := rich()
	short.PerConn, short.Calls = 1, 2000
	large := rich()
	large.Body, large.Calls, large.Mix = 1_000_000, 20, traffic.Mix{HTTP: 2, HTTP2: 1}
	few := rich() // ports and addresses are soon used again
	few.Pods, few.Ports, few.Concurrency, few.PerConn = 2, 20, 8, 1
	few.Mix = traffic.Mix{HTTP: 2, GRPC: 1, Redis: 2, Kafka: 1}
	twice := rich()
	twice.Flaws.Duplicate, twice.Mix = 0.2, traffic.Mix{HTTP: 3, HTTP2: 1, GRPC: 2, Redis: 2, Kafka: 2, TLS: 1}
	rough := rich() // nothing is missing in the end
	rough.Flaws.Loss, rough.Flaws.Reorder, rough.Body, rough.Calls = 0.03, 0.03, 20000, 1500
	for _, c := range []struct {
		name string
		o    traffic.Options
	}{{"rich", rich()}, {"plain", plain}, {"short", short}, {"large", large}, {"few ports", few}, {"duplicates", twice}, {"loss and reordering", rough}} {
		t.Run(c.name, func(t *testing.T) {
			capture, truth, whole, partial := generate(t, c.o)
			x := dissect(t, capture)
			if c.o.Flaws.Loss > 0 { // a late packet inside a call may or may not be its end
				whole, x.calls = cutAt(whole, " for "), cutAt(x.calls, " for ")
			}
			if len(partial) != 0 || truth.Partial != 0 || int64(len(whole)) != truth.Calls {
				t.Fatalf("%d calls, %d of them partial, by a truth of %d", len(whole), len(partial), truth.Calls)
			}
			if m := missing(whole, x.calls); m != nil {
				t.Errorf("not found %s", some(m))
			}
			if m := missing(x.calls, whole); m != nil {
				t.Errorf("made up %s", some(m))
			}
			if len(x.lone) > 0 {
				t.Errorf("halves of calls %s", some(x.lone))
			}
			if x.report.Packets != truth.Packets || x.report.WireBytes != truth.Bytes {
				t.Errorf("read %d packets, %d bytes; written %d, %d", x.report.Packets, x.report.WireBytes, truth.Packets, truth.Bytes)
			}
			if x.conns["tcp"] != truth.Connections || x.conns["udp"] != truth.Flows {
				t.Errorf("found %v connections; there are %d TCP and %d UDP", x.conns, truth.Connections, truth.Flows)
			}
			if r := x.report; r.ParseErrors+r.Missing+r.Skipped+r.Malformed+r.Other != 0 {
				t.Errorf("not all could be read: %+v", *r)
			}
		})
	}
}

// The dissector pairs nothing wrongly when packets are missing, and still finds
// most of what is whole.
func TestDissectorOfADamagedCapture(t *testing.T) {
	for _, c := range []struct {
		name  string
		seed  uint64
		flaws traffic.Flaws
		found float64 // share of the whole calls that are found and without a doubt
	}{
		{"drops", 7, traffic.Flaws{Drop: 0.003}, 0.9},
		{"everything", 7, traffic.Flaws{Drop: 0.003, Midstream: 0.1, Loss: 0.01, Reorder: 0.01}, 0.85},
		{"late start whose first answer is missing", 203, traffic.Flaws{Drop: 0.003, Midstream: 0.1, Loss: 0.01, Reorder: 0.01}, 0.85},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := rich()
			o.Seed, o.Flaws, o.Pipelined = c.seed, c.flaws, 0
			capture, truth, whole, partial := generate(t, o)
			if truth.Partial == 0 || int64(len(partial)) != truth.Partial {
				t.Fatalf("%d partial calls, %d by the truth", len(partial), truth.Partial)
			}
			x := dissect(t, capture)
			lost := missing(whole, x.calls)
			if found := 1 - float64(len(lost))/float64(len(whole)); found < c.found {
				t.Errorf("found %.3f of the whole calls; not %s", found, some(lost))
			}
			all := timeless(append(whole, partial...))
			if m := missing(timeless(x.calls), all); m != nil {
				t.Errorf("made up %s", some(m))
			}
		})
	}
}

// Of connections that began before the capture nothing is missing but what was said before it.
// The calls are found, the first that is answered in order with the doubt that its answer may be
// to a request before the capture. Of requests that are sent ahead of answers from the beginning
// on nobody can tell: those are what is not found.
func TestDissectorOfALateStart(t *testing.T) {
	o := rich()
	o.Flaws, o.Pipelined = traffic.Flaws{Midstream: 0.3}, 0
	capture, truth, whole, partial := generate(t, o)
	if truth.Midstream == 0 || truth.Partial == 0 {
		t.Fatalf("%d late connections, %d partial calls", truth.Midstream, truth.Partial)
	}
	x := dissect(t, capture)
	told := slices.Sorted(slices.Values(slices.Concat(x.calls, x.doubt)))
	lost := missing(whole, told)
	if found := 1 - float64(len(lost))/float64(len(whole)); found < 0.975 {
		t.Errorf("found %.3f of the whole calls; not %s", found, some(lost))
	}
	told = slices.DeleteFunc(told, func(call string) bool { // of which some headers are not known
		return strings.HasPrefix(call, "grpc POST ") || strings.HasPrefix(call, "http2 ")
	})
	if m := missing(timeless(told), timeless(append(whole, partial...))); m != nil {
		t.Errorf("made up %s", some(m))
	}
	if sure := float64(len(x.calls)) / float64(len(whole)); sure < 0.95 {
		t.Errorf("%.3f of the whole calls are without a doubt", sure)
	}
}

// timeless returns the calls without their times, which may be those of other
// packets when some are missing.
func timeless(calls []string) []string { return cutAt(calls, " at ") }

// cutAt returns the front of each description, up to a word.
func cutAt(calls []string, word string) (out []string) {
	for _, c := range calls {
		k, _, _ := strings.Cut(c, word)
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
