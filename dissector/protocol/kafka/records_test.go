package kafka

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// head is what the head of a batch says, and how many bytes are behind it.
type head struct {
	records, last int32
	attributes    uint16
	magic         byte
	body          int
	length        int32 // 0: the right one
}

func (h head) bytes() []byte {
	b := make([]byte, batchHead+h.body)
	length := h.length
	if length == 0 {
		length = int32(len(b) - beforeLength)
	}
	binary.BigEndian.PutUint32(b[lengthAt:], uint32(length))
	b[magicAt] = h.magic
	binary.BigEndian.PutUint16(b[attributesAt:], h.attributes)
	binary.BigEndian.PutUint32(b[lastDeltaAt:], uint32(h.last))
	binary.BigEndian.PutUint32(b[countAt:], uint32(h.records))
	return b
}

// batch is one of n records with a codec.
func batch(n int32, codec uint16, body int) []byte {
	return head{records: n, last: n - 1, attributes: codec, magic: 2, body: body}.bytes()
}

// message is one of the old form.
func message(magic, attributes byte, value int) []byte {
	b := frame([]byte{1, 2, 3, 4, magic, attributes}, make([]byte, int(magic)*8), int32(-1), int32(value), make([]byte, value))
	return append(make([]byte, 8), b...)
}

// held says what records a message has: how many, and how compressed.
func held(m *dissector.Message) string {
	out := "unknown"
	if m.Has(Records) {
		out = fmt.Sprint(Records.Get(&m.Values))
	}
	for name := range Compression.Each(&m.Values) {
		out += " " + string(name)
	}
	return out
}

// holding collects what the responses to fetches, and the requests of produce, have.
type holding struct {
	requests  []string
	responses map[int64]string // by their correlation id
}

func (h *holding) Entry(e *dissector.Entry) error {
	if e.Protocol != Protocol {
		return nil
	}
	if e.Request != nil && APIKey.Get(&e.Request.Values) == keyProduce {
		h.requests = append(h.requests, held(e.Request))
	}
	if e.Response != nil {
		if h.responses == nil {
			h.responses = make(map[int64]string)
		}
		v := &e.Response.Values
		text := held(e.Response)
		if code := ErrorCode.Get(v); code != 0 {
			text += fmt.Sprint(", error ", code)
		}
		h.responses[Correlation.Get(v)] = text
	}
	return nil
}

// answerWith is a response to a fetch of version 4 with the records of partitions.
func answerWith(id int32, code int16, records ...[]byte) []byte {
	var all []byte
	for i, r := range records {
		c := int16(0)
		if i == len(records)-1 {
			c = code
		}
		all = append(all, frame(int32(i), c, make([]byte, 16), int32(0), int32(len(r)), r)[4:]...)
	}
	return frame(id, int32(0), int32(1), "orders", int32(len(records)), all)
}

// produceWith is a request of version 3 with the records of partitions.
func produceWith(id int32, records ...[]byte) []byte {
	var all []byte
	for i, r := range records {
		all = append(all, frame(int32(i), int32(len(r)), r)[4:]...)
	}
	return frame(int16(0), int16(3), id, "billing", int16(-1), int16(0), int32(30000), int32(1), "orders", int32(len(records)), all)
}

func pieces(message []byte, size int) (texts []string) {
	for part := range slices.Chunk(message, size) {
		texts = append(texts, string(part))
	}
	return texts
}

// fetchedIn says what a response to a fetch holds that comes in segments of a size.
func fetchedIn(t *testing.T, response []byte, size int) string {
	t.Helper()
	var got holding
	dissectortest.NewScript().Client(fetch(7)).Server(pieces(response, size)...).Each(t, &got, Protocol)
	if len(got.responses) != 1 {
		t.Fatalf("%d responses", len(got.responses))
	}
	return got.responses[7]
}

func producedIn(t *testing.T, request []byte, size int) string {
	t.Helper()
	var got holding
	dissectortest.NewScript().Client(pieces(request, size)...).Each(t, &got, Protocol)
	if len(got.requests) != 1 {
		t.Fatalf("%d requests", len(got.requests))
	}
	return got.requests[0]
}

