package dissector_test

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/field"
)

// lineProtocol is a protocol for the tests of the engine: a line asks, a line
// beginning with = answers. "?word" asks, "=word" answers, "!word" is one-way,
// "~word" is an interim answer, "%n:..." carries n bytes of body behind the line,
// "#key word" pairs by key, "^" asks to change to the other protocol.
func lineProtocol(name string) *dissector.Protocol {
	return &dissector.Protocol{
		Name: name, Label: name, Doc: "Lines.", Transport: dissector.TCP, Sync: "?=!~#",
		Fields: field.Fields(body),
		Probe: func(head []byte) dissector.Guess {
			i := bytes.IndexByte(head, '\n')
			switch {
			case bytes.IndexByte([]byte("?!#^"), head[0]) >= 0 && i > 1:
				return dissector.Request
			case bytes.IndexByte([]byte("=~$"), head[0]) >= 0 && i > 1:
				return dissector.Response
			case i < 0 && bytes.IndexByte([]byte("?=!~#$^"), head[0]) >= 0:
				return dissector.More
			}
			return dissector.No
		},
		New: func(dissector.Transport) dissector.Parse { return parseLine },
	}
}

var body = field.NewInt("line_body", "bytes", "Bytes of the body.", "line_body > 0")

func parseLine(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	line, _, ok := bytes.Cut(buf, []byte("\n"))
	if !ok {
		return 0, dissector.ErrShort
	}
	word := line
	if len(line) == 0 || bytes.IndexByte([]byte("?=!~#$^"), line[0]) < 0 {
		return 0, strconv.ErrSyntax
	}
	word = line[1:]
	span := int64(len(line) + 1)
	if text, n, ok := bytes.Cut(word, []byte("%")); ok {
		size, err := strconv.Atoi(string(n))
		if err != nil {
			return 0, err
		}
		m.SetBody(int(span), int64(size))
		span += int64(size)
		body.Set(&m.Values, int64(size))
		word = text
	}
	switch line[0] {
	case '!':
		m.Role = dissector.OneWay
	case '~':
		m.Role = dissector.Interim
	case '#', '$':
		key, rest, _ := bytes.Cut(word, []byte(" "))
		m.SetKeyBytes(key)
		word = rest
	case '^':
		m.Next = string(word)
	}
	if from == dissector.Server && bytes.HasPrefix(word, []byte("next ")) {
		m.Next = string(word[5:])
	}
	if from == dissector.Client {
		dissector.Operation.Set(&m.Values, word)
	} else {
		dissector.Status.Set(&m.Values, word)
		if m.Role == dissector.OneWay {
			dissector.Operation.Set(&m.Values, word)
		}
	}
	return span, nil
}

