package kafka

import (
	"fmt"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// told collects the calls as the recorded clients write them: number of the API, sizes of
// request and response, and the error code.
type told []string

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != Protocol || e.Request == nil {
		return nil
	}
	var size, code int64
	if e.Response != nil {
		size, code = e.Response.Size, ErrorCode.Get(&e.Response.Values)
	}
	*c = append(*c, fmt.Sprint(APIKey.Get(&e.Request.Values), " ", e.Request.Size, " ", size, " ", code))
	return nil
}

// hide takes the error code from the lines of got that want has only without it: from as
// many as there are more of got than want has with it.
func hide(got, want []string) {
	left := make(map[string]int)
	for _, line := range want {
		left[line]++
	}
	for i, line := range got {
		if left[line] > 0 {
			left[line]--
			continue
		}
		without := line[:strings.LastIndexByte(line, ' ')] + " -"
		if left[without] > 0 {
			left[without]--
			got[i] = without
		}
	}
}

// TestAgainstClients compares every call with what the client that made it was told.
func TestAgainstClients(t *testing.T) {
	dissectortest.Told(t, "kafka", func(t *testing.T, capture string, want []string) {
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, Protocol)
		hide(got, want)
		dissectortest.SameLines(t, got, want)
	})
}
