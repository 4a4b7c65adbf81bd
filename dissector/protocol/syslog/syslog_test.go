package syslog

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

const (
	newer = `<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"] An application`
	older = "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick"
)

func counting(s string) string { return strconv.Itoa(len(s)) + " " + s }

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		head string
		want dissector.Guess
	}{
		{newer, dissector.Request},
		{older, dissector.Request},
		{counting(newer), dissector.Request},
		{counting(newer) + "1", dissector.Request},
		{counting(newer) + "\n", dissector.Request},
		{counting(newer)[:60], dissector.MaybeRequest},
		{"200 " + newer, dissector.Request},
		{"20 " + newer, dissector.No},
		{"<0>1 - - - - - -", dissector.Request},
		{"<13>2026-11-22T07:34:56.165064+00:00 web-1 app: x", dissector.Request},
		{"<34>1 2003-10-11T22:14:15.003 host app - - - x", dissector.MaybeRequest},
		{"<34>1 2003-10-11T22:14:15.003Z host app - - [a b=c] x", dissector.MaybeRequest},
		{"<34>1 yesterday host app - - - x", dissector.MaybeRequest},
		{"<34>Foo 11 22:14:15 mymachine su: x", dissector.MaybeRequest},
		{"<34>Oct 11 22-14-15 mymachine su: x", dissector.MaybeRequest},
		{"<34>disk full", dissector.MaybeRequest},
		{"", dissector.More},
		{"1", dissector.More},
		{"15 ", dissector.More},
		{"<", dissector.More},
		{"<34>", dissector.More},
		{"<34>\x01", dissector.No},
		{"<192>x", dissector.No},
		{"<034>x", dissector.No},
		{"<>x", dissector.No},
		{"<a>x</a>", dissector.No},
		{"0 <34>x", dissector.No},
		{"12345678 <34>x", dissector.No},
		{"12 34", dissector.No},
		{"disk full", dissector.No},
		{"220 mail ESMTP", dissector.No},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%q: got %d, want %d", c.head, got, c.want)
		}
	}
}

func TestHeaders(t *testing.T) {
	for _, c := range []struct{ b, want string }{
		{newer, "local4.notice rfc5424 time=2003-10-11T22:14:15.003Z host=mymachine.example.com app=evntslog proc= id=ID47 data=3 text=An application"},
		{older, "auth.crit rfc3164 time=Oct 11 22:14:15 host=mymachine app=su proc= id= data=0 text='su root' failed for lonvick"},
		{"<165>Aug  4 05:34:00 mymachine myproc[10]: %% It's", "local4.notice rfc3164 time=Aug  4 05:34:00 host=mymachine app=myproc proc=10 id= data=0 text=%% It's"},
		{"<5>Aug 24 05:34:00 root: no host", "kern.notice rfc3164 time=Aug 24 05:34:00 host= app=root proc= id= data=0 text=no host"},
		{"<5>Aug 24 05:34:00 host no tag", "kern.notice rfc3164 time=Aug 24 05:34:00 host=host app= proc= id= data=0 text=no tag"},
		{"<5>Aug 24 05:34:00 word", "kern.notice rfc3164 time=Aug 24 05:34:00 host= app= proc= id= data=0 text=word"},
		{"<5>Aug 24 05:34:00 host app[1] text", "kern.notice rfc3164 time=Aug 24 05:34:00 host=host app=app proc=1 id= data=0 text=text"},
		{"<13>1 - - - - - [a][b c=\"\\\"\\]\\n\"]", `user.notice rfc5424 time= host= app= proc= id= data=2 text=`},
		{"<13>1 2026-11-22T07:34:56-05:00 h a p m - \ufeffüber", "user.notice rfc5424 time=2026-11-22T07:34:56-05:00 host=h app=a proc=p id=m data=0 text=über"},
		{"<13>1 - - - - - [a b=\"]", `user.notice pri time= host= app= proc= id= data=0 text=1 - - - - - [a b="]`},
		{"<13>1 - - - - - [a", `user.notice pri time= host= app= proc= id= data=0 text=1 - - - - - [a`},
		{"<13>1 - - - - - -x", `user.notice pri time= host= app= proc= id= data=0 text=1 - - - - - -x`},
		{"<13>1 - " + strings.Repeat("h", 256) + " - - - - x", "user.notice pri time= host= app= proc= id= data=0 text=1 - " + strings.Repeat("h", 256) + " - - - - x"},
	} {
		h, ok := readHeader([]byte(c.b))
		if !ok {
			t.Fatal(c.b)
		}
		n := 0
		if len(h.data) > 0 {
			structured(h.data, func(_, _, _ []byte) { n++ })
		}
		got := priorities[h.pri] + " " + h.format + " time=" + string(h.time) + " host=" + string(h.host) + " app=" + string(h.app) +
			" proc=" + string(h.proc) + " id=" + string(h.msgID) + " data=" + strconv.Itoa(n) + " text=" + c.b[h.size:]
		if got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.b, got, c.want)
		}
	}
}

