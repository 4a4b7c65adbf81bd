package kafka

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// response is a message of the server, as it is looked at, that answers a request of an API.
func response(key, version int, b []byte) *dissector.Message {
	return &dissector.Message{From: dissector.Server, Notes: known | uint64(key)<<16 | uint64(version), Raw: b}
}

func request(b []byte) *dissector.Message {
	m := response(int(b[5]), int(b[7]), b)
	m.From = dissector.Client
	return m
}

func TestContent(t *testing.T) {
	for name, c := range map[string]struct {
		m    *dissector.Message
		want string
	}{
		"produce": {request(produceWith(1, batch(3, 2, 30), nil, slices.Concat(batch(4, 0, 28), batch(9, 1, 5)))), `
orders
  partition 0: records 3, bytes 91, compression snappy
  partition 1: records 0, bytes 0
  partition 2: records 13, bytes 155, compression none, compression gzip
`},
		"produced": {response(0, 3, frame(int32(1), int32(1), "orders", int32(2), int32(0), int16(0), make([]byte, 7), int8(44), make([]byte, 8), int32(1), int16(6), slices.Repeat([]byte{0xff}, 16), int32(0))), `
orders
  partition 0: NONE, offset 44
  partition 1: NOT_LEADER_OR_FOLLOWER
`},
		"fetched": {response(1, 4, answerWith(7, 1, batch(2, 4, 10), message(1, 1, 40), nil)), `
orders
  partition 0: NONE, records 2, bytes 71, compression zstd
  partition 1: NONE, records not all counted, bytes 74, compression gzip
  partition 2: OFFSET_OUT_OF_RANGE, records 0, bytes 0
`},
		"metadata": {response(3, 0, frame(int32(1), int32(1), int32(0), "host", int32(9092), int32(2), int16(3), "none", int32(0), int16(0), "orders", int32(1), int16(5), int32(7), int32(0), int32(1), int32(0), int32(0))), `
none: UNKNOWN_TOPIC_OR_PARTITION
orders: NONE
  partition 7: LEADER_NOT_AVAILABLE
`},
		"an epoch's end, its error first": {response(23, 0, frame(int32(1), int32(1), "orders", int32(2), int16(0), int32(3), make([]byte, 8), int16(6), int32(4), make([]byte, 8))), `
orders
  partition 3: NONE, offset 0
  partition 4: NOT_LEADER_OR_FOLLOWER, offset 0
`},
		"a commit": {request(frame(int16(8), int16(0), int32(1), "c", "workers", int32(1), "orders", int32(1), int32(2), make([]byte, 7), int8(9), int16(-1))), `
group workers
orders
  partition 2: offset 9
`},
		"groups deleted": {response(42, 0, frame(int32(1), int32(0), int32(2), "a", int16(0), "b", int16(69))), `
group a: NONE
group b: GROUP_ID_NOT_FOUND
`},
		"topics created": {request(frame(int16(19), int16(0), int32(1), "c", int32(1), "orders", int32(12), int16(1), int32(0), int32(0), int32(1000))), `
orders: partitions 12
`},
		"nothing but an error":        {response(12, 0, frame(int32(1), int16(27))), ""},
		"a version that is not known": {response(0, 16, frame(int32(1), int32(0))), ""},
		"whose request is not known":  {&dissector.Message{From: dissector.Server, Raw: frame(int32(1), int32(0))}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := content(c.m, nil, 1<<20)
			if err != nil || string(got) != strings.TrimPrefix(c.want, "\n") {
				t.Errorf("%v\n%s", err, got)
			}
		})
	}
}

// A name from the wire begins no line of its own.
func TestContentIsNotForged(t *testing.T) {
	b := frame(int16(3), int16(0), int32(1), "c", int32(1), "a\n  partition 0: NONE\x1b[2J")
	got, err := content(request(b), nil, 1<<20)
	if err != nil || string(got) != "a?  partition 0: NONE?[2J\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// What cannot be written out whole is told so, and is no longer than asked for.
func TestContentInPart(t *testing.T) {
	whole := answerWith(7, 0, batch(2, 4, 10), batch(3, 4, 10))
	got, err := content(response(1, 4, whole[:len(whole)-1]), nil, 1<<20)
	if !errors.Is(err, errCut) || !strings.HasPrefix(string(got), "orders\n  partition 0: NONE, records 2") || strings.Contains(string(got), "records 3") {
		t.Errorf("cut: %q, %v", got, err)
	}
	m := response(1, 4, whole)
	m.Lost = 1
	if got, err := content(m, nil, 1<<20); !errors.Is(err, errLost) || got != nil {
		t.Errorf("with lost bytes: %q, %v", got, err)
	}
	if got, err := content(request(produceWith(1, make([][]byte, 100_000)...)), nil, 50); err != nil || len(got) != 50 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// written checks that what is written of messages has all that their fields list.
type written struct {
	t *testing.T
	n int
}

func (w *written) Entry(e *dissector.Entry) error {
	if e.Protocol != Protocol || e.Request == nil || e.Response == nil {
		return nil
	}
	for _, m := range []*dissector.Message{e.Request, e.Response} {
		if m.Lost > 0 {
			continue
		}
		got, err := content(m, m.Body, 1<<20)
		if err != nil && !m.Truncated {
			w.t.Errorf("%s of version %d: %v", APIName.Get(&e.Request.Values), APIVersion.Get(&e.Request.Values), err)
		}
		if p := len(slices.Collect(Partitions.Each(&m.Values))); strings.Count(string(got), "  partition ") != p {
			w.t.Errorf("%s of version %d: %d partitions, but\n%s", APIName.Get(&e.Request.Values), APIVersion.Get(&e.Request.Values), p, got)
		}
		w.n += len(got)
	}
	return nil
}

func TestContentOfCaptures(t *testing.T) {
	w := written{t: t}
	for _, name := range []string{"versions", "kafka_of_failures", "kafka_of_compressed", "kafka_of_group", "kafka_of_transactions"} {
		src := dissectortest.Open(t, recorded+"/"+name+".pcap")
		opts := dissector.Options{Protocols: []*dissector.Protocol{Protocol}, Detail: true}
		if _, err := dissector.Run(t.Context(), src, opts, func(int) dissector.Sink { return &w }); err != nil {
			t.Fatal(err)
		}
	}
	if w.n < 5000 {
		t.Errorf("only %d bytes are written", w.n)
	}
}
