package amqp1

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

const captures = "../../../testdata/amqp1"

// seen is what is compared of an entry.
type seen struct {
	operation, status, address, size, about string
	asked, oneWay, whole                    bool
}

func (s *seen) String() string {
	return strings.Join([]string{s.operation, s.status, s.address, s.size, s.about}, "\t")
}

// sink collects entries, but for flows, which the libraries send of their own accord.
type sink []seen

func (l *sink) Entry(e *dissector.Entry) error {
	if e.Protocol != Protocol {
		return nil
	}
	s := seen{status: "-", address: "-", size: "-", asked: e.Request != nil, oneWay: e.OneWay, whole: e.Marks == 0}
	e.Each(func(f *field.Field, v field.Value) {
		switch f {
		case dissector.Operation.Field:
			s.operation = string(v.Bytes)
		case dissector.Status.Field:
			s.status = string(v.Bytes)
		case dissector.Summary.Field:
			s.about = string(v.Bytes)
		case Address.Field:
			s.address = string(v.Bytes)
		case BodySize.Field:
			s.size = fmt.Sprint(v.Int)
		}
	})
	if e.OneWay {
		s.status = "-"
	}
	if s.operation != "flow" {
		*l = append(*l, s)
	}
	return nil
}

func dissect(t *testing.T, src packet.Source) []seen {
	t.Helper()
	var l sink
	dissectortest.Dissect(t, src, &l, Protocol)
	return l
}

// Every call that the client says it made is found with its answer, and no other.
// What is not known to a line, or has no answer, is "-".
func TestCallsOfTheClient(t *testing.T) {
	dissectortest.Told(t, "amqp1", func(t *testing.T, capture string, lines []string) {
		calls := dissect(t, dissectortest.Open(t, capture))
		for _, want := range lines {
			w := strings.Split(want, "\t")
			i := slices.IndexFunc(calls, func(s seen) bool {
				return s.operation == w[0] && s.status == w[1] && (w[2] == "-" || s.address == w[2]) && (w[3] == "-" || s.size == w[3])
			})
			if i < 0 {
				t.Errorf("not found: %s", want)
				continue
			}
			calls = slices.Delete(calls, i, i+1)
		}
		for _, c := range calls {
			if c.operation == "end" && c.oneWay {
				continue // the library's reply when the server ended a session
			}
			t.Errorf("not made: %s", &c)
		}
		t.Logf("%d calls", len(lines))
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

// A capture that begins at any of its packets shows no answered call that the whole one
// has not, and all from the next begin on.
func TestSeenFromTheMiddle(t *testing.T) {
	for _, name := range []string{"calls", "peer", "crowd", "errors"} {
		file := filepath.Join(captures, "amqp1_of_"+name+".pcap")
		all := dissect(t, dissectortest.Open(t, file))
		whole := make(map[string]bool)
		for _, c := range all {
			whole[c.String()] = true
		}
		for skip := range 40 {
			for _, c := range dissect(t, &late{dissectortest.Open(t, file), skip}) {
				if c.whole && c.asked && !c.oneWay && c.status != "-" && !whole[c.String()] {
					t.Errorf("%s without %d packets: not in all of it: %s", name, skip, &c)
				}
			}
		}
	}
}
