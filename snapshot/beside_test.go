package snapshot

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/packet/pcapng/every"
	"shark/recorder/ring"
	"shark/snapshot/bucket"
)

// everyFile writes a capture that has every block and option.
func everyFile(t testing.TB, big bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "every.pcapng")
	if err := os.WriteFile(path, every.File(big), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// unpacked returns all of a node's packets, as other programs read them.
func unpacked(t *testing.T, store *Store, id, node string) []byte {
	t.Helper()
	data, err := os.ReadFile(fetched(t, store, id+"/nodes/"+node+"/packets.pcapng.zst"))
	if err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	raw, err := z.DecodeAll(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestEverythingIsKept: every block and option of a capture is in its snapshot, or a note says
// that it is not.
func TestEverythingIsKept(t *testing.T) {
	want, err := every.Lines(every.File(false))
	if err != nil {
		t.Fatal(err)
	}
	for _, big := range []bool{false, true} {
		store := openStore(t)
		m := mustImport(t, store, ImportOptions{Files: []string{"n=" + everyFile(t, big)}})
		raw := unpacked(t, store, m.ID, "n")
		secrets, err := os.ReadFile(fetched(t, store, m.ID+"/nodes/n/secrets.pcapng"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := every.Lines(slices.Concat(raw, secrets))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range want {
			if every.IsPrivate(line) || big && every.IsUnknown(line) {
				if slices.Contains(got, line) {
					t.Errorf("big-endian %v: there is %s", big, line)
				}
			} else if line = every.Becomes(line); !slices.Contains(got, line) {
				t.Errorf("big-endian %v: there is no %s", big, line)
			}
		}
		var notes []string
		for _, n := range m.Coverage {
			if n.Kind == NoteBeside {
				word, _, _ := strings.Cut(n.Text, " left out")
				notes = append(notes, word)
			}
		}
		said := []string{"17 custom blocks and options"}
		if big {
			said = append(said, "4 blocks and options of unknown types in big-endian sections")
		}
		if !slices.Equal(notes, said) {
			t.Errorf("big-endian %v: the notes say %q, want %q", big, notes, said)
		}
		if t.Failed() {
			t.Fatalf("there is\n%s", strings.Join(got, "\n"))
		}
		quiet(t, raw)
		if _, err := store.Verify(t.Context(), m.ID, nil); err != nil {
			t.Error(err)
		}
		rebuilt(t, store, m.ID)
	}
}

// quiet has tshark read a capture, without a warning.
func quiet(t testing.TB, raw []byte) {
	t.Helper()
	var warn bytes.Buffer
	c := exec.Command("tshark", "-n", "-r", "-")
	c.Stdin, c.Stderr = bytes.NewReader(raw), &warn
	if list, err := c.Output(); err != nil || len(every.Warnings(warn.String())) > 0 {
		t.Errorf("tshark: %v, %s\n%s", err, warn.String(), list)
	}
}

// rebuilt loses the index of a node's blocks, and has it made anew.
func rebuilt(t *testing.T, store *Store, id string) {
	t.Helper()
	if err := store.files.Remove(t.Context(), id+"/nodes/n/packets.blocks"); err != nil {
		t.Fatal(err)
	}
	done, err := repair(t, store, id)
	for tries := 0; bucket.Temporary(err) && tries < 20; tries++ { // what writes objects is not done again by itself
		done, err = repair(t, store, id)
	}
	if err != nil || len(done.Repaired) != 1 {
		t.Errorf("repaired %+v, %v", done, err)
	}
}

// ringRecording is a ring as a Recording.
type ringRecording struct{ *ring.Ring }

func (r ringRecording) Pin(from, to time.Time) (Pinned, error) { return r.Ring.Pin(from, to) }

// TestRingsKeepOptions: what a ring says of an interface comes into the snapshot.
func TestRingsKeepOptions(t *testing.T) {
	r, err := pcapng.NewReader(bytes.NewReader(every.File(false)), "every")
	if err != nil {
		t.Fatal(err)
	}
	var b packet.Batch
	if err := r.ReadBatch(&b); err != nil {
		t.Fatal(err)
	}
	desc := r.Interfaces()[0]
	desc.Received, desc.Dropped = nil, nil
	if desc.Options == "" {
		t.Fatal("the interface has no options")
	}
	dir := t.TempDir()
	w, err := ring.Create(dir, ring.Options{Node: "n", Bytes: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	w.Write(b.Records[:1], []packet.Interface{desc})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	recording, err := ring.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	store := openStore(t)
	first := time.Unix(every.Start, 0)
	o := CreateOptions{Recordings: []Recording{ringRecording{recording}}, From: first.Add(-time.Hour), To: first.Add(time.Hour)}
	m, err := store.Create(t.Context(), o, nil)
	for tries := 0; bucket.Temporary(err) && tries < 20; tries++ { // what writes objects is not done again by itself
		m, err = store.Create(t.Context(), o, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	raw := unpacked(t, store, m.ID, "n")
	for _, o := range []string{"a card", "Europe/Berlin", "first comment on interface"} {
		if !bytes.Contains(raw, []byte(o)) {
			t.Errorf("there is no %q", o)
		}
	}
	quiet(t, raw)
}
