package workbench

import (
	"io"
	"testing"
	"time"

	"shark/dissector/field"
	"shark/workbench/index"
)

// TestExportAsksInTheWindow: a query and an export of the same window speak of the
// same calls, and both say what window that was.
func TestExportAsksInTheWindow(t *testing.T) {
	e := open(t, newBench(t), "../testdata/http/server.pcap")
	var last time.Time
	each(t, e, "http && failed", func(r *index.Row) { last = r.Value(field.Timestamp).(time.Time) })
	if last.IsZero() {
		t.Fatal("the capture has no failed call")
	}
	for _, c := range []struct {
		name string
		from time.Time
		some bool
	}{{"with the last one", last, true}, {"behind it", last.Add(1), false}} {
		x, err := e.Export(t.Context(), Export{KFL: "http && failed", From: When{At: c.from}}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if got := x.Conns > 0 && x.Packets > 0; got != c.some {
			t.Errorf("%s: %d connections, %d packets", c.name, x.Conns, x.Packets)
		}
		if x.Coverage.Asked == nil || !x.Coverage.Asked.From.Equal(c.from) || !x.Coverage.Asked.To.IsZero() {
			t.Errorf("%s: asked %+v", c.name, x.Coverage.Asked)
		}
	}
}
