package dissectortest

import (
	"strings"
	"testing"

	"shark/dissector"
)

// Shown dissects the connection and returns all that fields of the protocol's entries
// have, a line each, and how many of the entries have an answer.
func (s *Script) Shown(t testing.TB, p *dissector.Protocol) (text string, answers int) {
	t.Helper()
	all := shown{of: p}
	Dissect(t, &source{s.Records()}, &all, p)
	return all.text.String(), all.answers
}

type shown struct {
	of      *dissector.Protocol
	text    strings.Builder
	answers int
}

func (s *shown) Entry(e *dissector.Entry) error {
	if e.Protocol != s.of {
		return nil
	}
	for _, m := range []*dissector.Message{e.Request, e.Response} {
		if m == nil {
			continue
		}
		for i := range m.Values.Len() {
			s.text.WriteString(m.Values.Field(i).Name + " " + string(m.Values.Bytes(i)) + "\n")
		}
	}
	if e.Response != nil {
		s.answers++
	}
	return nil
}
