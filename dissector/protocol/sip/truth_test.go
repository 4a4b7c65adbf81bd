package sip_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/sip"
)

// told collects the calls as the recorded clients write them. A request and a response
// that are one-way make a call by what they say.
type told struct {
	lines  []string
	oneWay map[string]string
}

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != sip.Protocol || e.Request == nil {
		return nil
	}
	v := &e.Request.Values
	line := fmt.Sprint(string(dissector.Operation.Get(v)), " ", sip.CSeq.Get(v))
	key := line + string(sip.CallID.Get(v))
	switch {
	case sip.Retransmission.Get(v):
		line += " again"
	case e.OneWay && v.Has(dissector.Status):
		line = c.oneWay[key] + " " + string(dissector.Status.Get(v))
	case e.OneWay && !strings.HasPrefix(line, "ACK"):
		if c.oneWay == nil {
			c.oneWay = make(map[string]string)
		}
		c.oneWay[key] = line
		return nil
	case e.Response != nil:
		line += " " + string(dissector.Status.Get(&e.Response.Values))
		if e.Interim > 0 {
			line += fmt.Sprint(" ", e.Interim)
		}
	}
	c.lines = append(c.lines, line)
	return nil
}

// TestAgainstClients compares every call with what the client that made it was told.
func TestAgainstClients(t *testing.T) {
	dissectortest.Told(t, "sip", func(t *testing.T, capture string, want []string) {
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, sip.Protocol)
		dissectortest.SameLines(t, got.lines, want)
	})
}

// messages collects what each message is, but for interim responses, which have no entry
// of their own.
type messages []string

func (c *messages) Entry(e *dissector.Entry) error {
	if e.Protocol != sip.Protocol {
		return nil
	}
	for _, m := range []*dissector.Message{e.Request, e.Response} {
		if m == nil {
			continue
		}
		v := &m.Values
		if v.Has(dissector.Status) {
			*c = append(*c, string(dissector.Status.Get(v)))
		} else {
			*c = append(*c, fmt.Sprint(string(dissector.Operation.Get(v)), " ", sip.CSeq.Get(v), " ", string(sip.CallID.Get(v))))
		}
	}
	return nil
}

// TestAgainstTshark compares all messages in public captures.
func TestAgainstTshark(t *testing.T) {
	dir := dissectortest.PublicWithTshark(t)
	for _, name := range []string{"open5gs/nonipsec_reg.pcapng", "packetbeat/pss.pcap"} {
		file := filepath.Join(dir, name)
		out, err := exec.Command("tshark", "-r", file, "-Y", "sip", "-T", "fields", "-e", "sip.Status-Code", "-e", "sip.Method", "-e", "sip.CSeq.seq", "-e", "sip.Call-ID").Output()
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for line := range strings.Lines(string(out)) {
			f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			switch {
			case f[0] == "":
				want = append(want, strings.Join(f[1:], " "))
			case f[0] >= "200":
				want = append(want, f[0])
			}
		}
		var got messages
		dissectortest.Dissect(t, dissectortest.Open(t, file), &got, sip.Protocol)
		dissectortest.SameLines(t, got, want)
	}
}
