package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"shark/bpf/bpftest"
	"shark/packet"
	"shark/packet/pcapng"
	"shark/recorder/watch"
	"shark/snapshot/identity"
)

// TestProcesses: packets that tcpdump captured, with what the watch told meanwhile in the same
// file, show both processes of every connection by their names, and none wrong. The truth is
// what the clients say of their own ports; in every namespace there are other servers and
// clients.
//
// With SHARK_RECORD the file is kept in that folder, with fewer calls: testdata/process has it.
func TestProcesses(t *testing.T) {
	record, rounds := os.Getenv("SHARK_RECORD"), 40
	if record != "" {
		rounds = 2
	}
	s, far := bpftest.New(t), bpftest.New(t)
	s.Join(t, far, []string{"10.78.0.1/24", "fd78::1/64"}, []string{"10.78.0.2/24", "fd78::2/64"})
	dir := t.TempDir()
	startServer(t, s, dir, "nginx", bpftest.Program(t, "nginx"), "-e", "error.log", "-c", nginxConfiguration(t, dir))
	echo := copyOfPython(t, dir, "echod")
	startServer(t, far, dir, "echod", echo, "-c", udpEcho)
	truth := map[string]string{} // client and server by protocol and both addresses
	call := func(at *bpftest.Stage, url string) {
		t.Helper()
		out := at.Run(t, "curl", bpftest.Program(t, "curl"), "-gsS", "--retry", "50", "--retry-delay", "0", "--retry-connrefused", "-o", "/dev/null", "-w", "%{local_ip} %{local_port}", url)
		host := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/")
		truth[fmt.Sprintf("TCP %s %s", pair(t, out), host)] = "curl nginx"
	}
	// Both are there before the watch, and one connection, that is used again later.
	s.Run(t, "wait", bpftest.Program(t, "curl"), "-gsS", "--retry", "50", "--retry-delay", "0", "--retry-connrefused", "-o", "/dev/null", "http://10.78.0.1:8080/")
	ready, on := filepath.Join(dir, "ready"), filepath.Join(dir, "on")
	lasting := exec.Command(copyOfPython(t, dir, "lasting"), "-c", fmt.Sprintf(keptConnection, ready, on))
	far.Start(t, lasting, "lasting")
	here := bpftest.File(t, ready)
	stop, packets := capture(t, s, dir)
	stopWatch := watchInto(t, s.Cgroup, s, far)
	truth["TCP "+here+" 10.78.0.1:8080"] = "lasting nginx"
	if err := os.WriteFile(on, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := lasting.Wait(); err != nil {
		t.Fatal(err)
	}
	ask := copyOfPython(t, dir, "asker")
	for i := range rounds {
		call(s, "http://127.0.0.1:8080/")
		call(s, "http://[::1]:8080/")
		call(far, "http://10.78.0.1:8080/")
		call(far, "http://[fd78::1]:8080/")
		if i%4 == 0 {
			out := s.Run(t, "asker", ask, "-c", udpAsk)
			truth["UDP "+pair(t, out)+" 10.78.0.2:5353"] = "asker echod"
		}
	}
	records := stopWatch()
	stop()
	file := oneFile(t, s, dir, packets, records)
	if record != "" {
		if out, err := exec.Command(bpftest.Program(t, "zstd"), "-q", "-f", "-19", file, "-o", filepath.Join(record, "web.pcapng.zst")).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	got := map[string]string{}
	for _, line := range sharkLines(t, "query", file, "conn && ("+tcpUDP+")", "-o", "jsonl", "--limit", "0") {
		var e struct {
			Src, Dst struct {
				IP   string `json:"ip"`
				Port uint16 `json:"port"`
			}
			Transport string `json:"transport"`
			Local     string `json:"local_process_name"`
			Remote    string `json:"remote_process_name"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		a, b := netip.AddrPortFrom(netip.MustParseAddr(e.Src.IP), e.Src.Port), netip.AddrPortFrom(netip.MustParseAddr(e.Dst.IP), e.Dst.Port)
		got[fmt.Sprintf("%s %s %s", strings.ToUpper(e.Transport), a, b)] = e.Local + " " + e.Remote
	}
	for c, want := range truth {
		if got[c] != want {
			t.Errorf("%s: %q, want %q", c, got[c], want)
		}
		delete(got, c)
	}
	for c, names := range got {
		t.Errorf("%s: %q, which no program said", c, names)
	}
}

const tcpUDP = `src.port == 8080 || dst.port == 8080 || dst.port == 5353`

const udpEcho = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 5353))
while True:
    b, peer = s.recvfrom(100)
    s.sendto(b, peer)`

const udpAsk = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
s.connect(("10.78.0.2", 5353))
s.send(b"hello")
s.recv(100)
print(*s.getsockname())`

const keptConnection = `
import os, socket, time
c = socket.create_connection(("10.78.0.1", 8080))
c.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
c.recv(1000)
with open(%q, "w") as f: f.write("%%s:%%d" %% c.getsockname())
while not os.path.exists(%q): time.sleep(0.01)
c.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
while c.recv(1000): pass`

// pair is an address and a port as a program said them.
func pair(t *testing.T, text string) string {
	t.Helper()
	f := strings.Fields(text)
	if len(f) != 2 {
		t.Fatalf("%q is no address with a port", text)
	}
	port, err := strconv.ParseUint(f[1], 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(netip.MustParseAddr(f[0]), uint16(port)).String()
}

// copyOfPython makes a program of another name that runs Python.
func copyOfPython(t *testing.T, dir, name string) string {
	t.Helper()
	out, err := exec.Command(bpftest.Program(t, "python3"), "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.Symlink(strings.TrimSpace(string(out)), path); err != nil {
		t.Fatal(err)
	}
	return path
}

func nginxConfiguration(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`worker_processes 3; daemon off; pid %[1]s/pid; error_log %[1]s/error.log; user root; events {}
http { access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
server { listen 8080; listen [::]:8080; location / { return 200 "hello\n"; } } }`, dir)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serve starts a program that ends with the test.
func startServer(t *testing.T, s *bpftest.Stage, dir, cgroup string, args ...string) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGTERM} // also if the test is killed
	s.Start(t, cmd, cgroup)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(unix.SIGTERM)
		_ = cmd.Wait()
	})
}

// capture has tcpdump capture on both interfaces until stop is called.
func capture(t *testing.T, s *bpftest.Stage, dir string) (stop func(), paths []string) {
	t.Helper()
	var stops []func()
	for _, device := range []string{"lo", "veth0"} {
		path := filepath.Join(dir, device+".pcap")
		cmd := exec.Command(bpftest.Program(t, "tcpdump"), "-i", device, "-B", "65536", "--immediate-mode", "-U", "-Z", "root", "-w", path)
		s.Start(t, cmd, "tcpdump")
		bpftest.File(t, path)
		paths = append(paths, path)
		stops = append(stops, func() {
			_ = cmd.Process.Signal(unix.SIGINT)
			_ = cmd.Wait()
		})
	}
	end := sync.OnceFunc(func() {
		for _, f := range stops {
			f()
		}
	})
	t.Cleanup(end)
	return end, paths
}

// watchInto watches until stop is called, which returns the log, of what is on the stages.
func watchInto(t *testing.T, cgroup string, stages ...*bpftest.Stage) (stop func() []byte) {
	t.Helper()
	w, err := watch.Open(watch.Options{Node: "node-a", Cgroup: cgroup, Pods: watch.NoPods})
	if err != nil {
		t.Fatal(err)
	}
	if st := w.Status(); st.ProcOnly {
		bpftest.Need(t, "the programs", fmt.Errorf("%v", st.Missing))
	}
	known := map[string]bool{}
	ours := func(r *identity.Record) bool {
		if r.Kind == identity.Node {
			r.Addresses = slices.DeleteFunc(r.Addresses, func(a string) bool { return !strings.HasPrefix(a, "10.78.") && !strings.HasPrefix(a, "fd78:") })
			return true
		}
		if slices.ContainsFunc(stages, func(s *bpftest.Stage) bool { return r.Netns == uint64(s.Inode) }) {
			known[r.UID] = true
		}
		return known[r.UID]
	}
	var log bytes.Buffer
	out := identity.NewWriter(&log)
	ctx, cancel := context.WithCancel(t.Context())
	started, done := make(chan bool), make(chan error)
	go func() {
		begun := sync.OnceFunc(func() { close(started) })
		var failed error
		err := w.Run(ctx, func(r *identity.Record) {
			if ours(r) {
				failed = errors.Join(failed, out.Write(r))
			}
			begun()
		})
		done <- errors.Join(err, failed)
	}()
	<-started
	return func() []byte {
		cancel()
		if err := errors.Join(<-done, w.Close()); err != nil {
			t.Fatal(err)
		}
		return log.Bytes()
	}
}

// oneFile puts packets and the log into one file, with interfaces as the recorder has them.
func oneFile(t *testing.T, s *bpftest.Stage, dir string, paths []string, log []byte) string {
	t.Helper()
	path := filepath.Join(dir, "recorded.pcapng")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := pcapng.NewWriter(f, pcapng.Options{Application: "shark"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteIdentity(log); err != nil {
		t.Fatal(err)
	}
	src, err := pcapng.OpenWatched(func(int) func([]byte) { return nil }, paths...)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	interfaces := func() []packet.Interface {
		list := slices.Clone(src.Interfaces())
		for i, o := range src.Origins() {
			list[i].Name, list[i].Description = strings.TrimSuffix(filepath.Base(paths[o.File]), ".pcap"), fmt.Sprintf("netns %d", s.Inode)
		}
		return list
	}
	var b packet.Batch
	for err = src.ReadBatch(&b); err == nil; err = src.ReadBatch(&b) {
		for i := range b.Records {
			if err := w.Write(&b.Records[i], interfaces()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// sharkLines runs shark and returns the lines it writes.
func sharkLines(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("shark", args...)
	cmd.Env = append(os.Environ(), "SHARK_CACHE="+t.TempDir(), raceOptions)
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Run(); err != nil {
		t.Fatalf("shark %v: %v\n%s", args, err, talk.String())
	}
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}
