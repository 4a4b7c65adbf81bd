package ldap_test

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/ldap"
	"shark/dissector/protocol/tls"
	"shark/packet"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, ldap.Protocol, tls.Protocol) }

const captures = "../../../testdata/ldap"

// call is a call as the truth beside a capture tells it.
type call struct {
	first, id int64
	text      string
}

// calls collects LDAP's calls.
type calls []call

func (c *calls) Entry(e *dissector.Entry) error {
	if e.Protocol != ldap.Protocol {
		return nil
	}
	if e.Marks == 0 && e.Request == nil { // what was asked came before the capture
		*c = append(*c, call{int64(e.First), 0, fmt.Sprint("- ", ldap.ResultCode.Get(&e.Response.Values))})
		return nil
	}
	if e.Marks&^dissector.MarkTruncated != 0 || e.Request == nil {
		*c = append(*c, call{int64(e.First), 0, fmt.Sprintf("marked %b", e.Marks)})
		return nil
	}
	v := &e.Request.Values
	text := string(dissector.Operation.Get(v))
	switch {
	case e.Marks != 0:
		text += " cut"
	case e.OneWay && e.Request.Has(ldap.ResultCode):
		text = fmt.Sprint("notice ", ldap.ResultCode.Get(v))
	case e.Response != nil && e.Response.Has(ldap.ResultCode):
		text += fmt.Sprint(" ", ldap.ResultCode.Get(&e.Response.Values))
		if e.Response.Has(ldap.Entries) {
			text += fmt.Sprint(" ", ldap.Entries.Get(&e.Response.Values), " ", ldap.References.Get(&e.Response.Values))
		}
	}
	*c = append(*c, call{int64(e.Request.First), ldap.MessageID.Get(v), text})
	return nil
}

// dissect returns the LDAP calls of a file in the order in which they were asked.
func dissect(t testing.TB, file string, sink dissector.Sink) {
	dissectFrom(t, file, 0, sink)
}

// tail is a capture without its first packets.
type tail struct {
	packet.Source
	skip uint64
}

func (s tail) ReadBatch(b *packet.Batch) error {
	for {
		err := s.Source.ReadBatch(b)
		for len(b.Records) > 0 && b.Records[0].Number <= s.skip {
			b.Records = b.Records[1:]
		}
		if err != nil || len(b.Records) > 0 {
			return err
		}
	}
}

func dissectFrom(t testing.TB, file string, skip uint64, sink dissector.Sink) {
	dissectortest.Dissect(t, tail{dissectortest.Open(t, file), skip}, sink, ldap.Protocol, tls.Protocol)
}

// TestTruth compares every call with what the client said it did.
func TestTruth(t *testing.T) {
	dissectortest.Told(t, "ldap", func(t *testing.T, capture string, want []string) {
		var got calls
		dissect(t, capture, &got)
		slices.SortFunc(got, func(a, b call) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.id, b.id)) })
		var lines []string
		for _, c := range got {
			lines = append(lines, c.text)
		}
		if !slices.Equal(lines, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
		}
	})
}

// TestBegunUnseen cuts the beginning off captures, packet by packet: calls that were
// asked behind the cut are found as they were, and no other one is found.
func TestBegunUnseen(t *testing.T) {
	for _, name := range []string{"pipelined", "operations"} {
		file := filepath.Join(captures, "ldap_of_"+name+".pcap")
		var whole calls
		dissect(t, file, &whole)
		for skip := uint64(1); skip < uint64(whole[len(whole)-1].first); skip++ {
			var got calls
			dissectFrom(t, file, skip, &got)
			got = slices.DeleteFunc(got, func(c call) bool { return c.id == 0 })
			want := slices.DeleteFunc(slices.Clone(whole), func(c call) bool { return uint64(c.first) <= skip })
			if !slices.Equal(got, want) {
				t.Fatalf("%s without %d packets: got\n%v\nwant\n%v", name, skip, got, want)
			}
		}
	}
}
