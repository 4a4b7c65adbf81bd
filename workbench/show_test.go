package workbench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/workbench/index"
)

// row is what the index says of an entry.
type row struct {
	id                        int64
	json                      string
	time                      time.Time
	isHTTP1, hasReq, hasResp  bool
	reqSize, respSize, status int64
	method, url               string
}

func rowsOf(t testing.TB, e *Evidence, kfl string) (out []row) {
	t.Helper()
	field := e.w.Catalogue().Lookup
	enc := e.w.JSON()
	each(t, e, kfl, func(r *index.Row) {
		out = append(out, row{
			id: r.ID(), json: string(must(enc.Append(nil, r))(t)), time: r.Value(field("timestamp")).(time.Time),
			isHTTP1: r.Value(field("http")) == true && r.Value(field("http2")) == false,
			hasReq:  r.Value(field("has_request")).(bool), hasResp: r.Value(field("has_response")).(bool),
			reqSize: r.Value(field("request_size")).(int64), respSize: r.Value(field("response_size")).(int64), status: r.Value(field("status_code")).(int64),
			method: r.Value(field("method")).(string), url: r.Value(field("url")).(string),
		})
	})
	return out
}

// checkShown compares what is shown of an entry with what the index says.
func checkShown(t *testing.T, e *Evidence, path string, r row) {
	t.Helper()
	d, err := e.Show(t.Context(), r.id, 0)
	if err != nil {
		t.Errorf("%s: entry %d: %v\n%s", path, r.id, err, r.json)
		return
	}
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s: entry %d: %s\n%s", path, r.id, fmt.Sprintf(format, args...), r.json)
	}
	if diff := notLonger(d.Entry, r.json); diff != "" {
		fail("%s in %s", diff, d.Entry)
	}
	if (d.Request != nil) != r.hasReq || (d.Response != nil) != r.hasResp {
		fail("the messages are %v and %v", d.Request, d.Response)
		return
	}
	begin := d.Request
	if begin == nil {
		begin = d.Response
	}
	for _, m := range []struct {
		*Message
		size int64
		line string
	}{{d.Request, r.reqSize, r.method + " "}, {d.Response, r.respSize, fmt.Sprintf("HTTP/1.1 %d", r.status)}} {
		if m.Message == nil {
			continue
		}
		if m.Size != m.size {
			fail("%d bytes, by the index %d", m.Size, m.size)
		}
		if m.Size-m.Lost > 0 && len(m.Head) == 0 && len(m.Body) == 0 {
			fail("nothing of %d bytes is shown", m.Size)
		}
		head := strings.Replace(string(m.Head), "HTTP/1.0", "HTTP/1.1", 1)
		if r.isHTTP1 && !strings.HasPrefix(head, m.line) && strings.Contains(head, "HTTP/1.1") && !strings.Contains(r.json, `"resumed":true`) {
			fail("the head is %.80q", m.Head)
		}
	}
	if !begin.Start.Equal(r.time) {
		fail("begins at %v", begin.Start)
	}
}

// TestShownBodies: bodies are what tshark exports: put together and decompressed.
func TestShownBodies(t *testing.T) {
	t.Parallel()
	w := newBench(t)
	paths := []string{"../testdata/http/server.pcap"}
	if os.Getenv("SHARK_CAPTURES") != "" {
		paths = append(paths, public(t, "packetbeat/http_minitwit.pcap"), public(t, "pcapplusplus/example2.pcap"))
	}
	for _, path := range paths {
		dir := t.TempDir()
		command(t, "tshark", "-n", "-q", "-r", path, "--export-objects", "http,"+dir)
		want := make(map[string]int)
		for _, f := range must(os.ReadDir(dir))(t) {
			want[string(must(os.ReadFile(filepath.Join(dir, f.Name())))(t))]++
		}
		got := make(map[string]int)
		e := open(t, w, path)
		for _, id := range ids(t, e, "http") {
			d := must(e.Show(t.Context(), id, MaxBody))(t)
			for _, m := range []*Message{d.Request, d.Response} {
				if m == nil || m.BodySize == 0 {
					continue
				}
				if m.Lost == 0 && m.Note != "" || m.Cut {
					t.Errorf("%s: entry %d: %q, cut: %v", path, id, m.Note, m.Cut)
				}
				got[string(m.Body)]++
			}
		}
		for body, n := range want {
			// Where a segment is lost, tshark takes the rest of a body for one.
			if body != "" && got[body] < n && !bytes.Contains([]byte(body), []byte("\r\n15d\r\n")) && !strings.HasPrefix(body, "v\x9d") {
				t.Errorf("%s: tshark has %d bodies %.60q, shown are %d", path, n, body, got[body])
			}
		}
		if len(want) < 2 {
			t.Errorf("%s: tshark exports %d bodies only", path, len(want))
		}
	}
}

