package ws_test

import (
	"bufio"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/ws"
)

// told collects messages as the recorded server writes them.
type told struct{ lines []string }

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != ws.Protocol {
		return nil
	}
	v := &e.Request.Values
	side, length := "client", ws.RequestLength
	if ws.Response.Get(v) {
		side, length = "server", ws.ResponseLength
	}
	switch op := string(ws.Opcode.Get(v)); {
	case op == "ping" && side == "server" && e.Response != nil:
		c.lines = append(c.lines, "server ping")
	case op == "text" || op == "binary":
		if ws.Compressed.Get(v) {
			length = ws.ContentLength
		}
		c.lines = append(c.lines, fmt.Sprintf("%s %s %d", side, op, length.Get(v)))
	}
	return nil
}

// unread are messages of a client that the server turned away or hung up on: they have
// no line in the truth.
var unread = map[string]string{"client text 5001": "longer than the server reads", "client text 2": "not masked"}

// TestAgainstServer compares every message with what the server said and heard.
func TestAgainstServer(t *testing.T) {
	dissectortest.Told(t, "ws", func(t *testing.T, capture string, want []string) {
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, http.Protocol, ws.Protocol)
		var lines []string
		for _, s := range got.lines {
			if unread[s] == "" {
				lines = append(lines, s)
			}
		}
		dissectortest.SameLines(t, lines, want)
	})
}

// frames counts frames by opcode. Those of a message but the first are continuations.
type frames map[string]int64

func (c frames) Entry(e *dissector.Entry) error {
	for _, m := range []*dissector.Message{e.Request, e.Response} {
		if e.Protocol != ws.Protocol || m == nil {
			continue
		}
		c[string(ws.Opcode.Get(&m.Values))]++
		if n := ws.Frames.Get(&m.Values); n > 1 {
			c["continuation"] += n - 1
		}
	}
	return nil
}

// public are other people's captures of WebSocket, with the port that tshark has to be
// told.
var public = map[string]string{
	"live/ws.pcap": "8081", "live/graphql.pcap": "4000",
	"suricata-verify/websocket-compressed__example_websocket.pcap": "",
	"suricata-verify/websocket-control-frag__input.pcap":           "",
	"suricata-verify/websocket-ping__input.pcap":                   "",
	"suricata-verify/websocket__basic_websockets.pcap":             "",
	"zeek/broker-websocket.pcap":                                   "9997",
	"zeek/jupyter-websocket.pcap":                                  "8888",
	"zeek/wstunnel-ssh.pcap":                                       "8888",
}

// TestAgainstTshark counts the frames of other people's captures.
func TestAgainstTshark(t *testing.T) {
	dir := dissectortest.PublicWithTshark(t)
	names := map[string]string{"0": "continuation", "1": "text", "2": "binary", "8": "close", "9": "ping", "10": "pong"}
	for file, port := range public {
		t.Run(file, func(t *testing.T) {
			args := []string{"-r", filepath.Join(dir, file), "-Y", "websocket", "-T", "fields", "-e", "websocket.opcode"}
			if port != "" {
				args = append(args, "-d", "tcp.port=="+port+",http")
			}
			out, err := exec.Command("tshark", args...).Output()
			if err != nil {
				t.Fatal(err)
			}
			want := make(frames)
			for s := bufio.NewScanner(strings.NewReader(string(out))); s.Scan(); {
				for op := range strings.SplitSeq(s.Text(), ",") {
					want[names[op]]++
				}
			}
			got := make(frames)
			dissectortest.Dissect(t, dissectortest.Open(t, filepath.Join(dir, file)), got, http.Protocol, ws.Protocol)
			if !maps.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			t.Log(got)
		})
	}
}
