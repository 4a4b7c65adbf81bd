package wire_test

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"shark/dissector"
	"shark/dissector/wire"
)

func TestReader(t *testing.T) {
	r := wire.Reader{B: []byte("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1drest")}
	if r.Byte() != 1 || r.Big16() != 0x0203 || r.Little16() != 0x0504 || r.Big32() != 0x06070809 || r.Little32() != 0x0d0c0b0a ||
		r.Big64() != 0x0e0f101112131415 || r.Little64() != 0x1d1c1b1a19181716 || r.Bad {
		t.Error("numbers are read wrong")
	}
	if b := r.Take(4); string(b) != "rest" || r.Bad || r.Take(0) == nil {
		t.Errorf("%q", b)
	}
}

// What is not there reads as nothing, and so does all behind it, however long it says
// it is.
func TestReaderEnds(t *testing.T) {
	for name, read := range map[string]func(r *wire.Reader) bool{
		"more":     func(r *wire.Reader) bool { return r.Take(4) == nil },
		"negative": func(r *wire.Reader) bool { return r.Take(-1) == nil },
		"long":     func(r *wire.Reader) bool { return r.TakeLong(math.MaxUint64) == nil },
		"2^32":     func(r *wire.Reader) bool { return r.TakeLong(1<<32) == nil },
		"number":   func(r *wire.Reader) bool { return r.Big32()|r.Little32() == 0 },
		"eight":    func(r *wire.Reader) bool { return r.Big64()|r.Little64() == 0 },
		"failed":   func(r *wire.Reader) bool { r.Fail(); return true },
	} {
		r := wire.Reader{B: []byte("abc")}
		if !read(&r) || !r.Bad || len(r.B) > 0 || r.Take(0) != nil || r.Byte() != 0 || r.Big16()|r.Little16() != 0 {
			t.Errorf("%s: %v", name, r)
		}
	}
}

func TestLine(t *testing.T) {
	for _, c := range []struct {
		buf, line string
		n, need   int
		err       error
	}{
		{"NOOP\r\nQUIT\r\n", "NOOP", 6, 0, nil},
		{"NOOP\nQUIT", "NOOP", 5, 0, nil},
		{"\r\n", "", 2, 0, nil},
		{"1234567\n", "1234567", 8, 0, nil},
		{"1234567", "", 0, 8, dissector.ErrShort},
		{"12345678\n", "", 0, 0, wire.ErrLong},
		{"", "", 0, 1, dissector.ErrShort},
	} {
		var m dissector.Message
		line, n, err := wire.Line([]byte(c.buf), 8, &m)
		if string(line) != c.line || n != c.n || m.Need != c.need || err != c.err {
			t.Errorf("%q: %q, %d, need %d, %v", c.buf, line, n, m.Need, err)
		}
	}
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]bool{"": true, "a b~é\xff": true, "a\tb": true, "a\nb": false, "\x00": false, "\x7f": false} {
		if wire.Printable([]byte(text), "\t") != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
	if wire.Printable([]byte("\t"), "") {
		t.Error("a tab is a control character where none may be")
	}
}

func TestDigits(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "007": 7, "12345": 12345, "123456": -1, "": -1, "-1": -1, "1a": -1} {
		if n, ok := wire.Digits([]byte(text), 5); ok != (want >= 0) || ok && n != want {
			t.Errorf("%q: %d, %t", text, n, ok)
		}
	}
	if n, ok := wire.Digits([]byte(strings.Repeat("9", 18)), 18); !ok || n != 1e18-1 {
		t.Errorf("18 digits: %d, %t", n, ok)
	}
}

func TestReply(t *testing.T) {
	for line, want := range map[string]struct {
		code     int64
		text     string
		more, ok bool
	}{
		"220 mx ready": {220, "mx ready", false, true},
		"250-SIZE 10":  {250, "SIZE 10", true, true},
		"250":          {250, "", false, true},
		"250 ":         {250, "", false, true},
		"2500":         {2500 / 10, "", false, false},
		"25":           {},
		"2x0 no":       {},
	} {
		code, text, more, ok := wire.Reply([]byte(line))
		if code != want.code || string(text) != want.text || more != want.more || ok != want.ok {
			t.Errorf("%q: %d, %q, %t, %t", line, code, text, more, ok)
		}
	}
}

func TestMayBeVerb(t *testing.T) {
	verbs := map[string]int{"RETR": 1, "QUIT": 2}
	for part, want := range map[string]bool{"": true, "q": true, "QUI": true, "quit": true, "retr x": true, "RE x": false, "QUITS": false, "X": false} {
		if wire.MayBeVerb([]byte(part), verbs) != want {
			t.Errorf("%q: %t", part, !want)
		}
	}
}

// A text is cut between characters; what is no text is cut where the limit is.
func TestCut(t *testing.T) {
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "abc"},
		{"aé", 2, "a"},
		{"é", 1, ""},
		{"a\u20acb", 3, "a"},
		{"a\u20acb", 4, "a\u20ac"},
		{"\U0001f988\U0001f988", 7, "\U0001f988"},
		{"\x80\x80\x80\x80\x80", 4, "\x80\x80\x80\x80"},
		{"\xff\xff\xff", 2, "\xff\xff"},
		{"abc", 0, ""},
	} {
		b := []byte(c.text)
		if got := wire.Cut(b, c.limit); string(got) != c.want {
			t.Errorf("%q at %d: %q", c.text, c.limit, got)
		}
		marked := c.want
		if len(c.text) > c.limit {
			marked += wire.CutMark
		}
		if got := wire.Clip(b, c.limit); string(got) != marked || string(b) != c.text {
			t.Errorf("%q at %d: %q with a mark, and then %q", c.text, c.limit, got, b)
		}
	}
	if got := wire.Whole([]byte("a\xe2\x82")); string(got) != "a" {
		t.Errorf("%q", got)
	}
}

func TestAppendLine(t *testing.T) {
	for text, want := range map[string]string{
		"select 1":             "> select 1",
		" select\n\t 1 \r\n":   "> select 1",
		"select 12345":         "> select 123...",
		"select éééé":          "> select é...",
		strings.Repeat("a", 9): "> " + strings.Repeat("a", 9),
		"":                     "> ",
	} {
		if got := wire.AppendLine([]byte("> "), []byte(text), 10); string(got) != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestText(t *testing.T) {
	var text wire.Text
	for range 2 {
		text.Reset(5)
		text.Add("abc")
		text.Add("de")
		if got := text.Bytes(); string(got) != "abcde" || text.Cut {
			t.Errorf("%q", got)
		}
		text.Add("f")
		text.Add("")
		if got := text.Bytes(); string(got) != "abcde"+wire.CutMark || !text.Cut {
			t.Errorf("%q", got)
		}
	}
	text.Reset(5)
	text.Add("abc")
	text.Add("def")
	text.Add("g")
	if got := text.Bytes(); string(got) != "abc"+wire.CutMark {
		t.Errorf("what comes behind what was left out is there: %q", got)
	}
}

// Whatever is cut stays text if it was, within the limit.
func FuzzCut(f *testing.F) {
	f.Add([]byte("a\u20acb\U0001f988"), 3)
	f.Add([]byte("\xf0\x9f\xa6"), 2)
	f.Fuzz(func(t *testing.T, b []byte, limit int) {
		limit = max(0, limit)
		got := wire.Cut(b, limit)
		if len(got) > limit || !bytes.HasPrefix(b, got) || len(got) < min(len(b), limit)-3 || utf8.Valid(b) && !utf8.Valid(got) {
			t.Errorf("%q at %d: %q", b, limit, got)
		}
	})
}
