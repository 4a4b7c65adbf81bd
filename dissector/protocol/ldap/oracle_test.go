package ldap_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/ldap"
)

// messages collects "operation id" of requests and "operation id code" of results,
// and counts what searches found.
type messages struct {
	lines               []string
	entries, references int64
}

func (s *messages) Entry(e *dissector.Entry) error {
	if e.Protocol != ldap.Protocol {
		return nil
	}
	for i, m := range []*dissector.Message{e.Request, e.Response} {
		if m == nil || !m.Has(ldap.MessageID) && !m.Has(ldap.ResultCode) {
			continue
		}
		id := ldap.MessageID.Get(&m.Values)
		if m == e.Response && e.Request != nil {
			id = ldap.MessageID.Get(&e.Request.Values)
		}
		line := fmt.Sprintf("%s %d", dissector.Operation.Get(&m.Values), id)
		if m.Has(ldap.ResultCode) {
			line += fmt.Sprint(" ", ldap.ResultCode.Get(&m.Values))
		}
		if i == 0 || m.Has(ldap.ResultCode) {
			s.lines = append(s.lines, line)
		}
		s.entries += ldap.Entries.Get(&m.Values)
		s.references += ldap.References.Get(&m.Values)
	}
	return nil
}

// The numbers of the operations, as tshark gives them.
var (
	asked    = map[string]string{"0": "bind", "2": "unbind", "3": "search", "6": "modify", "8": "add", "10": "delete", "12": "modifyDN", "14": "compare", "16": "abandon", "23": "extended"}
	answered = map[string]string{"1": "bind", "5": "search", "7": "modify", "9": "add", "11": "delete", "13": "modifyDN", "15": "compare", "24": "extended"}
)

// TestAgainstTshark compares all messages with those that tshark finds.
func TestAgainstTshark(t *testing.T) {
	dir := dissectortest.PublicWithTshark(t)
	for _, c := range []struct {
		file  string
		found bool // the beginnings of all searches are there, so that what they found is counted
	}{
		{"live/ldap.pcap", true},
		{"arkime/ldap-and-search.pcap", true},
		{"arkime/ldap-simpleauth.pcap", true},
		{"ndpi/kerberos.pcap", true},
		{"pcapplusplus/ldap.pcapng", false},
		{"pcapsql/ldap-ssl.pcapng", true},
		{"suricata-verify/ldap-search__ldap.pcap", true},
		{"zeek/ctu-sme-11-win7ad-1-ldap-tcp-50041.pcap", true},
		{"zeek/issue-32.pcapng", true},
		{"malformed/suricata-verify/bug-8619__cldap-leak.pcap", true},
	} {
		t.Run(c.file, func(t *testing.T) {
			path := filepath.Join(dir, c.file)
			var got, want messages
			dissect(t, path, &got)
			want.read(t, path)
			dissectortest.SameLines(t, got.lines, want.lines)
			if c.found && (got.entries != want.entries || got.references != want.references) {
				t.Errorf("%d entries, %d references, want %d, %d", got.entries, got.references, want.entries, want.references)
			}
			t.Logf("%d messages, %d entries, %d references", len(got.lines), got.entries, got.references)
		})
	}
}

// read asks tshark. It gives a list of each field for a frame: only results have a
// code.
func (s *messages) read(t *testing.T, path string) {
	out, err := exec.Command("tshark", "-r", path, "-Y", "ldap || cldap", "-T", "fields", "-E", "occurrence=a",
		"-e", "ldap.messageID", "-e", "ldap.protocolOp", "-e", "ldap.resultCode").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) < 3 || f[0] == "" {
			continue
		}
		ids, ops, codes := strings.Split(f[0], ","), strings.Split(f[1], ","), strings.Split(f[2], ",")
		for i, op := range ops {
			switch {
			case op == "4":
				s.entries++
			case op == "19":
				s.references++
			case asked[op] != "":
				s.lines = append(s.lines, asked[op]+" "+ids[i])
			case answered[op] != "":
				s.lines = append(s.lines, answered[op]+" "+ids[i]+" "+codes[0])
				codes = codes[1:]
			}
		}
	}
}
