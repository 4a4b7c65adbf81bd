package redis

import (
	"testing"

	"shark/dissector"
)

// Of a line that comes byte by byte each byte is looked at once while its end is not
// there: one that is another at the next try is not noticed before.
func TestInlineIsLookedAtOnce(t *testing.T) {
	parse := Protocol.New(dissector.TCP)
	try := func(said string, gap int64) (int64, error) {
		return parse(dissector.Client, []byte(said), &dissector.Message{Gap: gap})
	}
	for _, c := range []struct {
		said string
		gap  int64
		span int64
		err  error
	}{
		{"ECHO abcd", 0, 0, dissector.ErrShort},
		{"\x01\x01\x01\x01\x01\x01\x01\x01\x01e", 0, 0, dissector.ErrShort},
		{"\x01\x01\x01\x01\x01\x01\x01\x01\x01e\x01", 0, 0, errMalformed},
		{"ECHO abcd", 1, 0, dissector.ErrShort},
		{"ECHO abcd\n", 1, 10, nil},
		{"ECHO abcd", 0, 0, dissector.ErrShort},
		{"PING\nPING\nPING\n", 5, 5, nil}, // behind a loss nothing of it was looked at
		{"PING\nPING\n", 0, 5, nil},
		{"ECHO abcd", 0, 0, dissector.ErrShort},
		{"*1\r\n$4\r\nPING\r\n", 5, 14, nil},
		{"PING\nPING\nPING\n", 0, 5, nil},
	} {
		if span, err := try(c.said, c.gap); span != c.span || err != c.err {
			t.Errorf("%q after a loss of %d: span %d, %v", c.said, c.gap, span, err)
		}
	}
}
