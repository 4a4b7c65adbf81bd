//go:build linux

package keys

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/bpf/bpftest"
	"shark/packet/keylog"
	"shark/recorder/plaintext/object"
)

const nginxConf = `daemon off; master_process on; worker_processes 1; pid %[1]s/nginx.pid; error_log stderr warn;
events { worker_connections 64; }
http {
	access_log off; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	server {
		listen 127.0.0.1:%[2]d ssl; ssl_certificate %[3]s; ssl_certificate_key %[4]s; ssl_protocols TLSv1.2 TLSv1.3;
		ssl_session_cache shared:s:1m; ssl_session_tickets on; keepalive_requests 1000000;
		location / { return 200 "answer to $uri"; }
	}
}
`

// nginx starts a server and returns once it is attached to.
func (l *lab) nginx(port int) *program {
	l.t.Helper()
	bpftest.Root(l.t, "nginx")
	conf := l.write("nginx.conf", fmt.Appendf(nil, nginxConf, l.dir, port, l.cert, l.key))
	p := l.launch(l.command("nginx", "-p", l.dir, "-c", conf), "")
	l.listening(port)
	l.attached("libssl.so.3")
	return p
}

// asked returns the paths that clients said they were answered, and checks that sessions were
// resumed where they were to be.
func asked(t *testing.T, said string) (paths []string) {
	t.Helper()
	for line := range strings.Lines(said) {
		path, how, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || !strings.HasPrefix(path, "/") {
			continue
		}
		if want := map[bool]string{true: "resumed", false: "new"}[strings.HasSuffix(path, "/again")]; how != want {
			t.Errorf("%s was answered in a session that was %s, want %s", path, how, want)
		}
		paths = append(paths, path)
	}
	if len(paths) == 0 {
		t.Fatalf("the client was not answered: %q", said)
	}
	return paths
}

// readable checks that tshark finds every request, and an answer to each, with nothing but the
// capture and the secrets in it; and that the events belong to the handshakes in it.
func (l *lab) readable(ports []int, want []string) {
	l.t.Helper()
	c := l.tshark(l.decrypt(), ports)
	slices.Sort(c.requests)
	slices.Sort(want)
	if !slices.Equal(c.requests, want) {
		l.t.Errorf("tshark decrypts the requests\n%v\nthe clients made\n%v", c.requests, want)
	}
	if c.answers != len(want) {
		l.t.Errorf("tshark decrypts %d answers to %d requests", c.answers, len(want))
	}
	secrets := make(map[string]string)
	given := make(map[string]bool)
	for _, e := range l.all() {
		if !c.hellos[e.Secret.Random] {
			l.t.Errorf("%s of %s has a random that no ClientHello has", e.Secret.Label, e.Comm)
		}
		if e.NetNS != l.netns || e.Time.IsZero() || e.TGID == 0 || e.TID == 0 || e.Cgroup == 0 {
			l.t.Errorf("an event of nowhere: %+v", e)
		}
		what := fmt.Sprintf("%s %x", e.Secret.Label, e.Secret.Random)
		if by := fmt.Sprintf("%s %d", what, e.TGID); given[by] {
			l.t.Errorf("given twice: %s", by)
		} else {
			given[by] = true
		}
		line := string(e.Secret.Append(nil))
		if other, ok := secrets[what]; ok && other != line {
			l.t.Errorf("the ends of a connection disagree:\n%s%s", other, line)
		}
		secrets[what] = line
	}
	s, err := l.keys.Status()
	if err != nil {
		l.t.Fatal(err)
	}
	if s.Lost+s.Unreadable+s.Unknown+s.Uncalibrated != 0 || s.Secrets != uint64(len(l.all())) {
		l.t.Errorf("secrets are missing: %+v", s)
	}
}

// ends checks that of each handshake there are events of both ends, by the names of processes.
func (l *lab) ends(client, server string) {
	l.t.Helper()
	both := make(map[[keylog.RandomSize]byte]map[string]bool)
	for _, e := range l.all() {
		if both[e.Secret.Random] == nil {
			both[e.Secret.Random] = make(map[string]bool)
		}
		both[e.Secret.Random][e.Comm] = true
	}
	n := 0
	for _, comms := range both {
		if comms[client] && comms[server] {
			n++
		}
	}
	if n == 0 || n != len(both) {
		l.t.Errorf("of %d handshakes %d have secrets of %s and %s: %v", len(both), n, client, server, both)
	}
}

func (l *lab) client(port int, prefix string) []string {
	l.t.Helper()
	return asked(l.t, l.run("/usr/bin/python3", "testdata/client.py", fmt.Sprint(port), prefix))
}

