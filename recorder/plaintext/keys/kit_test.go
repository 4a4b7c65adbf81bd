//go:build linux

package keys

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"shark/bpf/bpftest"
	"shark/packet"
	"shark/packet/keylog"
	"shark/packet/pcapng"
	"shark/recorder/plaintext/libraries"
)

// lab is a network namespace of the test's own, with copies of the TLS libraries that nobody else
// maps, in which all traffic is captured and secrets are read.
type lab struct {
	t      *testing.T
	dir    string
	holder *exec.Cmd // of the namespace
	netns  uint32
	cert   string
	key    string
	keys   *Keys
	pcap   string
	stop   func() // the capture

	paused atomic.Bool  // nothing may be read
	only   atomic.Value // a string: what the processes are called that may be
	mu     sync.Mutex
	events []Event
}

func newLab(t *testing.T, o Options) *lab {
	t.Helper()
	l := &lab{t: t, dir: t.TempDir()}
	bpftest.Root(t, "unshare", "nsenter", "ip", "tcpdump", "tshark", "python3")
	l.copyLibraries()
	l.certify()
	l.unshare()
	l.pcap = filepath.Join(l.dir, "lo.pcap")
	o.Allow = func(p libraries.Process) bool {
		only, _ := l.only.Load().(string)
		return !l.paused.Load() && p.NetNS == l.netns && (only == "" || p.Comm == only)
	}
	l.read(o)
	return l
}

// copyLibraries gives the lab's programs libraries with inodes of their own.
func (l *lab) copyLibraries() {
	l.t.Helper()
	for _, name := range []string{"libssl.so.3", "libgnutls.so.30"} {
		all, err := filepath.Glob("/usr/lib/*/" + name)
		if err != nil || len(all) == 0 {
			bpftest.Missing(l.t, name+" is not installed")
		}
		l.copyFile(all[0], name)
	}
}

func (l *lab) copyFile(from, name string) string {
	l.t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		bpftest.Missing(l.t, err.Error())
	}
	to := filepath.Join(l.dir, name)
	if err := os.WriteFile(to, b, 0o755); err != nil {
		l.t.Fatal(err)
	}
	return to
}

func (l *lab) certify() {
	l.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		l.t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		l.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		l.t.Fatal(err)
	}
	l.cert = l.write("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	l.key = l.write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

func (l *lab) write(name string, data []byte) string {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		l.t.Fatal(err)
	}
	return path
}

// unshare makes the namespace, which lives as long as the process that holds it.
func (l *lab) unshare() {
	l.t.Helper()
	l.holder = exec.Command("unshare", "--net", "sh", "-c", "ip link set lo up && echo ready && exec cat")
	p := l.launch(l.holder, "ready")
	var st syscall.Stat_t
	if err := syscall.Stat(fmt.Sprintf("/proc/%d/ns/net", p.pid()), &st); err != nil {
		l.t.Fatal(err)
	}
	l.netns = uint32(st.Ino)
}

// read has the secrets of the lab read until the end of the test.
func (l *lab) read(o Options) {
	l.t.Helper()
	w, err := libraries.Open()
	if err != nil {
		l.t.Fatal(err)
	}
	o.Libraries = w
	k, err := Open(o)
	if errors.Is(err, errors.ErrUnsupported) {
		bpftest.Missing(l.t, err.Error())
	}
	if err != nil {
		l.t.Fatal(err)
	}
	l.keys = k
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- w.Run(ctx) }()
	go func() {
		done <- k.Run(ctx, func(e Event) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.events = append(l.events, e)
		})
	}()
	l.t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, <-done, k.Close(), w.Close()); err != nil {
			l.t.Error(err)
		}
	})
}

// program is one that runs in the lab.
type program struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (p *program) pid() int { return p.cmd.Process.Pid }

// launch starts a program that ends with its input, and waits for a line that it says.
func (l *lab) launch(cmd *exec.Cmd, ready string) *program {
	l.t.Helper()
	p := &program{t: l.t, cmd: cmd}
	var err error
	if p.in, err = cmd.StdinPipe(); err != nil {
		l.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		p.in.Close()
		p.cmd.Process.Signal(syscall.SIGTERM)
		p.cmd.Wait()
	})
	if ready != "" {
		p.until(ready)
	}
	return p
}

// until returns the lines up to one that begins so.
func (p *program) until(begin string) (lines []string) {
	p.t.Helper()
	for {
		line, err := p.out.ReadString('\n')
		if err != nil {
			p.t.Fatalf("%s ended before %q: %v", p.cmd, begin, err)
		}
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, begin) {
			return lines
		}
		lines = append(lines, line)
	}
}

// command is a program in the namespace, with the libraries of the lab.
func (l *lab) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("nsenter", append([]string{fmt.Sprintf("--net=/proc/%d/ns/net", l.holder.Process.Pid), name}, args...)...)
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+l.dir)
	return cmd
}

// run runs a program to its end and returns what it says.
func (l *lab) run(name string, args ...string) string {
	l.t.Helper()
	bpftest.Program(l.t, name)
	cmd := l.command(name, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		l.t.Fatalf("%s: %v\n%s%s", cmd, err, out, errs.Bytes())
	}
	return string(out)
}

