package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"shark/bpf/bpftest"
)

// tlsPeer is a program that serves HTTPS, and what asks it.
type tlsPeer struct {
	name    string // first part of the paths that it is asked for
	process string
	server  []string // after its program: PORT, CERT and KEY are filled in
	clients []string // lines of a shell: PORT is filled in; they say what testdata/tls says
	silent  bool     // it logs nothing
}

// unreadable are the calls of which nobody can tell what was said, by way and by their paths.
// docs/tls.md has the reasons.
var unreadable = map[string]*regexp.Regexp{
	"keys":      regexp.MustCompile(`^/(go[a-z]+/go[a-z]+|gnutls/gnutls)/1\.2/again$`),
	"plaintext": regexp.MustCompile(`^/bun/bun/`),
}

// TestReadable: of every library at both ends, with TLS 1.2 and 1.3, new and resumed sessions, one
// file of shark record has every request and answer that clients and servers say there were: with
// the bodies' digests, ports and processes of both ends, once by secrets alone and once by
// plaintext alone. With the secrets tshark reads them, too.
func TestReadable(t *testing.T) {
	bpftest.Root(t, "curl", "gnutls-cli", "gnutls-serv", "go", "nginx", "node", "openssl", "python3", "tshark")
	programs := readableGo(t)
	for _, way := range []string{"keys", "plaintext"} {
		t.Run(way, func(t *testing.T) {
			s, dir := bpftest.New(t), t.TempDir()
			peers := readablePeers(t, dir, programs)
			script := startPeers(t, s, dir, peers)
			file := filepath.Join(dir, "readable.pcapng")
			recordCommand(t, s, dir, file, way, script)
			want := saidByPeers(t, dir, peers)
			for path := range want {
				if r := unreadable[way]; r.MatchString(path) {
					delete(want, path)
				}
			}
			got := heardCalls(t, file)
			for path, g := range got {
				if want[path].port == "" { // neither end says
					g.port = ""
					got[path] = g
				}
			}
			if !maps.Equal(got, want) {
				t.Error(differences(got, want))
			}
			t.Logf("%d calls", len(want))
			if way == "keys" {
				tsharkReads(t, dir, file, want)
			}
		})
	}
}

// readableGo builds a program of Go in three ways.
func readableGo(t *testing.T) map[string]string {
	t.Helper()
	dir, programs := t.TempDir(), make(map[string]string)
	for name, flags := range map[string][]string{"gonormal": nil, "gostripped": {"-ldflags=-s -w"}, "gopie": {"-buildmode=pie"}} {
		programs[name] = filepath.Join(dir, name)
		cmd := exec.Command(bpftest.Program(t, "go"), append(append([]string{"build", "-o", programs[name]}, flags...), "./testdata/tls")...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", cmd, err, out)
		}
	}
	return programs
}

func readablePeers(t *testing.T, dir string, programs map[string]string) []tlsPeer {
	t.Helper()
	data, err := filepath.Abs("testdata/tls")
	if err != nil {
		t.Fatal(err)
	}
	js, py := filepath.Join(data, "peer.js"), filepath.Join(data, "peer.py")
	asker, server := copyOfPython(t, dir, "asker"), copyOfPython(t, dir, "pyserver")
	node := bpftest.Program(t, "node")
	ask := func(name, method string) string {
		return fmt.Sprintf("%s %s client PORT %s asker %s", asker, py, name, method)
	}
	curl := func(version string) string {
		return fmt.Sprintf(`curl -sSk --tlsv%[1]s --tls-max %[1]s -H 'Connection: close' --data-binary @cert.pem -w '%%{filename_effective} %%{local_port}\n' -o new.%[1]s -o again.%[1]s https://127.0.0.1:PORT/nginx/curl/%[1]s/new https://127.0.0.1:PORT/nginx/curl/%[1]s/again >>curl.said`, version)
	}
	gnutls := func(server, version, how string) string {
		options := map[string]string{"new": "", "again": "--resume --waitresumption"}[how]
		path := fmt.Sprintf("/%s/gnutls/%s/%s", server, version, how)
		return fmt.Sprintf(`printf 'GET %[1]s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' | gnutls-cli --logfile=/dev/null --insecure %[2]s --priority NORMAL:-VERS-ALL:+VERS-TLS%[3]s -p PORT 127.0.0.1 >%[4]s`,
			path, options, version, strings.ReplaceAll(path[1:], "/", ".")+".gnutls")
	}
	peers := []tlsPeer{
		{"nginx", "nginx", nil, []string{ask("nginx", "POST"), curl("1.2"), curl("1.3"), gnutls("nginx", "1.2", "new"), gnutls("nginx", "1.3", "new")}, false},
		{"python", "pyserver", []string{server, py, "server", "PORT", "CERT", "KEY"}, []string{ask("python", "POST")}, false},
		{"gnutls", "gnutls-serv", []string{"gnutls-serv", "--http", "-q", "-p", "PORT", "--x509certfile", "CERT", "--x509keyfile", "KEY"}, []string{
			ask("gnutls", "GET"), gnutls("gnutls", "1.2", "new"), gnutls("gnutls", "1.2", "again"), gnutls("gnutls", "1.3", "new"), gnutls("gnutls", "1.3", "again"),
		}, true},
		{"node", "node", []string{node, js, "server", "PORT", "CERT", "KEY"}, []string{ask("node", "POST"), node + " " + js + " client PORT node 1.2 1.3 again"}, false},
	}
	for _, name := range []string{"gonormal", "gostripped", "gopie"} {
		p := programs[name]
		peers = append(peers, tlsPeer{name, name, []string{p, "server", "PORT", "CERT", "KEY"}, []string{ask(name, "POST"), p + " client PORT " + name}, false})
	}
	if bun := os.Getenv("SHARK_BUN"); bun != "" {
		peers = append(peers, tlsPeer{"bun", "bun", []string{bun, js, "server", "PORT", "CERT", "KEY"}, []string{bun + " " + js + " client PORT bun 1.2 1.3 again"}, false})
	} else if os.Getenv("SHARK_CI") != "" {
		t.Error("SHARK_BUN does not name a bun, which make unit installs")
	}
	return peers
}