// Records are counted by the heads of batches, and what cannot be counted is told as unknown:
// never as fewer.
func TestRecordsAreCounted(t *testing.T) {
	cat := slices.Concat[[]byte]
	cut := batch(9, 0, 500)[:300]
	for name, c := range map[string]struct {
		records           [][]byte
		fetched, produced string
	}{
		"none":                       {[][]byte{nil}, "0", "0"},
		"one batch":                  {[][]byte{batch(3, 0, 30)}, "3 none", "3 none"},
		"every compression":          {[][]byte{cat(batch(1, 0, 7), batch(2, 1, 5), batch(3, 2, 5), batch(4, 3, 5), batch(5, 4, 5))}, "15 none gzip snappy lz4 zstd", "15 none gzip snappy lz4 zstd"},
		"two partitions":             {[][]byte{batch(3, 1, 30), batch(4, 1, 30)}, "7 gzip", "7 gzip"},
		"more than is waited for":    {[][]byte{batch(3, 4, 40_000), batch(4, 4, 20_000), batch(5, 4, 10)}, "12 zstd", "12 zstd"},
		"many batches":               {[][]byte{slices.Repeat(batch(10, 2, 400), 1000), batch(1, 0, 7)}, "10001 none snappy", "10001 none snappy"},
		"a batch that was compacted": {[][]byte{head{records: 2, last: 40, attributes: 1, magic: 2, body: 9}.bytes()}, "2 gzip", "2 gzip"},
		"marks of transactions":      {[][]byte{cat(batch(3, 0, 30), head{records: 1, attributes: 0x30, magic: 2, body: 12}.bytes())}, "3 none", "3 none"},
		"a batch cut at the end":     {[][]byte{cat(batch(3, 0, 30), cut)}, "3 none", "unknown none"},
		"a large batch cut":          {[][]byte{cat(batch(3, 0, 30), batch(9, 1, 90_000)[:50_000]), batch(1, 4, 9)}, "4 none zstd", "unknown none zstd"},
		"a head cut":                 {[][]byte{cat(batch(3, 0, 30), cut[:40])}, "3 none", "unknown none"},
		"a few bytes of one":         {[][]byte{cat(batch(3, 0, 30), cut[:5])}, "3 none", "unknown none"},
		"old messages":               {[][]byte{cat(message(0, 0, 30), message(1, 0, 0), message(1, 8, 20_000), message(0, 0, 4))}, "4 none", "4 none"},
		"old compressed messages":    {[][]byte{cat(message(0, 0, 30), message(1, 1, 400))}, "unknown none gzip", "unknown none gzip"},
		"an old message cut":         {[][]byte{cat(message(0, 0, 30), message(0, 0, 90)[:50])}, "1 none", "unknown none"},
		"more than have room":        {[][]byte{batch(5, 0, 30)}, "unknown none", "unknown none"},
		"more than offsets":          {[][]byte{head{records: 1 << 30, last: 7, attributes: 1, magic: 2, body: 30}.bytes()}, "unknown gzip", "unknown gzip"},
		"fewer than none":            {[][]byte{head{records: -1, last: 7, attributes: 1, magic: 2, body: 30}.bytes()}, "unknown gzip", "unknown gzip"},
		"no such compression":        {[][]byte{batch(3, 5, 30)}, "unknown", "unknown"},
		"no such form":               {[][]byte{head{records: 3, last: 2, magic: 3, body: 30}.bytes()}, "unknown", "unknown"},
		"a length below 0":           {[][]byte{cat(head{records: 3, last: 2, magic: 2, body: 30, length: -1}.bytes(), batch(3, 0, 30))}, "unknown", "unknown"},
		"a length below the head's":  {[][]byte{head{records: 3, last: 2, magic: 2, body: 30, length: 40}.bytes()}, "unknown", "unknown"},
		"a length without end":       {[][]byte{head{records: 3, last: 2, magic: 2, body: 30, length: 1<<31 - 1}.bytes()}, "0", "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{60_000, 8000, 777} {
				if got := fetchedIn(t, answerWith(7, 0, c.records...), size); got != c.fetched {
					t.Errorf("fetched in segments of %d bytes: %q, want %q", size, got, c.fetched)
				}
				if got := producedIn(t, produceWith(1, c.records...), size); got != c.produced {
					t.Errorf("produced in segments of %d bytes: %q, want %q", size, got, c.produced)
				}
			}
		})
	}
}

