package workbench

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"testing"

	"shark/packet"
	"shark/packet/keylog"
	"shark/packet/pcapng"
)

// withoutSome copies a capture of TLS without the secrets of every other session. It returns how
// many sessions are left.
func withoutSome(t *testing.T, from string) (to string, left int) {
	t.Helper()
	r := must(pcapng.Open(from))(t)
	defer r.Close()
	var list []packet.Record
	var b packet.Batch
	for {
		err := r.ReadBatch(&b)
		for _, x := range b.Records {
			x.Data = bytes.Clone(x.Data)
			list = append(list, x)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	seen := make(map[[keylog.RandomSize]byte]bool)
	var kept []byte
	for _, s := range r.Secrets() {
		keylog.Parse(s.Data, func(x keylog.Secret) {
			keep, known := seen[x.Random]
			if !known {
				keep = len(seen)%2 == 0
				seen[x.Random] = keep
			}
			if keep {
				x.Library = "gnutls"
				kept = x.Append(kept)
			}
		})
	}
	for _, keep := range seen {
		if keep {
			left++
		}
	}
	return write(t, "some.pcapng", pcapng.Options{}, r.Interfaces(), list, func(w *pcapng.Writer) error {
		return w.WriteSecrets(pcapng.Secret{Type: pcapng.SecretTLS, Data: kept})
	}), left
}

// TestLedger: what a ledger counts is what is known of the sessions in a capture, of which some
// have no secrets; it agrees with the coverage, and with the rows of both ends.
func TestLedger(t *testing.T) {
	w := newBench(t)
	some, left := withoutSome(t, clearCapture)
	for _, c := range []struct {
		path                string
		connections, opened int64
		library, reason     string
	}{
		{clearCapture, 6, 6, UnknownLibrary, ""},
		{some, 6, int64(left), "gnutls", "no secrets"},
		{"../testdata/tlsx/tls12.pcap", 6, 0, UnknownLibrary, "no secrets"},
		{"../testdata/tlsx/refused.pcap", 3, 0, UnknownLibrary, "handshake failed"}, // one of them an alert to what was not TLS
		{"../cmd/shark/testdata/https.pcapng.zst", 16, 16, "openssl", ""},
		{"../testdata/http/server.pcap", 0, 0, UnknownLibrary, ""},
	} {
		t.Run(filepath.Base(c.path), func(t *testing.T) {
			l := must(open(t, w, c.path).Ledger(t.Context(), Query{}))(t)
			if l.Total.Connections != c.connections || l.Total.Readable != c.opened || l.Total.Decrypted != c.opened {
				t.Errorf("%+v of %d connections, %d of them opened", l.Total, c.connections, c.opened)
			}
			if n := l.Total.Reasons[c.reason]; c.reason != "" && n != c.connections-c.opened {
				t.Errorf("%d are for want of %s: %+v", n, c.reason, l.Total)
			}
			var covered, ends, opened int64
			for _, n := range l.Coverage.TLS {
				covered += n
			}
			for _, k := range l.Keepers {
				ends += k.Connections
				if k.Library == c.library {
					opened += k.Readable
				}
			}
			if covered != c.connections {
				t.Errorf("the coverage has %v", l.Coverage.TLS)
			}
			if ends < c.connections || ends > 2*c.connections || opened < c.opened {
				t.Errorf("the rows are of %d ends, of which %s opened %d: %+v", ends, c.library, opened, l.Keepers)
			}
		})
	}
	for expr, hinted := range map[string]bool{"": false, "http": true, `"HTTP" in conn_l7_detected`: false} {
		l := must(open(t, w, "../cmd/shark/testdata/https.pcapng.zst").Ledger(t.Context(), Query{KFL: expr}))(t)
		if got := slices.Contains(l.Coverage.Notes, notOfConnections); got != hinted || hinted != (l.Total.Connections == 0) {
			t.Errorf("%q chooses %d connections and says %q", expr, l.Total.Connections, l.Coverage.Notes)
		}
	}
	if _, err := open(t, w, clearCapture).Ledger(t.Context(), Query{KFL: "htpp"}); !errors.Is(err, ErrUsage) {
		t.Errorf("a wrong expression: %v", err)
	}
}
