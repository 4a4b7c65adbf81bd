package amqp

import (
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// What tshark shows of the same packets.
func TestOutline(t *testing.T) {
	dissectortest.Outlined(t, Protocol, map[string][]string{
		"amqp_of_content.pcap": {
			"  mechanism: PLAIN\n  response: ***\n  locale: en_US",
			"basic.publish\n  channel: 1\n  exchange: \n  routing-key: work\n  mandatory: false\n  immediate: false\nproperties\n  body: 9 bytes\n  content-type: application/json\n" +
				"  headers\n    trace: abc\n    n: 7\n  delivery-mode: 2\nbody frame: 9 bytes",
			"  priority: 3\n  correlation-id: c1\n  reply-to: answers\n  expiration: 60000\n  message-id: m1\n  timestamp: 2023-11-14T22:13:20Z\n  type: t\n  app-id: drive",
			"body frame: 4088 bytes\nbody frame: 4088 bytes\nbody frame: 4088 bytes\nbody frame: 4088 bytes\nbody frame: 3648 bytes",
			"basic.nack\n  channel: 1\n  delivery-tag: 1\n  multiple: false\n  requeue: true", "basic.reject\n  channel: 1\n  delivery-tag: 3\n  requeue: false",
			"basic.ack\n  channel: 1\n  delivery-tag: 5\n  multiple: true",
		},
		"amqp_of_calls.pcap":   {"  arguments\n    x-max-length: 1000", "exchange.bind\n  channel: 1\n  destination: audit\n  source: orders\n  routing-key: order.#\n  no-wait: false"},
		"amqp_of_settled.pcap": {"basic.ack\n  channel: 1\n  delivery-tag: 25\n  multiple: true"},
	})
}

// TestArgumentNames: every argument of a method has a name, and no name is left over.
func TestArgumentNames(t *testing.T) {
	for _, md := range methods {
		if names := strings.Fields(argNames[md.name]); len(names) != len(md.args) {
			t.Errorf("%s has %d arguments and %d names", md.name, len(md.args), len(names))
		}
	}
}

func TestOutlineOfTables(t *testing.T) {
	table := "\x05token" + "S\x00\x00\x00\x08hunter22" + "\x01t" + "t\x01" + "\x01b" + "b\xff" + "\x01s" + "s\xff\xfe" + "\x01u" + "u\xff\xfe" + "\x01I" + "I\xff\xff\xff\xff" +
		"\x01l" + "l\xff\xff\xff\xff\xff\xff\xff\xff" + "\x01f" + "f\x3f\x80\x00\x00" + "\x01d" + "d\x3f\xe0\x00\x00\x00\x00\x00\x00" + "\x01D" + "D\x02\x00\x00\x00\x7b" +
		"\x01T" + "T\x00\x00\x00\x00\x00\x00\x00\x00" + "\x01V" + "V" + "\x01x" + "x\x00\x00\x00\x01\xff" + "\x01A" + "A\x00\x00\x00\x04b\x01b\x02" + "\x01F" + "F\x00\x00\x00\x04\x01zb\x03"
	payload := "\x00\x3c\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x20\x00" + "\x00\x00\x00" + string(byte(len(table))) + table
	got := string(outlined(&dissector.Message{Raw: []byte(raw(headerFrame, 1, payload))}, nil, 4096))
	want := "properties\n  body: 0 bytes\n  headers\n    token: ***\n    t: true\n    b: -1\n    s: -2\n    u: 65534\n    I: -1\n    l: -1\n    f: 1\n    d: 0.5\n    D: 123e-2\n" +
		"    T: 1970-01-01T00:00:00Z\n    V: null\n    x: ff\n    A\n      item: 1\n      item: 2\n    F\n      z: 3\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func FuzzOutline(f *testing.F) { dissectortest.FuzzOutline(f, Protocol, nil) }
