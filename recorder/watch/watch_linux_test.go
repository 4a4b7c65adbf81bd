package watch

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"shark/bpf/bpftest"
	"shark/packet"
	"shark/snapshot/identity"
)

// diary is what a watcher told.
type diary struct {
	t       *testing.T
	w       *Watcher
	mu      sync.Mutex
	records []identity.Record
}

// watch watches until the test ends.
func watch(t *testing.T, o Options) *diary {
	t.Helper()
	o.Node = "here"
	w, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if s := w.Status(); s.ProcOnly && !o.ProcOnly {
		bpftest.Need(t, "the programs", fmt.Errorf("%v", s.Missing))
	}
	d := &diary{t: t, w: w}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- w.Run(ctx, func(r *identity.Record) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.records = append(d.records, *r)
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// log reads what was told so far as who asks later does.
func (d *diary) log() *identity.Log {
	d.t.Helper()
	var b bytes.Buffer
	w := identity.NewWriter(&b)
	d.mu.Lock()
	for i := range d.records {
		if err := w.Write(&d.records[i]); err != nil {
			d.t.Fatal(err)
		}
	}
	d.mu.Unlock()
	l, err := identity.Read(&b)
	if err != nil || len(l.Damage()) > 0 {
		d.t.Fatal(err, l.Damage())
	}
	return l
}

// find waits for a record.
func (d *diary) find(what string, is func(*identity.Record) bool) identity.Record {
	d.t.Helper()
	var got identity.Record
	if bpftest.Wait(func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		i := slices.IndexFunc(d.records, func(r identity.Record) bool { return is(&r) })
		if i >= 0 {
			got = d.records[i]
		}
		return i >= 0
	}) {
		return got
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.records {
		d.t.Logf("%+v", r)
	}
	d.t.Fatalf("no record of %s", what)
	return identity.Record{}
}

// socket waits for the record of a socket.
func (d *diary) socket(op identity.Op, protocol, local, peer string) identity.Record {
	d.t.Helper()
	name := protocol + " " + local
	if peer != "" {
		name += "-" + peer
	}
	return d.find(string(op)+" "+name, func(r *identity.Record) bool { return r.Kind == identity.Socket && r.Op == op && r.Name == name })
}

// end is an end of a connection.
func end(protocol packet.Proto, local, peer string) *identity.End {
	l, p := netip.MustParseAddrPort(local), netip.MustParseAddrPort(peer)
	return &identity.End{Protocol: protocol, Local: packet.AddrFrom(l.Addr()), Port: l.Port(), Peer: packet.AddrFrom(p.Addr()), PeerPort: p.Port()}
}

// daemon starts a program that ends with the test.
func daemon(t *testing.T, s *bpftest.Stage, cgroup string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	s.Start(t, cmd, cgroup)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(unix.SIGTERM) // nginx's master ends its workers then
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %s", args[0], out.String())
		}
	})
	return cmd
}

// nginx starts a server with workers, which logs its own number and its clients' ports.
func nginx(t *testing.T, s *bpftest.Stage, cgroup string, listen ...string) (log string, master *exec.Cmd) {
	t.Helper()
	dir := t.TempDir()
	log = filepath.Join(dir, "access.log")
	conf := filepath.Join(dir, "nginx.conf")
	var lines strings.Builder
	for _, l := range listen {
		fmt.Fprintf(&lines, "listen %s; ", l)
	}
	text := fmt.Sprintf(`worker_processes 3; daemon off; pid %[1]s/pid; error_log %[1]s/error.log; user root; events {}
http { access_log off; log_format f '$remote_addr $remote_port $pid'; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
server { %[2]s access_log %[1]s/access.log f; location / { return 200 "hello\n"; } } }`, dir, lines.String())
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return log, daemon(t, s, cgroup, bpftest.Program(t, "nginx"), "-c", conf, "-e", filepath.Join(dir, "error.log"))
}

// connected waits until somebody listens.
func connected(t *testing.T, s *bpftest.Stage, url string) {
	t.Helper()
	s.Run(t, "wait", bpftest.Program(t, "curl"), "-gsS", "--retry", "50", "--retry-delay", "0", "--retry-connrefused", "--retry-max-time", "20", "-o", "/dev/null", url)
}

