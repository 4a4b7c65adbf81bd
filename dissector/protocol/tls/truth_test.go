package tls_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/protocol/tls"
)

// The columns of what the recorded clients write of a handshake.
const (
	colName = iota
	colVersion
	colSuite
	colGroup
	colALPN
	colResumed
	colAsked
	colChain
	colDigest
	colAlert
	columns
)

// told collects the handshakes as the recorded clients write them.
type told []string

func (c *told) Entry(e *dissector.Entry) error {
	if e.Protocol != tls.Protocol || e.Request == nil {
		return nil
	}
	row := slices.Repeat([]string{"-"}, columns)
	row[colName] = strings.Join(list(e.Request, "tlsx_sni"), "")
	if m := e.Response; m != nil {
		if len(list(m, "tlsx_hello_retry")) > 0 {
			*c = append(*c, row[colName]+"\tanother hello")
			return nil
		}
		for col, name := range map[int]string{
			colVersion: "tlsx_version_name", colSuite: "tlsx_cipher", colGroup: "tlsx_group", colALPN: "tlsx_alpn",
			colDigest: "tlsx_cert_sha256", colAlert: "tlsx_alert",
		} {
			if v := list(m, name); len(v) > 0 {
				row[col] = v[0]
			}
		}
		for col, name := range map[int]string{colResumed: "tlsx_resumed", colAsked: "tlsx_client_auth"} {
			if len(list(m, name)) > 0 {
				row[col] = []string{colResumed: "resumed", colAsked: "asked"}[col]
			}
		}
		for i := range m.Len() {
			if f, v := m.At(i); f.Name == "tlsx_cert_chain" {
				row[colChain] = fmt.Sprint(v.Int)
			}
		}
	}
	*c = append(*c, strings.Join(row, "\t"))
	return nil
}

// visible takes away what is encrypted: in TLS 1.3 all behind the hellos, and in each
// version an alert behind them, which is not looked for.
func visible(line string) string {
	row := strings.Split(line, "\t")
	if len(row) < columns {
		return line
	}
	if row[colVersion] == "TLS 1.3" {
		row[colALPN], row[colAsked], row[colChain], row[colDigest] = "-", "-", "-", "-"
	}
	if row[colVersion] != "-" {
		row[colAlert] = "-"
	}
	return strings.Join(row, "\t")
}

// TestAgainstClients compares every handshake with what the client that made it was told.
func TestAgainstClients(t *testing.T) {
	dissectortest.Told(t, "tlsx", func(t *testing.T, capture string, want []string) {
		var got told
		dissectortest.Dissect(t, dissectortest.Open(t, capture), &got, tls.Protocol)
		for i := range want {
			want[i] = visible(want[i])
		}
		dissectortest.SameLines(t, got, want)
	})
}
