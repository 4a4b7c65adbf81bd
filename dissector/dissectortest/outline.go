package dissectortest

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"shark/dissector"
	"shark/packet"
)

// outlineLimit is a limit of outlines that those of short messages keep to.
const outlineLimit = 32 << 10

// Outlined dissects the captures of a protocol in detail and looks at what it shows of each
// message: text, within its limit, and with less of the message at hand no failure. want are,
// by the capture's name, lines that must stand together in what is shown of one message.
func Outlined(t *testing.T, p *dissector.Protocol, want map[string][]string) {
	t.Helper()
	dir := filepath.Join(moduleRoot(t), "testdata", p.Name)
	for _, file := range captures(t, dir) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			l := outlines{t: t, of: p}
			outlineAll(t, file, p, &l)
			for _, lines := range want[filepath.Base(file)] {
				if !slices.ContainsFunc(l.all, func(s string) bool { return strings.Contains("\n"+s, "\n"+lines+"\n") }) {
					t.Errorf("not shown:\n%s", lines)
				}
			}
		})
	}
	for file := range want {
		if !slices.Contains(captures(t, dir), filepath.Join(dir, file)) {
			t.Errorf("there is no %s", file)
		}
	}
}

// outlineAll dissects a capture in detail.
func outlineAll(t testing.TB, file string, p *dissector.Protocol, sink dissector.Sink) {
	t.Helper()
	opts := dissector.Options{Protocols: []*dissector.Protocol{p}, Detail: true}
	if _, err := dissector.Run(t.Context(), &source{readCapture(t, file)}, opts, func(int) dissector.Sink { return sink }); err != nil {
		t.Fatal(err)
	}
}

type outlines struct {
	t   testing.TB
	of  *dissector.Protocol
	all []string
}

func (l *outlines) Entry(e *dissector.Entry) error {
	if e.Protocol != l.of {
		return nil
	}
	for _, m := range []*dissector.Message{e.Request, e.Response} {
		if m == nil {
			continue
		}
		request := e.Request
		if m == request {
			request = nil
		}
		l.all = append(l.all, outlined(l.t, m, request, outlineLimit))
		whole := m.Raw
		for n := 0; n < len(whole); n += 1 + len(whole)/100 {
			m.Raw = whole[:n]
			outlined(l.t, m, request, outlineLimit)
			outlined(l.t, m, request, n)
		}
		m.Raw = whole
	}
	return nil
}

func outlined(t testing.TB, m, request *dissector.Message, limit int) string {
	out := string(m.Outline(request, limit))
	if len(out) > limit || !utf8.ValidString(out) || strings.ContainsFunc(out, func(c rune) bool { return c < ' ' && c != '\n' || c == 0x7f }) {
		t.Errorf("outline of %d bytes, limit %d: %q", len(m.Raw), limit, out)
	}
	return out
}

// FuzzOutline gives a protocol's outline bytes that no parser has seen. request, which may
// be nil, is what a response answers.
func FuzzOutline(f *testing.F, p *dissector.Protocol, request func(kind byte) *dissector.Message) {
	for _, file := range captures(f, filepath.Join(moduleRoot(f), "testdata", p.Name)) {
		outlineAll(f, file, p, &seeds{f: f, of: p})
	}
	f.Fuzz(func(t *testing.T, b []byte, kind byte) {
		defer Bounded(t)()
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			for _, over := range []dissector.Transport{dissector.TCP, dissector.UDP} {
				m := &dissector.Message{From: from, Transport: over, Raw: b}
				m.Flow.Src = packet.AddrFrom4([]byte{10, 0, 0, 1})
				if kind&1 != 0 {
					m.Flow.Src = packet.AddrFrom16(make([]byte, 16))
				}
				var asked *dissector.Message
				if from == dissector.Server && request != nil {
					asked = request(kind)
				}
				if out := p.Outline(m, asked, 4<<10); len(out) > 4<<10 || !utf8.Valid(out) {
					t.Errorf("%d bytes: %q", len(out), out)
				}
			}
		}
	})
}

// seeds adds the messages of a capture to a fuzz test, a few of each.
type seeds struct {
	f  *testing.F
	of *dissector.Protocol
	n  int
}

func (s *seeds) Entry(e *dissector.Entry) error {
	for _, m := range []*dissector.Message{e.Request, e.Response} {
		if e.Protocol == s.of && m != nil && len(m.Raw) < 4<<10 && s.n < 40 {
			s.f.Add(append([]byte(nil), m.Raw...), byte(s.n))
			s.n++
		}
	}
	return nil
}
