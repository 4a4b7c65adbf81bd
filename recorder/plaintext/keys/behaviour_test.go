//go:build linux

package keys

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"shark/bpf/bpftest"
	"shark/recorder/plaintext/object"
)

// Without the library's word the place of the random is found from two handshakes, is the one that
// the library tells, and no secret of those two is lost.
func TestCalibration(t *testing.T) {
	l := newLab(t, Options{calibrate: true})
	l.capture()
	const port = 8461
	l.nginx(port)
	if f := l.attached("libssl.so.3"); f.Random != "" || f.Reason == "" {
		t.Errorf("before any handshake: %+v", f)
	}
	bpftest.Until(t, "a socket that hears hellos", func() bool { return l.keys.listens() == 1 })
	want := l.client(port, "/python")
	bpftest.Until(t, "calibrated", func() bool { f, _ := l.status("libssl.so.3"); return f.Random == "calibrated" })
	if n := l.keys.listens(); n != 0 {
		bpftest.Until(t, "no socket once it is known", func() bool { return l.keys.listens() == 0 })
	}
	l.keys.mu.Lock()
	for _, f := range l.keys.files {
		if f.Path != filepath.Join(l.dir, "libssl.so.3") {
			continue
		}
		if place, told := l.keys.attached[f.ID].place, f.Object.Random; told == nil || place.Deref != told.Deref || place.Offset != told.Offset {
			t.Errorf("calibrated %+v, the library tells %+v", place, told)
		}
	}
	l.keys.mu.Unlock()
	l.readable([]int{port}, want)
	// Another file with the same content needs no handshake.
	other := filepath.Join(l.dir, "other")
	if err := os.Mkdir(other, 0o755); err != nil {
		t.Fatal(err)
	}
	l.copyFile(filepath.Join(l.dir, "libssl.so.3"), "other/libssl.so.3")
	cmd := l.command("sh", "-c", "echo ready; exec cat")
	cmd.Env = append(cmd.Env, "LD_PRELOAD="+filepath.Join(other, "libssl.so.3"))
	l.launch(cmd, "ready")
	if f := l.attached("other/libssl.so.3"); f.Random != "cached" {
		t.Errorf("the copy is %+v", f)
	}
}

// A static, stripped BoringSSL.
func TestBoringSSL(t *testing.T) {
	path := os.Getenv("SHARK_BUN")
	if path == "" {
		bpftest.Missing(t, "SHARK_BUN does not name a bun, which Debian does not have and make unit installs")
	}
	l := newLab(t, Options{})
	bun := l.copyFile(path, "bun")
	l.capture()
	const port = 8462
	paths := []string{"/bun/a", "/bun/b", "/bun/c"}
	p := l.launch(l.command(bun, append([]string{"testdata/server.js", l.cert, l.key, fmt.Sprint(port)}, paths...)...), "ready")
	f := l.attached("bun")
	if f.Library != object.BoringSSL || f.Found != object.ByLabels {
		t.Errorf("bun is %+v", f)
	}
	bpftest.Until(t, "a socket that hears hellos", func() bool { return l.keys.listens() == 1 })
	fmt.Fprintln(p.in)
	want := asked(t, strings.Join(p.until("done"), "\n"))
	want = append(want, l.client(port, "/python")...)
	bpftest.Until(t, "calibrated", func() bool { f, _ := l.status("bun"); return f.Random == "calibrated" })
	l.readable([]int{port}, want)
}

// What may not be read is not, and is when the policy changes.
func TestPolicy(t *testing.T) {
	l := newLab(t, Options{})
	l.pause(true)
	const port = 8463
	conf := l.write("nginx.conf", fmt.Appendf(nil, nginxConf, l.dir, port, l.cert, l.key))
	l.launch(l.command("nginx", "-p", l.dir, "-c", conf), "")
	l.listening(port)
	bpftest.Until(t, "libssl", func() bool { _, ok := l.status("libssl.so.3"); return ok })
	if f, _ := l.status("libssl.so.3"); f.Attached || f.Reason == "" {
		t.Errorf("none may be read: %+v", f)
	}
	l.curl(port, "/none")
	if n := len(l.all()); n != 0 {
		t.Errorf("%d secrets of processes that may not be read", n)
	}
	l.only.Store("nginx")
	l.pause(false)
	l.attached("libssl.so.3")
	l.curl(port, "/some", "--tlsv1.3")
	bpftest.Until(t, "nginx's secrets", func() bool { return len(l.all()) == 5 })
	s, err := l.keys.Status()
	if err != nil || s.Denied == 0 {
		t.Errorf("of curl nothing was denied: %+v, %v", s, err)
	}
	for _, e := range l.all() {
		if e.Comm != "nginx" {
			t.Errorf("a secret of %s", e.Comm)
		}
	}
}