// curl asks once and expects an answer.
func (l *lab) curl(port int, path string, args ...string) string {
	l.t.Helper()
	said := l.run("curl", append([]string{"-sSk", fmt.Sprintf("https://127.0.0.1:%d%s", port, path)}, args...)...)
	if said != "answer to "+path {
		l.t.Errorf("curl is told %q", said)
	}
	return path
}

func TestOpenSSL(t *testing.T) {
	l := newLab(t, Options{})
	l.capture()
	const port = 8441
	l.nginx(port)
	f := l.attached("libssl.so.3")
	if f.Library != object.OpenSSL || f.Random != "accessor" || f.BuildID == "" || f.Reason != "" {
		t.Errorf("libssl is %+v", f)
	}
	want := l.client(port, "/python")
	want = append(want, l.curl(port, "/curl/1.2", "--tls-max", "1.2"), l.curl(port, "/curl/1.3", "--tlsv1.3"))
	l.readable([]int{port}, want)
	if f, _ := l.status("libssl.so.3"); f.Secrets != uint64(len(l.all())) {
		t.Errorf("%d secrets are counted, %d given", f.Secrets, len(l.all()))
	}
	for _, e := range l.all() {
		if e.Path != filepath.Join(l.dir, "libssl.so.3") || e.Library != object.OpenSSL {
			t.Errorf("a secret is of %s, %s", e.Path, e.Library)
		}
	}
}

func TestGnuTLS(t *testing.T) {
	l := newLab(t, Options{})
	bpftest.Root(l.t, "gnutls-serv", "gnutls-cli")
	l.capture()
	const port = 8442
	l.launch(l.command("gnutls-serv", "--http", "-q", "-p", fmt.Sprint(port), "--x509certfile", l.cert, "--x509keyfile", l.key), "")
	l.listening(port)
	if f := l.attached("libgnutls.so.30"); f.Library != object.GnuTLS || f.Random != "accessor" {
		t.Errorf("libgnutls is %+v", f)
	}
	var want []string
	for _, version := range []string{"1.2", "1.3"} {
		path := "/gnutls/" + version
		cmd := l.command("gnutls-cli", "--insecure", "-p", fmt.Sprint(port), "--priority", "NORMAL:-VERS-ALL:+VERS-TLS"+version, "127.0.0.1")
		cmd.Stdin = strings.NewReader("GET " + path + " HTTP/1.0\r\n\r\n")
		if out, err := cmd.CombinedOutput(); !strings.Contains(string(out), "HTTP/1.0 200") {
			t.Fatalf("%v: %s", err, out)
		}
		want = append(want, path)
	}
	l.readable([]int{port}, want)
	l.ends("gnutls-cli", "gnutls-serv")
}

func TestNode(t *testing.T) {
	l := newLab(t, Options{})
	node := l.copyFile(bpftest.Program(t, "node"), "node")
	l.capture()
	const port = 8443
	paths := []string{"/node/a", "/node/b", "/node/c"}
	p := l.launch(l.command(node, append([]string{"testdata/server.js", l.cert, l.key, fmt.Sprint(port)}, paths...)...), "ready")
	if f := l.attached("node"); f.Library != object.OpenSSL || f.Found != object.BySymbol {
		t.Errorf("node is %+v", f)
	}
	fmt.Fprintln(p.in)
	want := asked(t, strings.Join(p.until("done"), "\n"))
	if len(want) != len(paths) {
		t.Fatalf("node asked %v", want)
	}
	want = append(want, l.client(port, "/python")...)
	l.readable([]int{port}, want)
}

func TestGo(t *testing.T) {
	l := newLab(t, Options{})
	l.capture()
	var want []string
	var ports []int
	for i, flags := range [][]string{nil, {"-ldflags=-s -w"}, {"-buildmode=pie"}} {
		name := fmt.Sprintf("gotls%d", i)
		build := exec.Command("go", append(append([]string{"build", "-o", filepath.Join(l.dir, name)}, flags...), "./testdata/gotls")...)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", build, err, out)
		}
		port := 8450 + i
		p := l.launch(l.command(filepath.Join(l.dir, name), l.cert, l.key, fmt.Sprint(port), "/"+name), "ready")
		if f := l.attached(name); f.Library != object.Go || f.Random != "argument" {
			t.Errorf("%v: %+v", flags, f)
		}
		fmt.Fprintln(p.in)
		want = append(want, asked(t, strings.Join(p.until("done"), "\n"))...)
		ports = append(ports, port)
	}
	l.readable(ports, want)
}
