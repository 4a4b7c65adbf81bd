package content_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"shark/bpf/bpftest"
	"shark/recorder/plaintext/content"
	"shark/recorder/plaintext/object"
)

// nginx is a server with a file of 10 MB whose log has a line for each request.
type nginx struct {
	dir, log, big string
	port          uint16
	cert          string
	body          []byte
}

func startNginx(t *testing.T, env ...string) *nginx {
	t.Helper()
	dir := t.TempDir()
	n := &nginx{dir: dir, log: filepath.Join(dir, "access.log"), big: filepath.Join(dir, "big"), port: port(t), body: make([]byte, 10<<20)}
	_, _ = rand.Read(n.body)
	if err := os.WriteFile(n.big, n.body, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cert, key := certificate(t, dir)
	n.cert = cert
	write(t, filepath.Join(dir, "nginx.conf"), fmt.Sprintf(`
daemon off; user root; worker_processes 1; pid %[1]s/pid; error_log %[1]s/error.log;
events {}
http {
  log_format line '$remote_addr $remote_port $server_addr $server_port $ssl_protocol $status $request_length $request';
  access_log %[1]s/access.log line;
  client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  client_max_body_size 0;
  server {
    listen 127.0.0.1:%[2]d ssl; listen [::1]:%[2]d ssl;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate %[3]s; ssl_certificate_key %[4]s;
    root %[1]s;
    location = /post { return 200 "taken\n"; }
    location /hello { return 200 "hello $request_uri\n"; }
  }
}`, dir, n.port, cert, key))
	start(t, env, "nginx", "-c", filepath.Join(dir, "nginx.conf"), "-e", filepath.Join(dir, "error.log"))
	listening(t, fmt.Sprintf("127.0.0.1:%d", n.port))
	return n
}

// logged are the lines of the log, n of them.
func (n *nginx) logged(t *testing.T, lines int) []string {
	t.Helper()
	var got []string
	bpftest.Until(t, fmt.Sprintf("nginx logged %d requests", lines), func() bool {
		b, err := os.ReadFile(n.log)
		got = strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
		return err == nil && len(got) >= lines
	})
	return got
}

// ownSSL is a folder with a libssl that nobody else executes, for LD_LIBRARY_PATH.
func ownSSL(t *testing.T, program string) (env, file string) {
	t.Helper()
	dir := t.TempDir()
	file = own(t, library(t, program, "libssl.so.3"), dir)
	return "LD_LIBRARY_PATH=" + dir, file
}

// TestNginxAndCurl holds what either end's library says, and both at once, against what nginx
// and curl say they did.
func TestNginxAndCurl(t *testing.T) {
	bpftest.Root(t, "nginx", "curl", "tshark")
	serverEnv, serverSSL := ownSSL(t, "nginx")
	clientEnv, clientSSL := ownSSL(t, library(t, "curl", "libcurl.so.4"))
	n := startNginx(t, serverEnv)
	posted := filepath.Join(n.dir, "posted")
	if err := os.WriteFile(posted, n.body[:3<<20], 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, version, host string
		files               []string
		others              uint64 // connections that have two ends
	}{
		{"client, TLS 1.3", "1.3", "127.0.0.1", []string{clientSSL}, 0},
		{"client, TLS 1.2", "1.2", "127.0.0.1", []string{clientSSL}, 0},
		{"server, TLS 1.3", "1.3", "127.0.0.1", []string{serverSSL}, 0},
		{"server, TLS 1.2", "1.2", "127.0.0.1", []string{serverSSL}, 0},
		{"both, TLS 1.3", "1.3", "127.0.0.1", []string{clientSSL, serverSSL}, 2},
		{"IPv6", "1.3", "[::1]", []string{serverSSL}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := record(t, content.Options{Ring: 64 << 20})
			for _, f := range tt.files {
				r.attach(f, object.OpenSSL)
			}
			if err := os.Truncate(n.log, 0); err != nil {
				t.Fatal(err)
			}
			url := fmt.Sprintf("https://%s:%d", tt.host, n.port)
			args := []string{"-sS", "--http1.1", "--cacert", n.cert, "--tlsv" + tt.version, "--tls-max", tt.version}
			said := run(t, []string{clientEnv}, "", "curl", append(args, "-w", "%{local_ip} %{local_port}\n",
				url+"/hello/1", url+"/hello/2", "-o", "/dev/null", url+"/big", "-o", "/dev/null", url+"/absent")...)
			said += run(t, []string{clientEnv}, "", "curl", append(args, "-H", "Expect:", "-w", "%{local_ip} %{local_port}\n", "--data-binary", "@"+posted, url+"/post")...)
			logged := n.logged(t, 5)

			told := r.stop()
			got := told.exchanges(t, n.port)
			if tt.others > 0 { // once: it takes its time
				tsharkSees(t, told, n.port, got)
			}
			want := []exchange{
				{request: "GET /absent", status: 404, received: -1},
				{request: "GET /big", status: 200, received: len(n.body), recvedSum: digest(n.body)},
				{request: "GET /hello/1", status: 200, received: 15, recvedSum: digest([]byte("hello /hello/1\n"))},
				{request: "GET /hello/2", status: 200, received: 15, recvedSum: digest([]byte("hello /hello/2\n"))},
				{request: "POST /post", status: 200, sent: 3 << 20, sentSum: digest(n.body[:3<<20]), received: 6, recvedSum: digest([]byte("taken\n"))},
			}
			if len(got) != len(want) {
				t.Fatalf("%d exchanges: %+v\nnginx logged %q", len(got), got, logged)
			}
			for i, w := range want {
				g := got[i]
				if g.request != w.request || g.status != w.status || g.sent != w.sent || w.received >= 0 && (g.received != w.received || g.recvedSum != w.recvedSum) ||
					w.sent > 0 && g.sentSum != w.sentSum {
					t.Errorf("got %+v, want %+v", g, w)
				}
				// The log has the addresses that nginx's socket had, and curl says its own.
				line := fmt.Sprintf("%s %d %s %d TLSv%s %d ", g.client.Addr(), g.client.Port(), g.server.Addr(), g.server.Port(), tt.version, g.status)
				if !slices.ContainsFunc(logged, func(l string) bool { return strings.HasPrefix(l, line) && strings.Contains(l, g.request) }) {
					t.Errorf("nginx logged nothing like %q for %s: %q", line, g.request, logged)
				}
				if own := fmt.Sprintf("%s %d\n", g.client.Addr(), g.client.Port()); !strings.Contains(said, own) {
					t.Errorf("curl did not use %q: %q", own, said)
				}
			}
			s, err := r.Status()
			if err != nil {
				t.Fatal(err)
			}
			if s.OtherEnds != tt.others || s.Unjoined != 0 || s.Unseen != 0 || r.sink.lost != 0 {
				t.Errorf("lost %d; %+v", r.sink.lost, s)
			}
		})
	}
}

