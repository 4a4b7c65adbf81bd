package daemon

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"shark/packet"
	"shark/recorder"
	"shark/recorder/parts"
	"shark/recorder/privilege"
	"shark/recorder/ring"
)

// TestMain is also the programs that tests start: a recorder, and what makes traffic.
func TestMain(m *testing.M) {
	switch os.Getenv("DAEMON_TEST") {
	case "recorder":
		os.Exit(recorderProgram())
	case "traffic":
		os.Exit(trafficProgram())
	}
	os.Exit(m.Run())
}

// recorderProgram is a recorder of a namespace, until it is told to end.
func recorderProgram() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	bytes, err := strconv.ParseInt(os.Getenv("DAEMON_BYTES"), 10, 64)
	if err == nil {
		err = Run(ctx, Options{
			Node: "node-a", Dir: os.Getenv("DAEMON_DIR"), Bytes: bytes, TLS: parts.Policy{Mode: parts.Mode(os.Getenv("DAEMON_TLS"))},
			Capture: parts.Capture{Namespaces: []string{os.Getenv("DAEMON_NETNS")}, SocketBytes: 16 << 20},
			Listen:  os.Getenv("DAEMON_LISTEN"), Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Sizes of datagrams, and how many are sent at a time at most: who was late catches up with no
// more.
const (
	small, large = 300, 1400
	most         = 1 << 10
)

// trafficProgram sends numbered datagrams over loopback, in the namespace it is started in, until
// its standard input ends. Then it says how many.
func trafficProgram() int {
	err := loopbackUp()
	var nobody net.PacketConn // reads them; without it each would be answered with an ICMP message
	if err == nil {
		nobody, err = net.ListenPacket("udp", "127.0.0.1:9")
	}
	var c net.Conn
	if err == nil {
		defer nobody.Close()
		c, err = net.Dial("udp", "127.0.0.1:9")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	rate, err := strconv.Atoi(os.Getenv("DAEMON_RATE"))
	size, wrong := strconv.Atoi(os.Getenv("DAEMON_SIZE"))
	if err := errors.Join(err, wrong); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("ready")
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(done)
	}()
	b := make([]byte, size)
	n, last := uint64(0), time.Now()
	for {
		select {
		case <-done:
			fmt.Println("sent", n)
			return 0
		case <-time.After(time.Millisecond):
		}
		now := time.Now()
		for range min(int(now.Sub(last).Seconds()*float64(rate))+1, most) {
			binary.BigEndian.PutUint64(b, n)
			if _, err := c.Write(b); err == nil {
				n++
			}
		}
		last = now
	}
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}

// traffic is a process that sends datagrams in a namespace of its own.
type traffic struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
}

// startTraffic sends so many datagrams of a size a second, or fewer where the machine has no time.
func startTraffic(t *testing.T, rate, size int) *traffic {
	t.Helper()
	x := &traffic{t: t, cmd: exec.Command(os.Args[0])}
	x.cmd.Env = append(os.Environ(), "DAEMON_TEST=traffic", "DAEMON_RATE="+strconv.Itoa(rate), "DAEMON_SIZE="+strconv.Itoa(size))
	x.cmd.Stderr = os.Stderr
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	var err error
	if x.in, err = x.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := x.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.in.Close(); _ = x.cmd.Wait() })
	x.lines = bufio.NewScanner(out)
	if !x.lines.Scan() || x.lines.Text() != "ready" {
		t.Fatalf("the traffic says %q", x.lines.Text())
	}
	return x
}

// netns names the traffic's namespace.
func (x *traffic) netns() string { return strconv.Itoa(x.cmd.Process.Pid) }

// stop ends the traffic and returns how many datagrams there were.
func (x *traffic) stop() (n uint64) {
	x.t.Helper()
	x.in.Close()
	if !x.lines.Scan() {
		x.t.Fatal("the traffic says nothing")
	}
	if _, err := fmt.Sscanf(x.lines.Text(), "sent %d", &n); err != nil {
		x.t.Fatal(err)
	}
	return n
}

// running is a recorder in a process of its own.
type running struct {
	t    *testing.T
	cmd  *exec.Cmd
	dir  string
	addr string
	log  *strings.Builder
	http *http.Client
}