// Two overlay mounts show one file: one probe, each event once. It goes when the last process has.
func TestOverlay(t *testing.T) {
	l := newLab(t, Options{linger: time.Millisecond})
	for _, d := range []string{"lower", "a", "b", "ua", "ub"} {
		if err := os.Mkdir(filepath.Join(l.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	l.copyFile(filepath.Join(l.dir, "libssl.so.3"), "lower/libssl.so.3")
	const port = 8464
	conf := l.write("nginx.conf", fmt.Appendf(nil, nginxConf, l.dir, port, l.cert, l.key))
	// The server sees the file through one mount, the client through the other.
	script := `set -e; cd "$1"; for m in a b; do mount -t tmpfs none u$m; mkdir u$m/up u$m/work
mount -t overlay -o lowerdir=lower,upperdir=u$m/up,workdir=u$m/work none $m; done
LD_LIBRARY_PATH=$1/a nginx -p $1 -c "$2" 2>$1/log & server=$!
echo ready; read x; LD_LIBRARY_PATH=$1/b curl -sk --tlsv1.3 "$3"; echo; echo done; read x; kill $server; wait`
	p := l.launch(l.command("unshare", "-m", "sh", "-c", script, "sh", l.dir, conf, fmt.Sprintf("https://127.0.0.1:%d/", port)), "ready")
	l.listening(port)
	files := func() (n, processes int) {
		s, err := l.keys.Status()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range s.Files {
			if strings.HasPrefix(f.Path, l.dir) && f.Attached {
				n, processes = n+1, processes+f.Processes
			}
		}
		return n, processes
	}
	bpftest.Until(t, "nginx attached", func() bool { n, _ := files(); return n > 0 })
	fmt.Fprintln(p.in)
	p.until("done")
	if n, _ := files(); n != 1 {
		t.Errorf("%d files are attached to, want 1", n)
	}
	bpftest.Until(t, "secrets of both ends", func() bool { return len(l.all()) >= 10 })
	fmt.Fprintln(p.in)
	bpftest.Until(t, "detached", func() bool { n, _ := files(); return n == 0 && l.keys.probes() == 0 })
	s, err := l.keys.Status()
	if err != nil || len(l.all()) != 10 || s.Repeated != 0 {
		t.Errorf("%d secrets, %d of them repeated, want 10 and 0: %v", len(l.all()), s.Repeated, err)
	}
}

// Probes by perf events, for kernels without uprobe_multi, do the same.
func TestPerfEvents(t *testing.T) {
	l := newLab(t, Options{perfEvents: true})
	if l.keys.set.Multi() {
		t.Fatal("it attaches with uprobe_multi")
	}
	l.capture()
	const port = 8465
	l.nginx(port)
	want := l.client(port, "/python")
	l.readable([]int{port}, want)
	l.ends("python3", "nginx")
}

// listens returns how many namespaces are listened to.
func (k *Keys) listens() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.sockets)
}

// probes returns how many files have a probe.
func (k *Keys) probes() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.numbers)
}

// Requests on connections that are kept alive cost nothing: the kernel counts how often it runs the
// programs, and for a thousand requests that is as often as for one. What the server's processor
// says of it is printed, since it depends on what else the machine does.
func TestKeepAliveCostsNothing(t *testing.T) {
	stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		bpftest.Missing(t, fmt.Sprintf("how often programs run is not counted: %v", err))
	}
	defer stats.Close()
	l := newLab(t, Options{linger: time.Millisecond})
	const port = 8466
	server := l.nginx(port)
	l.attached("libssl.so.3")
	runs := func(requests int) uint64 {
		before := bpftest.Runs(t, "c_multi", "c_single")
		l.run("/usr/bin/python3", "-c", fmt.Sprintf(keepAlive, port, requests))
		return bpftest.Runs(t, "c_multi", "c_single") - before
	}
	one, many := runs(1), runs(1000)
	t.Logf("%d runs for one request, %d for a thousand", one, many)
	if one == 0 || many != one {
		t.Errorf("programs ran %d times for one request and %d times for a thousand", one, many)
	}
	bpftest.Until(t, "secrets", func() bool { return len(l.all()) > 0 })
	t.Logf("the server's processor time with keys is %.3f of that without", l.keptAlive(l.child(server), port))
}

// keptAlive returns how much processor time a server's worker takes for requests on a connection
// with its keys read, as a part of that without: the median of pairs of rounds.
func (l *lab) keptAlive(worker, port int) float64 {
	const rounds, requests = 6, 1000
	load := func() time.Duration {
		before := cpuTime(l.t, worker)
		l.run("/usr/bin/python3", "-c", fmt.Sprintf(keepAlive, port, requests))
		return cpuTime(l.t, worker) - before
	}
	load() // what the first costs
	var ratios []float64
	for i := range rounds {
		var took [2]time.Duration // without, with
		for _, with := range [][]int{{0, 1}, {1, 0}}[i%2] {
			l.pause(with == 0)
			took[with] = load()
		}
		ratios = append(ratios, float64(took[1])/float64(took[0]))
	}
	return median(ratios)
}

const keepAlive = `import http.client, ssl
c = http.client.HTTPSConnection("127.0.0.1", %d, context=ssl._create_unverified_context())
for _ in range(%d):
    c.request("GET", "/"); c.getresponse().read()`

// child returns the number of the one child of a process.
func (l *lab) child(p *program) int {
	l.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", p.pid(), p.pid()))
	if err != nil {
		l.t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		l.t.Fatalf("the server has not one worker: %q", b)
	}
	return n
}

// cpuTime returns the time that a process was on a processor.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		t.Fatal(err)
	}
	ns, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(ns)
}

func median(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// pause takes all probes off, or lets them be set again.
func (l *lab) pause(on bool) {
	l.t.Helper()
	l.paused.Store(on)
	if err := l.keys.Reconsider(); err != nil {
		l.t.Fatal(err)
	}
	bpftest.Until(l.t, fmt.Sprintf("paused: %v", on), func() bool { return (l.keys.probes() == 0) == on })
}
