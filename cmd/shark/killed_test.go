package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"shark/packet"
	"shark/packet/pcapng"
	"shark/recorder/ring"
)

// killedTimes is how often TestProgramKilled kills the program in each of its works, unless the
// variable of this name says otherwise.
const (
	killedTimes    = 8
	killedVariable = "SHARK_KILLS"
)

// TestProgramKilled: the program itself, killed at any moment of what makes, copies, deletes,
// prunes and publishes, leaves every snapshot whole, with the packets that it was made of, or not
// there at all; the same command then succeeds; and prune removes all that was left.
//
// The moments are anywhere in the time that the command takes: what must hold does not depend on
// which.
func TestProgramKilled(t *testing.T) {
	times := killedTimes
	if text := os.Getenv(killedVariable); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		times = n
	}
	dir := t.TempDir()
	k := &killings{times: times, capture: filepath.Join(dir, "a.pcapng"), ring: filepath.Join(dir, "ring")}
	k.record(t)
	k.origin = filepath.Join(dir, "origin")
	k.shark(t, k.origin, "snapshot", "import", k.capture, "--name", "outage")
	for i, w := range []killedWork{
		{"create", []string{"snapshot", "create", "--ring", k.ring, "--last", "1h", "--name", "outage"}, false, -1},
		{"import", []string{"snapshot", "import", k.capture, "--name", "outage"}, false, -1},
		{"copy", []string{"--store", k.origin, "snapshot", "copy", "outage", "TARGET"}, false, 1},
		{"delete", []string{"snapshot", "delete", "outage"}, true, 0},
		{"prune", []string{"snapshot", "prune", "--keep-within", "1ns"}, true, 0},
		{"publish", []string{"dissect", "outage", "--publish"}, true, 1},
	} {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			k.kill(t, w, uint64(i))
		})
	}
}

// killedWork is what the program is killed at.
type killedWork struct {
	name string
	args []string // TARGET stands for the store
	has  bool     // the store has the snapshot before
	left int      // how many snapshots there are when it was done; -1: one more than when it was killed
}

type killings struct {
	times                 int
	capture, ring, origin string
	packets               []string // of the capture
}