// A fetch that is cut in its last batch, at any byte, has the records of those before.
func TestRecordsCutAnywhere(t *testing.T) {
	whole := slices.Concat(batch(3, 1, 30), batch(4, 4, 20))
	for n := range len(whole) {
		want := "0"
		if n >= batchHead+30 {
			want = "3"
		}
		if got, _, _ := strings.Cut(fetchedIn(t, answerWith(7, 0, whole[:n]), 60_000), " "); got != want {
			t.Errorf("of %d bytes: %q, want %q", n, got, want)
		}
	}
}

// Records that claim to be longer than their message, or that come in more partitions than are
// read, are not counted.
func TestRecordsBehindTheEnd(t *testing.T) {
	long := answerWith(7, 0, batch(3, 0, 30))
	binary.BigEndian.PutUint32(long[len(long)-batchHead-30-4:], 1<<30)
	many := slices.Repeat([][]byte{batch(3, 0, 20_000)}, 2*maxHoles)
	for name, c := range map[string]struct {
		response []byte
		want     string
	}{
		"longer than the message":   {long, "unknown none"},
		"more partitions than read": {answerWith(7, 0, many...), "unknown none"},
	} {
		if got := fetchedIn(t, c.response, 8000); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Bytes that are lost in a batch do no harm. Where those are lost that tell how many records
// there are, nothing is said of that, but what stands behind the records is read.
func TestRecordsWithLostBytes(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	seen := make(map[string]int)
	for range 400 {
		var records []byte
		want := int64(0)
		for range 10 + rng.IntN(20) {
			n := int32(rng.IntN(100))
			want += int64(n)
			records = append(records, batch(n, uint16(1+rng.IntN(4)), 1000+rng.IntN(5000))...)
		}
		parts := pieces(answerWith(7, 6, make([]byte, 0), records, nil), 1400)
		// What is waited for at first is at hand, and what stands behind the records.
		missing := 12 + rng.IntN(max(1, len(parts)-14))
		if missing >= len(parts)-1 {
			continue
		}
		s := dissectortest.NewScript().Client(fetch(7)).Server(parts[:missing]...).Lose().Server(parts[missing])
		s.Server(parts[missing+1:]...).Client(fetch(8)).Server(string(answerWith(8, 0, batch(2, 1, 10))))
		var got holding
		s.Each(t, &got, Protocol)
		text, failed := strings.CutSuffix(got.responses[7], ", error 6")
		if !failed || got.responses[8] != "2 gzip" {
			t.Fatalf("the responses are %v", got.responses)
		}
		first, _, _ := strings.Cut(text, " ")
		if first != "unknown" && first != fmt.Sprint(want) {
			t.Fatalf("%q, want %d", text, want)
		}
		seen[first]++
	}
	if unknown := seen["unknown"]; unknown < 10 || len(seen) < 100 {
		t.Errorf("%d were not counted, and %d were", unknown, len(seen)-1)
	}
}

func TestPartitions(t *testing.T) {
	many := make([][]byte, 100)
	for name, c := range map[string]struct {
		b    []byte
		want []string
	}{
		"some":         {produceWith(1, nil, batch(1, 0, 7), nil), []string{"orders-0", "orders-1", "orders-2"}},
		"offsets":      {frame(int16(9), int16(1), int32(1), "billing", "workers", int32(2), "a", int32(2), int32(7), int32(9), "b", int32(1), int32(-1)), []string{"a-7", "a-9"}},
		"transactions": {frame(int16(24), int16(0), int32(1), "billing", "till", make([]byte, 10), int32(1), "a", int32(1), int32(1<<31-1)), []string{"a-2147483647"}},
	} {
		m := parse(t, Protocol.New(dissector.TCP), dissector.Client, c.b)
		var got []string
		for p := range Partitions.Each(&m.Values) {
			got = append(got, string(p))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	m := parse(t, Protocol.New(dissector.TCP), dissector.Client, produceWith(1, many...))
	if got := slices.Collect(Partitions.Each(&m.Values)); len(got) != maxPartitions {
		t.Errorf("%d partitions are listed", len(got))
	}
}