// TestShowCutsBodies: of a body no more is returned than asked for, and that is said.
func TestShowCutsBodies(t *testing.T) {
	e := open(t, newBench(t), "../testdata/http/server.pcap")
	for _, id := range ids(t, e, `http && path == "/gzip"`) {
		whole := must(e.Show(t.Context(), id, 0))(t).Response
		for _, n := range []int{1, 100, len(whole.Body) - 1} {
			m := must(e.Show(t.Context(), id, n))(t).Response
			if !bytes.Equal(m.Body, whole.Body[:n]) || !m.Cut || m.Note != "" || !bytes.Equal(m.Head, whole.Head) {
				t.Errorf("%d bytes of the body: %d, cut: %v %q", n, len(m.Body), m.Cut, m.Note)
			}
		}
		for _, n := range []int{len(whole.Body), 1 << 30} {
			if m := must(e.Show(t.Context(), id, n))(t).Response; !bytes.Equal(m.Body, whole.Body) || m.Cut {
				t.Errorf("%d bytes of the body: %d, cut: %v", n, len(m.Body), m.Cut)
			}
		}
	}
}

// conversationOf writes a capture of one TCP connection in which client and server
// take turns, 1000 bytes a packet, with packets lost where lose says so.
func conversationOf(t testing.TB, lose func(n int) bool, turns ...string) string {
	t.Helper()
	var list []packet.Record
	seq := [2]uint32{1000, 5000}
	ports := [2]uint16{40000, 80}
	n := 0
	send := func(from int, flags byte, data string) {
		n++
		if lose == nil || !lose(n) {
			list = append(list, packet.Record{Data: segment(ports[from], ports[from^1], seq[from], seq[from^1], flags, data), Time: 1e18 + int64(n)*1e6, Link: 1, Number: uint64(n)})
		}
		seq[from] += uint32(len(data))
	}
	send(0, 2, "")
	seq[0]++
	send(1, 0x12, "")
	seq[1]++
	for i, text := range turns {
		for len(text) > 0 {
			k := min(len(text), 1000)
			send(i%2, 0x18, text[:k])
			text = text[k:]
		}
	}
	send(0, 0x11, "")
	return write(t, "made.pcap", pcapng.Options{Format: pcapng.Pcap}, nil, list, nil)
}

// segment makes an Ethernet frame of a TCP segment from 10.0.0.1 or to it.
func segment(src, dst uint16, seq, ack uint32, flags byte, data string) []byte {
	b := make([]byte, 14+20+20, 14+20+20+len(data))
	b[12] = 8
	ip := b[14:]
	size := 40 + len(data)
	ip[0], ip[2], ip[3], ip[8], ip[9] = 0x45, byte(size>>8), byte(size), 64, 6
	from, to := byte(1), byte(2)
	if src < dst {
		from, to = to, from
	}
	copy(ip[12:], []byte{10, 0, 0, from, 10, 0, 0, to})
	tcp := ip[20:]
	for i, v := range []uint32{uint32(src)<<16 | uint32(dst), seq, ack} {
		tcp[4*i], tcp[4*i+1], tcp[4*i+2], tcp[4*i+3] = byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
	}
	tcp[12], tcp[13], tcp[14] = 0x50, flags, 0xff
	return append(b, data...)
}

// TestShowOfWhatCannotBeDecoded: the reason stands with what there is.
func TestShowOfWhatCannotBeDecoded(t *testing.T) {
	w := newBench(t)
	get := "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, c := range []struct{ coding, body, want, note string }{
		{"gzip", "this is not gzip", "this is not gzip", "as sent"},
		{"rot13", "uryyb", "uryyb", "as sent"},
		{"gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcaH\xcd\xc9\xc9W(\xcf/\xcaI\x01\x04\x00\x00\xff\xff", "hello world", "up to an error"},
		{"identity", "plain", "plain", ""},
	} {
		resp := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", c.coding, len(c.body), c.body)
		e := open(t, w, conversationOf(t, nil, get, resp))
		d := must(e.Show(t.Context(), ids(t, e, "http")[0], 0))(t)
		if m := d.Response; string(m.Body) != c.want || !strings.Contains(m.Note, c.note) || (c.note == "") != (m.Note == "") || m.Cut {
			t.Errorf("%s: %q, %q, cut: %v", c.coding, m.Body, m.Note, m.Cut)
		}
		if string(d.Request.Head) != get || !strings.HasSuffix(string(d.Response.Head), "\r\n\r\n") {
			t.Errorf("heads %q and %q", d.Request.Head, d.Response.Head)
		}
	}
}

