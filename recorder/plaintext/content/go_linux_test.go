package content_test

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"shark/bpf/bpftest"
	"shark/recorder/plaintext/content"
	"shark/recorder/plaintext/object"
)

// said is what a client says of a request: testdata/peer.
type said struct{ Request, Sent, Received, Local, Remote string }

// peer builds the program that is server and client.
func peer(t *testing.T, env []string, flags ...string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "peer")
	run(t, append([]string{"GOOS=linux", "CGO_ENABLED=0"}, env...), "", "go", append(append([]string{"build", "-o", to}, flags...), "./testdata/peer")...)
	return to
}

// TestGo holds what the TLS of Go reads and writes on many goroutines, at either end, against
// what a client says.
func TestGo(t *testing.T) {
	bpftest.Root(t, "go", "strip", "tshark")
	plain := peer(t, nil)
	stripped := own(t, plain, t.TempDir())
	run(t, nil, "", "strip", stripped)
	pie := peer(t, nil, "-buildmode=pie", "-ldflags=-s -w")
	for _, tt := range []struct {
		name, program, version string
		workers, requests      int
		server                 bool // is looked at, and not the client
	}{
		{"HTTP/1.1, normal, client", plain, "1", 32, 10, false},
		{"HTTP/1.1, stripped, server", stripped, "1", 32, 10, true},
		{"HTTP/1.1, pie, client", pie, "1", 8, 10, false},
		{"HTTP/2, normal, server", plain, "2", 100, 5, true},
		{"HTTP/2, stripped, client", stripped, "2", 100, 5, false},
		{"HTTP/2, pie, server", pie, "2", 32, 5, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			cert, key := certificate(t, dir)
			// One file for each end: only that of the end in question is looked at.
			looked, other := own(t, tt.program, t.TempDir()), own(t, tt.program, t.TempDir())
			server, client := other, looked
			if tt.server {
				server, client = looked, other
			}
			p := port(t)
			addr := fmt.Sprintf("127.0.0.1:%d", p)
			start(t, nil, server, "server", addr, cert, key)
			listening(t, addr)
			r := record(t, content.Options{})
			r.attach(looked, object.Go)
			want := saidBy(t, run(t, nil, "", client, "client", addr, cert, tt.version, strconv.Itoa(tt.workers), strconv.Itoa(tt.requests)))
			if len(want) != tt.workers*tt.requests {
				t.Fatalf("the client says %d requests", len(want))
			}
			told := r.stop()
			s, err := r.Status()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("lost: %+v", s.Lost)
			var got []said
			if tt.version == "2" {
				got = told.http2(t, p)
				if tt.workers == 100 && tt.server { // once: it takes its time
					paths(t, told, p, want)
				}
				for i := range want {
					want[i].Request = ""
				}
			} else {
				for _, x := range told.exchanges(t, p) {
					got = append(got, said{x.request, x.sentSum, x.recvedSum, x.client.String(), x.server.String()})
				}
			}
			same(t, got, want)
			if r.sink.lost != 0 || s.Unjoined != 0 || s.OtherEnds != 0 {
				t.Errorf("lost %d; %+v", r.sink.lost, s)
			}
		})
	}
}

// same compares what was said, in any order.
func same(t *testing.T, got, want []said) {
	t.Helper()
	order := func(a, b said) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }
	slices.SortFunc(got, order)
	slices.SortFunc(want, order)
	if slices.Equal(got, want) {
		return
	}
	bad := 0
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			if bad++; bad < 5 {
				t.Errorf("got %+v, want %+v", got[i], want[i])
			}
		}
	}
	t.Errorf("%d of %d exchanges, %d of them others", len(got), len(want), bad)
}

// http2 reads the bodies of HTTP/2 from all connections to a port.
func (x *told) http2(t *testing.T, port uint16) []said {
	t.Helper()
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	var all []said
	for _, at := range x.order {
		if at.to.Port() != port {
			continue
		}
		asked, answered := x.streams[at], x.streams[direction{at.to, at.from}]
		if answered == nil || asked.missing+answered.missing > 0 {
			t.Fatalf("%v to %v: %d bytes are missing, answers %+v", at.from, at.to, asked.missing, answered)
		}
		if len(asked.data) == 0 {
			continue // one more than the client had a use for
		}
		if !strings.HasPrefix(string(asked.data), preface) {
			t.Fatalf("%v begins with %q", at, asked.data[:min(len(asked.data), 24)])
		}
		sent, received := bodies(t, asked.data[len(preface):]), bodies(t, answered.data)
		for id := range sent {
			all = append(all, said{Sent: digest(sent[id]), Received: digest(received[id]), Local: at.from.String(), Remote: at.to.String()})
		}
	}
	return all
}

// bodies puts together what the frames of HTTP/2 carry, by stream.
func bodies(t *testing.T, b []byte) map[uint32][]byte {
	t.Helper()
	const data, headers, padded = 0, 1, 8
	all := make(map[uint32][]byte)
	for len(b) >= 9 {
		n := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
		kind, flags, id := b[3], b[4], binary.BigEndian.Uint32(b[5:])
		if len(b) < 9+n {
			t.Fatalf("a frame of %d bytes in %d", n, len(b))
		}
		if kind == data && flags&padded == 0 || kind == headers {
			all[id] = append(all[id], map[bool][]byte{true: b[9 : 9+n]}[kind == data]...)
		}
		b = b[9+n:]
	}
	return all
}

// paths asks tshark for the requests that the segments have.
func paths(t *testing.T, x *told, port uint16, want []said) {
	t.Helper()
	out := run(t, nil, "", "tshark", "-r", x.file(t), "-d", fmt.Sprintf("tcp.port==%d,http2", port), "-Y", "http2.headers.path", "-T", "fields", "-e", "http2.headers.path")
	got := make(map[string]int)
	for line := range strings.Lines(out) {
		for path := range strings.SplitSeq(strings.TrimSpace(line), ",") {
			got[path]++
		}
	}
	for _, w := range want {
		if _, path, _ := strings.Cut(w.Request, " "); got[path] != 1 {
			t.Errorf("tshark sees %s %d times", path, got[path])
		}
	}
	if len(got) != len(want) {
		t.Errorf("tshark sees %d requests of %d", len(got), len(want))
	}
}
