package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"shark/workbench"
)

func TestSanitize(t *testing.T) {
	for _, c := range []struct{ name, in, line, text string }{
		{"plain", "GET /café?q=日本", "GET /café?q=日本", "GET /café?q=日本"},
		{"lines", "a\tb\r\nc", `a\x09b\x0d\x0ac`, "a\tb\\x0d\nc"},
		{"escape sequence", "\x1b[31mred\x1b]0;title\a", `\x1b[31mred\x1b]0;title\x07`, `\x1b[31mred\x1b]0;title\x07`},
		{"C1 control", "a\u009bm", `a\u009bm`, `a\u009bm`},
		{"reversed text", "a\u202eb\u2066c\u200f", `a\u202eb\u2066c\u200f`, `a\u202eb\u2066c\u200f`},
		{"line separator", "a\u2028b", `a\u2028b`, `a\u2028b`},
		{"delete", "a\x7f", `a\x7f`, `a\x7f`},
		{"no UTF-8", "a\xff\xc3", `a\xff\xc3`, `a\xff\xc3`},
		{"replacement character", "a\ufffdb", "a\ufffdb", "a\ufffdb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := sanitize(c.in, false); got != c.line {
				t.Errorf("as a line: %q, want %q", got, c.line)
			}
			if got := sanitize(c.in, true); got != c.text {
				t.Errorf("as a text: %q, want %q", got, c.text)
			}
		})
	}
}

func FuzzSanitize(f *testing.F) {
	f.Add("\x1b[2J\u009b\u202e\xff\ufffd\n")
	f.Fuzz(func(t *testing.T, s string) {
		for _, newlines := range []bool{false, true} {
			got := sanitize(s, newlines)
			if !utf8.ValidString(got) {
				t.Errorf("%q is not UTF-8", got)
			}
			for _, r := range got {
				if (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) && !(newlines && (r == '\n' || r == '\t')) {
					t.Errorf("%q of %q has %U", got, s, r)
				}
			}
			if again := sanitize(got, newlines); again != got {
				t.Errorf("%q becomes %q", got, again)
			}
		}
	})
}

