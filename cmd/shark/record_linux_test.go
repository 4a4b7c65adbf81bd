package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"shark/bpf/bpftest"
	"shark/packet"
	"shark/packet/pcapng"
)

// secureCall is a call as nginx or shark tells it.
type secureCall struct{ status, local, remote, port string }

// TestRecordHTTPS: one file of shark record has every request that nginx logged, in clear, under
// the right client's port and with both processes by their names: TLS 1.2 and 1.3, new and
// resumed sessions and connections that are kept, once by the secrets alone, once by the
// plaintext alone and once by both. With secrets Wireshark reads them, too.
//
// With SHARK_RECORD the file with both is kept in that folder: testdata/https.pcapng.zst is one.
func TestRecordHTTPS(t *testing.T) {
	for _, way := range []string{"keys", "plaintext", "both"} {
		t.Run(way, func(t *testing.T) {
			s := bpftest.New(t)
			dir := t.TempDir()
			secureServer(t, s, dir)
			file := filepath.Join(dir, "https.pcapng")
			recordCommand(t, s, dir, file, way, secureClients(t, dir))
			truth := accessLog(t, filepath.Join(dir, "access.log"))
			if len(truth) != 26 {
				t.Fatalf("nginx logged %d requests", len(truth))
			}
			got := secureCalls(t, file)
			for path, want := range truth {
				if got[path] != want {
					t.Errorf("%s: %+v, want %+v", path, got[path], want)
				}
				delete(got, path)
			}
			for path, c := range got {
				t.Errorf("%s: %+v, which nginx does not know", path, c)
			}
			if into := os.Getenv("SHARK_RECORD"); into != "" && way == "both" {
				if out, err := exec.Command(bpftest.Program(t, "zstd"), "-q", "-f", "-19", file, "-o", filepath.Join(into, "https.pcapng.zst")).CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
			if way != "keys" {
				return
			}
			out, err := exec.Command(bpftest.Program(t, "tshark"), "-r", file, "-Y", "http.request", "-T", "fields", "-e", "http.request.uri").Output()
			if n := len(strings.Fields(string(out))); err != nil || n != len(truth) {
				t.Errorf("tshark reads %d requests of %d: %v", n, len(truth), err)
			}
		})
	}
}

// What shark record writes is its owner's alone and replaces what was there only when it is
// complete; a command's own words do not come among packets; that nobody says anything is no
// error, but that there is nothing to listen to is.
func TestRecordFile(t *testing.T) {
	s := bpftest.New(t)
	idle := exec.Command(bpftest.Program(t, "sleep"), "1000")
	s.Start(t, idle, "idle")
	defer func() { _ = idle.Process.Kill(); _ = idle.Wait() }()
	dir := t.TempDir()
	old, during := filepath.Join(dir, "old.pcapng"), filepath.Join(dir, "during")
	if err := os.WriteFile(old, []byte("what was there"), 0o644); err != nil {
		t.Fatal(err)
	}
	record := func(args ...string) (code int, out, talk string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "shark", append([]string{"record", "--netns", strconv.Itoa(idle.Process.Pid), "--tls", "off"}, args...)...)
		cmd.Env = append(os.Environ(), raceOptions)
		var stdout, stderr strings.Builder
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run() // the exit code says it
		return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
	}
	if code, out, talk := record("-w", "-", "--", "sh", "-c", "echo said"); code != 0 || !strings.Contains(talk, "said\n") || !strings.Contains(talk, "standard output: 0 packets") || strings.Contains(talk, "shark query") {
		t.Errorf("into a pipe: exit code %d, %q", code, talk)
	} else {
		readable(t, out)
	}
	if code, out, talk := record("-w", old, "--force", "--", "sh", "-c", "echo said; cp "+old+" "+during); code != 0 || out != "said\n" || !strings.Contains(talk, old+": 0 packets") {
		t.Errorf("into a file: exit code %d, %q, %q", code, out, talk)
	}
	if got := bpftest.File(t, during); got != "what was there" {
		t.Errorf("while another is recorded, the file has %q", got)
	}
	before := bpftest.File(t, old)
	readable(t, before)
	if info, err := os.Stat(old); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if code, _, talk := record("-w", old, "--force", "-i", "nosuch*", "--duration", "1s"); code != 1 || !strings.Contains(talk, "no network device that was chosen is there") {
		t.Errorf("of no device: exit code %d, %q", code, talk)
	}
	if got := bpftest.File(t, old); got != before {
		t.Errorf("a recording of nothing replaced the file")
	}
	for command, want := range map[string]int{"exit 3": 3, "kill -9 $$": 137} {
		file := filepath.Join(dir, strconv.Itoa(want))
		if code, _, talk := record("-w", file, "--", "sh", "-c", command); code != want || !strings.Contains(talk, file+": 0 packets") {
			t.Errorf("of a command that ends with %d: exit code %d, %q", want, code, talk)
		}
		readable(t, bpftest.File(t, file))
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*part*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// readable wants a capture file without packets that tells of owners.
func readable(t *testing.T, data string) {
	t.Helper()
	r, err := pcapng.NewReader(strings.NewReader(data), "file")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b packet.Batch
	for err == nil {
		err = r.ReadBatch(&b)
	}
	if !errors.Is(err, io.EOF) || len(r.Damage()) > 0 || len(r.Identity()) == 0 {
		t.Errorf("%v, damage %v, %d blocks of identity", err, r.Damage(), len(r.Identity()))
	}
}

// secureServer starts nginx with a certificate of its own.
func secureServer(t *testing.T, s *bpftest.Stage, dir string) {
	t.Helper()
	key, cert, log := filepath.Join(dir, "key.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "access.log")
	if out, err := exec.Command(bpftest.Program(t, "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
		"-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1").CombinedOutput(); err != nil {
		t.Fatalf("openssl: %v: %s", err, out)
	}
	text := fmt.Sprintf(`worker_processes 2; daemon off; pid %[1]s/pid; error_log %[1]s/error.log; user root; events {}
http { log_format calls "$request_uri $status $remote_port"; access_log %[4]s calls; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
server { listen 8443 ssl; ssl_certificate %[2]s; ssl_certificate_key %[3]s; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:1m;
location / { return 200 "hello\n"; } location /bad { return 503; } } }`, dir, cert, key, log)
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	startServer(t, s, dir, "nginx", bpftest.Program(t, "nginx"), "-e", "error.log", "-c", conf)
	bpftest.File(t, filepath.Join(dir, "pid"))
}

// secureClients is a script of curl and Python.
func secureClients(t *testing.T, dir string) string {
	t.Helper()
	curl, asker := bpftest.Program(t, "curl"), copyOfPython(t, dir, "asker")
	var text strings.Builder
	fmt.Fprintf(&text, "set -e\ncd %s\n", dir)
	for i := range 5 {
		for _, version := range []string{"1.2", "1.3"} {
			fmt.Fprintf(&text, "%s -sS -k --tls-max %s -o /dev/null -o /dev/null https://127.0.0.1:8443/%s/%d/a https://127.0.0.1:8443/bad/%s/%d\n", curl, version, version, i, version, i)
		}
	}
	fmt.Fprintf(&text, "exec %s asker.py\n", asker)
	if err := os.WriteFile(filepath.Join(dir, "asker.py"), []byte(resumingClient), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "clients.sh")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const resumingClient = `
import socket, ssl
for name, version in (("1.2", ssl.TLSVersion.TLSv1_2), ("1.3", ssl.TLSVersion.TLSv1_3)):
    context = ssl.create_default_context(cafile="cert.pem")
    context.minimum_version = context.maximum_version = version
    session = None
    for i in range(3):
        with context.wrap_socket(socket.create_connection(("127.0.0.1", 8443)), server_hostname="127.0.0.1", session=session) as c:
            c.sendall(b"GET /python/%s/%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % (name.encode(), i))
            while c.recv(1000): pass
            assert c.session_reused == (i > 0)
            session = c.session`

// recordCommand records the namespace of nginx while a script runs in it.
func recordCommand(t *testing.T, s *bpftest.Stage, dir, file, way, script string) {
	t.Helper()
	pid := strings.TrimSpace(bpftest.File(t, filepath.Join(dir, "pid")))
	if _, err := strconv.Atoi(pid); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "shark", "record", "--netns", pid, "--tls", way, "-w", file, "--",
		bpftest.Program(t, "nsenter"), "--net=/proc/"+pid+"/ns/net", "sh", script)
	cmd.Env = append(os.Environ(), raceOptions)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("shark record: %v\n%s", err, out)
	}
	t.Logf("%s", out) // it says what of it could not be recorded
}

// accessLog returns what nginx says of each request, by its path.
func accessLog(t *testing.T, path string) map[string]secureCall {
	t.Helper()
	calls := map[string]secureCall{}
	for line := range strings.Lines(bpftest.File(t, path)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			t.Fatalf("nginx logged %q", line)
		}
		client := "curl"
		if strings.HasPrefix(f[0], "/python") {
			client = "asker"
		}
		calls[f[0]] = secureCall{f[1], client, "nginx", f[2]}
	}
	return calls
}

// secureCalls returns the calls in a file that were said in TLS, by their paths.
func secureCalls(t *testing.T, file string) map[string]secureCall {
	t.Helper()
	calls := map[string]secureCall{}
	for _, line := range sharkLines(t, "query", file, "http && tls", "-o", "jsonl", "--limit", "0") {
		var e struct {
			Path   string `json:"path"`
			Status int    `json:"status_code"`
			Local  string `json:"local_process_name"`
			Remote string `json:"remote_process_name"`
			Src    struct {
				Port int `json:"port"`
			} `json:"src"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if _, twice := calls[e.Path]; twice {
			t.Errorf("%s was told twice", e.Path)
		}
		calls[e.Path] = secureCall{strconv.Itoa(e.Status), e.Local, e.Remote, strconv.Itoa(e.Src.Port)}
	}
	return calls
}