// record puts all small captures of one kind together, in a capture and in a ring.
func (k *killings) record(t *testing.T) {
	files, err := filepath.Glob("../../testdata/http/*.pcap")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	in, err := pcapng.OpenFiles(files...)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	file, err := os.Create(k.capture)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w, err := pcapng.NewWriter(file, pcapng.Options{})
	if err != nil {
		t.Fatal(err)
	}
	last := time.Now().UnixNano()
	r, err := ring.Create(k.ring, ring.Options{Node: "a", Bytes: 256 << 20, Flush: time.Hour, Now: func() time.Time { return time.Unix(0, last) }})
	if err != nil {
		t.Fatal(err)
	}
	var b packet.Batch
	n := int64(0)
	for end := error(nil); end == nil; {
		end = in.ReadBatch(&b)
		for i := range b.Records { // one behind the other, and none before the hour that is kept
			n++
			b.Records[i].Time = last - int64(time.Minute) + n*1000
			if err := w.Write(&b.Records[i], in.Interfaces()); err != nil {
				t.Fatal(err)
			}
		}
		r.Write(b.Records, in.Interfaces())
		if end != nil && !errors.Is(end, io.EOF) {
			t.Fatal(end)
		}
	}
	if err := errors.Join(w.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	k.packets = k.read(t, k.capture)
}

// read returns the packets of a capture, sorted.
func (k *killings) read(t *testing.T, path string) (list []string) {
	t.Helper()
	in, err := pcapng.OpenFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var b packet.Batch
	for {
		err := in.ReadBatch(&b)
		for i := range b.Records {
			list = append(list, fmt.Sprintf("%d %d %x", b.Records[i].Time, b.Records[i].OrigLen, b.Records[i].Data))
		}
		if errors.Is(err, io.EOF) {
			slices.Sort(list)
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// command is the program, asked of a store.
func (k *killings) command(t *testing.T, store string, args ...string) *exec.Cmd {
	args = slices.Clone(args)
	if i := slices.Index(args, "TARGET"); i >= 0 {
		args[i] = store
	}
	cmd := exec.CommandContext(t.Context(), "shark", append([]string{"--quiet"}, args...)...)
	cmd.Env = append(os.Environ(), "SHARK_STORE="+store, "SHARK_CACHE="+store+".cache", raceOptions)
	return cmd
}

// shark has the program do something, which must succeed or say that something is missing.
func (k *killings) shark(t *testing.T, store string, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := k.command(t, store, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 3) {
		t.Errorf("shark %s: %v: %s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return out
}

// kill kills a work until it has died so often.
func (k *killings) kill(t *testing.T, w killedWork, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 5))
	took := 50 * time.Millisecond // about; known once it has ended by itself
	died := 0
	for tries := 0; died < k.times; tries++ {
		if tries > 20*k.times {
			t.Fatalf("of %d tries only %d died", tries, died)
		}
		store := filepath.Join(t.TempDir(), "store")
		if w.has {
			k.shark(t, k.origin, "snapshot", "copy", "outage", store)
		}
		cmd := k.command(t, store, w.args...)
		began := time.Now()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(random.Int64N(int64(took))), func() { _ = cmd.Process.Kill() }) // it may have ended
		err := cmd.Wait()
		timer.Stop()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() < 0 {
			died++
		} else {
			took = time.Since(began)
		}
		k.check(t, w, store)
		if t.Failed() {
			t.Fatalf("killed after %d of %s", died, took)
		}
	}
}

// check looks at what is left, has the work done again and prunes what was left.
func (k *killings) check(t *testing.T, w killedWork, store string) {
	t.Helper()
	want := w.left
	if n := k.whole(t, store); want < 0 {
		want = n + 1
	} else if n > 1 {
		t.Errorf("there are %d snapshots", n)
	}
	if w.left != 0 || k.whole(t, store) > 0 { // what is gone is not deleted again
		k.shark(t, store, w.args...)
	}
	if n := k.whole(t, store); n != want {
		t.Errorf("after the second time there are %d snapshots, want %d", n, want)
	}
	k.shark(t, store, "snapshot", "prune", "--rubbish-older-than", "1ns")
	if n := k.whole(t, store); n != want {
		t.Errorf("after prune there are %d snapshots, want %d", n, want)
	}
	ids := k.ids(t, store)
	for _, id := range ids {
		if text := k.shark(t, store, "snapshot", "verify", id, "-o", "json"); bytes.Contains(text, []byte("unlisted")) {
			t.Errorf("prune has left what is no part of a snapshot: %s", text)
		}
	}
	for _, path := range filesIn(store) {
		rest, err := filepath.Rel(store, path)
		if id, _, _ := strings.Cut(filepath.ToSlash(rest), "/"); err != nil || !slices.Contains(ids, id) {
			t.Errorf("prune has left %s", path)
		}
	}
}

// ids lists the snapshots of a store.
func (k *killings) ids(t *testing.T, store string) (ids []string) {
	t.Helper()
	if _, err := os.Stat(store); errors.Is(err, fs.ErrNotExist) { // it died before it made one
		return nil
	}
	var list struct {
		Snapshots []struct {
			ID string `json:"id"`
		} `json:"snapshots"`
	}
	if err := json.Unmarshal(k.shark(t, store, "snapshot", "list", "-o", "json"), &list); err != nil {
		t.Fatal(err)
	}
	for _, s := range list.Snapshots {
		ids = append(ids, s.ID)
	}
	return ids
}

// whole returns how many snapshots there are, each of which must be sound, and have all packets.
func (k *killings) whole(t *testing.T, store string) int {
	t.Helper()
	ids := k.ids(t, store)
	for _, id := range ids {
		k.shark(t, store, "snapshot", "verify", id)
		path := filepath.Join(t.TempDir(), "cat.pcapng")
		if err := os.WriteFile(path, k.shark(t, store, "snapshot", "cat", id), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := k.read(t, path); !slices.Equal(got, k.packets) {
			t.Errorf("snapshot %s has %d packets, and was made of %d, or others", id, len(got), len(k.packets))
		}
	}
	return len(ids)
}