// tsharkSees has tshark read the segments: all sums are right, nothing is out of its place, and
// the requests and answers are those that were found.
func tsharkSees(t *testing.T, x *told, port uint16, want []exchange) {
	t.Helper()
	out := run(t, nil, "", "tshark", "-r", x.file(t), "-d", fmt.Sprintf("tcp.port==%d,http", port), "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
		"-Y", "http.request || http.response || tcp.checksum.status != 1 || ip.checksum.status == 0 || tcp.analysis.flags || _ws.malformed",
		"-T", "fields", "-e", "frame.number", "-e", "http.request.method", "-e", "http.request.uri", "-e", "http.response.code")
	for line := range strings.Lines(out) {
		if _, message, _ := strings.Cut(line, "\t"); strings.TrimSpace(message) == "" {
			t.Errorf("tshark finds fault with packet %q", line)
		}
	}
	for _, w := range want {
		method, path, _ := strings.Cut(w.request, " ")
		if !strings.Contains(out, "\t"+method+"\t"+path+"\t") || !strings.Contains(out, fmt.Sprintf("\t%d\n", w.status)) {
			t.Errorf("tshark does not see %s %s, %d: %q", method, path, w.status, out)
		}
	}
	if n := strings.Count(out, "\n"); n != 2*len(want) {
		t.Errorf("tshark sees %d messages of %d: %q", n, 2*len(want), out)
	}
}

// TestPython reads and writes with the functions of OpenSSL that give the length elsewhere.
func TestPython(t *testing.T) {
	const python = "/usr/bin/python3"
	bpftest.Root(t, python)
	extension := strings.TrimSpace(run(t, nil, "", python, "-c", "import _ssl; print(_ssl.__file__)"))
	env, ssl := ownSSL(t, extension)
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	p := port(t)
	write(t, filepath.Join(dir, "server.py"), `
import ssl, socket, sys
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain(sys.argv[1], sys.argv[2])
l = socket.create_server(("127.0.0.1", int(sys.argv[3])))
while True:
    s, _ = l.accept()
    try:
        s = c.wrap_socket(s, server_side=True)
        f = s.makefile("rwb")
        for line in f:
            if line == b"\r\n":
                f.write(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300000); f.flush()
    except OSError: pass
`)
	write(t, filepath.Join(dir, "client.py"), `
import ssl, http.client, sys
c = ssl.create_default_context(cafile=sys.argv[1])
h = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[2]), context=c)
for i in range(3):
    h.request("GET", "/%d" % i); assert len(h.getresponse().read()) == 300000
print(h.sock.getsockname()[1])
`)
	start(t, []string{env}, python, filepath.Join(dir, "server.py"), cert, key, strconv.Itoa(int(p)))
	listening(t, fmt.Sprintf("127.0.0.1:%d", p))
	r := record(t, content.Options{})
	r.attach(ssl, object.OpenSSL)
	out := run(t, []string{env}, "", python, filepath.Join(dir, "client.py"), cert, strconv.Itoa(int(p)))
	local, err := netip.ParseAddrPort("127.0.0.1:" + strings.TrimSpace(out))
	if err != nil {
		t.Fatal(err)
	}
	got := r.stop().exchanges(t, p)
	if len(got) != 3 {
		t.Fatalf("%+v", got)
	}
	for i, g := range got {
		if g.request != fmt.Sprintf("GET /%d", i) || g.recvedSum != digest(bytes.Repeat([]byte("x"), 300000)) || g.client != local {
			t.Errorf("got %+v from %v", g, local)
		}
	}
	if s, err := r.Status(); err != nil || s.OtherEnds != 1 || r.sink.lost != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}
