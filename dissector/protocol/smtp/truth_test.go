package smtp_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/smtp"
	"shark/dissector/protocol/tls"
)

// told collects the calls as the recorded clients write them: command and code, and
// behind mail data its size.
type told []string

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != smtp.Protocol || e.Request == nil {
		return nil
	}
	answer := e.Response
	if e.OneWay {
		answer = e.Request
	}
	line := string(dissector.Operation.Get(&e.Request.Values))
	if answer != nil {
		line += " " + string(dissector.Status.Get(&answer.Values))
	}
	if e.Request.Has(smtp.Size) {
		line += fmt.Sprint(" ", smtp.Size.Get(&e.Request.Values))
	}
	*c = append(*c, line)
	return nil
}

// TestAgainstClients compares every call with what the client that made it was told.
func TestAgainstClients(t *testing.T) {
	dissectortest.Told(t, "smtp", func(t *testing.T, capture string, want []string) {
		want = slices.DeleteFunc(want, func(s string) bool { return strings.HasPrefix(s, "again ") }) // LMTP: part of one answer
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, smtp.Protocol, tls.Protocol)
		dissectortest.SameLines(t, got, want)
	})
}

// codes collects the codes of all replies, greetings too.
type codes []string

func (c *codes) Entry(e *dissector.Entry) error {
	if e.Protocol != smtp.Protocol {
		return nil
	}
	for _, m := range []*dissector.Message{e.Request, e.Response} {
		if m != nil && m.Has(dissector.Status) {
			*c = append(*c, string(dissector.Status.Get(&m.Values)))
		}
	}
	return nil
}

// TestAgainstTshark compares the codes of all replies in public captures. The second
// of them goes on in clear behind STARTTLS, which nobody but its maker's tool does.
func TestAgainstTshark(t *testing.T) {
	dir := dissectortest.PublicWithTshark(t)
	for _, name := range []string{"ndpi/smtp.pcap", "arkime/smtp-data-521.pcap"} {
		file := filepath.Join(dir, name)
		out, err := exec.Command("tshark", "-r", file, "-Y", "smtp.response.code", "-T", "fields", "-E", "aggregator= ", "-e", "smtp.response.code").Output()
		if err != nil {
			t.Fatal(err)
		}
		var got codes
		dissectortest.Dissect(t, dissectortest.Open(t, file), &got, smtp.Protocol, tls.Protocol)
		dissectortest.SameLines(t, got, strings.Fields(string(out)))
	}
}
