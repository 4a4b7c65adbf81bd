package index

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"shark/dissector"
	"shark/dissector/field"
)

func TestCleanText(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	odd := []string{"\x00", "\x80", "\xff", "\u00e9", "\u2028", "\U0001F600", "\xe2\x80", "\x01", "\x7f"}
	for n := range 20_000 {
		b := []byte(strings.Repeat("a", rng.IntN(40)))
		if n%3 > 0 {
			at := rng.IntN(len(b) + 1)
			b = append(append(b[:at:at], odd[n%len(odd)]...), b[at:]...)
		}
		if got, want := cleanText(b), utf8.Valid(b) && bytes.IndexByte(b, 0) < 0; got != want {
			t.Fatalf("%q: %v, want %v", b, got, want)
		}
	}
}

// Whole numbers take as few bytes as hold them, whichever way they are laid out.
func TestWholeNumbersOfAllLengths(t *testing.T) {
	nums := []int64{0, 1, 2, -1, math.MinInt64, math.MaxInt64}
	for bits := range 63 {
		n := int64(1) << bits
		nums = append(nums, n-1, n, n+1, -n-1, -n, -n+1)
	}
	var each, all layout
	all.ints(nums)
	for _, n := range nums {
		each.int(n)
	}
	if !bytes.Equal(all.types, each.types) || !bytes.Equal(all.values, each.values) {
		t.Error("numbers at once are not the numbers one by one")
	}
	sizes := []int{0, 1, 2, 3, 4, 6, 8, 0, 0, 0}
	rest := all.values
	for i, n := range nums {
		serial := all.types[i]
		size := sizes[serial]
		got := int64(0)
		if size > 0 {
			got = int64(int8(rest[0]))
		}
		for k := 1; k < size; k++ {
			got = got<<8 | int64(rest[k])
		}
		if serial == serialOne {
			got = 1
		}
		if got != n {
			t.Errorf("%d is %d", n, got)
		}
		if size > 1 && n>>(8*sizes[serial-1]-1) == n>>63 {
			t.Errorf("%d takes %d bytes", n, size)
		}
		rest = rest[size:]
	}
	if len(rest) > 0 {
		t.Errorf("%d bytes too many", len(rest))
	}
}

// Blocks of lines are compared with those before as they come; whatever ends their
// lines, and whatever bytes stand in them, they come back.
func TestBlocksAsTheyCome(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var entries []*dissector.Entry
	var want []map[string]string
	for i := range 600 {
		e := call(web, start+int64(i), uint64(i+1))
		v := &e.Request.Values
		id := fmt.Sprintf("id: %d", i)
		switch rng.IntN(8) {
		case 0:
			id = fmt.Sprintf("id: %d\xff\x00", i)
		case 1:
			id = "id:"
		case 2:
			id = "id: \xe2\x80"
		}
		lines := []string{"Host: shop", "Accept: */*", id, "agent: curl", "time:" + fmt.Sprint(i%40)}
		end := []string{"\n", "\r\n", "\r\n", "\n\r\n"}[rng.IntN(4)]
		whole := strings.Join(lines, end) + end
		switch rng.IntN(4) {
		case 0:
			webHeaders.AddLines(v, []byte(strings.TrimSuffix(whole, end)))
		case 1:
			for _, l := range lines {
				webHeaders.AddLines(v, []byte(l+end))
			}
		case 2:
			for _, l := range lines {
				webHeaders.AddLines(v, []byte(l)) // and nothing ends it
			}
		default:
			webHeaders.AddLines(v, []byte(whole))
		}
		entries = append(entries, e)
		want = append(want, field.ParseLines(string(appendText(nil, []byte(strings.Join(lines, "\n"))))))
	}
	db := openTest(t, build(t, Options{}, 1, Meta{}, entries...))
	i := 0
	for row, err := range db.Query(t.Context(), nil, QueryOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%q", row.Value(webHeaders.Field)); got != fmt.Sprintf("%q", want[i]) {
			t.Fatalf("entry %d: %s, want %q", i, got, want[i])
		}
		i++
	}
	if i != len(entries) {
		t.Errorf("%d entries", i)
	}
}

// Texts that are equal only once they may be stored are known as equal.
func TestUncleanTextsThatSayTheSame(t *testing.T) {
	e := call(web, start, 1)
	v := &e.Request.Values
	dissector.Summary.SetString(v, "/a\xff")
	webURL.SetString(v, "/a\xfe")
	c := encoder{schema: testSchema(t), words: new(vocabularies)}
	if _, err := c.encode(e); err != nil {
		t.Fatal(err)
	}
	if got := string(c.said.summary); got != "/a\uFFFD" {
		t.Errorf("the summary is %q", got)
	}
	if bytes.Contains(c.row, []byte("/a\xff")) || bytes.Count(c.row, []byte("/a\uFFFD")) != 1 {
		t.Errorf("the row is %q", c.row)
	}
}

func TestShapesAreBounded(t *testing.T) {
	s := testSchema(t)
	var x shapes
	var first *shape
	for i := range 80 {
		for k := range 80 {
			var request, response field.Values
			for range i {
				dnsQuestions.AddString(&request, "a")
			}
			for range k {
				dnsAnswers.AddString(&response, "b")
			}
			got, err := x.of(s, &request, &response)
			if err != nil {
				t.Fatal(err)
			}
			if again, _ := x.of(s, &request, &response); got != again && x.shapes > 1 {
				t.Fatal("a shape is not known again")
			}
			if first == nil {
				first = got
			}
			if got.request != i || k+i > 0 && got == first {
				t.Fatalf("%d and %d values have the shape of others", i, k)
			}
		}
		if x.shapes > maxShapes || x.steps > maxSteps+200 {
			t.Fatalf("%d shapes, %d steps", x.shapes, x.steps)
		}
	}
}
