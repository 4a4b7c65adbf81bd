package traffic_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shark/packet/pcapng"
	"shark/traffic"
)

func TestSameSeedSameBytes(t *testing.T) {
	o := rich()
	o.Flaws = traffic.Flaws{Loss: 0.01, Reorder: 0.01, Duplicate: 0.01, Drop: 0.01, Midstream: 0.1}
	a, _, _, _ := generate(t, o)
	b, _, _, _ := generate(t, o)
	if !bytes.Equal(a, b) {
		t.Error("two runs of one seed differ")
	}
	o.Seed++
	if c, _, _, _ := generate(t, o); bytes.Equal(a, c) {
		t.Error("two seeds give the same capture")
	}
}

func TestSize(t *testing.T) {
	for _, size := range []int64{100_000, 3_000_000} {
		b, truth, _, _ := generate(t, traffic.Options{Size: size, Format: pcapng.Pcap})
		if n := int64(len(b)); n < size*95/100 || n > size*115/100+100_000 {
			t.Errorf("asked for %d bytes, got %d", size, n)
		}
		if int64(len(b)) != truth.Bytes+16*truth.Packets+24 {
			t.Errorf("the file has %d bytes; by the truth %d packets of %d bytes", len(b), truth.Packets, truth.Bytes)
		}
	}
}

func TestMix(t *testing.T) {
	_, truth, _, _ := generate(t, traffic.Options{Calls: 20000, Mix: traffic.Mix{HTTP: 3, Redis: 1}})
	if len(truth.Protocols) != 2 {
		t.Errorf("protocols: %v", truth.Protocols)
	}
	if n := truth.Protocols["redis"].Calls; n < 4500 || n > 5500 {
		t.Errorf("%d Redis calls of 20000; a quarter was asked for", n)
	}
}

func TestShortConnections(t *testing.T) {
	_, truth, _, _ := generate(t, traffic.Options{Calls: 5000, PerConn: 1})
	if n := truth.Connections + truth.Flows; n != truth.Calls {
		t.Errorf("%d conversations have %d calls", n, truth.Calls)
	}
}