func TestStreams(t *testing.T) {
	long := "<13>1 - h a - - - " + strings.Repeat("x", 3*maxHead)
	for _, c := range []struct {
		name string
		torn bool
		said []string
		want []string
	}{
		{"lines", false, []string{newer + "\n" + older + "\r\n", "<13>bare\x00"}, []string{"local4.notice", "auth.crit", "user.notice"}},
		{"a long line", false, []string{long + "\n" + older + "\n"}, []string{"user.notice", "auth.crit"}},
		{"counted", false, []string{counting(newer) + counting(long), counting("<13>1 - - - - - - a\nb") + "\n" + counting("<14>c")}, []string{"local4.notice", "user.notice", "user.notice", "user.info"}},
		{"a line without priority", true, []string{newer + "\n\tat main()\n" + older + "\n"}, []string{"local4.notice", "auth.crit"}},
		{"no counts among lines", true, []string{older + "\n", counting(newer), "\n" + older + "\n"}, []string{"auth.crit", "local4.notice", "auth.crit"}},
		{"no end", false, []string{older + "\n" + older}, []string{"auth.crit"}},
	} {
		for _, piece := range []int{1 << 20, 7} {
			s := dissectortest.NewScript()
			for _, b := range c.said {
				for chunk := range slices.Chunk([]byte(b), piece) {
					s.Client(string(chunk))
				}
			}
			var got []string
			for _, line := range s.Close().Calls(t, Protocol) {
				got = append(got, strings.Fields(line)[0])
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s, %d bytes at a time: %q", c.name, piece, got)
			}
			if c.torn { // where to go on is looked for inside of segments
				break
			}
		}
	}
}

// What a connection has begun with, it goes on with: digits before a priority inside
// a counted message are no message.
func TestFramingDoesNotChange(t *testing.T) {
	parse := Protocol.New(dissector.TCP)
	say := func(b string) error {
		_, err := parse(dissector.Client, []byte(b), &dissector.Message{Transport: dissector.TCP})
		return err
	}
	if err := say(counting(older)); err != nil {
		t.Fatal(err)
	}
	if err := say(older + "\n"); err != errMalformed {
		t.Error("a line among counted messages:", err)
	}
	if err := say(counting(older) + "<"); err != errMalformed {
		t.Error("a count that is too small:", err)
	}
	if _, err := parse(dissector.Server, []byte(older+"\n"), new(dissector.Message)); err != errMalformed {
		t.Error("a server's message:", err)
	}
}

func TestLimits(t *testing.T) {
	b := "<13>1 - h a - - [x" + strings.Repeat(` a="b"`, 2*maxParams) + "] " + strings.Repeat("x", 2*maxText)
	m := &dissector.Message{Transport: dissector.UDP}
	if _, err := Protocol.New(dissector.UDP)(dissector.Client, []byte(b), m); err != nil {
		t.Fatal(err)
	}
	params := 0
	for range Data.Lines(&m.Values) {
		params++
	}
	if params != maxParams || len(Text.Get(&m.Values)) != maxText || len(dissector.Summary.Get(&m.Values)) > maxSummary+maxHost {
		t.Errorf("%d parameters, %d bytes of text", params, len(Text.Get(&m.Values)))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(newer+"\n"+older+"\n<13>bare\n"), byte(3))
	f.Add([]byte(counting(newer)+counting(older)+"\n"+counting("<14>x")), byte(7))
	f.Add([]byte("<13>1 - - - - - [a][b c=\"\\\"\\]\"] \ufeffx"), byte(1))
	f.Fuzz(func(t *testing.T, b []byte, piece byte) {
		defer dissectortest.Bounded(t)()
		blank := func() *dissector.Message { return &dissector.Message{Transport: dissector.TCP} }
		dissectortest.Feed(t, Protocol.New(dissector.TCP), dissector.Client, b, int(piece)+1, blank)
		m := &dissector.Message{Transport: dissector.UDP, Whole: true}
		span, err := Protocol.New(dissector.UDP)(dissector.Client, b, m)
		if err == nil && span != int64(len(b)) {
			t.Fatalf("span %d", span)
		}
		if err != nil && probe(b) == dissector.Request {
			t.Fatal("the probe takes what the parser does not:", err)
		}
	})
}
