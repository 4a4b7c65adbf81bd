package workbench

import (
	"bytes"
	"crypto/rand"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shark/packet/pcapng"
	"shark/snapshot"
)

// TestEveryStoreGivesTheSame: a snapshot in a folder and its copies in S3, GCS and Azure make
// the same index database, to the byte, with one worker and with eight, and export the same
// packets.
func TestEveryStoreGivesTheSame(t *testing.T) {
	local := newBench(t)
	m := importSnapshot(t, local, snapshot.ImportOptions{Name: "outage", Identity: "../testdata/shop/identity.jsonl", Files: []string{
		"a=../testdata/shop/shop.pcapng.zst", "b=../testdata/http/server.pcap", "a=" + large(t, pcapng.Pcapng, 0),
	}})
	index, packets := answers(t, local.cfg.Store, m.ID, 1)
	alike := func(t *testing.T, store string) {
		for _, workers := range []int{1, 8} {
			if i, p := answers(t, store, m.ID, workers); !bytes.Equal(i, index) || !bytes.Equal(p, packets) {
				t.Errorf("%d workers: the same index: %t, the same packets: %t", workers, bytes.Equal(i, index), bytes.Equal(p, packets))
			}
		}
	}
	t.Run("folder", func(t *testing.T) { alike(t, local.cfg.Store) })
	for name, variable := range map[string]string{"S3": "SHARK_S3_URL", "GCS": "SHARK_GCS_URL", "Azure": "SHARK_AZURE_URL"} {
		t.Run(name, func(t *testing.T) {
			location := os.Getenv(variable)
			if location == "" {
				t.Skipf("set %s to a bucket that may be written, with credentials in the usual variables", variable)
			}
			u := must(url.Parse(location))(t)
			u.Path += "/workbench/" + strings.ToLower(rand.Text())
			away := newBench(t, func(c *Config) { c.Store = u.String() })
			_, _, err := local.CopySnapshot(t.Context(), SnapshotCopy{Ref: m.ID, To: u.String()})
			if err != nil {
				t.Fatal(err)
			}
			alike(t, u.String())
			if err := away.DeleteSnapshot(t.Context(), m.ID); err != nil {
				t.Error(err)
			}
		})
	}
}

// answers dissects a snapshot in a store that was never asked before, and exports packets.
func answers(t *testing.T, store, id string, workers int) (index, packets []byte) {
	t.Helper()
	w := newBench(t, func(c *Config) { c.Store, c.Workers = store, workers })
	e := open(t, w, id)
	path := filepath.Join(t.TempDir(), "x.db")
	must(e.Dissect(t.Context(), DissectOptions{Output: path}))(t)
	out, _ := export(t, e, Export{BPF: "tcp port 80"})
	return must(os.ReadFile(path))(t), must(os.ReadFile(out))(t)
}
