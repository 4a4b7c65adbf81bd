package amqp1

import (
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// What tshark shows of the same packets.
func TestOutline(t *testing.T) {
	dissectortest.Outlined(t, Protocol, map[string][]string{
		"amqp1_of_calls.pcap": {
			"sasl-init\n  mechanism: PLAIN\n  initial-response: ***", "sasl-outcome\n  code: 0 (ok)",
			"open\n  channel: 0\n  container-id: shop\n  hostname: vhost:/\n  max-frame-size: 65536\n  idle-time-out: 30000\n  properties\n    product: shop",
			"attach\n  channel: 0\n  name: orders-out\n  handle: 0\n  role: sender\n  snd-settle-mode: 0\n  source\n  target\n    address: /queue/orders\n  initial-delivery-count: 0",
			"transfer\n  channel: 0\n  handle: 0\n  delivery-id: 0\n  delivery-tag: 0000000000000000\n  message-format: 0\nheader\n  durable: true\n  priority: 0\n" +
				"properties\n  message-id: 42\n  to: /queue/orders\n  subject: paid\n  reply-to: /queue/answers\n  correlation-id: 41\n  content-type: application/json\n" +
				"application-properties\n  region: north\n  retries: -3\n  urgent: true\n  price: 9.5\ndata: 20 bytes",
			"disposition\n  channel: 0\n  role: receiver\n  first: 1\n  settled: true\n  state: rejected\n    error\n      condition: amqp:not-allowed\n      description: no such shop",
		},
		"amqp1_of_errors.pcap": {
			"sasl-outcome\n  code: 1 (auth)",
			"end\n  channel: 0\n  error\n    condition: amqp:not-found\n    description: NOT_FOUND - no exchange 'none' in vhost '/'",
		},
		"amqp1_of_peer.pcap": {"flow\n  channel: 0\n  next-incoming-id: 0\n  incoming-window: 2147483647\n  next-outgoing-id: 0\n  outgoing-window: 2147483647\n  handle: 0\n" +
			"  delivery-count: 0\n  link-credit: 100\n  drain: false"},
	})
}

// TestFieldNames: every field of a performative has a name, and no name is left over.
func TestFieldNames(t *testing.T) {
	for kind, layout := range layouts {
		if n := len(strings.Fields(fieldNames[kind])); n != len(layout) {
			t.Errorf("%s has %d fields and %d names", names[kind], len(layout), n)
		}
	}
	for kind, all := range fieldNames {
		if nameOf(kind) == "" || len(strings.Fields(all)) > maxFields {
			t.Errorf("%#x: %q, %s", kind, nameOf(kind), all)
		}
	}
}

func shown(said ...string) string {
	return string(outlined(&dissector.Message{Raw: []byte(strings.Join(said, ""))}, nil, 4096))
}

// aMap makes a map of what is encoded.
func aMap(pairs ...any) raw {
	var b string
	for _, x := range pairs {
		b += encode(x)
	}
	return raw([]byte{map8, byte(len(b) + 1), byte(len(pairs))}) + raw(b)
}

func TestOutlineOfValues(t *testing.T) {
	got := shown(say(open, "c", nil, nil, nil, nil, nil, nil, nil, nil, aMap(
		symbol("token"), "hunter22", symbol("none"), nil, symbol("when"), raw("\x83\x00\x00\x01\x8b\xcf\xe5\x68\x00"), symbol("id"), raw("\x98")+raw(strings.Repeat("\xab", 16)),
		symbol("bytes"), []byte{0xff, 0}, symbol("list"), raw("\xc0\x05\x02\x54\xff\x54\x07"), symbol("in"), aMap("a", "b\n"), 7, true,
		symbol("numbers"), raw("\xe0\x04\x02\x50\x01\x02"), symbol("symbols"), raw("\xe0\x06\x02\xa3\x01a\x01b"),
		symbol("state"), of(transactional, []byte("tx"), of(modified, true)), symbol("odd"), raw("\x00\xa3\x01?\xa1\x01!"),
	)))
	want := "open\n  channel: 0\n  container-id: c\n  properties\n    token: ***\n    none: null\n    when: 2023-11-14T22:13:20Z\n    id: abababab-abab-abab-abab-abababababab\n" +
		"    bytes: ff00\n    list\n      item: -1\n      item: 7\n    in\n      a: b\\0a\n    7: true\n    numbers: 4 bytes\n    symbols: a b\n" +
		"    state: transactional\n      txn-id: tx\n      outcome: modified\n        delivery-failed: true\n    odd: !\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestOutlineOfSecrets: what proves who one is is never shown.
func TestOutlineOfSecrets(t *testing.T) {
	for _, said := range []string{
		secured(saslInit, symbol("PLAIN"), []byte("\x00me\x00hunter22"), "host"), secured(saslChallenge, []byte("hunter22")), secured(saslResponse, []byte("hunter22")),
		secured(saslOutcome, raw("\x50\x00"), []byte("hunter22")),
	} {
		if got := shown(said); strings.Contains(got, "hunter22") || !strings.Contains(got, ": ***\n") {
			t.Error(got)
		}
	}
}

// TestOutlineOfParts: sections that are parted over frames are joined.
func TestOutlineOfParts(t *testing.T) {
	whole := string(of(header, true)) + string(of(properties, "id", nil, "to")) + body("0123456789")
	want := "header\n  durable: true\nproperties\n  message-id: id\n  to: to\ndata: 10 bytes\n"
	for i := 1; i < len(whole); i++ {
		got := shown(sending(1, true, true, whole[:i]), sending(nil, true, false, whole[i:]))
		if !strings.HasSuffix(got, want) || strings.Count(got, "transfer\n") != 2 {
			t.Fatalf("parted at %d:\n%s", i, got)
		}
	}
}

// TestOutlineOfDepth: values in values are shown to a depth.
func TestOutlineOfDepth(t *testing.T) {
	v := aMap("end", true)
	for range 2 * maxNested {
		v = raw("\xd1\x00\x00") + raw([]byte{byte((len(v) + 7) >> 8), byte(len(v) + 7), 0, 0, 0, 2}) + raw(encode("m")) + v
	}
	if got := shown(say(open, "c", nil, nil, nil, nil, nil, nil, nil, nil, v)); strings.Count(got, "m\n") != maxNested-1 || strings.Contains(got, "end") {
		t.Error(got)
	}
}

func FuzzOutline(f *testing.F) { dissectortest.FuzzOutline(f, Protocol, nil) }
