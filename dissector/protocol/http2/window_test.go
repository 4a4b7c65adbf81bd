package http2

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"shark/dissector"
)

// A sent is what a side sent, at a time in ms.
type sent struct {
	at    int64
	from  dissector.Side
	bytes string
}

// waits parses what was sent and returns what it says of windows: of each piece that
// does, in order.
func waits(t *testing.T, all []sent) string {
	t.Helper()
	p := newParser()
	var out []string
	for _, s := range all {
		for b := []byte(s.bytes); len(b) > 0; {
			m := &dissector.Message{From: s.from, Start: s.at * 1e6}
			span, err := p.parse(s.from, b, m)
			if err != nil {
				t.Fatal(err)
			}
			b = b[span:]
			if m.Has(RequestStall) || m.Has(ResponseStall) || m.Has(Exhausted) {
				out = append(out, fmt.Sprintf("[%d]", StreamID.Get(&m.Values)))
				for _, word := range strings.Fields(line(m)) {
					if strings.Contains(word, "stall") || strings.Contains(word, "window") {
						out = append(out, strings.TrimPrefix(word, "http2_"))
					}
				}
			}
		}
	}
	return strings.Join(out, " ")
}

func setting(id uint16, value uint32) string {
	return string(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(nil, id), value))
}

func update(stream, n uint32) string {
	return raw(frameWindowUpdate, 0, stream, string(binary.BigEndian.AppendUint32(nil, n)))
}

func data(flags byte, stream uint32, n int) string {
	return raw(frameData, flags, stream, strings.Repeat("x", n))
}

