package syslog_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/field"
	"shark/dissector/protocol/syslog"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, syslog.Protocol) }

// messages collects a line for every message.
type messages struct {
	line func(v *field.Values) string
	out  []string
}

func (c *messages) Entry(e *dissector.Entry) error {
	if e.Protocol == syslog.Protocol {
		c.out = append(c.out, c.line(&e.Request.Values))
	}
	return nil
}

func dissect(t testing.TB, file string, line func(v *field.Values) string) []string {
	c := messages{line: line}
	dissectortest.Dissect(t, dissectortest.Open(t, file), &c, syslog.Protocol)
	return c.out
}

// told writes a message as the server that the captures were recorded with does, with
// the beginning of its text.
func told(v *field.Values) string {
	line := string(dissector.Operation.Get(v))
	for _, f := range []field.TextField{syslog.Hostname, syslog.AppName, syslog.ProcID, syslog.MsgID} {
		s := string(f.Get(v))
		if s == "" {
			s = "-"
		}
		line += "|" + s
	}
	return line + "|" + beginning(string(syslog.Text.Get(v)))
}

func beginning(text string) string {
	text = strings.TrimSpace(text)
	return text[:min(len(text), 1000)]
}

// TestTruth compares every message with what the server understood.
func TestTruth(t *testing.T) {
	dissectortest.Told(t, "syslog", func(t *testing.T, capture string, lines []string) {
		var want []string
		for _, line := range lines {
			part := strings.SplitN(line, "|", 6)
			var text string
			if err := json.Unmarshal([]byte(`"`+part[5]+`"`), &text); err != nil {
				t.Fatal(err)
			}
			part[5] = beginning(text)
			want = append(want, strings.Join(part, "|"))
		}
		dissectortest.SameLines(t, dissect(t, capture, told), want)
	})
}

// TestAgainstTshark compares priorities with tshark's.
func TestAgainstTshark(t *testing.T) {
	dir := dissectortest.PublicWithTshark(t)
	for _, file := range []string{"zeek/syslog-single-udp.trace", "arkime/ospf.pcap", "zeek/syslog-missing-pri.trace", "zeek/fake-syslog-with-padding.pcap"} {
		t.Run(file, func(t *testing.T) {
			path := filepath.Join(dir, file)
			b, err := exec.Command("tshark", "-r", path, "-Y", "syslog.level", "-T", "fields", "-e", "syslog.level").Output()
			if err != nil {
				t.Fatal(err)
			}
			got := dissect(t, path, func(v *field.Values) string { return fmt.Sprint(syslog.SeverityCode.Get(v)) })
			dissectortest.SameLines(t, got, strings.Fields(string(b)))
		})
	}
}
