package keylog_test

import (
	"bytes"
	"strings"
	"testing"

	"shark/packet/keylog"
)

func TestParse(t *testing.T) {
	random, secret := strings.Repeat("0a", 32), strings.Repeat("Ff", 48)
	data := "# made by a client\n\nCLIENT_RANDOM " + random + " " + secret + "\r\n" +
		"CLIENT_RANDOM " + random[2:] + " " + secret + "\n" + // a random too short
		"CLIENT_RANDOM " + random + " " + secret + "0\n" + // half a byte
		"CLIENT_RANDOM " + random + " " + strings.Repeat("00", 65) + "\n" +
		"CLIENT_RANDOM " + random + "\n" +
		"EXPORTER_SECRET " + random + " 01"
	var got []keylog.Secret
	bad := keylog.Parse([]byte(data), func(s keylog.Secret) { got = append(got, s) })
	if bad != 4 || len(got) != 2 {
		t.Fatalf("%d secrets and %d bad lines, want 2 and 4", len(got), bad)
	}
	if s := got[0]; s.Label != keylog.ClientRandom || s.Random[31] != 10 || !bytes.Equal(s.Secret, bytes.Repeat([]byte{255}, 48)) {
		t.Errorf("the first is %+v", s)
	}
	if s := got[1]; s.Label != keylog.Exporter || !bytes.Equal(s.Secret, []byte{1}) {
		t.Errorf("the second is %+v", s)
	}
}

// TestLibrary: a comment says of the next line which library told it, and of no other.
func TestLibrary(t *testing.T) {
	random, secret := strings.Repeat("0a", 32), strings.Repeat("Ff", 48)
	line := "CLIENT_RANDOM " + random + " " + secret + "\n"
	data := "# library openssl\n" + line + line + "# library Open SSL\n" + line + "# library go\n\nnot a secret\n" + line + "# library gnutls\r\n# another\n" + line
	var got []string
	var again []byte
	keylog.Parse([]byte(data), func(s keylog.Secret) {
		got = append(got, s.Library)
		again = s.Append(again)
	})
	if strings.Join(got, ",") != "openssl,,,,gnutls" {
		t.Errorf("the libraries are %q", got)
	}
	if n := strings.Count(string(again), "# library "); n != 2 || !strings.HasPrefix(string(again), "# library openssl\n") {
		t.Errorf("written are %d: %s", n, again)
	}
	var table keylog.Table
	table.Add([]byte(data))
	if s := table.Find([keylog.RandomSize]byte(bytes.Repeat([]byte{10}, 32))); s == nil || s.Library != "openssl" {
		t.Errorf("the session is %+v", s)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("CLIENT_RANDOM " + strings.Repeat("0a", 32) + " " + strings.Repeat("0b", 48) + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		keylog.Parse(data, func(s keylog.Secret) {
			again := 0
			if bad := keylog.Parse(s.Append(nil), func(keylog.Secret) { again++ }); bad != 0 || again != 1 {
				t.Fatalf("what was written of %+v cannot be read", s)
			}
		})
	})
}
