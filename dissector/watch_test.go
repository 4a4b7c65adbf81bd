package dissector_test

import (
	"fmt"
	"slices"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// watcher writes down what it is shown, and at the end what that was.
type watcher struct{ seen string }

func (w *watcher) Pass(b []byte) { w.seen += string(b) }

func (w *watcher) Miss(n int64) { w.seen += fmt.Sprintf("<%d>", n) }

func (w *watcher) Passed(m *dissector.Message) {
	dissector.Summary.Set(&m.Values, fmt.Appendf(nil, "%q", w.seen))
}

// TestWatcher: a parser's watcher sees of a piece what it is not given to parse, and where
// that is missing, but is told of the end only where that comes.
func TestWatcher(t *testing.T) {
	watched := lineProtocol("line")
	watched.New = func(dissector.Transport) dissector.Parse {
		return func(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
			span, err := parseLine(from, buf, m)
			if err == nil && from == dissector.Client {
				m.Watch = new(watcher)
			}
			return span, err
		}
	}
	script := dissectortest.NewScript
	for name, c := range map[string]struct {
		s    *dissectortest.Script
		want []string
	}{
		"whole":              {script().Client("?a%10\n123", "4567890?b\n").Server("=1\n", "=2\n").Close(), []string{`a "?a%10\n1234567890" > 1`, `b "?b\n" > 2`}},
		"a gap":              {script().Client("?a%10\n123").Lose().Client("45").Client("67890").Server("=1\n").Client("?b\n").Server("=2\n").Close(), []string{`a "?a%10\n123<2>67890" > 1 lost`, `b "?b\n" > 2`}},
		"a gap till the end": {script().Client("?a%10\n123").Lose().Client("4567890").Server("=1\n").Client("?b\n").Server("=2\n").Close(), []string{`a "?a%10\n123<7>" > 1 lost`, `b "?b\n" > 2`}},
		"cut off":            {script().Client("?a%10\n123").Close(), []string{"a > - truncated"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.s.Calls(t, watched); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}