func TestWindows(t *testing.T) {
	const c, s = dissector.Client, dissector.Server
	const get, ok, ack = "\x82\x86\x84", "\x88", "\x00\x00\x00\x04\x01\x00\x00\x00\x00"
	settings := raw(frameSettings, 0, 0, "")
	ask := func(ids ...uint32) string {
		b := preface + raw(frameSettings, 0, 0, setting(settingsInitial, 100)) + ack
		for _, id := range ids {
			b += raw(frameHeaders, 5, id, get)
		}
		return b
	}
	answer := func(id uint32) string { return raw(frameHeaders, 4, id, ok) }
	full := data(0, 3, 60) + data(0, 3, 40)
	for _, x := range []struct {
		name string
		sent []sent
		want string
	}{
		{"a stream's window", []sent{
			{0, c, ask(3)},
			{5, s, settings + ack + answer(3) + full},
			{25, c, update(3, 50)},
			{30, s, data(0, 3, 50)},
			{40, c, update(3, 50)},
			{45, s, data(1, 3, 10)},
		}, "[3] exhausted_window=stream [3] exhausted_window=stream [3] response_stall=30000"},
		{"as SETTINGS have it once they are acknowledged", []sent{
			{0, c, ask(3)}, {5, s, settings + answer(3) + data(0, 3, 99)}, {6, s, ack}, {7, s, data(0, 3, 1)}, {8, c, update(3, 1)}, {9, s, data(1, 3, 1)},
		}, "[3] exhausted_window=stream [3] response_stall=1000"},
		{"SETTINGS that were acted upon before they were acknowledged", []sent{
			{0, c, ask(3) + raw(frameSettings, 0, 0, setting(settingsInitial, 200))}, {5, s, settings + ack + answer(3) + data(0, 3, 200) + ack}, {9, c, update(3, 50)}, {10, s, data(1, 3, 50)},
		}, "[3] exhausted_window=stream [3] response_stall=4000"},
		{"SETTINGS that make it larger", []sent{
			{0, c, ask(3)}, {5, s, settings + ack + answer(3) + full}, {10, c, raw(frameSettings, 0, 0, setting(settingsInitial, 150))}, {12, s, ack}, {15, s, data(1, 3, 50)},
		}, "[3] exhausted_window=stream [3] response_stall=7000"},
		{"padding is data", []sent{
			{0, c, ask(3)}, {5, s, settings + ack + answer(3) + raw(frameData, flagPadded, 3, "\x60"+strings.Repeat("x", 99))}, {7, c, update(3, 50)}, {8, s, data(1, 3, 1)},
		}, "[3] exhausted_window=stream [3] response_stall=2000"},
		{"an upload", []sent{
			{0, c, preface + settings + raw(frameHeaders, 4, 1, get)}, {5, s, settings}, {5, c, data(0, 1, firstWindow)}, {9, s, update(0, 9)}, {10, s, update(1, 9)}, {11, c, data(1, 1, 9)},
		}, "[1] exhausted_window=stream [1] request_stall=5000"},
		{"the connection's window, used up by another call", []sent{
			{0, c, ask(3, 5, 7) + update(3, firstWindow) + ack},
			{1, s, settings + ack + answer(3) + data(0, 3, firstWindow)},
			{2, s, answer(5)},
			{3, s, answer(7)},
			{10, c, update(0, 500)},
			{11, s, data(1, 5, 50)},
			{12, s, data(1, 3, 50)},
			{700, s, data(1, 7, 50)},
		}, "[3] exhausted_window=connection [5] exhausted_window=connection response_stall=8000 [3] response_stall=9000"},
		{"a reset ends the wait", []sent{
			{0, c, ask(3)}, {5, s, settings + ack + answer(3) + full}, {35, c, raw(frameRSTStream, 0, 3, "\x00\x00\x00\x08")},
		}, "[3] exhausted_window=stream [3] response_stall=30000"},
		{"so do trailers", []sent{
			{0, c, ask(3)}, {5, s, settings + ack + answer(3) + full}, {35, s, raw(frameHeaders, 5, 3, lit("grpc-status", "4"))},
		}, "[3] exhausted_window=stream [3] response_stall=30000"},
		{"who has said all waits for nothing", []sent{
			{0, c, ask(3, 5)}, {5, s, settings + ack + answer(3) + data(1, 3, 100) + answer(5)}, {35, s, data(0, 5, 99)}, {60, s, data(1, 5, 1)},
		}, ""},
		{"what was under way when a stream was reset is the connection's", []sent{
			{0, c, ask(3, 5) + raw(frameRSTStream, 0, 3, "\x00\x00\x00\x08")}, {1, s, settings + ack + data(0, 3, firstWindow-10) + answer(5) + data(0, 5, 10)}, {4, c, update(0, 5)}, {5, s, data(1, 5, 5)},
		}, "[5] exhausted_window=connection [5] response_stall=3000"},
		{"a connection that was joined late", []sent{
			{0, c, raw(frameHeaders, 5, 3, get)}, {5, s, answer(3) + data(0, 3, firstWindow)}, {35, c, update(3, 50) + update(0, 50)}, {40, s, data(1, 3, 50)},
		}, ""},
		{"an upgrade: the settings stand in HTTP/1", []sent{
			{0, s, settings + answer(1) + data(0, 1, 9)}, {1, c, ask()}, {2, s, ack + data(0, 1, 91)}, {35, c, update(1, 50)}, {40, s, data(1, 1, 50)},
		}, ""},
		{"windows that are others than thought", []sent{
			{0, c, ask(3)}, {5, s, settings + ack + answer(3) + data(0, 3, 101)}, {35, c, update(3, 50)}, {40, s, data(1, 3, 50)},
		}, ""},
		{"more settings than are remembered", []sent{
			{0, c, ask(3) + strings.Repeat(settings, maxSettings)}, {5, s, settings + ack + answer(3) + full}, {35, c, update(3, 50)}, {40, s, data(1, 3, 50)},
		}, ""},
		{"settings that are too large", []sent{
			{0, c, ask(3) + raw(frameSettings, 0, 0, strings.Repeat("\x00\x00\x00\x00\x00\x00", maxControl))}, {5, s, settings + ack + answer(3) + full}, {35, c, update(3, 50)}, {40, s, data(1, 3, 50)},
		}, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			if got := waits(t, x.sent); got != x.want {
				t.Errorf("got  %s\nwant %s", got, x.want)
			}
		})
	}
}

// Bytes that were not captured may have been of any frame: nothing is said any more.
func TestWindowsAreUnknownAfterALoss(t *testing.T) {
	for from := range dissector.Side(2) {
		p := newParser()
		say(t, p.parse, dissector.Client, 0, preface+raw(frameSettings, 0, 0, "")+raw(frameHeaders, 5, 1, "\x82\x86\x84"))
		say(t, p.parse, dissector.Server, 0, raw(frameSettings, 0, 0, "")+raw(frameHeaders, 4, 1, "\x88"))
		say(t, p.parse, from, 10, raw(framePing, 0, 0, "12345678"))
		if got := strings.Join(say(t, p.parse, dissector.Server, 0, data(0, 1, firstWindow)), ""); strings.Contains(got, "window") {
			t.Errorf("loss of the %s: %s", from, got)
		}
	}
}
