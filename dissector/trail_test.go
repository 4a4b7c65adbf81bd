package dissector_test

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"testing"

	"shark/dissector"
	"shark/packet"
)

// said is a source of datagrams from ports of 10.0.0.1 to port 9 of 10.0.0.2.
type said struct {
	datagrams
	list []saying
}

type saying struct {
	port uint16
	text string
}

func (s *said) ReadBatch(b *packet.Batch) error {
	b.Records = b.Records[:0]
	for ; s.at < len(s.list); s.at++ {
		x := s.list[s.at]
		size := 20 + 8 + len(x.text)
		ip := make([]byte, 28, size)
		ip[0], ip[8], ip[9] = 0x45, 64, 17
		ip[2], ip[3] = byte(size>>8), byte(size)
		copy(ip[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
		ip[20], ip[21], ip[23] = byte(x.port>>8), byte(x.port), 9
		ip[24], ip[25] = byte((size-20)>>8), byte(size-20)
		b.Records = append(b.Records, packet.Record{Time: int64(s.at) * 1e6, OrigLen: uint32(size), Link: 101, Number: uint64(s.at + 1), Data: append(ip, x.text...)})
	}
	return io.EOF
}

// named is a protocol in which a datagram that begins with ! leaves the rest of it as a trail,
// and any other one may be on one.
var named = &dissector.Protocol{
	Name: "named", Label: "Named", Transport: dissector.UDP,
	Probe: func(b []byte) dissector.Guess {
		if b[0] == '!' {
			return dissector.Request
		}
		return dissector.No
	},
	Trail: func(b []byte) []byte { return b },
	New:   func(dissector.Transport) dissector.Parse { return speak("") },
}

// speak returns a parser of named. Its messages are summed up as what was said, and from where
// the client came.
func speak(from string) dissector.Parse {
	return func(_ dissector.Side, b []byte, m *dissector.Message) (int64, error) {
		m.Role = dissector.OneWay
		dissector.Summary.SetString(&m.Values, string(b)+from)
		if b[0] == '!' {
			m.Trail = &dissector.Trail{Name: b[1:], Follow: func(before netip.AddrPort) dissector.Parse { return speak(" from " + before.String()) }}
		}
		return int64(len(b)), nil
	}
}

// summaries are those of the entries of a protocol.
type summaries []string

func (s *summaries) Entry(e *dissector.Entry) error {
	if e.Protocol == named {
		*s = append(*s, string(dissector.Summary.Get(&e.Request.Values)))
	}
	return nil
}

// TestTrails: a conversation is known again by a name that it left, as long as that is neither
// too short nor too long nor one too many.
func TestTrails(t *testing.T) {
	var many []saying
	for i := range dissector.MaxTrails + 1 {
		many = append(many, saying{1, fmt.Sprintf("!name%d", i)})
	}
	long := "12345678901234567890"
	for _, x := range []struct {
		name string
		list []saying
		want []string // besides what begins with !
	}{
		{"another port", []saying{{1, "!four"}, {2, "four and more"}}, []string{"four and more from 10.0.0.1:1"}},
		{"what follows", []saying{{1, "!four"}, {2, "four"}, {2, "anything"}}, []string{"four from 10.0.0.1:1", "anything from 10.0.0.1:1"}},
		{"the longer name", []saying{{1, "!four"}, {2, "!fourteen"}, {3, "fourteen"}}, []string{"fourteen from 10.0.0.1:2"}},
		{"who had it last", []saying{{1, "!four"}, {2, "!four"}, {3, "four"}}, []string{"four from 10.0.0.1:2"}},
		{"another name", []saying{{1, "!four"}, {2, "five"}}, nil},
		{"a name that is cut", []saying{{1, "!fourteen"}, {2, "fourtee"}}, nil},
		{"a short one", []saying{{1, "!own"}, {2, "own"}}, nil},
		{"the longest", []saying{{1, "!" + long}, {2, long}}, []string{long + " from 10.0.0.1:1"}},
		{"a longer one", []saying{{1, "!" + long + "1"}, {2, long + "1"}}, nil},
		{"the oldest of too many", append(slices.Clone(many), saying{2, "name0"}), nil},
		{"the next one", append(slices.Clone(many), saying{2, "name1"}), []string{"name1 from 10.0.0.1:1"}},
		{"at once, not late", append([]saying{{1, "!four"}}, []saying{{2, "a"}, {2, "b"}, {2, "c"}, {2, "d"}, {2, "four"}}...), nil},
	} {
		var got summaries
		opts := dissector.Options{Protocols: []*dissector.Protocol{named}}
		if _, err := dissector.Run(t.Context(), &said{list: x.list}, opts, func(int) dissector.Sink { return &got }); err != nil {
			t.Fatal(err)
		}
		got = slices.DeleteFunc(got, func(s string) bool { return s[0] == '!' })
		if !slices.Equal(got, x.want) {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
	}
}
