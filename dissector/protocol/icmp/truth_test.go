package icmp

import (
	"fmt"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// told collects the echoes and errors as the recorded pings tell of them.
type told []string

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != Protocol || e.Request == nil {
		return nil
	}
	v := &e.Request.Values
	switch {
	case dissector.Failed.Get(v):
		line := fmt.Sprintf("error %s %s", e.Flow.Src, dissector.Status.Get(v))
		if v.Has(MTU) {
			line += fmt.Sprint(" ", MTU.Get(v))
		}
		*c = append(*c, line)
	case string(dissector.Operation.Get(v)) == "Echo":
		answered := "none"
		if e.Response != nil {
			answered = "reply"
		}
		*c = append(*c, fmt.Sprintf("%s %s %d %d", answered, e.Flow.Dst, Sequence.Get(v), Length.Get(v)))
	}
	return nil
}

// TestAgainstPing compares every echo and error with what ping was told.
func TestAgainstPing(t *testing.T) {
	dissectortest.Told(t, "icmp", func(t *testing.T, capture string, want []string) {
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, Protocol)
		dissectortest.SameLines(t, got, want)
	})
}
