package snmp_test

import (
	"cmp"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

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
	if values := listed(said); len(values) > 0 {
		line += " " + strings.Join(values, "; ")
	}
	return line
}

// dumped is a call as said.py of the recordings writes it.
func dumped(e *dissector.Entry) string {
	operation, status, level := "-", "-", "-"
	var asked, answered, times, count any = "-", "-", "-", "-"
	var values []string
	if m := e.Request; m != nil {
		operation = string(dissector.Operation.Get(&m.Values))
		level = cmp.Or(string(snmp.SecurityLevel.Get(&m.Values)), level)
		asked, times = m.Size, 1
		if e.OneWay {
			count, values = snmp.Variables.Get(&m.Values), listed(m)
		}
	}
	if m := e.Response; m != nil {
		status = string(dissector.Status.Get(&m.Values))
		answered, count, values = m.Size, snmp.ResponseVariables.Get(&m.Values), listed(m)
		if e.Request != nil {
			times = 1 + snmp.Retransmissions.Get(&m.Values)
		}
	}
	line := fmt.Sprint(asked, " ", answered, " ", times, " ", level, " ", operation)
	if operation == encrypted {
		return line
	}
	line += fmt.Sprint(" ", status, " ", count)
	if len(values) > 0 {
		line += " " + strings.Join(values, "; ")
	}
	return line
}

// listed are the variables that an entry shows.
func listed(m *dissector.Message) (out []string) {
	for v := range snmp.Values.Each(&m.Values) {
		out = append(out, string(v))
	}
	return out
}

// encrypted is the operation of what is hidden.
const encrypted = "encryptedPDU"

// What an entry shows of the variables of a message, and of the value of one.
const maxListed, maxValue = 8, 64

// visible leaves of what a client dumped what there is to see: nothing of what it
// encrypted, and the first variables.
func visible(line string) string {
	f := strings.SplitN(line, " ", 8)
	if f[3] == "authPriv" {
		return strings.Join(append(f[:4:4], encrypted), " ")
	}
	if len(f) == 8 {
		values := strings.Split(f[7], "; ")
		values = values[:min(len(values), maxListed)]
		for i, v := range values {
			name, value, _ := strings.Cut(v, " = ")
			values[i] = name + " = " + value[:min(len(value), maxValue)]
		}
		f[7] = strings.Join(values, "; ")
	}
	return strings.Join(f, " ")
}

// TestTruth compares every call with what its client was
// told, and every trap with what the manager was.
func TestTruth(t *testing.T) {
	dissectortest.Told(t, "snmp", func(t *testing.T, capture string, want []string) {
		line := told
		if unicode.IsDigit(rune(want[0][0])) {
			line = dumped
			for i := range want {
				want[i] = visible(want[i])
			}
		}
		dissectortest.SameLines(t, dissect(t, capture, line), want)
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
