package ftp_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/ftp"
	"shark/dissector/protocol/tls"
)

// told collects the calls as the recorded clients write them: command, code and the
// number of interim replies.
type told []string

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != ftp.Protocol || e.Request == nil {
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
	if e.Interim > 0 {
		line += fmt.Sprint(" ", e.Interim)
	}
	*c = append(*c, line)
	return nil
}

// TestAgainstClients compares every call with what the client that made it was told.
// Some clients do not say that they send QUIT, and do not wait for its reply.
func TestAgainstClients(t *testing.T) {
	dissectortest.Told(t, "ftp", func(t *testing.T, capture string, want []string) {
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, ftp.Protocol, tls.Protocol)
		isQuit := func(s string) bool { return strings.HasPrefix(s, "QUIT") }
		dissectortest.SameLines(t, slices.DeleteFunc(got, isQuit), slices.DeleteFunc(want, isQuit))
	})
}

// TestAgainstTshark compares the commands and codes of public captures.
func TestAgainstTshark(t *testing.T) {
	dir := dissectortest.PublicWithTshark(t)
	for _, name := range []string{"ndpi/ftp.pcap", "malformed/suricata-verify/bug-8489-02__bug-8489-02.pcap"} {
		file := filepath.Join(dir, name)
		out, err := exec.Command("tshark", "-r", file, "-Y", "ftp.request.command || ftp.response.code", "-T", "fields", "-e", "ftp.request.command", "-e", "ftp.response.code").Output()
		if err != nil {
			t.Fatal(err)
		}
		var got words
		dissectortest.Dissect(t, dissectortest.Open(t, file), &got, ftp.Protocol, tls.Protocol)
		var want []string
		for _, word := range strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' || r == '\t' || r == ',' }) {
			if !strings.HasPrefix(word, "1") { // interim replies have no entry of their own
				want = append(want, word)
			}
		}
		dissectortest.SameLines(t, got, want)
	}
}

// words collects the commands and the codes of all entries.
type words []string

func (c *words) Entry(e *dissector.Entry) error {
	if e.Protocol != ftp.Protocol {
		return nil
	}
	for _, m := range []*dissector.Message{e.Request, e.Response} {
		if m == nil {
			continue
		}
		if m.Has(dissector.Status) {
			*c = append(*c, string(dissector.Status.Get(&m.Values)))
		} else {
			*c = append(*c, string(dissector.Operation.Get(&m.Values)))
		}
	}
	return nil
}
