package workbench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/packet"
	"shark/packet/pcapng"
)

const clearCapture = "../testdata/tlsx/clear_of_resumed.pcapng"

// rewrite copies a capture, with its secrets before the packets, behind them, or only in a key
// log, whose content it returns.
func rewriteSecrets(t *testing.T, to, where string) (keyLog []byte) {
	t.Helper()
	r, err := pcapng.Open(clearCapture)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	w, err := pcapng.NewWriter(out, pcapng.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b packet.Batch
	for {
		err := r.ReadBatch(&b)
		if where == "before" && keyLog == nil {
			keyLog = writeSecrets(t, w, r.Secrets())
		}
		for i := range b.Records {
			if err := w.Write(&b.Records[i], r.Interfaces()); err != nil {
				t.Fatal(err)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if where == "behind" {
		keyLog = writeSecrets(t, w, r.Secrets())
	}
	for _, s := range r.Secrets() {
		keyLog = append(keyLog, s.Data...)
	}
	if err := errors.Join(w.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
	return keyLog
}

func writeSecrets(t *testing.T, w *pcapng.Writer, list []pcapng.Secret) []byte {
	t.Helper()
	for _, s := range list {
		if err := w.WriteSecrets(s); err != nil {
			t.Fatal(err)
		}
	}
	return []byte{}
}

// TestSecrets dissects a capture whose secrets stand in front, behind their packets, or in a
// file of their own: the calls are the same, and can be shown.
func TestSecrets(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	var want []string
	for _, where := range []string{"before", "behind", "by hand"} {
		t.Run(where, func(t *testing.T) {
			path := filepath.Join(dir, where+".pcapng")
			log, key := rewriteSecrets(t, path, where), ""
			if where == "by hand" {
				if got := secretCalls(t, cache, "", path); len(got) > 0 {
					t.Fatalf("without secrets: %q", got)
				}
				key = filepath.Join(dir, "keys.log")
				if err := os.WriteFile(key, log, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got := secretCalls(t, cache, key, path)
			if want == nil {
				want = got
			}
			if len(got) != 6 || !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// secretCalls returns the calls that were read in TLS, each with the body that is shown of it.
func secretCalls(t *testing.T, cache, keyLog, path string) (out []string) {
	t.Helper()
	e := open(t, newBench(t, func(c *Config) { c.Cache, c.KeyLog = cache, keyLog }), path)
	calls := ids(t, e, "tls && http")
	for _, id := range calls {
		d := must(e.Show(t.Context(), id, 0))(t)
		out = append(out, fmt.Sprintf("%d %.20q %q", id, d.Request.Head, d.Response.Body))
	}
	if len(calls) > 0 {
		var text []byte
		_, err := e.Follow(t.Context(), calls[0], func(Followed) error { return nil }, func(c Chunk) error {
			text = append(text, c.Data...)
			return nil
		})
		if err != nil || !bytes.HasPrefix(text, []byte("GET /small HTTP/1.1\r\n")) || !bytes.HasSuffix(text, []byte("\r\nsmall\n")) {
			t.Errorf("followed %q, %v", text, err)
		}
	}
	c := e.coverage(e.ready())
	switch none := slices.ContainsFunc(c.Notes, func(n string) bool { return strings.Contains(n, "no secrets: 6") }); {
	case len(calls) > 0 && (c.TLS["decrypted"] != 6 || len(c.TLS) != 1 || none):
		t.Errorf("coverage says %v and %q", c.TLS, c.Notes)
	case len(calls) == 0 && !none:
		t.Errorf("coverage does not say that there are no secrets: %q", c.Notes)
	}
	return out
}
