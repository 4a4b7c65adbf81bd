package index

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"shark/dissector"
)

func TestWordsAreWhatComesAgain(t *testing.T) {
	v := newVocabulary(3, 1)
	for n := 1; n <= 5; n++ {
		id, ok := v.word([]byte("cart.shop"))
		if ok != (n >= minCount) || ok && id != firstWord+3*maxWords {
			t.Errorf("time %d: %d, %v", n, id, ok)
		}
	}
	for i, text := range static {
		if id, ok := v.word([]byte(text)); !ok || id != int64(firstStatic+i) {
			t.Errorf("%q: %d, %v", text, id, ok)
		}
	}
	for _, text := range []string{"", "no", strings.Repeat("x", maxWord+1)} {
		for range 10 {
			if id, ok := v.word([]byte(text)); ok {
				t.Errorf("%d bytes are word %d", len(text), id)
			}
		}
	}
}

// The number of every word must fit two bytes, and the words of one partition must
// not run into those of the next.
func TestWordsAreBounded(t *testing.T) {
	v, next := newVocabulary(dissector.Partitions-1, 1), newVocabulary(1, 1)
	seen := make(map[int64]string)
	for n := range 3 * maxWords {
		text := fmt.Sprint("word ", n)
		for range minCount {
			if id, ok := v.word([]byte(text)); ok {
				seen[id] = text
			}
		}
	}
	if len(seen) != maxWords || len(v.texts) != maxWords {
		t.Errorf("%d words, want %d", len(seen), maxWords)
	}
	for id, text := range seen {
		if id < v.first || id > 1<<15-1 || v.texts[id-v.first] != text {
			t.Fatalf("%q is word %d", text, id)
		}
		if again, ok := v.word([]byte(text)); !ok || again != id {
			t.Fatalf("%q is word %d and %d", text, id, again)
		}
	}
	if first := newVocabulary(0, 1).first; next.first != first+maxWords {
		t.Errorf("the words of partition 1 begin at %d, of 0 at %d", next.first, first)
	}
}

// A block that is split and put together again has the same lines, and those of one
// name in the same order.
func TestSplitKeepsTheLines(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	v, laid := newVocabulary(0, 1), 0
	sorted := func(block []byte) string {
		of := make(map[string][]string)
		var names []string
		for line := range strings.SplitSeq(strings.TrimSuffix(string(block), "\n"), "\n") {
			name, _, _ := strings.Cut(line, ":")
			name = strings.ToLower(strings.TrimSpace(name))
			if of[name] == nil {
				names = append(names, name)
			}
			of[name] = append(of[name], line)
		}
		return fmt.Sprint(len(names), of)
	}
	for n := range 20_000 {
		var block []byte
		for range 1 + rng.IntN(6) {
			switch name := rng.IntN(500); {
			case name < 100:
				block = fmt.Appendf(block, "steady-%d: %d\n", name%10, rng.IntN(3))
			case name < 200:
				block = fmt.Appendf(block, "changing-%d: %d\n", name%4, rng.IntN(1e9))
			case name < 400:
				block = fmt.Appendf(block, "name-%d:\n", name)
			case name < 401:
				block = append(block, " goes on: 1\n"...)
			case name < 402:
				block = append(block, "no name\n"...)
			default:
				block = fmt.Appendf(block, "%s:%d\n", []string{"set-cookie", "Set-Cookie", "SET-COOKIE "}[rng.IntN(3)], rng.IntN(40))
			}
		}
		if n%2 == 0 {
			block = fmt.Appendf(nil, "accept: */*\nhost:  \nlength:%d\nid: %d\nagent: x%d\n", n%9999, n, n%3)
		}
		changing, id, ok := v.match(0, block, nil)
		if !ok {
			changing, id, ok = v.lay(0, block, block, nil)
		}
		if !ok {
			continue
		}
		laid++
		if got, want := sorted(append([]byte(v.spelled(id)), changing...)), sorted(block); got != want {
			t.Fatalf("%q\nbecomes %q and %q", block, v.spelled(id), changing)
		}
	}
	if laid < 10_000 {
		t.Errorf("only %d blocks were split", laid)
	}
	if len(v.lines) > maxLineNames {
		t.Errorf("%d names of lines are watched", len(v.lines))
	}
}

// A text is the same whatever stands for it: itself, a word, or another column.
func TestTextsComeBackWhateverStandsForThem(t *testing.T) {
	var entries []*dissector.Entry
	texts := []string{"", "GET", "/a", "GET /a", "GET  /a", "0", "1", "2", "3", "200", "something else", "\x00"}
	for i := range 300 {
		e := call(web, start+int64(i), uint64(i+1))
		v := &e.Request.Values
		dissector.Operation.SetString(v, texts[i%2])
		dissector.Summary.SetString(v, texts[2*(i/2%2)])
		webURL.SetString(v, texts[i%len(texts)])
		webHeaders.Add(v, []byte("host"), []byte("shop"))
		webHeaders.Add(v, []byte("id"), fmt.Append(nil, i))
		entries = append(entries, e)
	}
	db := openTest(t, build(t, Options{}, 1, Meta{}, entries...))
	i := 0
	for row, err := range db.Query(t.Context(), nil, QueryOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll(texts[i%len(texts)], "\x00", "\uFFFD")
		if got, has := row.Get(webURL.Field); got != want || !has {
			t.Errorf("entry %d: %q, want %q", i, got, want)
		}
		if got, want := fmt.Sprint(row.Value(webHeaders.Field)), fmt.Sprintf("map[host:shop id:%d]", i); got != want {
			t.Errorf("entry %d: %s, want %s", i, got, want)
		}
		i++
	}
	if i != len(entries) {
		t.Errorf("%d entries", i)
	}
}
