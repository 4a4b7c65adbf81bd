package workbench

import (
	"regexp"
	"strings"
	"testing"

	"shark/dissector"
	"shark/packet"
)

func TestCount(t *testing.T) {
	for got, want := range map[string]string{
		Count(1, "packets"): "1 packet", Count(0, "packets"): "0 packets", Count(2, "packets"): "2 packets", Count(1000, "bytes"): "1,000 bytes",
		Count(1, "entries"): "1 entry", Count(1, "addresses"): "1 address", Count(1, "IP packets"): "1 IP packet",
		Count(1, "connections or calls"): "1 connection or call", Count(2, "connections or calls"): "2 connections or calls",
		Grouped(0): "0", Grouped(999): "999", Grouped(-1000): "-1,000", Grouped(1234567): "1,234,567",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestCoverageOfOne: what is missing once is told in the singular.
func TestCoverageOfOne(t *testing.T) {
	x := &opened{account: account{Named: true, Dropped: 1, Damage: []packet.Damage{{Lost: 1}}}}
	x.account.Report = dissector.Report{
		Cut: 1, Missing: 1, Malformed: 1, Other: 1, NoTransport: 1, Fragments: 1, Unknown: 1, ParseErrors: 1, Skipped: 1, Evicted: 1,
	}
	notes := (&Evidence{}).coverage(x).Notes
	if len(notes) != 12 {
		t.Errorf("%d notes: %q", len(notes), notes)
	}
	many := regexp.MustCompile(`\b1 (\w+ )?(packets|bytes|connections|messages|fragments)\b`)
	for _, n := range append(notes, (&undecided{n: 1}).hints()...) {
		if many.MatchString(n) || strings.Contains(n, "they") || strings.Contains(n, "their") {
			if !strings.HasPrefix(n, "1 byte of streams") { // their protocol is the streams'
				t.Errorf("%q", n)
			}
		}
	}
}
