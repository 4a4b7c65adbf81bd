package content_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"shark/bpf/bpftest"
	"shark/recorder/plaintext/content"
	"shark/recorder/plaintext/object"
)

// TestApart has programs that use their sockets themselves and have OpenSSL read and write
// memory: no call of the library uses a socket. Many connections are open at a time, each
// program speaks in plain between, and both ends say which addresses they had.
func TestApart(t *testing.T) {
	const python = "/usr/bin/python3"
	bpftest.Root(t, "node", python)
	node := bpftest.Program(t, "node")
	extension := strings.TrimSpace(run(t, nil, "", python, "-c", "import _ssl; print(_ssl.__file__)"))
	for _, tt := range []struct {
		name, program, source, script string
		requests                      int
	}{
		{"Node", node, node, "testdata/apart.js", 44},
		{"asyncio", python, extension, "testdata/apart.py", 30},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, serverEnv, serverTLS := ownTLS(t, tt.program, tt.source)
			client, clientEnv, clientTLS := ownTLS(t, tt.program, tt.source)
			cert, key := certificate(t, t.TempDir())
			p := port(t)
			at, plain := fmt.Sprint(p), fmt.Sprint(port(t))
			start(t, serverEnv, server, tt.script, "server", at, cert, key, plain)
			listening(t, "127.0.0.1:"+at)
			for _, looked := range []struct {
				version, end string
				files        []string
				others       bool
			}{
				{"1.3", "server", []string{serverTLS}, false},
				{"1.2", "server", []string{serverTLS}, false},
				{"1.3", "client", []string{clientTLS}, false},
				{"1.2", "client", []string{clientTLS}, false},
				{"1.3", "both", []string{clientTLS, serverTLS}, true},
			} {
				t.Run(looked.end+", TLS "+looked.version, func(t *testing.T) {
					r := record(t, content.Options{})
					for _, f := range looked.files {
						r.attach(f, object.OpenSSL)
					}
					want := saidBy(t, run(t, clientEnv, "", client, tt.script, "client", at, cert, looked.version, plain))
					if len(want) != tt.requests {
						t.Fatalf("the client says %d requests", len(want))
					}
					told := r.stop()
					s, err := r.Status()
					if err != nil {
						t.Fatal(err)
					}
					var got []said
					for _, x := range told.exchanges(t, p) {
						got = append(got, said{x.request, x.sentSum, x.recvedSum, x.client.String(), x.server.String()})
					}
					same(t, got, want)
					if r.sink.lost != 0 || s.Unjoined != 0 || looked.others != (s.OtherEnds > 0) {
						t.Errorf("lost %d; %+v", r.sink.lost, s)
					}
				})
			}
		})
	}
}

// ownTLS is a program with an OpenSSL that nobody else executes: in itself, or beside it.
func ownTLS(t *testing.T, program, source string) (path string, env []string, file string) {
	t.Helper()
	if strings.Contains(run(t, nil, "", "ldd", source), "libssl.so.3") {
		e, file := ownSSL(t, source)
		return program, []string{e}, file
	}
	path = own(t, program, t.TempDir())
	return path, nil, path
}

// saidBy reads what a client says.
func saidBy(t *testing.T, out string) (all []said) {
	t.Helper()
	for lines := json.NewDecoder(strings.NewReader(out)); ; {
		var s said
		if err := lines.Decode(&s); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
}
