package tls_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/http2"
	"shark/dissector/protocol/tls"
)

// calls collects what was said in TLS, as the recorded server logs it.
type calls []string

func (c *calls) Entry(e *dissector.Entry) error {
	if e.Protocol != http.Protocol && e.Protocol != http2.Protocol {
		return nil
	}
	if !e.TLS || e.Request == nil || e.Response == nil || e.Marks != 0 {
		*c = append(*c, fmt.Sprintf("%d is not whole: %+v", e.First, e.Marks))
		return nil
	}
	target := strings.Join(list(e.Request, "url"), "")
	*c = append(*c, fmt.Sprintf("%d %s %s %d %d", e.Flow.DstPort, dissector.Operation.Get(&e.Request.Values), target, dissector.StatusCode.Get(&e.Response.Values), e.Response.BodySize))
	return nil
}

// TestClear holds what is read out of TLS against what the server logged, in all versions and
// with all kinds of suites.
func TestClear(t *testing.T) {
	files, err := filepath.Glob("../../../testdata/tlsx/clear_of_*.pcapng")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			log, err := os.ReadFile(strings.TrimSuffix(file, ".pcapng") + ".calls")
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(string(log)) {
				f := strings.Fields(line)
				want = append(want, strings.Join([]string{f[0], f[5], f[6], f[7], f[8]}, " "))
			}
			var got calls
			dissectortest.Dissect(t, dissectortest.Open(t, file), &got, tls.Protocol, http.Protocol, http2.Protocol)
			dissectortest.SameLines(t, got, want)
		})
	}
}