// startPeers starts the servers and returns the script of their clients.
func startPeers(t *testing.T, s *bpftest.Stage, dir string, peers []tlsPeer) string {
	t.Helper()
	text := "set -e\ncd " + dir + "\n"
	for i, p := range peers {
		port := 8443 + i
		fill := strings.NewReplacer("PORT", strconv.Itoa(port), "CERT", filepath.Join(dir, "cert.pem"), "KEY", filepath.Join(dir, "key.pem"))
		if p.server == nil {
			secureServer(t, s, dir)
		} else {
			args := make([]string, len(p.server))
			for i, a := range p.server {
				args[i] = fill.Replace(a)
			}
			startServer(t, s, dir, p.name, append([]string{"sh", "-c", `exec "$@" >"$0.log"`, p.name}, args...)...)
		}
		bpftest.Until(t, p.name+" listens", func() (is bool) {
			s.Do(func() {
				c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
				if is = err == nil; is {
					is = c.Close() == nil
				}
			})
			return is
		})
		for _, c := range p.clients {
			c = fill.Replace(c)
			if !strings.Contains(c, ">") {
				c += " >>said"
			}
			text += c + "\n"
		}
	}
	path := filepath.Join(dir, "clients.sh")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// heard is a call: the client's port, both processes, digests of what was sent and received.
type heard struct{ port, client, server, sent, received string }

func bodyDigest(b string) string {
	sum := sha256.Sum256([]byte(b))
	return hex.EncodeToString(sum[:8])
}

// saidByPeers returns what clients say, by path, after a look at what the servers say.
func saidByPeers(t *testing.T, dir string, peers []tlsPeer) map[string]heard {
	t.Helper()
	calls, process := make(map[string]heard), make(map[string]string)
	for _, p := range peers {
		process[p.name] = p.process
	}
	server := func(path string) string { return process[strings.Split(path, "/")[1]] }
	client := func(path string) string {
		name := strings.Split(path, "/")[2]
		return map[string]string{"gnutls": "gnutls-cli", "curl": "curl"}[name] + map[bool]string{true: name}[name != "gnutls" && name != "curl"]
	}
	for line := range strings.Lines(bpftest.File(t, filepath.Join(dir, "said"))) {
		f := strings.Fields(line)
		calls[f[0]] = heard{f[1], client(f[0]), server(f[0]), f[3], f[4]}
	}
	posted := bodyDigest(bpftest.File(t, filepath.Join(dir, "cert.pem")))
	for line := range strings.Lines(bpftest.File(t, filepath.Join(dir, "curl.said"))) {
		f := strings.Fields(line)
		how, version, _ := strings.Cut(f[0], ".")
		calls["/nginx/curl/"+version+"/"+how] = heard{f[1], "curl", "nginx", posted, bodyDigest(bpftest.File(t, filepath.Join(dir, f[0])))}
	}
	said, err := filepath.Glob(filepath.Join(dir, "*.gnutls"))
	if err != nil || len(said) == 0 {
		t.Fatalf("gnutls-cli said nothing: %v", err)
	}
	for _, name := range said {
		f := strings.Split(strings.TrimSuffix(filepath.Base(name), ".gnutls"), ".")
		path := fmt.Sprintf("/%s/%s/%s.%s/%s", f[0], f[1], f[2], f[3], f[4])
		_, body, ok := strings.Cut(bpftest.File(t, name), "\r\n\r\n")
		if !ok {
			t.Fatalf("gnutls-cli was answered %q", bpftest.File(t, name))
		}
		calls[path] = heard{"", "gnutls-cli", server(path), bodyDigest(""), bodyDigest(body)}
	}
	for _, p := range peers {
		if !p.silent {
			saidByServer(t, dir, p.name, calls)
		}
	}
	return calls
}

// saidByServer holds what a server says against what its clients say.
func saidByServer(t *testing.T, dir, name string, calls map[string]heard) {
	t.Helper()
	log := filepath.Join(dir, map[bool]string{true: "access", false: name}[name == "nginx"]+".log")
	logged := make(map[string]string)
	for line := range strings.Lines(bpftest.File(t, log)) {
		f := strings.Fields(line)
		logged[f[0]] = f[len(f)-1]
	}
	for path, c := range calls {
		if !strings.HasPrefix(path, "/"+name+"/") {
			continue
		}
		if c.port == "" { // the client does not say
			c.port = logged[path]
			calls[path] = c
		}
		if logged[path] != c.port || c.port == "" {
			t.Errorf("%s was asked for %s from port %q, and from %q by the client's word", name, path, logged[path], c.port)
		}
		delete(logged, path)
	}
	if len(logged) > 0 {
		t.Errorf("%s was asked for %v, which no client says", name, logged)
	}
}

// heardCalls returns the calls that shark finds, by path.
func heardCalls(t *testing.T, file string) map[string]heard {
	t.Helper()
	args := []string{"show", file}
	lines := sharkLines(t, "query", file, "http && tls", "-o", "jsonl", "--limit", "0", "--fields", "id")
	if lines[0] == "" {
		t.Fatalf("no call is found; there are, by protocol:\n%s\nof which:\n%s", strings.Join(sharkLines(t, "stats", file, "--by", "protocol"), "\n"),
			strings.Join(sharkLines(t, "query", file, "tls", "-o", "json", "--limit", "3"), "\n"))
	}
	for _, line := range lines {
		var e struct{ ID json.Number }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		args = append(args, e.ID.String())
	}
	var shown struct {
		Entries []struct {
			Entry struct {
				Path   string `json:"path"`
				Local  string `json:"local_process_name"`
				Remote string `json:"remote_process_name"`
				Src    struct {
					Port int `json:"port"`
				} `json:"src"`
			} `json:"entry"`
			Request, Response messageJSON
		}
	}
	if err := json.Unmarshal([]byte(strings.Join(sharkLines(t, append(args, "-o", "json")...), "\n")), &shown); err != nil {
		t.Fatal(err)
	}
	calls := make(map[string]heard)
	for i := range shown.Entries {
		x := &shown.Entries[i]
		e := &x.Entry
		if _, twice := calls[e.Path]; twice {
			t.Errorf("%s was told twice", e.Path)
		}
		calls[e.Path] = heard{strconv.Itoa(e.Src.Port), e.Local, e.Remote, shownDigest(t, &x.Request), shownDigest(t, &x.Response)}
	}
	return calls
}

func shownDigest(t *testing.T, m *messageJSON) string {
	t.Helper()
	if m.Encoding == "" {
		return bodyDigest(m.Body)
	}
	b, err := base64.StdEncoding.DecodeString(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	return bodyDigest(string(b))
}

// differences are the first of those between what was heard and what was said.
func differences(got, want map[string]heard) string {
	var all []string
	for path, w := range want {
		if g, ok := got[path]; !ok {
			all = append(all, fmt.Sprintf("%s is missing", path))
		} else if g != w {
			all = append(all, fmt.Sprintf("%s: got %+v, want %+v", path, g, w))
		}
	}
	for path, g := range got {
		if _, ok := want[path]; !ok {
			all = append(all, fmt.Sprintf("%s: %+v is too much", path, g))
		}
	}
	slices.Sort(all)
	return fmt.Sprintf("%d differences of %d calls:\n%s", len(all), len(want), strings.Join(all[:min(len(all), 30)], "\n"))
}

// tsharkReads has tshark find all requests in what shark exports with the secrets. Segments may
// have come in another order than they were sent in, where the machine has much to do: a sender
// that changes its processor overtakes himself.
func tsharkReads(t *testing.T, dir, file string, want map[string]heard) {
	t.Helper()
	exported := filepath.Join(dir, "exported.pcapng")
	sharkLines(t, "export", file, "--secrets", "-w", exported)
	out, err := exec.Command(bpftest.Program(t, "tshark"), "-r", exported, "-Y", "http.request || http2.headers.path", "-T", "fields", "-E", "aggregator=|",
		"-o", "tcp.reassemble_out_of_order:TRUE", "-d", "tcp.port==8443-8460,tls", "-e", "http.request.uri", "-e", "http2.headers.path").Output()
	if err != nil {
		t.Fatal(err)
	}
	read := strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' || r == '\t' || r == '|' })
	slices.Sort(read)
	for path := range want {
		if _, found := slices.BinarySearch(read, path); !found {
			t.Errorf("tshark does not read %s", path)
		}
	}
}
