package http2_test

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/field"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/http2"
)

// ends collects of each call its method, target and status, and beside them why it has none,
// and how long who waited for which window.
type ends struct{ calls, why, waits []string }

func (c *ends) Entry(e *dissector.Entry) error {
	if e.Protocol != http2.Protocol {
		return nil
	}
	q, status := &e.Request.Values, "-"
	var v field.Values
	v.Merge(q)
	if e.Response != nil {
		v.Merge(&e.Response.Values)
	}
	if code := dissector.StatusCode.Get(&v); code > 0 {
		status = strconv.FormatInt(code, 10)
	}
	call := fmt.Sprintf("%s %s %s", http.Method.Get(q), http.URL.Get(q), status)
	who, wait, window := "-", int64(0), string(http2.Exhausted.Get(&v))
	if n := http2.RequestStall.Get(&v); n > 0 {
		who, wait = "request", n
	}
	if n := http2.ResponseStall.Get(&v); n > 0 {
		who, wait = "response", n
	}
	if window == "" {
		window = "-"
	}
	c.calls = append(c.calls, call)
	c.waits = append(c.waits, fmt.Sprint(call, " ", who, " ", wait/1000, " ", window))
	c.why = append(c.why, fmt.Sprintf("%s: %s %s, unprocessed %t, %s", call, http2.GoAway.Get(&v), http2.GoAwayDebug.Get(&v),
		http2.Unprocessed.Get(&v), dissector.Status.Get(&v)))
	return nil
}

// Calls end and wait as their clients were told.
func TestEndsAndWaits(t *testing.T) {
	dissectortest.Told(t, "http2", func(t *testing.T, capture string, want []string) {
		var got ends
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, http2.Protocol)
		switch filepath.Base(capture) {
		case "slow.pcap":
			sameWaits(t, got.waits, want)
			return
		case "away.pcap":
			dissectortest.SameLines(t, got.why, []string{
				"GET /before 200:  , unprocessed false, 200",
				"GET /last 200: NO_ERROR , unprocessed false, 200",
				"GET /refused -: NO_ERROR , unprocessed true, GOAWAY NO_ERROR",
				"GET /refused 200:  , unprocessed false, 200",
			})
		case "calm.pcap":
			dissectortest.SameLines(t, got.why, []string{
				"GET /first 200:  , unprocessed false, 200",
				"GET /slow -: ENHANCE_YOUR_CALM too_many_calls, unprocessed false, RST_STREAM ENHANCE_YOUR_CALM",
				"GET /too-much -: ENHANCE_YOUR_CALM too_many_calls, unprocessed false, ",
			})
		default:
			t.Errorf("what %s is about is not known", capture)
		}
		dissectortest.SameLines(t, got.calls, want)
	})
}

// sameWaits compares calls; their waits, the fifth word, take as long as whoever did not read
// says, and at most 60 ms more, until the bytes were on the wire.
func sameWaits(t *testing.T, got, want []string) {
	t.Helper()
	left := make(map[string]int)
	for _, line := range want {
		call, wait := apart(t, line)
		left[call] = wait
	}
	for _, line := range got {
		call, wait := apart(t, line)
		told, ok := left[call]
		if !ok || wait < told || wait > told+60 {
			t.Errorf("got %s, want %d ms", line, told)
		}
		delete(left, call)
	}
	if len(left) > 0 {
		t.Errorf("not found: %v", left)
	}
}

func apart(t *testing.T, line string) (call string, wait int) {
	t.Helper()
	words := strings.Fields(line)
	wait, err := strconv.Atoi(words[4])
	if err != nil {
		t.Fatal(err)
	}
	words[4] = ""
	return strings.Join(words, " "), wait
}