func TestWrongOptions(t *testing.T) {
	for name, o := range map[string]traffic.Options{
		"pods":   {Pods: -1},
		"lonely": {Pods: 1},
		"nodes":  {Nodes: 1 << 20},
		"share":  {Gzip: 1.5},
		"flaw":   {Flaws: traffic.Flaws{Loss: -0.1}},
		"weight": {Mix: traffic.Mix{HTTP: -1, DNS: 2}},
		"body":   {Body: -5},
		"ports":  {Ports: 10, Concurrency: 10},
		"size":   {Size: -1},
		"drop":   {Flaws: traffic.Flaws{Drop: 1}},
		"start":  {Start: time.Unix(0, 0).AddDate(-100, 0, 0)},
	} {
		if _, err := traffic.Generate(io.Discard, o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	stop := errors.New("enough")
	if _, err := traffic.Generate(io.Discard, traffic.Options{OnCall: func(*traffic.Call) error { return stop }}); !errors.Is(err, stop) {
		t.Errorf("the error of OnCall came back as %v", err)
	}
	if _, err := traffic.Generate(full{}, traffic.Options{}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("the error of the file came back as %v", err)
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// tshark finds nothing wrong in the packets, and as many calls as there are.
func TestTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	o := rich()
	o.Calls, o.Pipelined = 1500, 0 // it takes the head of an answer to a pipelined HEAD for one with a body
	capture, truth, _, _ := generate(t, o)
	name := filepath.Join(t.TempDir(), "x.pcapng")
	if err := os.WriteFile(name, capture, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := tshark(t, name, "-Y", suspicious); out != "" {
		t.Errorf("tshark does not like:\n%s", out[:min(len(out), 2000)])
	}
	found := values(t, name, "http.request.method", "http.response.code", "http2.headers.method", "http2.headers.status",
		"dns.flags.rcode", "kafka.correlation_id", "kafka.request_key", "tls.handshake.type", "tcp.stream", "udp.stream")
	delete(found["http.response.code"], "100")
	p := truth.Protocols
	tls, h2 := p["tlsx"].Calls, p["http2"].Calls+p["grpc"].Calls
	same(t, "HTTP method", found["http.request.method"], p["http"].Methods)
	same(t, "HTTP status", found["http.response.code"], p["http"].Statuses)
	same(t, "DNS code", found["dns.flags.rcode"], numbered(p["dns"].Statuses, map[string]string{"NOERROR": "0", "SERVFAIL": "2", "NXDOMAIN": "3"}))
	same(t, "Kafka API", found["kafka.request_key"], numbered(p["kafka"].Methods,
		map[string]string{"PRODUCE": "0", "FETCH": "1", "METADATA": "3", "API_VERSIONS": "18"}))
	same(t, "TLS hello", found["tls.handshake.type"], map[string]int64{"1": tls, "2": tls})
	for _, c := range []struct {
		what      string
		got, want int64
	}{
		{"HTTP/2 requests", total(found["http2.headers.method"]), h2},
		{"HTTP/2 responses", total(found["http2.headers.status"]), h2},
		{"Kafka messages", total(found["kafka.correlation_id"]), 2 * p["kafka"].Calls},
		{"TCP connections", int64(len(found["tcp.stream"])), truth.Connections},
		{"UDP conversations", int64(len(found["udp.stream"])), truth.Flows},
	} {
		if c.got != c.want {
			t.Errorf("%s: tshark finds %d, there are %d", c.what, c.got, c.want)
		}
	}
}

// suspicious is a display filter for what a clean capture does not have.
const suspicious = `_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0 || tcp.analysis.flags`

func tshark(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command("tshark", append([]string{
		"-n", "-r", name, "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
		"-d", "tcp.port==8081,http2", "-d", "tcp.port==50051,http2",
	}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	return string(out)
}

// values counts the values of fields.
func values(t *testing.T, name string, fields ...string) map[string]map[string]int64 {
	t.Helper()
	found := map[string]map[string]int64{}
	args := []string{"-T", "fields", "-E", "occurrence=a"}
	for _, f := range fields {
		args = append(args, "-e", f)
		found[f] = map[string]int64{}
	}
	for line := range strings.Lines(tshark(t, name, args...)) {
		for i, column := range strings.Split(strings.TrimRight(line, "\n"), "\t") {
			for v := range strings.SplitSeq(column, ",") {
				if v != "" {
					found[fields[i]][v]++
				}
			}
		}
	}
	return found
}

func total(m map[string]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

func numbered(m map[string]int64, numbers map[string]string) map[string]int64 {
	out := map[string]int64{}
	for k, v := range m {
		out[numbers[k]] += v
	}
	return out
}

func same(t *testing.T, what string, got, want map[string]int64) {
	t.Helper()
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s %q: tshark finds %d, there are %d", what, k, got[k], v)
		}
	}
	if total(got) != total(want) {
		t.Errorf("%s: tshark finds %v, there are %v", what, got, want)
	}
}

// Packed bodies are gzip to others too.
func TestGzip(t *testing.T) {
	texts := [][]byte{nil, []byte("a"), []byte("aaaaaaaaaaaaaaaaaaaaaaaa"), bytes.Repeat([]byte("the shop "), 40000)}
	var long []byte
	for i := range 3000 {
		d := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
		long = append(append(long, d[:]...), long[len(long)*3/4:min(len(long), len(long)*3/4+i%400)]...)
	}
	for _, want := range append(texts, long) {
		z, err := gzip.NewReader(bytes.NewReader(traffic.Gzipped(want)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(z)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes came back as %d: %v", len(want), len(got), err)
		}
	}
	if n := len(traffic.Gzipped(texts[3])); n > len(texts[3])/50 {
		t.Errorf("%d bytes of one sentence packed take %d", len(texts[3]), n)
	}
}

func BenchmarkGenerate(b *testing.B) {
	for name, o := range map[string]traffic.Options{
		"mixed":  {Size: 20e6},
		"bodies": {Size: 20e6, Body: 1e6, Mix: traffic.Mix{HTTP: 1}},
		"short":  {Size: 20e6, PerConn: 1},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(o.Size)
			o.Format = pcapng.Pcap
			for b.Loop() {
				if _, err := traffic.Generate(io.Discard, o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
