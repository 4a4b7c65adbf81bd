package redis

import (
	"fmt"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// told collects the calls as the recorded clients write them: command, kind and status of
// the reply, and the sizes of both; and the messages that are one-way.
type told []string

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != Protocol || e.Request == nil {
		return nil
	}
	v := &e.Request.Values
	name, channel := string(Type.Get(v)), string(Key.Get(v))
	switch {
	case e.OneWay && v.Has(Reply):
		if channel == "" {
			channel = "-"
		}
		*c = append(*c, fmt.Sprintf("%s message %s 0 %d", name, channel, e.Request.Size))
	case e.Response == nil:
		*c = append(*c, fmt.Sprintf("%s unanswered - %d 0", name, e.Request.Size))
	default:
		r := &e.Response.Values
		line := fmt.Sprintf("%s %s %s %d %d", name, Reply.Get(r), dissector.Status.Get(r), e.Request.Size, e.Response.Size)
		if e.Interim > 0 {
			line += fmt.Sprint(" after ", e.Interim)
		}
		*c = append(*c, line)
	}
	return nil
}

// TestAgainstClients compares every call with what the client that made it was told.
func TestAgainstClients(t *testing.T) {
	dissectortest.Told(t, "redis", func(t *testing.T, capture string, want []string) {
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, Protocol)
		dissectortest.SameLines(t, got, want)
	})
}
