package workbench

import (
	"testing"

	"shark/dissector/field"
	"shark/packet"
	"shark/packet/pcapng"
	"shark/workbench/index"
)

// TestEveryEntryHasItsFlow: the flow_id of an entry is that of a flow, also where a
// connection that began earlier has nothing to say until the end.
func TestEveryEntryHasItsFlow(t *testing.T) {
	t.Parallel()
	var list []packet.Record
	for i, s := range []struct {
		src, dst uint16
		seq      uint32
		flags    byte
		data     string
	}{
		{40000, 80, 1, 2, ""},
		{40001, 80, 1, 2, ""},
		{80, 40001, 1, 0x12, ""},
		{40001, 80, 2, 0x18, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"},
		{80, 40001, 2, 0x18, "HTTP/1.1 204 No Content\r\n\r\n"},
	} {
		list = append(list, packet.Record{Data: segment(s.src, s.dst, s.seq, 0, s.flags, s.data), Time: 1e18 + int64(i)*1e6, Link: 1, Number: uint64(i + 1)})
	}
	w := newBench(t)
	for _, path := range append(sample(t), write(t, "two.pcap", pcapng.Options{Format: pcapng.Pcap}, nil, list, nil)) {
		r, err := pcapng.Open(path)
		if err != nil {
			continue
		}
		r.Close()
		e := open(t, w, path)
		flows := make(map[int64]bool)
		each(t, e, "flow", func(r *index.Row) { flows[r.Value(field.FlowID.Field).(int64)] = true })
		each(t, e, "!flow", func(r *index.Row) {
			if id := r.Value(field.FlowID.Field).(int64); !flows[id] {
				t.Errorf("%s: entry %d: there is no flow %d", path, r.ID(), id)
			}
		})
	}
}
