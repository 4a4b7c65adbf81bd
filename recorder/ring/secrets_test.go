package ring

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shark/packet"
	"shark/packet/keylog"
	"shark/packet/pcapng"
)

// secretLine makes the key log line of the i-th session.
func secretLine(i int) []byte {
	s := keylog.Secret{Label: keylog.ClientTraffic, Secret: bytes.Repeat([]byte{byte(i)}, 32)}
	copy(s.Random[:], fmt.Sprintf("session %d", i))
	return s.Append(nil)
}

// secretsIn returns the secrets that a window of a ring has, and what is said of it.
func secretsIn(t *testing.T, dir string, from, to time.Time) (lines []string, notes []string, damage []packet.Damage) {
	t.Helper()
	p := pin(t, dir, from, to)
	defer p.Release()
	src := p.Open()
	defer src.Close()
	for _, s := range src.(*Source).Secrets() {
		if s.Type != pcapng.SecretTLS {
			t.Errorf("a secret of type %#x", s.Type)
		}
		lines = append(lines, string(s.Data))
	}
	return lines, p.Notes(), src.Damage()
}

func keep(t *testing.T, w *Writer, at time.Time, i int) {
	t.Helper()
	if err := w.Secrets(at, secretLine(i)); err != nil {
		t.Fatal(err)
	}
}

// A window has the secrets of its time, of a minute either side, and at most of the rest of
// those minutes' files.
func TestSecretsOfWindow(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, small())
	x := newTraffic(31)
	w.Write(x.next(3, 100), x.interfaces)
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 20 { // every half minute
		keep(t, w, began.Add(time.Duration(i)*30*time.Second), i)
	}
	from, to := began.Add(4*time.Minute), began.Add(5*time.Minute)
	lines, _, damage := secretsIn(t, dir, from, to)
	if len(damage) > 0 {
		t.Fatal(damage)
	}
	for i := range 20 {
		at := began.Add(time.Duration(i) * 30 * time.Second)
		needed := at.After(from.Add(-secretSpan)) && at.Before(to.Add(secretSpan))
		possible := at.After(from.Add(-2*secretSpan)) && at.Before(to.Add(2*secretSpan))
		if there := slices.Contains(lines, string(secretLine(i))); needed && !there || there && !possible {
			t.Errorf("secret %d of %s is there: %t", i, at, there)
		}
	}
	if got := w.Status().Secrets; got != 20 {
		t.Errorf("the status counts %d secrets", got)
	}
}

// Secrets stay as long as the packets of their handshakes, whatever becomes of the ring in
// between, and go with them.
func TestSecretsGoAfterPackets(t *testing.T) {
	dir := t.TempDir()
	c := &clock{began}
	o := small()
	o.Now, o.Age = c.now, 10*time.Minute
	w := open(t, dir, o)
	at := func(i int) time.Time { return began.Add(time.Duration(i) * time.Minute) }
	x := newTraffic(32)
	for i := range 40 {
		c.at = at(i)
		records := x.next(2, 100)
		for j := range records {
			records[j].Time = c.at.UnixNano()
		}
		w.Write(records, x.interfaces)
		keep(t, w, c.at, i)
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		lines, notes, _ := secretsIn(t, dir, always[0], always[1])
		kept := window(t, dir, always[0], always[1]).records
		for k := range i + 1 {
			there := slices.Contains(lines, string(secretLine(k)))
			if packets := at(k).UnixNano() >= kept[0].Time; packets && !there {
				t.Fatalf("minute %d: secret %d is gone before its packets: %v", i, k, notes)
			} else if there && i-k > 16 {
				t.Fatalf("minute %d: secret %d is still there", i, k)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w = open(t, dir, o)
	keep(t, w, at(40), 40)
	if lines, _, _ := secretsIn(t, dir, at(38), at(40)); !slices.Contains(lines, string(secretLine(39))) || !slices.Contains(lines, string(secretLine(40))) {
		t.Error("after a restart, secrets of before or after are missing")
	}
	c.at = at(100)
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list, err := logs(dir, secretsKind); err != nil || len(list) > 0 {
		t.Errorf("secrets stay when all packets have gone: %v, %v", list, err)
	}
	keep(t, w, at(100), 100)
}

// What the budget has no room for goes, the oldest first, and both the status and a window say
// so. Who pinned it before keeps it.
func TestSecretsBudget(t *testing.T) {
	dir := t.TempDir()
	o := small()
	o.SecretBytes = leastSecrets
	w := open(t, dir, o)
	x := newTraffic(33)
	w.Write(x.next(3, 100), x.interfaces)
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	keep(t, w, began, 0)
	p := pin(t, dir, always[0], always[1])
	defer p.Release()
	const n = 2000
	for i := 1; i < n; i++ {
		keep(t, w, began.Add(time.Duration(i)*time.Second), i)
	}
	sum := int64(0)
	paths, err := filepath.Glob(filepath.Join(dir, "secrets-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		sum += info.Size()
	}
	if sum > o.SecretBytes || sum < o.SecretBytes/2 {
		t.Errorf("secrets have %d bytes of %d", sum, o.SecretBytes)
	}
	lines, notes, _ := secretsIn(t, dir, always[0], always[1])
	for i, line := range lines {
		if want := string(secretLine(n - len(lines) + i)); line != want {
			t.Fatalf("secret %d of %d is %q, want %q", i, len(lines), line, want)
		}
	}
	if !slices.ContainsFunc(notes, func(s string) bool { return strings.Contains(s, "TLS secrets") }) {
		t.Errorf("the window says nothing of secrets: %q", notes)
	}
	if from := w.Status().SecretsFrom; from.Before(began) || from.After(began.Add(n*time.Second)) {
		t.Errorf("the status has secrets from %s on", from)
	}
	src := p.Open()
	defer src.Close()
	if got := src.(*Source).Secrets(); len(got) == 0 || string(got[0].Data) != string(secretLine(0)) {
		t.Errorf("what was pinned is gone: %d secrets", len(got))
	}
	if err := w.Secrets(began, make([]byte, leastSecrets)); err == nil {
		t.Error("more than the budget at a time is taken")
	}
}

// A file that was cut in a crash has its whole blocks still, and the next Writer goes on beside
// it.
func TestSecretsTorn(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, small())
	for i := range 5 {
		keep(t, w, began, i)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	list, err := logs(dir, secretsKind)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	path := filepath.Join(dir, list[0].String())
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-9); err != nil {
		t.Fatal(err)
	}
	w = open(t, dir, small())
	keep(t, w, began, 5)
	lines, _, damage := secretsIn(t, dir, always[0], always[1])
	want := []string{string(secretLine(0)), string(secretLine(1)), string(secretLine(2)), string(secretLine(3)), string(secretLine(5))}
	if !slices.Equal(lines, want) || len(damage) == 0 {
		t.Errorf("%d secrets, damage %v", len(lines), damage)
	}
}
