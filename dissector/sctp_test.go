package dissector_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"testing"

	"shark/dissector"
	"shark/dissector/field"
	"shark/packet"
)

// association is a source of SCTP packets between two addresses, one chunk in each.
type association struct {
	records []packet.Record
}

func (a *association) add(client bool, kind, flags byte, body ...any) {
	chunk := []byte{kind, flags, 0, 0}
	for _, x := range body {
		switch x := x.(type) {
		case int:
			chunk = binary.BigEndian.AppendUint32(chunk, uint32(x))
		case string:
			chunk = append(chunk, x...)
		}
	}
	binary.BigEndian.PutUint16(chunk[2:], uint16(len(chunk)))
	ip := append([]byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 132, 0, 0}, make([]byte, 8+12)...)
	from, to := byte(1), byte(2)
	if !client {
		from, to = to, from
	}
	copy(ip[12:], []byte{10, 0, 0, from, 10, 0, 0, to, 40, from, 40, to})
	ip = append(ip, chunk...)
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	n := uint64(len(a.records) + 1)
	a.records = append(a.records, packet.Record{Data: ip, OrigLen: uint32(len(ip)), Number: n, Time: int64(n) * 1e9, Link: 101})
}

func (a *association) data(client bool, tsn int, flags byte, text string) {
	a.add(client, 0, flags, tsn, 0, 0, text)
}

func (a *association) ReadBatch(b *packet.Batch) error {
	b.Records = append(b.Records[:0], a.records...)
	a.records = nil
	if len(b.Records) == 0 {
		return io.EOF
	}
	return nil
}

func (*association) Interfaces() []packet.Interface { return nil }
func (*association) Damage() []packet.Damage        { return nil }
func (*association) Close() error                   { return nil }

// spoken lists calls and associations.
type spoken []string

func (s *spoken) Entry(e *dissector.Entry) error {
	half := func(m *dissector.Message, f field.TextField) string {
		if m == nil {
			return "-"
		}
		return fmt.Sprintf("%s %d-%d", f.Get(&m.Values), m.First, m.Last)
	}
	switch e.Protocol {
	case dissector.FlowProtocol:
	case dissector.ConnProtocol:
		v := &e.Request.Values
		*s = append(*s, fmt.Sprintf("conn %d %s %s", e.Conn, field.ConnState.Get(v), field.ConnEnded.Get(v)))
	default:
		*s = append(*s, half(e.Request, dissector.Operation)+" > "+half(e.Response, dissector.Status))
	}
	return nil
}

const (
	end   = 1
	begin = 2
	whole = begin | end
)

// TestAssociations: messages pair whatever their fragments, however late the answer; an
// INIT with another tag begins another association.
func TestAssociations(t *testing.T) {
	proto := lineProtocol("line")
	proto.Transport |= dissector.SCTP
	a := new(association)
	a.add(true, 1, 0, 111, 0, 0, 10)
	a.add(false, 2, 0, 222, 0, 0, 20)
	a.data(true, 10, begin, "#x lo")
	a.data(true, 12, whole, "#y b\n")
	a.data(false, 20, whole, "$y 2\n")
	a.data(true, 11, end, "ng\n")
	for range 40 { // an answer may take its time
		a.add(false, 4, 0)
	}
	a.data(false, 21, whole, "$x 1\n")
	a.data(false, 21, whole, "$x 1\n")
	a.add(true, 1, 0, 333, 0, 0, 10)
	a.data(true, 10, whole, "#x c\n")
	a.add(true, 6, 0)
	var got spoken
	if _, err := dissector.Run(t.Context(), a, dissector.Options{Protocols: []*dissector.Protocol{proto}}, func(int) dissector.Sink { return &got }); err != nil {
		t.Fatal(err)
	}
	want := spoken{"b 4-4 > 2 5-5", "long 3-6 > 1 47-47", "conn 1 open open", "c 50-50 > -", "conn 49 closed reset"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
