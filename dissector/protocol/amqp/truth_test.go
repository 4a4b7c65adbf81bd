package amqp

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/field"
	"shark/packet"
)

const captures = "../../../testdata/amqp"

// seen is what is compared of an entry.
type seen struct {
	operation, status, about       string
	exchange, key                  string
	channel, body                  string
	asked, answered, closed, whole bool
	shared                         bool // its answer is one of several in an ack, and not the last
}

func (s *seen) String() string {
	return strings.Join([]string{s.operation, s.status, s.channel, s.body, s.about}, "\t")
}

// sink collects entries.
type sink []seen

func (l *sink) Entry(e *dissector.Entry) error {
	if e.Protocol != Protocol {
		return nil
	}
	s := seen{body: "-", status: "-", asked: e.Request != nil, answered: e.Response != nil, whole: e.Marks == 0}
	e.Each(func(f *field.Field, v field.Value) {
		switch f {
		case dissector.Operation.Field:
			s.operation = string(v.Bytes)
		case dissector.Status.Field:
			s.status = string(v.Bytes)
		case dissector.Summary.Field:
			s.about = string(v.Bytes)
		case Exchange.Field:
			s.exchange = string(v.Bytes)
		case RoutingKey.Field:
			s.key = string(v.Bytes)
		case Channel.Field:
			s.channel = fmt.Sprint(v.Int)
		case BodySize.Field:
			s.body = fmt.Sprint(v.Int)
		}
	})
	if e.Response != nil {
		s.closed, s.shared = e.Response.Has(ReplyCode), e.Response.Again
	}
	*l = append(*l, s)
	return nil
}

func dissect(t *testing.T, src packet.Source) []seen {
	t.Helper()
	var l sink
	dissectortest.Dissect(t, src, &l, Protocol)
	return l
}

// Every call that the client says it made is found with its answer, and no other.
// What the client does not know, it calls "-" or "?".
func TestCallsOfTheClient(t *testing.T) {
	dissectortest.Told(t, "amqp", func(t *testing.T, capture string, lines []string) {
		calls := dissect(t, dissectortest.Open(t, capture))
		for _, want := range lines {
			w := strings.Split(want, "\t")
			i := slices.IndexFunc(calls, func(s seen) bool {
				return s.operation == w[0] && (s.status == w[1] || w[1] == "?") && s.channel == w[2] && (w[3] == "-" || s.body == w[3]) && (w[4] == "-" || w[4] == "?" || s.about == w[4])
			})
			if i < 0 {
				t.Errorf("not found: %s", want)
				continue
			}
			calls = slices.Delete(calls, i, i+1)
		}
		for _, c := range calls {
			t.Errorf("not made: %s", &c)
		}
	})
}

// late is a source without its first packets.
type late struct {
	packet.Source
	skip int
}

func (s *late) ReadBatch(b *packet.Batch) error {
	err := s.Source.ReadBatch(b)
	n := min(s.skip, len(b.Records))
	b.Records, s.skip = b.Records[n:], s.skip-n
	return err
}

// A capture that begins at any of its packets shows no call that the whole one has
// not, but for answers alone, publishes whose confirmations cannot be told and what is said
// of deliveries that were not seen, and nearly all of those that it has in full.
func TestSeenFromTheMiddle(t *testing.T) {
	for _, name := range []string{"calls", "content", "confirm", "interleaved"} {
		file := filepath.Join(captures, "amqp_of_"+name+".pcap")
		all := dissect(t, dissectortest.Open(t, file))
		whole := make(map[string]bool)
		for _, c := range all {
			whole[c.String()] = true
		}
		for skip := range 60 {
			got := dissect(t, &late{dissectortest.Open(t, file), skip})
			for _, c := range got {
				if !c.whole || !c.asked || whole[c.String()] {
					continue
				}
				if (name == "confirm" || name == "interleaved") && (c.operation == "basic.publish" && !c.answered || c.operation == "basic.ack" || c.operation == "basic.nack") {
					continue
				}
				if name == "content" && (c.operation == "basic.ack" || c.operation == "basic.reject") {
					continue
				}
				t.Errorf("%s without %d packets: not in all of it: %s", name, skip, &c)
			}
			if name == "calls" && skip < 40 && len(got) < len(all)-skip/2-2 {
				t.Errorf("%s without %d packets: %d calls of %d", name, skip, len(got), len(all))
			}
		}
	}
}

// Every method that tshark finds in recorded traffic is found, and no other.
func TestMethodsOfRecordedTraffic(t *testing.T) {
	root := dissectortest.Public(t)
	for _, name := range []string{
		"ndpi/amqp.pcap", "packetbeat/amqp_channel_error.pcap", "packetbeat/amqp_emit_receive.pcap", "packetbeat/amqp_publish.pcap", "live/amqp.pcap",
	} {
		var o struct {
			Tables struct {
				Methods []struct {
					Channel  int    `json:"channel"`
					Method   string `json:"method"`
					Exchange string `json:"exchange"`
					Key      string `json:"routing_key"`
				} `json:"amqp_methods"`
			} `json:"tables"`
		}
		dissectortest.Oracle(t, root, name, &o)
		var want, got []string
		for _, m := range o.Tables.Methods {
			want = append(want, fmt.Sprint(strings.ToLower(m.Method), " ", m.Channel))
		}
		for _, c := range dissect(t, dissectortest.Open(t, filepath.Join(root, name))) {
			got = append(got, c.methods()...)
		}
		t.Log(name)
		dissectortest.SameLines(t, got, want)
	}
}

// methods are the method frames of an entry, with their channel. The protocol
// header is none.
func (s *seen) methods() (out []string) {
	if s.asked && s.operation != "connection.start" {
		out = append(out, s.operation+" "+s.channel)
	}
	switch {
	case !s.answered || s.shared:
	case s.closed && s.channel == "0":
		out = append(out, "connection.close 0")
	case s.closed:
		out = append(out, "channel.close "+s.channel)
	default:
		out = append(out, s.status+" "+s.channel)
	}
	return out
}
