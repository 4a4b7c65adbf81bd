package content_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shark/bpf/bpftest"
	"shark/packet"
	"shark/packet/pcapng"
	"shark/recorder/plaintext/content"
	"shark/recorder/plaintext/object"
)

// sink keeps what is recorded.
type sink struct {
	mu      sync.Mutex
	records []packet.Record
	lost    uint64
}

func (s *sink) Write(records []packet.Record, interfaces []packet.Interface) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		r.Data = bytes.Clone(r.Data)
		s.records = append(s.records, r)
	}
}

func (s *sink) Lost(_ uint32, n uint64, _ []packet.Interface) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost += n
}

// recording is a Capture that runs.
type recording struct {
	*content.Capture
	t    *testing.T
	sink sink
	end  func()
}

// record begins to record; nothing is looked at that is not attached to.
func record(t *testing.T, o content.Options) *recording {
	t.Helper()
	c, err := content.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	r := &recording{Capture: c, t: t}
	if err := c.Policy().Default(true); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx, &r.sink) }()
	r.end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		r.end()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// open looks at a file that only the test's own processes execute; who calls closes.
func (r *recording) open(path string, library object.Library) *content.Attachment {
	r.t.Helper()
	f, err := os.Open(path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	a, err := r.Attach(path, f, &object.Object{Library: library})
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

// attach looks at a file until the test ends.
func (r *recording) attach(path string, library object.Library) {
	r.t.Helper()
	a := r.open(path, library)
	r.t.Cleanup(func() {
		if err := a.Close(); err != nil {
			r.t.Error(err)
		}
	})
}

// stop ends the recording and returns what it has.
func (r *recording) stop() *told {
	r.t.Helper()
	r.end()
	return tell(r.t, r.sink.records)
}

// direction is what one end said to the other.
type direction struct{ from, to netip.AddrPort }

// told is what segments say, by direction.
type told struct {
	streams map[direction]*stream
	order   []direction // as they began
	records []packet.Record
}

type stream struct {
	data    []byte
	first   uint32
	fin     bool
	missing uint64 // bytes between others
	end     uint64 // bytes that are missing before the FIN
}

// tell reads segments as anybody would: the numbers say where the bytes belong.
func tell(t *testing.T, records []packet.Record) *told {
	t.Helper()
	x := &told{streams: make(map[direction]*stream), records: records}
	var d packet.Decoder
	var p packet.Packet
	for i := range records {
		d.Decode(&records[i], &p)
		if p.Proto != packet.TCP {
			t.Fatalf("packet %d is no TCP: % x", i, records[i].Data)
		}
		at := direction{netip.AddrPortFrom(p.Src.IP(), p.SrcPort), netip.AddrPortFrom(p.Dst.IP(), p.DstPort)}
		s := x.streams[at]
		if s == nil {
			s = &stream{first: 1}
			x.streams[at] = s
			x.order = append(x.order, at)
		}
		if p.Flags&packet.FIN != 0 {
			s.fin, s.end = true, uint64(p.Seq-s.first)-uint64(len(s.data))
			continue
		}
		next := s.first + uint32(len(s.data))
		if gap := int32(p.Seq - next); gap < 0 {
			t.Fatalf("%v: bytes from %d come after those up to %d", at, p.Seq, next)
		} else if gap > 0 {
			s.missing += uint64(gap)
			s.data = append(s.data, make([]byte, gap)...)
		}
		s.data = append(s.data, p.Payload...)
	}
	return x
}

// file writes the segments into a file, for other programs.
func (x *told) file(t *testing.T) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "plaintext.pcapng"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := pcapng.NewWriter(f, pcapng.Options{Format: pcapng.Pcapng})
	if err != nil {
		t.Fatal(err)
	}
	for i := range x.records {
		if err := w.Write(&x.records[i], []packet.Interface{{Link: x.records[i].Link, Name: content.Interface}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// exchange is a request and its answer.
type exchange struct {
	request            string // method, URI
	sent, status       int
	received           int
	sentSum, recvedSum string
	client, server     netip.AddrPort
}

func digest(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:8])
}

// exchanges reads HTTP/1.1 from all connections to a port.
func (x *told) exchanges(t *testing.T, port uint16) []exchange {
	t.Helper()
	var all []exchange
	for _, at := range x.order {
		if at.to.Port() != port {
			continue
		}
		back := x.streams[direction{at.to, at.from}]
		if back == nil {
			t.Fatalf("%v: nothing came back", at)
		}
		if n := x.streams[at].missing + back.missing; n > 0 {
			t.Fatalf("%v: %d bytes are missing", at, n)
		}
		asked, answered := bufio.NewReader(bytes.NewReader(x.streams[at].data)), bufio.NewReader(bytes.NewReader(back.data))
		for {
			req, err := http.ReadRequest(asked)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%v: request: %v", at, err)
			}
			sent, err := io.ReadAll(req.Body)
			if err != nil {
				t.Fatalf("%v: request's body: %v", at, err)
			}
			resp, err := http.ReadResponse(answered, req)
			if err != nil {
				t.Fatalf("%v: answer to %s: %v", at, req.URL, err)
			}
			received, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatalf("%v: answer's body: %v", at, err)
			}
			all = append(all, exchange{
				request: req.Method + " " + req.RequestURI, sent: len(sent), sentSum: digest(sent), status: resp.StatusCode,
				received: len(received), recvedSum: digest(received), client: at.from, server: at.to,
			})
		}
	}
	slices.SortStableFunc(all, func(a, b exchange) int { return cmp.Compare(a.request, b.request) })
	return all
}

// listening waits until somebody accepts connections on a port.
func listening(t *testing.T, addr string) {
	t.Helper()
	bpftest.Until(t, addr+" listens", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// port finds a free port of 127.0.0.1.
func port(t *testing.T) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort().Port()
}

// own makes a copy of a file, which nobody else executes.
func own(t *testing.T, path, dir string) string {
	t.Helper()
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(real)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, filepath.Base(path))
	if err := os.WriteFile(to, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return to
}

// library finds the file that a program, or library, loads by a name.
func library(t *testing.T, program, name string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		path = program
	}
	out, err := exec.Command("ldd", path).Output()
	if err != nil {
		t.Fatalf("ldd %s: %v", path, err)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 2 && f[0] == name {
			return f[2]
		}
	}
	t.Fatalf("%s loads no %s", program, name)
	return ""
}

// start runs a program until the test ends, and returns its output so far.
func start(t *testing.T, env []string, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	in, err := cmd.StdinPipe() // some end with their input
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Signal(os.Interrupt)
		timer := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		timer.Stop()
		if t.Failed() {
			t.Logf("%s: %s", name, out.String())
		}
	})
	return cmd
}

// run runs a program to its end and returns its output.
func run(t *testing.T, env []string, input string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin = strings.NewReader(input)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, out, errs.String())
	}
	return string(out)
}

// certificate makes a key and a certificate for 127.0.0.1, as files.
func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &tmpl, &tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	pk, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pk})))
	return cert, key
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
