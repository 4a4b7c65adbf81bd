package client_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"shark/packet"
	"shark/packet/keylog"
	"shark/recorder/api"
	"shark/recorder/client"
	"shark/recorder/freeze"
	"shark/recorder/metrics"
	"shark/recorder/ring"
	"shark/snapshot"
	"shark/snapshot/identity"
)

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var interfaces = []packet.Interface{{Link: 1, SnapLen: 262144, Name: "eth0"}, {Link: 1, Name: "eth1"}, {Link: 1, Name: "eth2"}}

const perRing = 3000

func at(i int) time.Time { return began.Add(time.Duration(i) * time.Millisecond) }

// fill makes a ring with packets, of which some were dropped, with secrets and identity.
func fill(t *testing.T, node string) string {
	t.Helper()
	dir := t.TempDir()
	w, err := ring.Create(dir, ring.Options{Node: node, Bytes: 16 << 20, SegmentBytes: 64 << 10, Flush: time.Hour, Now: func() time.Time { return at(perRing) }})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Identity(identity.Record{Time: at(0), Op: identity.Upsert, Kind: identity.Pod, UID: node, Namespace: "shop", Name: "cart-" + node, Addresses: []string{"10.0.0.1"}}); err != nil {
		t.Fatal(err)
	}
	secret := keylog.Secret{Label: keylog.ClientRandom, Secret: bytes.Repeat([]byte{7}, 48)}
	copy(secret.Random[:], node)
	if err := w.Secrets(at(1), secret.Append(nil)); err != nil {
		t.Fatal(err)
	}
	for i := range perRing {
		text := fmt.Sprintf("packet %d of %s %s", i, node, strings.Repeat("x", i%300))
		n := 28 + len(text)
		ip := []byte{0x45, 0, byte(n >> 8), byte(n), 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, byte(i % 7), 10, 0, 0, 9, 0x1f, 0x90, 0, 53, byte((n - 20) >> 8), byte(n - 20), 0, 0}
		data := slices.Concat(make([]byte, 12), []byte{8, 0}, ip, []byte(text))
		w.Write([]packet.Record{{Data: data, OrigLen: uint32(len(data)), Interface: uint32(i / 1000), Link: 1, Time: at(i).UnixNano()}}, interfaces)
		if i%100 == 0 {
			w.Lost(uint32(i/1000), 1, interfaces)
			if err := w.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// fake is a recorder that has a ring and nothing else.
type fake struct{ rec snapshot.Recording }

func (f fake) Recording() snapshot.Recording { return f.rec }
func (fake) Metrics() []metrics.Family {
	return []metrics.Family{metrics.One("shark_recorder_test", metrics.Gauge, 1, "For a test.")}
}

const token = "a token that is long enough"

// served is a recorder's API.
type served struct {
	url, fingerprint, token string
	stop                    func() // and wait for its end
}

// serve serves the ring in a folder until the test ends.
func serve(t *testing.T, dir string, change func(*api.Options)) *served {
	t.Helper()
	list, err := freeze.Rings(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := api.Options{Listen: "127.0.0.1:0", Token: path, Node: list[0].Node()}
	if change != nil {
		change(&o)
	}
	s, err := api.Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- s.Serve(ctx, fake{list[0]}, func() any { return map[string]string{"node": list[0].Node()} })
	}()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(stop)
	return &served{"https://" + s.Addr(), s.Fingerprint(), path, stop}
}

func (s *served) options() client.Options {
	return client.Options{Token: s.token, CA: s.fingerprint, Pause: time.Millisecond}
}

func open(t *testing.T, o client.Options, addresses ...string) []snapshot.Recording {
	t.Helper()
	list, err := client.Recordings(t.Context(), o, addresses...)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// frozen makes a snapshot and returns it with all that it has, as text.
func frozen(t *testing.T, from, to time.Time, list ...snapshot.Recording) (*snapshot.Manifest, []string) {
	t.Helper()
	s, err := snapshot.OpenStore(t.Context(), filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Create(t.Context(), snapshot.CreateOptions{Recordings: list, From: from, To: to}, nil)
	if err != nil {
		t.Fatal(err)
	}
	x, err := s.Get(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	p, err := x.Packets(t.Context(), snapshot.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var all []string
	for {
		var b packet.Batch
		err := p.ReadBatch(&b)
		for i := range b.Records {
			r := &b.Records[i]
			all = append(all, fmt.Sprintf("%d %d %s %x", r.Time, r.OrigLen, p.Interfaces()[r.Interface].Name, r.Data))
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(all) // those of two nodes have the same times
	return m, all
}

// described is a manifest without what differs from one making to another.
func described(t *testing.T, m *snapshot.Manifest) string {
	t.Helper()
	type object struct {
		Path    string
		Packets uint64
		Records int
	}
	var objects []object
	for _, o := range m.Objects {
		objects = append(objects, object{o.Path, o.Packets, o.Records})
	}
	data, err := json.MarshalIndent([]any{m.Nodes, objects, m.Coverage}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A snapshot of remote nodes is that of their rings: packets, secrets, identity, what was dropped
// and what is missing.
func TestAsFromRings(t *testing.T) {
	dirs := []string{fill(t, "node-a"), fill(t, "node-b")}
	a, b := serve(t, dirs[0], nil), serve(t, dirs[1], nil)
	for _, w := range [][2]time.Time{{at(-1000), at(perRing)}, {at(700), at(1300)}, {at(perRing + 5), at(perRing + 9)}} {
		rings, err := freeze.Rings(dirs...)
		if err != nil {
			t.Fatal(err)
		}
		want, packets := frozen(t, w[0], w[1], rings...)
		remote := append(open(t, a.options(), a.url), open(t, b.options(), b.url)...)
		for i, r := range remote {
			from, to, err := r.Span()
			wantFrom, wantTo, _ := rings[i].Span()
			if err != nil || !from.Equal(wantFrom) || !to.Equal(wantTo) || r.Node() != rings[i].Node() {
				t.Errorf("%s from %s to %s, %v; want %s from %s to %s", r.Node(), from, to, err, rings[i].Node(), wantFrom, wantTo)
			}
		}
		got, remotes := frozen(t, w[0], w[1], remote...)
		if !slices.Equal(remotes, packets) {
			t.Errorf("%s: %d packets, want %d", w, len(remotes), len(packets))
		}
		if a, b := described(t, got), described(t, want); a != b {
			t.Errorf("%s: the manifest is\n%s\nwant\n%s", w, a, b)
		}
	}
	for _, dir := range dirs {
		if left, err := filepath.Glob(filepath.Join(dir, "pins", "*")); err != nil || len(left) > 0 {
			t.Errorf("pins stay: %v, %v", left, err)
		}
	}
}

// cutting passes connections on to a server and cuts each after some bytes of its answers.
func cutting(t *testing.T, to string, after func() int64) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		work.Wait()
	})
	work.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", strings.TrimPrefix(to, "https://"))
			if err != nil {
				in.Close()
				continue
			}
			work.Go(func() {
				_, _ = io.Copy(out, in)
				out.Close()
			})
			work.Go(func() {
				_, _ = io.CopyN(in, out, after())
				in.Close()
				out.Close()
			})
		}
	})
	return "https://" + l.Addr().String()
}

// A network that breaks every stream, again and again, changes nothing of the snapshot.
func TestCutStreams(t *testing.T) {
	dir := fill(t, "node-a")
	s := serve(t, dir, nil)
	rings, err := freeze.Rings(dir)
	if err != nil {
		t.Fatal(err)
	}
	want, packets := frozen(t, at(0), at(perRing), rings...)
	var conns atomic.Int64
	url := cutting(t, s.url, func() int64 { return 5000 + 30011*(conns.Add(1)%5) })
	got, remotes := frozen(t, at(0), at(perRing), open(t, s.options(), url)...)
	if !slices.Equal(remotes, packets) || described(t, got) != described(t, want) {
		t.Errorf("%d packets, want %d; %s", len(remotes), len(packets), described(t, got))
	}
	if conns.Load() < 8 {
		t.Errorf("%d connections: nothing was cut", conns.Load())
	}
}

// A node that is away from the start is named in the coverage, and one that goes amid its
// packets gives those that came.
func TestAway(t *testing.T) {
	a, b := fill(t, "node-a"), fill(t, "node-b")
	whole, dying := serve(t, a, nil), serve(t, b, nil)
	var budget atomic.Int64
	budget.Store(150_000)
	url := cutting(t, dying.url, func() int64 { return max(budget.Swap(0), 0) })
	gone := "https://127.0.0.1:1"
	list := append(open(t, whole.options(), whole.url, gone), open(t, dying.options(), url)...)
	m, packets := frozen(t, at(0), at(perRing), list...)
	if len(packets) < perRing || len(packets) >= 2*perRing {
		t.Errorf("%d packets", len(packets))
	}
	for _, want := range []snapshot.Note{
		{Kind: snapshot.NoteNode, Node: "127.0.0.1:1", Text: "nothing of it is here"},
		{Kind: snapshot.NoteDamage, Node: "node-b", Text: "its recorder gave"},
		{Kind: snapshot.NoteIdentity, Node: "node-b", Text: "its identity log is not here"},
	} {
		if !slices.ContainsFunc(m.Coverage, func(n snapshot.Note) bool {
			return n.Kind == want.Kind && n.Node == want.Node && strings.Contains(n.Text, want.Text)
		}) {
			t.Errorf("the coverage has no %v: %v", want, m.Coverage)
		}
	}
	s, err := snapshot.OpenStore(t.Context(), filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), snapshot.CreateOptions{Recordings: open(t, whole.options(), gone), From: at(0), To: at(9)}, nil); !errors.Is(err, snapshot.ErrAway) {
		t.Errorf("a snapshot of nothing: %v", err)
	}
}

// Only the recorder that is meant is given the token.
func TestTrust(t *testing.T) {
	dir := fill(t, "node-a")
	s, other := serve(t, dir, nil), serve(t, fill(t, "node-b"), nil)
	pem := filepath.Join(t.TempDir(), "ca.pem")
	conn, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	writePEM(t, pem, conn.ConnectionState().PeerCertificates[0].Raw)
	strangers := filepath.Join(t.TempDir(), "strangers.pem")
	conn, err = tls.Dial("tcp", strings.TrimPrefix(other.url, "https://"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	writePEM(t, strangers, conn.ConnectionState().PeerCertificates[0].Raw)
	for _, c := range []struct {
		name, ca, token string
		works           bool
	}{
		{"fingerprint", s.fingerprint, s.token, true},
		{"fingerprint as openssl prints it", "sha256:" + colons(s.fingerprint), s.token, true},
		{"certificate in a file", pem, s.token, true},
		{"fingerprint of another", other.fingerprint, s.token, false},
		{"authorities of the system", "", s.token, false},
		{"another token", s.fingerprint, wrongToken(t), false},
		{"certificate of another in a file", strangers, s.token, false},
	} {
		_, err := open(t, client.Options{Token: c.token, CA: c.ca}, s.url)[0].Pin(at(0), at(1))
		if works := err == nil; works != c.works || err != nil && !errors.Is(err, snapshot.ErrAway) {
			t.Errorf("%s: %v", c.name, err)
		}
		unknown := c.ca == "" || c.ca == strangers // and not another secret that is wrong
		if says := err != nil && strings.Contains(err.Error(), "--recorder-ca"); says != unknown {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, bad := range []string{"http://127.0.0.1:1", "127.0.0.1:1", "https://", "https://a/b", "https://u:p@a"} {
		if _, err := client.Recordings(t.Context(), s.options(), bad); err == nil {
			t.Errorf("%q is taken for an address", bad)
		}
	}
}

// What Prometheus is told, its parser reads.
func TestMetrics(t *testing.T) {
	s := serve(t, fill(t, "node-a"), nil)
	got := s.get(t, "/metrics", token)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"shark_recorder_test", "shark_recorder_api_requests_total", "shark_recorder_api_refused_total", "shark_recorder_api_pins"} {
		if families[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
}

func (s *served) get(t *testing.T, path, token string) []byte {
	t.Helper()
	q, err := http.NewRequest(http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+token)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	p, err := c.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Body.Close()
	data, err := io.ReadAll(p.Body)
	if err != nil || p.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s %v", path, p.Status, data, err)
	}
	return data
}