func TestPairs(t *testing.T) {
	script := dissectortest.NewScript
	tests := []struct {
		name string
		s    *dissectortest.Script
		want []string
	}{
		{"in turns", script().Client("?a\n").Server("=1\n").Client("?b\n").Server("=2\n").Close(), []string{"a > 1", "b > 2"}},
		{"pipelined", script().Client("?a\n?b\n", "?c\n").Server("=1\n", "=2\n=3\n").Close(), []string{"a > 1", "b > 2", "c > 3"}},
		{"cut anywhere", script().Client("?", "a", "\n?b\n").Server("=1", "\n=2\n").Close(), []string{"a > 1", "b > 2"}},
		{"by key, out of order", script().Client("#x a\n#y b\n").Server("$y 2\n$x 1\n").Close(), []string{"b > 2", "a > 1"}},
		{"interim and one-way", script().Client("?a\n").Server("~wait\n", "!news\n", "=1\n").Close(), []string{"news one-way", "a > 1"}},
		{"nobody answers", script().Client("?a\n").Close(), []string{"a > -"}},
		{"nobody asked", script().Server("=1\n").Client("?b\n").Server("=2\n").Close(), []string{"- > 1", "b > 2"}},
		{"body passed over", script().Client("?a%10\n12345", "67890?b\n").Server("=1\n=2\n").Close(), []string{"a > 1", "b > 2"}},
		{"hole inside a body", script().Client("?a%15\n12345").Lose().Client("67890").Client("12345?b\n").Server("=1\n=2\n").Close(), []string{"a > 1 lost", "b > 2"}},
		{"body cut off", script().Client("?a%10\n123").Server("=1\n").Close(), []string{"a > 1 truncated"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.s.Calls(t, lineProtocol("line")); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// TestPairsAfterLoss: a wrong pair is worse than none.
func TestPairsAfterLoss(t *testing.T) {
	script := dissectortest.NewScript
	tests := []struct {
		name string
		s    *dissectortest.Script
		want []string
	}{
		{
			"a request is lost", script().Client("?a\n").Server("=1\n").Lose().Client("?b\n").Server("=2\n").Client("?c\n").Server("=3\n").Close(),
			[]string{"a > 1", "- > 2 unpaired", "c > 3 resumed"},
		},
		{
			"an answer is lost", script().Client("?a\n").Lose().Server("=1\n").Client("?b\n").Server("=2\n").Client("?c\n").Server("=3\n").Close(),
			[]string{"a > - unpaired", "b > 2 resumed", "c > 3"},
		},
		{
			"an answer is lost among pipelined ones", script().Client("?a\n?b\n?c\n").Server("=1\n").Lose().Server("=2\n").Server("=3\n").Client("?d\n").Server("=4\n").Close(),
			[]string{"a > 1", "b > - unpaired", "c > - unpaired", "- > 3 resumed unpaired", "d > - unpaired", "- > 4 unpaired"},
		},
		{
			"pipelined, then silence", script().Client("?a\n?b\n").Server("=1\n").Lose().Server("=2\n").Wait(2e9).Client("?d\n").Server("=4\n").Close(),
			[]string{"a > 1", "b > - unpaired", "d > 4 resumed"},
		},
		{
			"a request is lost behind another", script().Client("?a\n").Lose().Client("?b\n").Client("?c\n").Server("=1\n", "=2\n", "=3\n").Close(),
			[]string{"a > 1", "c > - resumed unpaired", "- > 2 unpaired", "- > 3 unpaired"},
		},
		{
			"a request is lost before pipelined ones", script().Client("?a\n").Server("=1\n").Lose().Client("?b\n").Server("=2\n").Client("?c\n?d\n").Server("=3\n=4\n").Close(),
			[]string{"a > 1", "- > 2 unpaired", "c > - resumed unpaired", "d > - unpaired", "- > 3 unpaired", "- > 4 unpaired"},
		},
		{
			"keys need no turns", script().Client("#x a\n").Lose().Client("#y b\n").Client("#z c\n").Server("$x 1\n$y 2\n$z 3\n").Close(),
			[]string{"a > 1", "- > 2", "c > 3 resumed"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.s.Calls(t, lineProtocol("line"))
			slices.Sort(got)
			slices.Sort(tt.want)
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// TestPairsJoinedLate: the first answer may be to what was asked before the capture began.
func TestPairsJoinedLate(t *testing.T) {
	script := dissectortest.NewLate
	noise := strings.Repeat("x", 100)
	tests := []struct {
		name string
		s    *dissectortest.Script
		want []string
	}{
		{"in turns", script().Client("?a\n").Server("=1\n").Client("?b\n").Server("=2\n").Close(), []string{"a > 1 resumed", "b > 2"}},
		{"an answer comes first", script().Server("=0\n").Client("?a\n").Server("=1\n").Close(), []string{"- > 0", "a > 1"}},
		{"pipelined", script().Client("?a\n?b\n").Server("=1\n").Server("=2\n").Close(), []string{"- > 1 unpaired", "- > 2 unpaired", "a > - resumed unpaired", "b > - unpaired"}},
		{"by key", script().Client("#x a\n#y b\n").Server("$y 2\n$x 1\n").Close(), []string{"a > 1", "b > 2"}},
		{"the end of an answer that was not seen to begin", script().Client("?a\n").Server(noise + "\n").Server("=1\n").Close(), []string{"- > 1 resumed unpaired", "a > - resumed unpaired"}},
		{"the end of an answer, then turns", script().Server(noise + "\n").Client("?a\n").Server("=1\n").Client("?b\n").Server("=2\n").Close(), []string{"a > 1 resumed", "b > 2"}},
		{"the end of a request", script().Client(noise + "\n").Server("=0\n").Client("?a\n").Server("=1\n").Close(), []string{"- > 0", "a > 1 resumed"}},
		{"a hole before anything is known", script().Client("?").Lose().Server("=0\n").Client("a\n").Server("=1\n").Close(), []string{"- > 1 resumed unpaired", "a > - resumed unpaired"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.s.Calls(t, lineProtocol("line"))
			slices.Sort(got)
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// TestEitherSide: who sent what both may send is told by the handshake on a port of the
// protocol, and by the port where the handshake was not seen.
func TestEitherSide(t *testing.T) {
	either := lineProtocol("line")
	either.Probe = func(head []byte) dissector.Guess {
		if bytes.IndexByte(head, '\n') > 1 {
			return dissector.Either
		}
		return dissector.More
	}
	for _, tt := range []struct {
		name string
		s    *dissectortest.Script
		port uint16
		want []string
	}{
		{"handshake", dissectortest.NewScript(), 7, []string{"a > 1"}},
		{"port of the server", dissectortest.NewLate(), 7, []string{"a > 1 resumed"}},
		{"foreign port", dissectortest.NewLate(), 8, nil},
	} {
		either.Ports = []uint16{tt.port}
		if got := tt.s.Client("?a\n").Server("=1\n").Close().Calls(t, either); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestNextProtocol(t *testing.T) {
	other := lineProtocol("other")
	script := dissectortest.NewScript
	tests := []struct {
		name string
		s    *dissectortest.Script
		want []string
	}{
		{"granted", script().Client("^other\n", "?b\n").Server("=next other\n", "=2\n").Close(), []string{"other > next other", "b > 2"}},
		{"refused", script().Client("^other\n", "?b\n").Server("=no\n", "=2\n").Close(), []string{"other > no", "b > 2"}},
		{"opaque", script().Client("^opaque\n", "?b\n").Server("=next opaque\n", "=2\n").Close(), []string{"opaque > next opaque"}},
		{"found anew", script().Client("^unknown\n", "?b\n").Server("=next unknown\n", "=2\n").Close(), []string{"unknown > next unknown", "b > 2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.s.Calls(t, lineProtocol("line"), other); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// TestRider: a carried protocol reads its carrier's messages, body and all.
func TestRider(t *testing.T) {
	size := field.NewInt("rider_size", "bytes", "Bytes read.", "rider_size > 0")
	rider := &dissector.Protocol{Name: "rider", Label: "Rider", Doc: "Rides.", Over: "line", Fields: field.Fields(size), Carry: &dissector.Rider{
		Claim: func(m *dissector.Message) bool { return body.Get(&m.Values) > 0 },
		Body:  func(m *dissector.Message, chunk []byte) { size.Add(&m.Values, int64(len(chunk))) },
		Done: func(m *dissector.Message) {
			dissector.Summary.SetString(&m.Values, strconv.FormatInt(size.Get(&m.Values), 10))
		},
	}}
	got := dissectortest.NewScript().Client("?a%10\n123", "4567890").Server("=1\n").Client("?b\n").Server("=2\n").Close().Calls(t, lineProtocol("line"), rider)
	if want := []string{"a 10 > 1", "b > 2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestRiderLetsGo: a claim that the head of a message cannot prove is judged once it is whole; what
// is not borne out belongs to its carrier alone, as if nobody had asked.
func TestRiderLetsGo(t *testing.T) {
	read := field.NewText("rider_read", "Bytes read.", `rider_read != ""`)
	rider := &dissector.Protocol{Name: "rider", Label: "Rider", Doc: "Rides.", Over: "line", Fields: field.Fields(read), Carry: &dissector.Rider{
		Claim: func(m *dissector.Message) bool { return body.Get(&m.Values) > 0 },
		Body:  func(m *dissector.Message, chunk []byte) { m.Ride = string(chunk) },
		Keep:  func(m *dissector.Message) bool { return m.Ride == "yes" },
	}}
	var got owners
	dissectortest.NewScript().Client("?a%3\nyes").Server("=1\n").Client("?b%2\nno").Server("=2\n").Close().Each(t, &got, lineProtocol("line"), rider)
	if want := []string{"rider", "line"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	got = nil
	dissectortest.NewScript().Client("?b%2\nno").Server("=2\n").Close().Each(t, &got, lineProtocol("line"), rider)
	if want := []string{"line"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// owners are the protocols of calls.
type owners []string

func (o *owners) Entry(e *dissector.Entry) error {
	if e.Protocol != dissector.ConnProtocol && e.Protocol != dissector.FlowProtocol {
		*o = append(*o, e.Protocol.Name)
	}
	return nil
}
