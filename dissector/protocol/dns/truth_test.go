package dns

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// told collects the calls as the recorded clients write them: transport, type, name, status,
// flags, size of the answer, least time to live, and the data of the answers. A message of
// LLMNR or mDNS is a line of its own.
type told []string

func (c *told) Entry(e *dissector.Entry) error {
	alone := e.Protocol == Llmnr || e.Protocol == Mdns
	if e.Protocol != Protocol && !alone || e.Request == nil {
		return nil
	}
	transport, status, flags, size, ttl, data := "udp", "-", "-", "-", "-", ""
	m := e.Request
	if alone {
		transport = e.Protocol.Name
	}
	if e.Response != nil || alone && Rcode.Get(&m.Values) != nil {
		m = cmp.Or(e.Response, m)
		v, n := &m.Values, m.Size
		if m.Transport == dissector.TCP {
			transport, n = "tcp", n-2 // the length before it
		}
		status, flags, size = string(Rcode.Get(v)), flagsOf(m), fmt.Sprint(n)
		if m.Has(TTL) {
			ttl = fmt.Sprint(TTL.Get(v))
		}
		data = compact(list(m, Answers.Name))
	}
	*c = append(*c, strings.Join([]string{transport, or(list(m, QuestionTypes.Name)), or(list(m, Questions.Name)), status, flags, size, ttl, data}, "\t"))
	return nil
}

// list returns what a message has of a field.
func list(m *dissector.Message, name string) []string {
	var out []string
	for i := range m.Len() {
		if f, v := m.At(i); f.Name == name {
			out = append(out, string(v.Bytes))
		}
	}
	return out
}

func or(list []string) string {
	if len(list) == 0 {
		return "-"
	}
	return list[0]
}

func flagsOf(m *dissector.Message) string {
	var out []string
	for _, f := range []struct {
		name string
		set  bool
	}{{"aa", Authoritative.Get(&m.Values)}, {"tc", Cut.Get(&m.Values)}, {"ra", Available.Get(&m.Values)}, {"ad", Authentic.Get(&m.Values)}} {
		if f.set {
			out = append(out, f.name)
		}
	}
	if len(out) == 0 {
		return "-"
	}
	return strings.Join(out, "+")
}

var blanks = regexp.MustCompile(`\s`)

// compact joins records in the form of the truth: in order, in small letters, without blanks.
func compact(records []string) string {
	for i, r := range records {
		records[i] = strings.ToLower(blanks.ReplaceAllString(r, ""))
	}
	slices.Sort(records)
	return strings.Join(records, " | ")
}

// TestAgainstClients compares every call with what the client that made it was told.
func TestAgainstClients(t *testing.T) {
	for _, name := range []string{"dns", "mdns"} {
		dissectortest.Told(t, name, func(t *testing.T, capture string, want []string) {
			var got told
			dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, Protocol, Llmnr, Mdns)
			dissectortest.SameLines(t, got, want)
		})
	}
}
