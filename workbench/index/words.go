package index

import (
	"bytes"
	"hash/crc32"
	"strings"

	"shark/dissector"
)

// Most texts of an index come again and again: hosts, operations, all of a header
// but its few lines that change. They stand once, in the table words, and where
// they belong stands their number, which takes two bytes. Words are numbered by
// partition, so that workers need not agree on them and the same capture gives the
// same numbers whatever their number.

// What a whole number means where a text is expected; from firstStatic on it is
// the id of a word.
const (
	isSummary   = 0 // of the entry
	isOperation = 1
	isBoth      = 2 // the operation, a blank and the summary
	firstStatic = 3 // of the words that every index has
	firstWord   = 128

	// minCount is at which time that a text comes it becomes a word.
	minCount = 3
	// maxWords is how many words a partition may have: all have numbers of two bytes.
	maxWords = (1<<15 - firstWord) / dissector.Partitions
	// maxAllWords is how many words an index may have.
	maxAllWords = 1 << 15
	// minWord and maxWord bound the length of a word, in bytes.
	minWord = 3
	maxWord = 1 << 10
	// maxCounts is how many texts are counted at a time.
	maxCounts = 1 << 10
	// maxLineNames is how many names of lines are watched, maxLineValues how many
	// lines of a name may differ before all of them count as changing.
	maxLineNames  = 256
	maxLineValues = 32
)

// static are words that every index has. Their numbers take one byte.
var static = [...]string{
	"OK", "200", "201", "204", "304", "400", "404", "500", "503", "GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "HTTP/1.1", "HTTP/2", "HTTP/1.0", "Not Found",
	"SET", "DEL", "HGET", "HGETALL", "HSET", "EXPIRE", "INCR", "MGET", "status", "error", "integer", "string", "array", "null", "map",
	"NOERROR", "NXDOMAIN", "AAAA", `["A"]`, `["AAAA"]`, "QUERY", "Produce", "Fetch", "Metadata", "NONE", "0", "TCP", "UDP", "open", "closed",
}

// vocabulary is the words of one partition.
type vocabulary struct {
	first  int64 // id of the first word that is not static
	texts  []string
	table  [tableSize]wordSlot // of all words, by checksum
	counts [maxCounts]sighting // of texts that are no words yet, by the low bits of their checksum
	lines  map[string]*lineName
	recent []uint16                  // number of the last word of each column: the next text often is the same
	blocks []*[maxTemplates]template // by number of the column

	steady, changing []byte // of the block being split
	name             []byte // of the line being looked at
}

// tableSize leaves nearly half of the slots free. All tables together stay in the
// processor's second cache.
const tableSize = 1024

// wordSlot is a place for a word: number 0 is none, then come static's, then those
// of the partition.
type wordSlot struct {
	sum    uint16 // the high half of the checksum
	number uint16
}

// sighting is the checksum of a text with how often it came in place of the two
// lowest bits.
type sighting uint32

// lineName is what is known of the lines of one name, such as a header's.
type lineName struct {
	seen    []uint32 // checksums of the different ones
	changes bool
}

// newVocabulary makes the vocabulary of a partition for some columns.
func newVocabulary(partition, columns int) *vocabulary {
	v := &vocabulary{first: firstWord + int64(partition)*maxWords, lines: make(map[string]*lineName), recent: make([]uint16, columns), blocks: make([]*[maxTemplates]template, columns)}
	for i, text := range static {
		sum := checksumOf([]byte(text))
		*v.slot([]byte(text), sum) = wordSlot{uint16(sum >> 16), uint16(i + 1)}
	}
	return v
}

// checksumOf is the same in every run, as is what becomes a word.
func checksumOf(text []byte) uint32 { return crc32.Checksum(text, castagnoli) }

// slot returns the slot of a text, or the free one where it belongs.
func (v *vocabulary) slot(text []byte, sum uint32) *wordSlot {
	for i := sum % tableSize; ; i = (i + 1) % tableSize {
		if s := &v.table[i]; s.number == 0 || s.sum == uint16(sum>>16) && v.text(s.number) == string(text) {
			return s
		}
	}
}

func (v *vocabulary) text(number uint16) string {
	if n := int(number) - 1; n < len(static) {
		return static[n]
	}
	return v.texts[int(number)-1-len(static)]
}

// word returns the id of a text, if it is a word. It becomes one when it comes for
// the third time, unless too many others came between.
func (v *vocabulary) word(text []byte) (id int64, ok bool) {
	if len(text) > maxWord || len(text) == 0 {
		return 0, false
	}
	sum := checksumOf(text)
	s := v.slot(text, sum)
	if s.number == 0 && !v.count(s, text, sum) {
		return 0, false
	}
	return v.id(s.number), true
}

