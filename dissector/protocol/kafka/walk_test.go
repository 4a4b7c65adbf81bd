package kafka

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// answered are the topics and the error of calls.
type answered []string

func (c *answered) Entry(e *dissector.Entry) error {
	if e.Protocol != Protocol || e.Response == nil {
		return nil
	}
	var topics []string
	for _, m := range []*dissector.Message{e.Request, e.Response} {
		if m != nil {
			for topic := range Topics.Each(&m.Values) {
				topics = append(topics, string(topic))
			}
		}
	}
	code := "unknown"
	if e.Response.Has(ErrorCode) {
		code = fmt.Sprint(ErrorCode.Get(&e.Response.Values))
	}
	*c = append(*c, strings.Join(topics, ",")+" "+code)
	return nil
}

// fetched is a response to a fetch of version 4, with partitions of topics, each with the
// code of its error and so many bytes of records.
func fetched(id int32, topics string, code int16, records ...int) []byte {
	var all []byte
	for i, n := range records {
		c := int16(0)
		if i == len(records)-1 {
			c = code
		}
		all = append(all, frame(int32(i), c, make([]byte, 16), int32(0), int32(n), make([]byte, n))[4:]...)
	}
	return frame(id, int32(0), int32(1), topics, int32(len(records)), all)
}

func fetch(id int32) string {
	return string(frame(int16(1), int16(4), id, "billing", make([]byte, 4+4+4+4+1), int32(0)))
}

// segments are those in which a message is sent.
func segments(message []byte) (texts []string) {
	for part := range slices.Chunk(message, 8000) {
		texts = append(texts, string(part))
	}
	return texts
}

// What stands behind records is read, however many there are: an error is found, and that there
// was none is said of a response that was read whole alone.
func TestBehindRecords(t *testing.T) {
	many := slices.Repeat([]int{20_000}, 2*maxHoles)
	for name, c := range map[string]struct {
		response []byte
		want     string
	}{
		"an error behind many records":           {fetched(7, "orders", 6, 20_000, 0), "orders 6"},
		"none":                                   {fetched(7, "orders", 0, 20_000, 70_000, 3), "orders 0"},
		"records at the end":                     {fetched(7, "orders", 0, 3, 200_000), "orders 0"},
		"an error before them":                   {fetched(7, "orders", 6, 200_000), "orders 6"},
		"more partitions with records than read": {fetched(7, "orders", 0, many...), "orders unknown"},
		"more partitions than are read":          {fetched(7, "orders", 0, make([]int, 4000)...), "orders unknown"},
		"as many partitions as are read":         {fetched(7, "orders", 6, make([]int, 2000)...), "orders 6"},
	} {
		t.Run(name, func(t *testing.T) {
			next := string(frame(int32(8), int32(0), int32(0)))
			var got answered
			dissectortest.NewScript().Client(fetch(7)).Server(segments(c.response)...).Client(fetch(8)).Server(next).Each(t, &got, Protocol)
			if want := []string{c.want, " 0"}; !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// So are topics of a request.
func TestTopicsBehindRecords(t *testing.T) {
	topic := func(name string, n int) []byte {
		return frame(name, int32(1), int32(0), int32(n), make([]byte, n))[4:]
	}
	for acks, want := range map[int16][]string{0: nil, 1: {"first,second,third,first 0"}} {
		request := frame(int16(0), int16(3), int32(1), "billing", int16(-1), acks, int32(30000), int32(3), topic("first", 50_000), topic("second", 10), topic("third", 1<<20))
		response := frame(int32(1), int32(1), "first", int32(1), int32(0), int16(0), make([]byte, 16), int32(0))
		s := dissectortest.NewScript().Client(segments(request)...)
		if acks != 0 {
			s.Server(string(response))
		}
		var got answered
		s.Each(t, &got, Protocol)
		if !slices.Equal(got, want) {
			t.Errorf("acks %d: %q, want %q", acks, got, want)
		}
		if calls := strings.Join(s.Calls(t, Protocol), "\n"); strings.Count(calls, "first, second, third") != 1 {
			t.Errorf("acks %d: the calls are\n%s", acks, calls)
		}
	}
}