// TestShowOfLosses: what was never captured is counted, and what was is shown.
func TestShowOfLosses(t *testing.T) {
	body := strings.Repeat("0123456789", 500)
	resp := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	path := conversationOf(t, func(n int) bool { return n == 6 }, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", resp)
	e := open(t, newBench(t), path)
	d := must(e.Show(t.Context(), ids(t, e, "http")[0], 0))(t)
	if m := d.Response; m.Lost != 1000 || m.BodySize != int64(len(body)) || len(m.Body) != len(body)-1000 || m.Size != int64(len(resp)) || m.Cut {
		t.Errorf("lost %d, body of %d bytes, %d shown, cut: %v", m.Lost, m.BodySize, len(m.Body), m.Cut)
	}
}

// TestShowWithoutMessages: connections and flows have packets and no bytes of their own.
func TestShowWithoutMessages(t *testing.T) {
	path := "../testdata/http/server.pcap"
	e := open(t, newBench(t), path)
	n := 0
	for _, id := range ids(t, e, "flow") {
		d := must(e.Show(t.Context(), id, 0))(t)
		n += len(d.Packets)
		if d.Request != nil || d.Response != nil || len(d.Entry) == 0 {
			t.Errorf("entry %d: %+v", id, d)
		}
	}
	if want := len(packetsOf(t, path)); n != want {
		t.Errorf("the flows have %d of %d packets", n, want)
	}
	n = 0
	for _, id := range ids(t, e, "conn") {
		n += len(must(e.Show(t.Context(), id, 0))(t).Packets)
	}
	if want := len(packetsOf(t, path)); n != want {
		t.Errorf("the connections have %d of %d packets", n, want)
	}
	if _, err := e.Show(t.Context(), 1<<40, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("an entry that is not there: %v", err)
	}
}

// TestShowWithoutPackets: of an index database alone there are the fields.
func TestShowWithoutPackets(t *testing.T) {
	w := newBench(t)
	db := filepath.Join(t.TempDir(), "a.db")
	must(open(t, w, "../testdata/http/server.pcap").Dissect(t.Context(), DissectOptions{Output: db}))(t)
	e := open(t, w, db)
	id := ids(t, e, "http")[0]
	d := must(e.Show(t.Context(), id, 0))(t)
	if len(d.Entry) == 0 || d.Request != nil || len(d.Packets) == 0 || !strings.Contains(strings.Join(d.Coverage.Notes, "\n"), "not at hand") {
		t.Errorf("%+v", d)
	}
	if _, err := e.Export(t.Context(), Export{}, new(bytes.Buffer)); !errors.Is(err, ErrNoPackets) {
		t.Errorf("export: %v", err)
	}
	if _, err := e.Follow(t.Context(), id, func(Followed) error { return nil }, func(Chunk) error { return nil }); !errors.Is(err, ErrNoPackets) {
		t.Errorf("follow: %v", err)
	}
	if _, err := e.Dissect(t.Context(), DissectOptions{}); !errors.Is(err, ErrUsage) {
		t.Errorf("dissect: %v", err)
	}
}

// TestShowOfChangedPackets: an index that is not of these packets is not believed.
func TestShowOfChangedPackets(t *testing.T) {
	e := open(t, newBench(t), "../testdata/http/server.pcap")
	found := ids(t, e, "http")
	e.inputs[0].path = "../testdata/http/framing.pcap"
	_, err := e.Show(t.Context(), found[len(found)-1], 0)
	if err == nil || !strings.Contains(err.Error(), "files") {
		t.Errorf("the error is %v", err)
	}
}

// TestShowOfWhatGoesOn: what says nothing without another conversation of its flow is shown with
// that one's help, and its packets are its own.
func TestShowOfWhatGoesOn(t *testing.T) {
	e := open(t, newBench(t), "../testdata/quic/quic_of_rebinding.pcap")
	moved := ids(t, e, `quic_migrated_from != ""`)
	if len(moved) != 2 {
		t.Fatalf("%d entries", len(moved))
	}
	for i, size := range []int{30, 36} {
		d := must(e.Show(t.Context(), moved[i], 0))(t)
		if d.Request == nil || len(d.Request.Head) != size || d.Response != nil || d.Packets[0] != []uint64{10, 23}[i] {
			t.Errorf("%+v of packets %v", d.Request, d.Packets)
		}
	}
}
