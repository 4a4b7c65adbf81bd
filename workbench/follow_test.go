package workbench

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"shark/dissector/field"
	"shark/packet/pcapng"
	"shark/workbench/index"
)

// heard is what two sides said.
type heard struct {
	Followed
	coverage       Coverage
	client, server []byte
	gaps           [2]int64 // client, server
	turns          string   // who spoke when: c, s, and C, S for gaps
}

func follow(t testing.TB, e *Evidence, id int64) (h heard) {
	t.Helper()
	coverage, err := e.Follow(t.Context(), id, func(f Followed) error {
		h.Followed = f
		return nil
	}, func(c Chunk) error {
		side, to, gap := "s", &h.server, &h.gaps[1]
		if c.Client {
			side, to, gap = "c", &h.client, &h.gaps[0]
		}
		*to = append(*to, c.Data...)
		*gap += c.Gap
		if c.Data == nil {
			side = strings.ToUpper(side)
		}
		if !strings.HasSuffix(h.turns, side) {
			h.turns += side
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	h.coverage = coverage
	return h
}

// tsharkFollow returns what the two nodes of a stream sent, by tshark.
func tsharkFollow(t testing.TB, path, proto, stream string) (nodes [2]string, data [2][]byte) {
	t.Helper()
	out := command(t, "tshark", "-n", "-q", "-r", path, "--disable-protocol", "tls", "-z", "follow,"+proto+",raw,"+stream)
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		for i := range nodes {
			if n, ok := strings.CutPrefix(line, fmt.Sprintf("Node %d: ", i)); ok {
				nodes[i] = n
			}
		}
		side := 0
		if rest, ok := strings.CutPrefix(line, "\t"); ok {
			line, side = rest, 1
		}
		if b, err := hex.DecodeString(line); err == nil && len(line) > 0 {
			data[side] = append(data[side], b...)
		}
	}
	return nodes, data
}

// TestFollow: both sides said what tshark says they did.
func TestFollow(t *testing.T) {
	t.Parallel()
	w := newBench(t)
	for _, c := range []struct{ path, proto string }{
		{"../testdata/http/server.pcap", "tcp"},
		{"../testdata/http2/web.pcap", "tcp"},
		{"../testdata/redis/basic.pcap", "tcp"},
		{"../testdata/dns/records.pcap", "udp"},
		{"arkime/v6-http.pcap", "tcp"},
		{"arkime/socks5-http-302-frag.pcap", "tcp"},
		{"ndpi/http_starting_with_reply.pcapng", "tcp"},
		{"ndpi/zoom.pcap", "tcp"},
	} {
		t.Run(filepath.Base(c.path), func(t *testing.T) {
			path := c.path
			if !strings.HasPrefix(path, "..") {
				path = public(t, path)
			}
			e := open(t, w, path)
			conns := make(map[int64]int64) // entry of a connection, by the connection
			each(t, e, "conn && complete", func(r *index.Row) { conns[r.Value(field.ConnID.Field).(int64)] = r.ID() })
			if len(conns) == 0 {
				each(t, e, "conn", func(r *index.Row) { conns[r.Value(field.ConnID.Field).(int64)] = r.ID() })
			}
			n := 0
			for _, row := range tshark(t, path, c.proto, "frame.number", c.proto+".stream") {
				number, _ := strconv.ParseInt(row[0], 10, 64)
				id, ok := conns[number]
				if !ok || strings.Contains(row[1], ",") || n == 2 {
					continue
				}
				n++
				compareFollowed(t, follow(t, e, id), path, c.proto, row[1])
			}
			if n == 0 {
				t.Errorf("no connection to follow")
			}
		})
	}
}

func compareFollowed(t *testing.T, h heard, path, proto, stream string) {
	t.Helper()
	nodes, data := tsharkFollow(t, path, proto, stream)
	client, server := 0, 1
	if h.Client != nodes[0] {
		client, server = 1, 0
	}
	plain := strings.NewReplacer("[", "", "]", "")
	if plain.Replace(h.Client) != plain.Replace(nodes[client]) || plain.Replace(h.Server) != plain.Replace(nodes[server]) {
		t.Errorf("%s stream %s: the ends are %s and %s, tshark has %v", path, stream, h.Client, h.Server, nodes)
	}
	if !bytes.Equal(h.client, data[client]) || !bytes.Equal(h.server, data[server]) {
		t.Errorf("%s stream %s: %d bytes of the client and %d of the server, tshark has %d and %d", path, stream, len(h.client), len(h.server), len(data[client]), len(data[server]))
	}
}

// TestFollowGaps: what was never captured is named where it is missing, and any
// entry of the connection leads to it.
func TestFollowGaps(t *testing.T) {
	body := strings.Repeat("0123456789", 500)
	resp := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	get := "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
	e := open(t, newBench(t), conversationOf(t, func(n int) bool { return n == 6 }, get, resp))
	for _, kfl := range []string{"http", "conn", "flow"} {
		h := follow(t, e, ids(t, e, kfl)[0])
		if string(h.client) != get || h.gaps != [2]int64{0, 1000} || h.turns != "csSs" || string(h.server) != resp[:2000]+resp[3000:] && len(h.server) != len(resp)-1000 {
			t.Errorf("%s: %d and %d bytes, gaps %v, turns %s", kfl, len(h.client), len(h.server), h.gaps, h.turns)
		}
		if h.Client != "10.0.0.1:40000" || h.Server != "10.0.0.2:80" || h.coverage.Packets == 0 {
			t.Errorf("%s: ends %+v", kfl, h.Followed)
		}
	}
}

// TestFollowOfFragments: who the client is stands only in the first fragment, which
// may come last.
func TestFollowOfFragments(t *testing.T) {
	list := records(t, fragmented(t))
	for i := range list { // begins with a fragment
		if list[i].Data[14+6]&0x20 != 0 || list[i].Data[14+7] != 0 {
			list = list[i:]
			break
		}
	}
	e := open(t, newBench(t), write(t, "begun.pcap", pcapng.Options{Format: pcapng.Pcap}, nil, list, nil))
	h := follow(t, e, ids(t, e, "http")[0])
	if !bytes.HasPrefix(h.client, []byte("GET ")) || !bytes.HasPrefix(h.server, []byte("HTTP/1.1 ")) {
		t.Errorf("%s said %.20q, %s said %.20q", h.Client, h.client, h.Server, h.server)
	}
}

// TestFollowEnds: with the first error of who listens, and with the context.
func TestFollowEnds(t *testing.T) {
	e := open(t, newBench(t), "../testdata/http/server.pcap")
	id := ids(t, e, "http")[0]
	enough := errors.New("enough")
	n := 0
	_, err := e.Follow(t.Context(), id, func(Followed) error { return nil }, func(Chunk) error {
		n++
		return enough
	})
	if !errors.Is(err, enough) || n != 1 {
		t.Errorf("%v after %d chunks", err, n)
	}
	if _, err := e.Follow(t.Context(), id, func(Followed) error { return enough }, nil); !errors.Is(err, enough) {
		t.Errorf("begin: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Follow(ctx, id, func(Followed) error { return nil }, func(Chunk) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := e.Follow(t.Context(), 1<<40, nil, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("an entry that is not there: %v", err)
	}
	var many int64
	each(t, e, "flow", func(r *index.Row) {
		if conns := must(e.conns(t.Context(), e.ready(), e.w.place(r)))(t); len(conns) > 1 {
			many = r.ID()
		}
	})
	if _, err := e.Follow(t.Context(), many, nil, nil); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "flow_id ==") {
		t.Errorf("a flow of several connections: %v", err)
	}
}
