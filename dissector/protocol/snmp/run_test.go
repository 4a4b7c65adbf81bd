package snmp_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/snmp"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, snmp.Protocol) }

// calls collects a line for every entry.
type calls struct {
	line func(e *dissector.Entry) string
	out  []string
}

func (c *calls) Entry(e *dissector.Entry) error {
	if e.Protocol == snmp.Protocol {
		c.out = append(c.out, c.line(e))
	}
	return nil
}

func dissect(t testing.TB, file string, line func(e *dissector.Entry) string) []string {
	c := calls{line: line}
	dissectortest.Dissect(t, dissectortest.Open(t, file), &c, snmp.Protocol)
	return c.out
}

// told is "operation status", with - for what was not seen, and the variables.
func told(e *dissector.Entry) string {
	operation, status, said := "-", "-", e.Request
	if e.Request != nil {
		operation = string(dissector.Operation.Get(&e.Request.Values))
	}
	if e.Response != nil {
		status, said = string(dissector.Status.Get(&e.Response.Values)), e.Response
	}
	line := operation + " " + status
	if status != "noError" && !e.OneWay {
		return line
	}
	var values []string
	for v := range snmp.Values.Each(&said.Values) {
		values = append(values, " "+string(v))
	}
	return line + strings.Join(values, ";")
}

// TestTruth compares every call with what its client was
// told, and every trap with what the manager was.
func TestTruth(t *testing.T) {
	dissectortest.Told(t, "snmp", func(t *testing.T, capture string, want []string) {
		dissectortest.SameLines(t, dissect(t, capture, told), want)
	})
}

// TestAgainstTshark compares ids, kinds and errors of all messages with tshark's.
func TestAgainstTshark(t *testing.T) {
	dir := dissectortest.PublicWithTshark(t)
	files := []string{filepath.Join(dir, "zeek/snmpv1_get.pcap"), filepath.Join(dir, "zeek/snmpv1_set.pcap"), filepath.Join(dir, "ndpi/snmp.pcap")}
	own, err := filepath.Glob("../../../testdata/snmp/*.pcap")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, own...) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var got []string
			for _, line := range dissect(t, file, messages) {
				got = append(got, strings.Fields(line)...)
			}
			dissectortest.SameLines(t, got, tsharkMessages(t, file))
		})
	}
}

// messages lists the messages of an entry: frame, request id and errors.
func messages(e *dissector.Entry) string {
	var out []string
	for _, m := range []*dissector.Message{e.Request, e.Response} {
		if m == nil || !m.Has(snmp.Version) {
			continue
		}
		id, code := "", ""
		if m.Has(snmp.RequestID) {
			id = fmt.Sprint(snmp.RequestID.Get(&m.Values))
		}
		if m.Has(dissector.StatusCode) {
			code = fmt.Sprint(dissector.StatusCode.Get(&m.Values))
		}
		out = append(out, fmt.Sprintf("%d/%s/%s", m.Last, id, code))
	}
	return strings.Join(out, " ")
}

func tsharkMessages(t *testing.T, file string) (out []string) {
	b, err := exec.Command("tshark", "-r", file, "-Y", "snmp", "-T", "fields", "-e", "frame.number", "-e", "snmp.request_id", "-e", "snmp.error_status",
		"-e", "snmp.data", "-e", "udp.srcport", "-e", "udp.dstport", "-e", "snmp.msgID").Output()
	if err != nil {
		t.Fatal(err)
	}
	var asked []string // what was sent again before it was answered is one call
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		code := ""
		if f[3] == "2" {
			code = f[2]
		}
		if key := strings.Join(f[3:], " ") + f[1]; f[1] != "" && f[3] != "2" && f[3] != "7" {
			if slices.Contains(asked, key) {
				continue
			}
			asked = append(asked, key)
		}
		out = append(out, f[0]+"/"+f[1]+"/"+code)
	}
	return out
}
