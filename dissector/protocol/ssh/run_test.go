package ssh_test

import (
	"cmp"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/ssh"
)

func TestProtocol(t *testing.T) { dissectortest.Run(t, ssh.Protocol) }

// said collects what the client says of a connection: both identification strings and
// what was agreed on, or not; of a scan the keys only.
type said struct {
	scan  bool
	lines []string
}

func (c *said) Entry(e *dissector.Entry) error {
	if e.Protocol != ssh.Protocol {
		return nil
	}
	if e.Request == nil || e.Response == nil {
		c.lines = append(c.lines, "half of a connection")
		return nil
	}
	v, w := &e.Request.Values, &e.Response.Values
	fingerprint := string(ssh.Fingerprint.Get(w))
	if c.scan {
		c.lines = append(c.lines, fingerprint)
		return nil
	}
	line := id(ssh.ClientID.Get(v)) + " | " + id(ssh.ServerID.Get(w)) + " | "
	status := string(dissector.Status.Get(w)) + string(dissector.Status.Get(v))
	if what, ok := strings.CutSuffix(status, " in common"); ok {
		c.lines = append(c.lines, line+what)
		return nil
	}
	mac := func(b []byte) string {
		if string(b) == "implicit" {
			return "<implicit>"
		}
		return string(b)
	}
	c.lines = append(c.lines, line+strings.Join([]string{
		string(ssh.Kex.Get(w)), string(ssh.HostKey.Get(w)),
		string(ssh.CipherUp.Get(w)), mac(ssh.MACUp.Get(w)), string(ssh.CompressionUp.Get(w)),
		string(ssh.CipherDown.Get(w)), mac(ssh.MACDown.Get(w)), string(ssh.CompressionDown.Get(w)), fingerprint,
	}, " "))
	return nil
}

// id is what a side calls itself, - where that came before the capture.
func id(b []byte) string {
	return cmp.Or(strings.TrimPrefix(string(b), "SSH-2.0-"), "-")
}

// TestTruth compares every connection with what its client said of it.
func TestTruth(t *testing.T) {
	dissectortest.Told(t, "ssh", func(t *testing.T, capture string, want []string) {
		got := said{scan: strings.HasPrefix(want[0], "SHA256:")}
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, ssh.Protocol)
		dissectortest.SameLines(t, got.lines, want)
	})
}

// offers collects identification strings and fingerprints.
type offers []string

func (c *offers) Entry(e *dissector.Entry) error {
	if e.Protocol != ssh.Protocol {
		return nil
	}
	if e.Request != nil {
		v := &e.Request.Values
		*c = append(*c, string(ssh.ClientID.Get(v)), string(ssh.HASSH.Get(v)))
	}
	if e.Response != nil {
		v := &e.Response.Values
		*c = append(*c, string(ssh.ServerID.Get(v)), string(ssh.HASSHServer.Get(v)))
	}
	return nil
}

// TestAgainstTshark compares identification strings and fingerprints with tshark's.
func TestAgainstTshark(t *testing.T) {
	dir := dissectortest.PublicWithTshark(t)
	files := []string{filepath.Join(dir, "arkime/gre-sample.pcap"), filepath.Join(dir, "arkime/tcpdump-geneve.pcap")}
	own, err := filepath.Glob("../../../testdata/ssh/*.pcap")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, own...) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var got offers
			dissectortest.Dissect(t, dissectortest.Open(t, file), &got, ssh.Protocol)
			// Of a connection whose identification strings are not there tshark says nothing, but
			// of the whole capture it does.
			whole := strings.Replace(file, "ssh_of_middle", "ssh_of_algorithms", 1)
			out, err := exec.Command("tshark", "-r", whole, "-Y", "ssh.protocol || ssh.kex.hassh || ssh.kex.hasshserver", "-T", "fields",
				"-e", "ssh.protocol", "-e", "ssh.kex.hassh", "-e", "ssh.kex.hasshserver").Output()
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(string(out)) {
				for s := range strings.SplitSeq(strings.TrimRight(line, "\n"), "\t") {
					if s != "" {
						want = append(want, s)
					}
				}
			}
			if whole != file {
				want = want[2:] // what the first two call themselves
				got = slices.DeleteFunc(got, func(s string) bool { return s == "" })
			}
			dissectortest.SameLines(t, got, want)
		})
	}
}