func TestCSVCell(t *testing.T) {
	for in, want := range map[string]string{
		"":               "",
		"plain":          "plain",
		"a,b":            `"a,b"`,
		"a;b":            `"a;b"`,
		`a"b`:            `"a""b"`,
		"a\nb":           "\"a\nb\"",
		" a":             `" a"`,
		"-12.5":          "-12.5",
		"3":              "3",
		"-":              `"'-"`,
		"=1+1":           `"'=1+1"`,
		"+1":             `"'+1"`,
		"@SUM(A1)":       `"'@SUM(A1)"`,
		"-1+cmd|' /C'!A": `"'-1+cmd|' /C'!A"`,
		"\t=1":           "\"'\t=1\"",
		"  =1":           `"'  =1"`,
		"＝1":             `"'＝1"`,
		"a=b":            "a=b",
	} {
		if got := csvCell(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func FuzzCSV(f *testing.F) {
	f.Add("=1", `a"b;c`)
	f.Add("\r\n", "-")
	f.Fuzz(func(t *testing.T, a, b string) {
		var out bytes.Buffer
		w, err := newCSV(&out, []string{"a", "b"}, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.row([]string{a, b}); err != nil {
			t.Fatal(err)
		}
		if err := w.close(); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&out).ReadAll()
		if err != nil || len(rows) != 2 {
			t.Fatalf("%q and %q: %q, %v", a, b, rows, err)
		}
		for i, want := range []string{a, b} {
			got := rows[1][i]
			want = sanitize(want, true)
			if got != want && got != "'"+want {
				t.Errorf("%q is read as %q", want, got)
			}
			if strings.IndexAny(strings.TrimLeft(got, " "), formulaSigns) == 0 && !isNumber(strings.TrimLeft(got, " ")) {
				t.Errorf("%q is a formula", got)
			}
		}
	})
}

func FuzzJSON(f *testing.F) {
	f.Add("\x7f\u009b\u202e<&>\xff")
	f.Fuzz(func(t *testing.T, s string) {
		b, err := encodeJSON(map[string]string{"s": s}, "")
		if err != nil {
			t.Fatal(err)
		}
		line := string(bytes.TrimSuffix(b, []byte("\n")))
		if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
			t.Errorf("%q is not fit for a terminal", line)
		}
		var back map[string]string
		if err := json.Unmarshal(b, &back); err != nil || back["s"] != strings.ToValidUTF8(s, "\ufffd") && utf8.ValidString(s) {
			t.Errorf("%q is read as %q, %v", s, back["s"], err)
		}
	})
}

func TestTable(t *testing.T) {
	long := strings.Repeat("ü", maxCell+1)
	for _, c := range []struct {
		name string
		wide bool
		want string
	}{
		{"cut", false, "NAME" + strings.Repeat(" ", maxCell-4) + "  N\n" + strings.Repeat("ü", maxCell-1) + "…  7\nb" + strings.Repeat(" ", maxCell-1) + "   \n"},
		{"wide", true, "NAME" + strings.Repeat(" ", maxCell-3) + "  N\n" + long + "  7\nb" + strings.Repeat(" ", maxCell) + "   \n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			w := newTable(&out, []string{"NAME", "N"}, []bool{false, true}, c.wide)
			for _, row := range [][]string{{long, "7"}, {"b", ""}} {
				if err := w.row(row); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.close(); err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(c.want) {
				want = append(want, strings.TrimRight(line, " \n"))
			}
			if got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n"); strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// However a conversation is cut into chunks, it reads the same.
func TestFollowedTextDoesNotDependOnSegments(t *testing.T) {
	said := []struct {
		client bool
		text   string
	}{
		{true, "GET / HTTP/1.1\r\nHost: café\r\n\r\n"},
		{false, "HTTP/1.1 200 OK\r\n\r\n日本"},
		{true, "no end of line"},
		{true, ", and more\n\nübrig\r"},
		{false, "\n"},
	}
	const want = "> GET / HTTP/1.1\n> Host: café\n> \n< HTTP/1.1 200 OK\n< \n< 日本\n> no end of line, and more\n> \n> übrig\\x0d\n< \n"
	for range 200 {
		var out bytes.Buffer
		w := talk{out: bufio.NewWriter(&out), form: "text", fresh: true}
		for _, s := range said {
			for b := []byte(s.text); len(b) > 0; {
				n := 1 + rand.IntN(len(b))
				if err := w.write(workbench.Chunk{Client: s.client, Data: b[:n]}); err != nil {
					t.Fatal(err)
				}
				b = b[n:]
			}
		}
		if err := w.close(); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func TestFollowedGap(t *testing.T) {
	var out bytes.Buffer
	w := talk{out: bufio.NewWriter(&out), form: "text", fresh: true}
	for _, c := range []workbench.Chunk{{Client: true, Data: []byte("begin\xc3")}, {Client: true, Gap: 1500}, {Client: true, Data: []byte("end\n")}} {
		if err := w.write(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "> begin\\xc3\n> (1,500 bytes never captured)\n> end\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	b := newProgressBar(&out, false)
	b.update(workbench.Progress{Task: "dissecting", Packets: 1, Done: true})
	if b.on || out.Len() > 0 {
		t.Errorf("progress into a file: %q", out.String())
	}
	b = &progressBar{out: &out, on: true, next: time.Now().Add(-time.Hour)}
	b.update(workbench.Progress{Task: "dissecting", Packets: 12345, Bytes: 250, Total: 1000})
	if got := out.String(); !strings.Contains(got, "dissecting  25%  12,345 packets, 250 B") {
		t.Errorf("%q", got)
	}
	b.update(workbench.Progress{Task: "indexing", Done: true})
	if got := out.String(); !strings.HasSuffix(got, "\r\x1b[K") || b.shown {
		t.Errorf("at the end: %q", got)
	}
}

// Bytes that are no text are dots, and do not take the text around them along.
func TestFollowedBinary(t *testing.T) {
	const body = "\x1f\x8b\x08\x00\x00\x00\n\x00A\nBC\n\xff\xfe\xfd"
	dots := strings.Repeat(".", dotsWidth)
	for _, c := range []struct{ name, said, want string }{
		{"head and body", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + body, "> HTTP/1.1 200 OK\n> Content-Encoding: gzip\n> \n> ........A.BC....\n"},
		{"chunked", "5\r\n" + body + "\r\n0\r\n\r\n", "> 5\n> ........A.BC....\n> 0\n> \n"},
		{"text behind", body + "\nHTTP/1.1 204 No Content\r\n\r\n", "> ........A.BC....\n> HTTP/1.1 204 No Content\n> \n"},
		{"rows", strings.Repeat("\x00", dotsWidth+2) + "|", "> " + dots + "\n> ..|\n"},
		{"line of text", "one line, and one \x01 in it, is text\n", "> one line, and one \\x01 in it, is text\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			w := talk{out: bufio.NewWriter(&out), form: "text", fresh: true}
			if err := errors.Join(w.write(workbench.Chunk{Client: true, Data: []byte(c.said)}), w.close()); err != nil {
				t.Fatal(err)
			}
			if got := out.String(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// FuzzFollow: nothing that a side says, in whatever pieces, reaches the terminal as
// it is, and every line says whose it is.
func FuzzFollow(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n\x1b[2J\xff\x00\nabc\n\xe2"), 7)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		var out bytes.Buffer
		w := talk{out: bufio.NewWriter(&out), form: "text", fresh: true}
		for piece := range slices.Chunk(b, 1+size&0x3f) {
			if err := w.write(workbench.Chunk{Client: true, Data: piece}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.close(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if !strings.HasPrefix(line, "> ") || !strings.HasSuffix(line, "\n") || sanitize(line, true) != line {
				t.Errorf("line %q of %q", line, b)
			}
		}
	})
}
