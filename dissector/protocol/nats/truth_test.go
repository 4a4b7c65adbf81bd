package nats_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/nats"
)

// told collects the calls and errors as the recorded clients write them: command,
// subject and status; with sized, the sizes of both payloads behind them.
type told struct {
	sized bool
	lines []string
}

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != nats.Protocol || e.Request == nil {
		return nil
	}
	v := &e.Request.Values
	op := string(dissector.Operation.Get(v))
	switch {
	case op == "-ERR":
		c.lines = append(c.lines, "-ERR - "+string(nats.Error.Get(v)))
		return nil
	case e.OneWay || op == "PING":
		return nil
	}
	line := op + " " + or(string(nats.Subject.Get(v)))
	if e.Response == nil {
		c.lines = append(c.lines, line+" unanswered")
		return nil
	}
	line += " " + or(string(dissector.Status.Get(&e.Response.Values)))
	if c.sized {
		line += fmt.Sprintf(" %d %d", nats.PayloadSize.Get(v), nats.PayloadSize.Get(&e.Response.Values))
	}
	c.lines = append(c.lines, line)
	return nil
}

func or(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// TestAgainstClients compares every call with what the client that made it was told.
func TestAgainstClients(t *testing.T) {
	dissectortest.Told(t, "nats", func(t *testing.T, capture string, want []string) {
		want = slices.DeleteFunc(want, func(s string) bool { return strings.HasPrefix(s, "PING ") })
		got := told{sized: len(strings.Fields(want[0])) == 5}
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, nats.Protocol)
		dissectortest.SameLines(t, got.lines, want)
	})
}