// listening waits for a server.
func (l *lab) listening(port int) {
	l.t.Helper()
	bpftest.Until(l.t, fmt.Sprintf("a server at port %d", port), func() bool {
		for _, name := range []string{"tcp", "tcp6"} {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", l.holder.Process.Pid, name))
			for line := range strings.Lines(string(b)) {
				if f := strings.Fields(line); err == nil && len(f) > 3 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) && f[3] == "0A" {
					return true
				}
			}
		}
		return false
	})
}

// status returns what is known of a file, by its name.
func (l *lab) status(name string) (f FileStatus, ok bool) {
	l.t.Helper()
	s, err := l.keys.Status()
	if err != nil {
		l.t.Fatal(err)
	}
	for _, f := range s.Files {
		if f.Path == filepath.Join(l.dir, name) {
			return f, true
		}
	}
	return f, false
}

// attached waits until a file is.
func (l *lab) attached(name string) FileStatus {
	l.t.Helper()
	var f FileStatus
	bpftest.Until(l.t, name+" attached", func() bool { f, _ = l.status(name); return f.Attached })
	return f
}

// capture captures what goes over the namespace's loopback.
func (l *lab) capture() {
	l.t.Helper()
	cmd := l.command("tcpdump", "-i", "lo", "-B", "65536", "--immediate-mode", "-U", "-Z", "root", "-w", l.pcap)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.stop = sync.OnceFunc(func() {
		cmd.Process.Signal(syscall.SIGINT)
		cmd.Wait()
	})
	l.t.Cleanup(l.stop)
	bpftest.Until(l.t, "tcpdump", func() bool { return l.captured("begin") })
}

// captured sends a packet with a text, and says whether it is in the file by now.
func (l *lab) captured(text string) bool {
	l.t.Helper()
	l.run("bash", "-c", "echo mark:"+text+" >/dev/udp/127.0.0.1/9")
	b, err := os.ReadFile(l.pcap)
	return err == nil && bytes.Contains(b, []byte("mark:"+text))
}

// decrypt returns the capture with the secrets before it, which is all that tshark gets.
func (l *lab) decrypt() string {
	l.t.Helper()
	bpftest.Until(l.t, "the last packet", func() bool { return l.captured("end") })
	l.stop()
	path := filepath.Join(l.dir, "clear.pcapng")
	f, err := os.Create(path)
	if err != nil {
		l.t.Fatal(err)
	}
	defer f.Close()
	w, err := pcapng.NewWriter(f, pcapng.Options{})
	if err != nil {
		l.t.Fatal(err)
	}
	var lines []byte
	for _, e := range l.all() {
		lines = e.Secret.Append(lines)
	}
	if err := w.WriteSecrets(pcapng.Secret{Type: pcapng.SecretTLS, Data: lines}); err != nil {
		l.t.Fatal(err)
	}
	r, err := pcapng.Open(l.pcap)
	if err != nil {
		l.t.Fatal(err)
	}
	defer r.Close()
	var b packet.Batch
	for {
		err := r.ReadBatch(&b)
		for i := range b.Records {
			if err := w.Write(&b.Records[i], r.Interfaces()); err != nil {
				l.t.Fatal(err)
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			l.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		l.t.Fatal(err)
	}
	return path
}

// all returns the events so far.
func (l *lab) all() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Event(nil), l.events...)
}

// decrypted is what tshark sees in a capture.
type decrypted struct {
	requests []string // their paths
	answers  int      // with status 200
	hellos   map[[keylog.RandomSize]byte]bool
}

// tshark reads a capture with TLS at some ports.
func (l *lab) tshark(file string, ports []int) decrypted {
	l.t.Helper()
	args := []string{"-r", file, "-2", "-Y", "http or http2 or tls.handshake.type == 1", "-o", "http.desegment_body:FALSE", "-o", "tcp.reassemble_out_of_order:TRUE", "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=|"}
	for _, f := range []string{"http.request.uri", "http2.headers.path", "http.response.code", "http2.headers.status", "tls.handshake.type", "tls.handshake.random"} {
		args = append(args, "-e", f)
	}
	for _, p := range ports {
		args = append(args, "-d", fmt.Sprintf("tcp.port==%d,tls", p), "-d", fmt.Sprintf("tls.port==%d,http", p))
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		l.t.Fatalf("tshark %v: %v", args, err)
	}
	c := decrypted{hellos: make(map[[keylog.RandomSize]byte]bool)}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		for i, values := range f {
			for v := range strings.SplitSeq(values, "|") {
				switch {
				case v == "":
				case i < 2:
					c.requests = append(c.requests, v)
				case i < 4 && v == "200":
					c.answers++
				case i == 5 && strings.HasPrefix(f[4], "1"):
					b, err := hex.DecodeString(v)
					if err != nil || len(b) != keylog.RandomSize {
						l.t.Fatalf("tshark says that a random is %q", v)
					}
					c.hellos[[keylog.RandomSize]byte(b)] = true
				}
			}
		}
	}
	return c
}