// freePort returns an address of loopback that nobody has.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func startRecorder(t *testing.T, dir, netns, addr string, bytes int64, mode parts.Mode) *running {
	t.Helper()
	r := &running{t: t, cmd: exec.Command(os.Args[0]), dir: dir, addr: addr, log: new(strings.Builder)}
	r.cmd.Env = append(os.Environ(), "DAEMON_TEST=recorder", "DAEMON_DIR="+dir, "DAEMON_NETNS="+netns, "DAEMON_LISTEN="+addr,
		fmt.Sprint("DAEMON_BYTES=", bytes), "DAEMON_TLS="+string(mode))
	r.cmd.Stderr = r.log
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	r.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}, Timeout: 10 * time.Second}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill(); _ = r.cmd.Wait() })
	return r
}

// get asks the recorder for something.
func (r *running) get(path string) ([]byte, error) {
	token, err := os.ReadFile(filepath.Join(r.dir, tokenName))
	if err != nil {
		return nil, err
	}
	q, err := http.NewRequest(http.MethodGet, "https://"+r.addr+path, nil)
	if err != nil {
		return nil, err
	}
	q.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	p, err := r.http.Do(q)
	if err != nil {
		return nil, err
	}
	defer p.Body.Close()
	data, err := io.ReadAll(p.Body)
	if err == nil && p.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", p.Status, data)
	}
	return data, err
}

// status returns what the recorder says of itself; false while it does not answer.
func (r *running) status() (s recorder.Status, ok bool) {
	data, err := r.get("/v1/status")
	return s, err == nil && json.Unmarshal(data, &s) == nil
}

// recording waits until the recorder has recorded packets, and returns how long that took.
func (r *running) recording() (recorder.Status, time.Duration) {
	r.t.Helper()
	began := time.Now()
	var s recorder.Status
	within(r.t, "the recorder records", func() bool {
		var ok bool
		s, ok = r.status()
		return ok && len(s.Rings) == 2 && s.Rings[0].Recorded > 0
	}, func() string { return r.log.String() })
	return s, time.Since(began)
}

// end tells the recorder to end, and waits for that.
func (r *running) end() {
	r.t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		r.t.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil {
		r.t.Fatalf("the recorder: %v\n%s", err, r.log)
	}
}

// kill kills the recorder.
func (r *running) kill() {
	r.t.Helper()
	if err := r.cmd.Process.Kill(); err != nil {
		r.t.Fatal(err)
	}
	_ = r.cmd.Wait() // was killed
}

// within polls until something holds.
func within(t *testing.T, what string, holds func() bool, why func() string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); {
		<-time.After(5 * time.Millisecond)
		if time.Now().After(end) {
			t.Fatalf("%s: not within 30 s\n%s", what, why())
		}
	}
}

// contents is what a ring has.
type contents struct {
	numbers []uint64 // of the traffic's datagrams, in order
	dropped uint64
	damage  []packet.Damage
}

// contentsOf reads a ring.
func contentsOf(t *testing.T, dir string) (c contents) {
	t.Helper()
	r, err := ring.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Pin(time.Unix(0, 0), time.Unix(1<<33, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	src := p.Open()
	defer src.Close()
	var b packet.Batch
	for {
		err := src.ReadBatch(&b)
		for i := range b.Records {
			if n, ok := numberOf(&b.Records[i]); ok {
				c.numbers = append(c.numbers, n)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range src.Interfaces() {
		c.dropped += *f.Dropped
	}
	c.damage = src.Damage()
	return c
}

// numberOf returns which datagram a packet is: Ethernet, IPv4, UDP.
func numberOf(r *packet.Record) (uint64, bool) {
	const head = 14 + 20 + 8
	if n := len(r.Data); n != head+small && n != head+large || r.Data[23] != 17 {
		return 0, false
	}
	return binary.BigEndian.Uint64(r.Data[head:]), true
}

// lines returns the lines of a text.
func lines(data []byte) func(func(string) bool) { return strings.Lines(string(data)) }

// cut splits a line of /proc/PID/status.
func cut(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(strings.TrimSpace(line), ":")
	return name, strings.TrimSpace(value), ok
}

// keptMask are the capabilities that a recorder keeps of all.
func keptMask() (m uint64) {
	for _, c := range privilege.Kept {
		m |= 1 << c.Number
	}
	return m
}
