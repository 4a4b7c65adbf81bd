package mqtt_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/mqtt"
)

// packets collects the control packets of all calls, as the log of a broker names them.
type packets struct{ lines []string }

func (p *packets) Entry(e *dissector.Entry) error {
	if e.Protocol != mqtt.Protocol {
		return nil
	}
	if e.Request == nil {
		p.add(e.Response, '>', string(dissector.Operation.Get(&e.Response.Values)), "")
		return nil
	}
	v := &e.Request.Values
	op, client := string(dissector.Operation.Get(v)), string(mqtt.ClientID.Get(v))
	direction := '<'
	if e.Request.From == dissector.Server {
		direction = '>'
	}
	p.add(e.Request, direction, op, client)
	if e.Response == nil {
		return nil
	}
	v = &e.Response.Values
	if client == "" { // the server has given one
		client = string(mqtt.ClientID.Get(v))
	}
	answer := string(dissector.Operation.Get(v))
	if answer == "PUBCOMP" && op == "PUBLISH" {
		p.add(e.Response, '>', "PUBREC", client)
		p.add(e.Response, '<', "PUBREL", client)
	}
	p.add(e.Response, '>', answer, client)
	return nil
}

// add adds a packet.
func (p *packets) add(m *dissector.Message, direction rune, kind, client string) {
	line := fmt.Sprintf("%s %c %s", kind, direction, client)
	v := &m.Values
	switch kind {
	case "PUBLISH":
		retain := 0
		if mqtt.Retain.Get(v) {
			retain = 1
		}
		line += fmt.Sprintf(" q%d r%d m%d %s %d", mqtt.QoS.Get(v), retain, mqtt.PacketID.Get(v), mqtt.Topic.Get(v), mqtt.PayloadSize.Get(v))
	case "PUBACK", "PUBREC", "PUBREL", "PUBCOMP":
		line += fmt.Sprintf(" m%d", mqtt.PacketID.Get(v))
	case "CONNACK":
		code := dissector.StatusCode.Get(v)
		if code != 0 { // the log has the address of a client that was refused
			line = "CONNACK > 127.0.0.1"
		}
		line += fmt.Sprintf(" %d", code)
	}
	p.lines = append(p.lines, line)
}

var (
	logged    = regexp.MustCompile(`^(?:Received|Sending) (\w+) (from|to) (\S+)(.*)$`)
	published = regexp.MustCompile(`^ \(d0, (q\d), (r\d), (m\d+), '(.*)', \.\.\. \((\d+) bytes\)\)$`)
	numbered  = regexp.MustCompile(`^ \((?:m|Mid: )(\d+)`)
	connected = regexp.MustCompile(`^ \(\d, (\d+)\)$`)
)

// readLog reads what a broker logged.
func readLog(t *testing.T, lines []string) (out []string) {
	for _, line := range lines {
		m := logged.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			t.Fatalf("cannot read %q", line)
		}
		s := m[1] + " " + map[string]string{"from": "<", "to": ">"}[m[2]] + " " + m[3]
		if d := published.FindStringSubmatch(m[4]); d != nil {
			s += " " + strings.Join(d[1:], " ")
		} else if d := numbered.FindStringSubmatch(m[4]); d != nil {
			s += " m" + d[1]
		} else if d := connected.FindStringSubmatch(m[4]); d != nil {
			s += " " + d[1]
		}
		out = append(out, s)
	}
	return out
}

// TestAgainstBroker compares every packet with what the broker logged of it.
func TestAgainstBroker(t *testing.T) {
	dissectortest.Told(t, "mqtt", func(t *testing.T, capture string, lines []string) {
		got := dissect(t, capture)
		got = slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(s, "CONNECT ") }) // not in the log
		dissectortest.SameLines(t, got, readLog(t, lines))
	})
}

func dissect(t *testing.T, file string) []string {
	var got packets
	dissectortest.Dissect(t, dissectortest.Open(t, file), &got, mqtt.Protocol)
	return got.lines
}

// TestAgainstOracle compares how many packets of each type there are with what tshark
// counts.
func TestAgainstOracle(t *testing.T) {
	dir := dissectortest.Public(t)
	for _, file := range []string{
		"arkime/mqtt_big.pcap", "deepflow/mqtt_connect.pcap", "deepflow/mqtt_roundtrip.pcap", "deepflow/mqtt_sub.pcap",
		"suricata-verify/mqtt-connect-rules-2__mqtt5_pub_jpeg_connack134.pcap", "live/mqtt.pcap",
	} {
		var oracle struct {
			Counts struct {
				Types map[string]int `json:"mqtt_type"`
			}
		}
		dissectortest.Oracle(t, dir, file, &oracle)
		want := make(map[string]int)
		for name, n := range oracle.Counts.Types {
			want[oracleNames[name]] += n
		}
		for name, n := range beyond[file] {
			want[name] += n
		}
		got, have := dissect(t, filepath.Join(dir, file)), make(map[string]int)
		for _, line := range got {
			kind, _, _ := strings.Cut(line, " ")
			have[kind]++
		}
		if fmt.Sprint(have) != fmt.Sprint(want) {
			t.Errorf("%s: %v, tshark has %v", file, have, want)
		}
		t.Logf("%s: %d packets", file, len(got))
	}
}

// beyond is what lies behind a loss, where tshark read no further when it counted.
var beyond = map[string]map[string]int{
	"deepflow/mqtt_roundtrip.pcap": {"PUBLISH": 3}, // frames 11, 12 and 14
}

var oracleNames = map[string]string{
	"Connect Command (1)": "CONNECT", "Connect Ack (2)": "CONNACK", "Publish Message (3)": "PUBLISH", "Publish Ack (4)": "PUBACK",
	"Publish Received (5)": "PUBREC", "Publish Release (6)": "PUBREL", "Publish Complete (7)": "PUBCOMP",
	"Subscribe Request (8)": "SUBSCRIBE", "Subscribe Ack (9)": "SUBACK", "Unsubscribe Request (10)": "UNSUBSCRIBE",
	"Unsubscribe Ack (11)": "UNSUBACK", "Ping Request (12)": "PINGREQ", "Ping Response (13)": "PINGRESP",
	"Disconnect Req (14)": "DISCONNECT", "Authentication Exchange (15)": "AUTH",
}