// wordIn is word for a text of a column; the id is 0 if it is no word. Any bytes
// may be asked for, but only what is clean is counted, and all words are.
func (v *vocabulary) wordIn(column int, text []byte) (id int64, clean bool) {
	if n := v.recent[column]; n != 0 && v.text(n) == string(text) {
		return v.id(n), true
	}
	if len(text) > maxWord || len(text) == 0 {
		return 0, cleanText(text)
	}
	sum := checksumOf(text)
	s := v.slot(text, sum)
	if s.number == 0 {
		if !cleanText(text) {
			return 0, false
		}
		if !v.count(s, text, sum) {
			return 0, true
		}
	}
	v.recent[column] = s.number
	return v.id(s.number), true
}

// count counts a text that is no word yet. If it becomes one it takes the slot.
func (v *vocabulary) count(s *wordSlot, text []byte, sum uint32) bool {
	if len(v.texts) == maxWords || len(text) < minWord {
		return false
	}
	c := &v.counts[sum%maxCounts]
	if *c^sighting(sum) > 3 {
		*c = sighting(sum &^ 3)
	}
	if *c++; *c&3 < minCount {
		return false
	}
	v.texts = append(v.texts, string(text))
	*s = wordSlot{uint16(sum >> 16), uint16(len(static) + len(v.texts))}
	return true
}

// id is the id of a word by its number.
func (v *vocabulary) id(number uint16) int64 {
	if n := int64(number) - 1; n >= int64(len(static)) {
		return v.first + n - int64(len(static))
	}
	return firstStatic - 1 + int64(number)
}

// spelled is the text of a word.
func (v *vocabulary) spelled(id int64) string {
	if id < firstWord {
		return static[id-firstStatic]
	}
	return v.texts[id-v.first]
}

// split divides a block of lines in those that come again and those that change,
// each in their order. Lines of one name, as field.ParseLines knows names, stay in
// order as well: from its first changing line on all lines of a name count as
// changing. The name of the first line that changes stands at the end of steady. The
// results are valid until the next call.
func (v *vocabulary) split(block []byte) (steady, changing []byte) {
	v.steady, v.changing = v.steady[:0], v.changing[:0]
	for rest := block; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n') + 1
		line := rest[:end]
		rest = rest[end:]
		colon := bytes.IndexByte(line, ':')
		if colon < 0 || line[0] == ' ' || line[0] == '\t' {
			return nil, block // it goes on a line before
		}
		if v.changes(line[:colon], line) {
			v.changing = append(v.changing, line...)
		} else {
			v.steady = append(v.steady, line...)
		}
	}
	name := bytes.IndexByte(v.changing, ':') + 1
	if name < len(v.changing) && v.changing[name] == ' ' {
		name++
	}
	v.steady = append(v.steady, v.changing[:name]...)
	return v.steady, v.changing[name:]
}

func (v *vocabulary) changes(name, line []byte) bool {
	v.name = v.name[:0]
	for _, c := range bytes.TrimSpace(name) {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		v.name = append(v.name, c)
	}
	n := v.lines[string(v.name)]
	if n == nil {
		if len(v.lines) == maxLineNames {
			return true
		}
		n = new(lineName)
		v.lines[string(v.name)] = n
	}
	if n.changes {
		return true
	}
	sum := checksumOf(line)
	for _, s := range n.seen {
		if s == sum {
			return false
		}
	}
	if len(n.seen) == maxLineValues {
		n.seen, n.changes = nil, true
		return true
	}
	n.seen = append(n.seen, sum)
	return false
}

// wordSQL is SQL for the text of a column that may hold the id of a word. Whole
// numbers come before all texts.
func wordSQL(column string) string {
	return "CASE WHEN " + column + " < '' THEN (SELECT text FROM words WHERE words.id = " + column + ") ELSE " + column + " END"
}

// textSQL is wordSQL for a column that may also refer to the texts of its entry.
func textSQL(column, summary, operation string) string {
	return strings.NewReplacer("$", column, "#summary", summary, "#operation", operation).Replace(
		"CASE WHEN $ < '' THEN CASE $ WHEN 0 THEN #summary WHEN 1 THEN #operation WHEN 2 THEN #operation || ' ' || #summary" +
			" ELSE (SELECT text FROM words WHERE words.id = $) END ELSE $ END")
}

// linesSQL is SQL for a map, whose lines that come again are a word in a column of
// their own.
func linesSQL(column, steady string) string {
	return "CASE WHEN " + steady + " IS NULL THEN " + column + " ELSE (SELECT text FROM words WHERE words.id = " + steady + ") || ifnull(" + column + ", '') END"
}