// A client that lives for milliseconds is known as well as the worker of the server that
// answered it: by nginx's own account of its clients' ports, over loopback and over a cable,
// IPv4 and IPv6.
func TestShortLived(t *testing.T) {
	s, far := bpftest.New(t), bpftest.New(t)
	s.Join(t, far, []string{"10.77.0.1/24", "fd77::1/64"}, []string{"10.77.0.2/24", "fd77::2/64"})
	d := watch(t, Options{Cgroup: s.Cgroup, Pods: NoPods})
	curl := bpftest.Program(t, "curl")
	log, _ := nginx(t, s, "server", "8080", "[::]:8080")
	connected(t, s, "http://127.0.0.1:8080/")
	type call struct{ from, to string }
	calls := map[call]int{} // by the client's pid
	from := time.Now()
	for i := range 200 {
		at, address := s, "127.0.0.1"
		switch i % 4 {
		case 1:
			address = "[::1]"
		case 2:
			at, address = far, "10.77.0.1"
		case 3:
			at, address = far, "[fd77::1]"
		}
		cmd := exec.Command(curl, "-gsS", "-o", "/dev/null", "-w", "%{local_ip} %{local_port}", "http://"+address+":8080/")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, os.Stderr
		at.Start(t, cmd, "client")
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		ip, port, _ := strings.Cut(out.String(), " ")
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		calls[call{netip.AddrPortFrom(netip.MustParseAddr(ip), uint16(n)).String(), address + ":8080"}] = cmd.Process.Pid
	}
	until := time.Now()
	workers := map[string]int{} // by the client's address, as nginx has it
	for line := range strings.Lines(string(read(t, log))) {
		f := strings.Fields(line)
		port, _ := strconv.ParseUint(f[1], 10, 16)
		pid, _ := strconv.Atoi(f[2])
		workers[netip.AddrPortFrom(netip.MustParseAddr(f[0]), uint16(port)).String()] = pid
	}
	for c, pid := range calls {
		if r := d.socket(identity.Upsert, "tcp", c.from, c.to); r.PID != int64(pid) || r.Process != "curl" {
			t.Errorf("%s: %d %s, not curl %d", r.Name, r.PID, r.Process, pid)
		}
		if r := d.socket(identity.Upsert, "tcp", c.to, c.from); r.PID != int64(workers[c.from]) || r.Process != "nginx" {
			t.Errorf("%s: %d %s, not nginx's worker %d", r.Name, r.PID, r.Process, workers[c.from])
		}
		d.socket(identity.Delete, "tcp", c.from, c.to)
		p := d.find("the client's process", func(r *identity.Record) bool { return r.Kind == identity.Process && r.PID == int64(pid) })
		if !strings.HasPrefix(p.Command, curl+" -gsS ") || !strings.HasSuffix(p.Cgroup, "/client") || p.Name != "curl" {
			t.Errorf("process %+v", p)
		}
	}
	l := d.log()
	for c := range calls {
		for _, at := range []time.Time{from, until} {
			x, y := l.Owner(end(packet.TCP, c.from, c.to), at.UnixNano()), l.Owner(end(packet.TCP, c.to, c.from), at.UnixNano())
			if x.Process != "curl" || y.Process != "nginx" || x.Unknown+y.Unknown != "" {
				t.Errorf("%v at %s: %+v, %+v", c, at, x, y)
			}
		}
	}
	if lost := d.w.Status(); lost.Lost.Sockets+lost.Lost.Processes+lost.Crowded > 0 {
		t.Errorf("%+v", lost)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What was there before is known too, from the kernel or from /proc alone: listeners and
// connections with the processes that have them open, at all addresses.
func TestThereBefore(t *testing.T) {
	python := bpftest.Program(t, "python3")
	for _, only := range []bool{false, true} {
		t.Run(fmt.Sprintf("from /proc alone: %t", only), func(t *testing.T) {
			s := bpftest.New(t)
			other := bpftest.New(t)
			s.Join(t, other, []string{"10.77.1.1/24"}, []string{"10.77.1.2/24"})
			dir := t.TempDir()
			ready := filepath.Join(dir, "ready")
			server := daemon(t, s, "server", python, "-c", fmt.Sprintf(`
import socket, time
l = socket.create_server(("", 8081))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("", 8081))
c = socket.create_connection(("10.77.1.1", 8081))
a, peer = l.accept()
open(%q, "w").write(str(peer[1]))
time.sleep(1000)`, ready))
			port := bpftest.File(t, ready)
			d := watch(t, Options{Netns: s.Inode, Pods: NoPods, ProcOnly: only})
			for _, local := range []string{"tcp 0.0.0.0:8081", "udp 0.0.0.0:8081"} {
				protocol, address, _ := strings.Cut(local, " ")
				r := d.socket(identity.Upsert, protocol, address, "")
				if !slices.Equal(r.Addresses, []string{"10.77.1.1", "127.0.0.1"}) || r.PID != int64(server.Process.Pid) {
					t.Errorf("%s: %+v", local, r)
				}
			}
			here, there := "10.77.1.1:"+port, "10.77.1.1:8081"
			for _, x := range [][2]string{{here, there}, {there, here}} {
				if r := d.socket(identity.Upsert, "tcp", x[0], x[1]); r.PID != int64(server.Process.Pid) || !strings.HasPrefix(r.Process, "python3") {
					t.Errorf("%+v", r)
				}
			}
			p := d.find("the process", func(r *identity.Record) bool { return r.Kind == identity.Process })
			if p.PID != int64(server.Process.Pid) || p.Parent != int64(os.Getpid()) || !strings.Contains(p.Executable, "python3") || p.Netns != uint64(s.Inode) || !strings.HasSuffix(p.Cgroup, "/server") {
				t.Errorf("%+v", p)
			}
			if p.Time.After(time.Now()) || p.Time.Before(time.Now().Add(-time.Minute)) {
				t.Errorf("started %s", p.Time)
			}
			d.find("the node with the addresses", func(r *identity.Record) bool {
				return r.Kind == identity.Node && r.Name == "here" && slices.Equal(r.Addresses, []string{"10.77.1.1"})
			})
			if err := server.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			d.find("the process's end", func(r *identity.Record) bool { return r.Kind == identity.Process && r.Op == identity.Delete })
			d.socket(identity.Delete, "udp", "0.0.0.0:8081", "")
			d.socket(identity.Delete, "tcp", here, there)
		})
	}
}

// The containers and pods of processes are those of their cgroups; kubelet's folders name the
// pods; a process that becomes another program is known as that.
func TestPods(t *testing.T) {
	python := bpftest.Program(t, "python3")
	s := bpftest.New(t)
	other := bpftest.New(t)
	s.Join(t, other, []string{"10.77.2.1/24"}, []string{"10.77.2.2/24"})
	pods := t.TempDir()
	folder := filepath.Join(pods, "shop_cart-1_"+uid)
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	d := watch(t, Options{Netns: s.Inode, Pods: pods})
	dir := t.TempDir()
	ready, on := filepath.Join(dir, "ready"), filepath.Join(dir, "on")
	program := fmt.Sprintf(`
import os, socket, time
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.set_inheritable(True)
u.sendto(b"x", ("10.77.2.2", 53))
u.connect(("10.77.2.2", 54))
u.send(b"x")
open(%q, "w").write(str(u.getsockname()[1]))
while not os.path.exists(%q): time.sleep(0.01)
os.execv("/bin/sleep", ["sleep", "1000"])`, ready, on)
	daemon(t, s, filepath.Join("kubepods-pod"+strings.ReplaceAll(uid, "-", "_")+".slice", "cri-containerd-"+id1+".scope"), python, "-c", program)
	port := bpftest.File(t, ready)
	first := d.socket(identity.Upsert, "udp", "0.0.0.0:"+port, "")
	d.socket(identity.Delete, "udp", "0.0.0.0:"+port, "")
	r := d.socket(identity.Upsert, "udp", "10.77.2.1:"+port, "10.77.2.2:54")
	if r.UID == first.UID {
		t.Error("what is gone has come back")
	}
	p := d.find("the process", func(x *identity.Record) bool { return x.Kind == identity.Process && x.UID == r.Owner })
	if p.Container != id1 || p.Pod != uid {
		t.Errorf("%+v", p)
	}
	x := d.find("the pod", func(x *identity.Record) bool { return x.Kind == identity.Pod })
	if x.Namespace != "shop" || x.Name != "cart-1" || x.UID != uid || !slices.Equal(x.Addresses, []string{"10.77.2.1"}) || x.HostNetwork {
		t.Errorf("%+v", x)
	}
	o := d.log().Owner(end(packet.UDP, "10.77.2.1:"+port, "10.77.2.2:54"), time.Now().UnixNano())
	if o.Pod != "cart-1" || o.PodNamespace != "shop" || !strings.HasPrefix(o.Process, "python3") {
		t.Errorf("%+v", o)
	}
	// The number stays, and so does the socket, until the kernel is asked who uses it.
	if err := os.WriteFile(on, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	d.find("the pod's end", func(x *identity.Record) bool { return x.Kind == identity.Pod && x.Op == identity.Delete })
}

// TestStatusAtTheEnd: the status may be asked while the watcher is closed, and after.
func TestStatusAtTheEnd(t *testing.T) {
	bpftest.Root(t)
	w, err := Open(Options{Node: "here"})
	if err != nil {
		t.Fatal(err)
	}
	asking, asked := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(asked)
		w.Status()
		close(asking)
		for range 100 {
			w.Status()
		}
	}()
	<-asking
	before := w.Status()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	<-asked
	if after := w.Status(); after.Lost.Sockets < before.Lost.Sockets {
		t.Errorf("of %d sockets that could not be told, %d are known at the end", before.Lost.Sockets, after.Lost.Sockets)
	}
}
