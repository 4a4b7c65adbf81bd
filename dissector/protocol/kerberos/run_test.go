package kerberos_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/kerberos"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, kerberos.Protocol) }

// calls collects what the clients' library says of a call: transport, sizes and error.
type calls []string

func (c *calls) Entry(e *dissector.Entry) error {
	if e.Protocol != kerberos.Protocol {
		return nil
	}
	if e.Request == nil || e.Response == nil || e.Marks != 0 {
		*c = append(*c, fmt.Sprintf("marked %b", e.Marks))
		return nil
	}
	*c = append(*c, fmt.Sprintf("%s %d %d %d", strings.ToUpper(e.Flow.Proto.String()), e.Request.Size, e.Response.Size, dissector.StatusCode.Get(&e.Response.Values)))
	return nil
}

// TestTruth compares every call with what the client said it did.
func TestTruth(t *testing.T) {
	dissectortest.Told(t, "kerberos", func(t *testing.T, capture string, want []string) {
		var got calls
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, kerberos.Protocol)
		dissectortest.SameLines(t, got, want)
	})
}

// messages collects "type realm names error" of each message.
type messages []string

func (c *messages) Entry(e *dissector.Entry) error {
	if e.Protocol != kerberos.Protocol {
		return nil
	}
	if e.Request != nil {
		v := &e.Request.Values
		*c = append(*c, fmt.Sprintf("%s %s %d", dissector.Operation.Get(v), kerberos.Realm.Get(v), len(slices.Collect(kerberos.Etypes.Each(v)))))
	}
	if e.Response != nil {
		v := &e.Response.Values
		status := string(dissector.Status.Get(v))
		if v.Has(kerberos.ErrorCode) {
			status = fmt.Sprint("error ", kerberos.ErrorCode.Get(v))
		}
		*c = append(*c, status)
	}
	return nil
}

// types are the messages by tshark's number.
var types = map[string]string{"10": "AS-REQ", "11": "AS-REP", "12": "TGS-REQ", "13": "TGS-REP"}

// TestAgainstTshark compares all messages with those that tshark finds.
func TestAgainstTshark(t *testing.T) {
	dir := dissectortest.PublicWithTshark(t)
	for _, file := range []string{"ndpi/kerberos.pcap"} {
		t.Run(file, func(t *testing.T) {
			path := filepath.Join(dir, file)
			var got, want messages
			dissectortest.Dissect(t, dissectortest.Open(t, path), &got, kerberos.Protocol)
			want.read(t, path)
			dissectortest.SameLines(t, got, want)
		})
	}
}

// read asks tshark. Tickets in requests have a realm and one more encryption type each.
func (c *messages) read(t *testing.T, path string) {
	out, err := exec.Command("tshark", "-r", path, "-Y", "kerberos && tcp.port == 88 || kerberos && udp.port == 88", "-T", "fields", "-E", "occurrence=a",
		"-e", "kerberos.msg_type", "-e", "kerberos.realm", "-e", "kerberos.ENCTYPE", "-e", "kerberos.error_code").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		kind, _, _ := strings.Cut(f[0], ",")
		switch {
		case kind == "30":
			*c = append(*c, "error "+f[3])
		case kind == "10" || kind == "12":
			realms, n := strings.Split(f[1], ","), 0
			if f[2] != "" {
				n = strings.Count(f[2], ",") + 1
			}
			*c = append(*c, fmt.Sprintf("%s %s %d", types[kind], realms[len(realms)-1], n))
		default:
			*c = append(*c, types[kind])
		}
	}
}
