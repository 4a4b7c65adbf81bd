package dissectortest

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/field"
	"shark/packet"
)

// call is an entry in a form that can be compared.
type call struct {
	text  string // all that does not depend on how the bytes were cut
	pair  string // who answers whom; empty for lone messages
	times string
	marks dissector.Marks
	conn  uint64
	flow  packet.Flow
	parts bool      // there are more messages in it than these
	span  [4]uint64 // first and last packet of the request and of the response; 0 for what is not there
	index uint32
	proto string
}

// dissect runs records through the protocols and returns the calls in the order
// of connections, without the entries of connections and flows.
func dissect(t testing.TB, recs []packet.Record, opts dissector.Options) ([]call, *dissector.Report) {
	t.Helper()
	var c collector
	report, err := dissector.Run(context.Background(), &source{recs}, opts, func(int) dissector.Sink { return &c })
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(c.calls, func(a, b call) int {
		if a.conn != b.conn {
			return int(a.conn) - int(b.conn)
		}
		return int(a.index) - int(b.index)
	})
	return c.calls, report
}

// collector keeps calls, and of those of one protocol, if it is told of, what they set.
type collector struct {
	calls  []call
	of     *dissector.Protocol
	fields map[*field.Field]bool
	common map[field.Common]bool // which of them tell something
}

func (c *collector) Entry(e *dissector.Entry) error {
	if c.of != nil {
		c.note(e)
	}
	if e.Protocol != dissector.ConnProtocol && e.Protocol != dissector.FlowProtocol {
		c.calls = append(c.calls, newCall(e))
	}
	return nil
}

func newCall(e *dissector.Entry) call {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s:%d > %s:%d", e.Protocol.Name, e.Flow.Src, e.Flow.SrcPort, e.Flow.Dst, e.Flow.DstPort)
	for _, m := range []*dissector.Message{e.Request, e.Response} {
		if m == nil {
			b.WriteString(" | -")
			continue
		}
		fmt.Fprintf(&b, " | %d", m.Size)
		if m.BodySize > 0 {
			fmt.Fprintf(&b, " body %d", m.BodySize)
		}
	}
	if e.OneWay {
		b.WriteString(" one-way")
	}
	if e.Interim > 0 {
		fmt.Fprintf(&b, " interim %d", e.Interim)
	}
	if e.TLS {
		b.WriteString(" tls")
	}
	b.WriteString(marks(e.Marks))
	e.Each(func(f *field.Field, v field.Value) {
		b.WriteString("\n\t")
		b.WriteString(f.Name)
		b.WriteString(" = ")
		b.WriteString(value(f, v))
	})
	c := call{text: b.String(), marks: e.Marks, conn: e.Conn, flow: e.Flow, index: e.Index, parts: e.Interim > 0, proto: e.Protocol.Name}
	c.times = fmt.Sprintf("packets %d-%d, %d µs", e.First, e.Last, (e.End-e.Time)/1000)
	for i, m := range []*dissector.Message{e.Request, e.Response} {
		if m != nil {
			c.span[2*i], c.span[2*i+1] = m.First, m.Last
		}
	}
	if e.Request != nil && e.Response != nil {
		c.pair = fmt.Sprintf("%s:%d %d>%d %s %s", e.Flow.Src, e.Flow.SrcPort, e.Request.First, e.Response.First,
			dissector.Operation.Get(&e.Request.Values), dissector.Summary.Get(&e.Request.Values))
	}
	return c
}

func marks(m dissector.Marks) string {
	var out string
	for i, name := range []string{"lost", "truncated", "resumed", "unpaired", "evicted"} {
		if m&(1<<i) != 0 {
			out += " " + name
		}
	}
	return out
}

func value(f *field.Field, v field.Value) string {
	switch f.Kind {
	case field.Bool:
		return strconv.FormatBool(v.Int != 0)
	case field.Int, field.Time:
		return strconv.FormatInt(v.Int, 10)
	case field.Float:
		return fmt.Sprint(v.Float)
	case field.Bytes:
		return hex.EncodeToString(v.Bytes)
	}
	return strconv.Quote(string(v.Bytes))
}

// texts joins the calls, with their times if asked for.
func texts(calls []call, times bool) string {
	var b strings.Builder
	for _, c := range calls {
		b.WriteString(c.text)
		if times {
			b.WriteString("\n\t" + c.times)
		}
		b.WriteString("\n")
	}
	return b.String()
}
