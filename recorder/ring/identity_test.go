package ring

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shark/packet"
	"shark/snapshot/identity"
)

func podRecord(at time.Time, op identity.Op, name, ip string) identity.Record {
	return identity.Record{Time: at, Op: op, Kind: identity.Pod, UID: "uid-" + name, Namespace: "shop", Name: name, Addresses: []string{ip}}
}

func logOf(t *testing.T, dir string, from, to time.Time) *identity.Log {
	t.Helper()
	p := pin(t, dir, from, to)
	defer func() {
		if err := p.Release(); err != nil {
			t.Error(err)
		}
	}()
	in, err := p.Identity()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	log, err := identity.Read(in)
	if err != nil {
		t.Fatal(err)
	}
	if d := log.Damage(); len(d) > 0 {
		t.Fatal(d)
	}
	return log
}

// For every window that is kept it is known who had an address at its start, however long ago
// that was said, and the log does not grow with the time.
func TestIdentityIsOfTheWindow(t *testing.T) {
	dir := t.TempDir()
	o := small()
	c := &clock{began}
	o.Now = c.now
	w := open(t, dir, o)
	x := newTraffic(31)
	if err := w.Identity(podRecord(began.Add(-time.Hour), identity.Upsert, "old", "10.0.0.1")); err != nil {
		t.Fatal(err)
	}
	ip := func(i int) string { return fmt.Sprintf("10.1.%d.%d", i/250, i%250+1) }
	note := strings.Repeat("x", 40_000)
	most := 0
	for i := range 200 { // 50 ms each
		batch := x.next(50, 900)
		c.at = time.Unix(0, batch[0].Time)
		r := podRecord(c.at, identity.Upsert, fmt.Sprint("pod-", i), ip(i))
		r.Annotations = map[string]string{"note": note}
		if err := w.Identity(r); err != nil {
			t.Fatal(err)
		}
		if i >= 5 {
			if err := w.Identity(podRecord(c.at, identity.Delete, fmt.Sprint("pod-", i-5), ip(i-5))); err != nil {
				t.Fatal(err)
			}
		}
		w.Write(batch, x.interfaces)
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		list, err := logs(dir, identityKind)
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, len(list))
	}
	if most > 4 {
		t.Errorf("%d files of the log at a time", most)
	}
	got := window(t, dir, always[0], always[1])
	start := time.Unix(0, got.records[0].Time)
	for _, at := range []time.Time{start, c.at} {
		log := logOf(t, dir, at, at)
		i := int(at.Sub(began) / (50 * time.Millisecond))
		for address, want := range map[string]string{"10.0.0.1": "old", ip(i): fmt.Sprint("pod-", i), ip(i - 3): fmt.Sprint("pod-", i-3)} {
			if o := log.Lookup(addr(t, address), at.UnixNano()); o.Pod != want {
				t.Errorf("at %v %s is %q (%s), want %q", at, address, o.Pod, o.Unknown, want)
			}
		}
		if o := log.Lookup(addr(t, ip(i-6)), at.UnixNano()); o.Unknown == "" {
			t.Errorf("at %v a pod that is gone is %q", at, o.Pod)
		}
	}
}

// After a start what was there before and is not named any more ends; what a crash tore is
// left out.
func TestIdentityGoesOn(t *testing.T) {
	dir := t.TempDir()
	o := small()
	c := &clock{began}
	o.Now = c.now
	w := open(t, dir, o)
	x := newTraffic(32)
	if err := w.Identity(podRecord(began, identity.Upsert, "stays", "10.0.0.1"), podRecord(began, identity.Upsert, "goes", "10.0.0.2")); err != nil {
		t.Fatal(err)
	}
	fill(t, w, x, 2)
	if _, err := w.log.f.WriteString(`{"time":"2026-03-01T12:00`); err != nil { // and then it was killed
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c.at = began.Add(time.Minute)
	w = open(t, dir, o)
	if err := w.Holds(podRecord(began, identity.Upsert, "stays", "10.0.0.1"), podRecord(c.at, identity.Upsert, "comes", "10.0.0.3")); err != nil {
		t.Fatal(err)
	}
	log := logOf(t, dir, began, c.at.Add(time.Minute))
	for _, q := range []struct {
		address string
		at      time.Time
		pod     string
	}{
		{"10.0.0.1", began.Add(time.Second), "stays"},
		{"10.0.0.1", c.at.Add(time.Second), "stays"},
		{"10.0.0.2", began.Add(time.Second), "goes"},
		{"10.0.0.2", c.at.Add(time.Second), ""},
		{"10.0.0.3", c.at.Add(time.Second), "comes"},
	} {
		if o := log.Lookup(addr(t, q.address), q.at.UnixNano()); o.Pod != q.pod {
			t.Errorf("%s at %v is %q (%s), want %q", q.address, q.at, o.Pod, o.Unknown, q.pod)
		}
	}
}

// A record that cannot be kept hinders no other, and is counted.
func TestIdentityRefused(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, small())
	fill(t, w, newTraffic(33), 2)
	bad := podRecord(began, identity.Upsert, "", "10.0.0.8")
	if err := w.Identity(podRecord(began, identity.Upsert, "first", "10.0.0.1"), bad, podRecord(began, identity.Upsert, "last", "10.0.0.2")); err == nil {
		t.Error("a record that cannot be kept is no error")
	}
	if err := w.Holds(podRecord(began, identity.Upsert, "first", "10.0.0.1"), bad, podRecord(began, identity.Upsert, "last", "10.0.0.2"), podRecord(began, identity.Upsert, "more", "10.0.0.3")); err == nil {
		t.Error("a record that cannot be kept is no error")
	}
	if s := w.Status(); s.IdentityLost != 2 {
		t.Errorf("%d records are lost, want 2", s.IdentityLost)
	}
	at := began.Add(time.Second)
	log := logOf(t, dir, at, at)
	for ip, want := range map[string]string{"10.0.0.1": "first", "10.0.0.2": "last", "10.0.0.3": "more"} {
		if o := log.Lookup(addr(t, ip), at.UnixNano()); o.Pod != want {
			t.Errorf("%s is %q (%s), want %q", ip, o.Pod, o.Unknown, want)
		}
	}
}

// What a disk that is full does not take is written when it is not any more: what began, what
// ended, and what did both meanwhile. Of more than there is memory for the oldest is counted as lost.
func TestIdentityOfAFullDisk(t *testing.T) {
	dir := t.TempDir()
	o := small()
	c := &clock{began}
	o.Now = c.now
	w := open(t, dir, o)
	fill(t, w, newTraffic(34), 2)
	if err := w.Identity(podRecord(began, identity.Upsert, "stays", "10.0.0.1"), podRecord(began, identity.Upsert, "goes", "10.0.0.2")); err != nil {
		t.Fatal(err)
	}
	// A file that takes nothing, and a place where none can be made.
	if err := w.log.f.Close(); err != nil {
		t.Fatal(err)
	}
	temp := filepath.Join(dir, "identity.new")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	second := func(n int) time.Time { return began.Add(time.Duration(n) * time.Second) }
	give := func(n int, r identity.Record) error { c.at = second(n); return w.Identity(r) }
	for n, r := range []identity.Record{
		podRecord(second(0), identity.Upsert, "comes", "10.0.0.3"),
		podRecord(second(1), identity.Delete, "goes", "10.0.0.2"),
		podRecord(second(2), identity.Upsert, "short", "10.0.0.4"),
		podRecord(second(3), identity.Delete, "short", "10.0.0.4"),
	} {
		if err := give(n, r); err == nil {
			t.Errorf("record %d: a disk that takes nothing is no error", n)
		}
	}
	if err := w.Flush(t.Context()); err == nil {
		t.Error("the ring does not tell of a disk that takes nothing")
	}
	if err := os.Remove(temp); err != nil {
		t.Fatal(err)
	}
	if err := give(10, podRecord(second(10), identity.Upsert, "later", "10.0.0.5")); err != nil || w.Status().IdentityLost > 0 {
		t.Fatalf("%v, %d lost", err, w.Status().IdentityLost)
	}
	log := logOf(t, dir, began, second(20))
	for _, q := range []struct {
		ip   string
		at   int
		want string
	}{
		{"10.0.0.1", 0, "stays"},
		{"10.0.0.1", 15, "stays"},
		{"10.0.0.2", 0, "goes"},
		{"10.0.0.2", 2, ""},
		{"10.0.0.2", 15, ""},
		{"10.0.0.3", 0, "comes"},
		{"10.0.0.3", 15, "comes"},
		{"10.0.0.4", 1, ""},
		{"10.0.0.4", 2, "short"},
		{"10.0.0.4", 15, ""},
		{"10.0.0.5", 11, "later"},
	} {
		if o := log.Lookup(addr(t, q.ip), second(q.at).UnixNano()+1e6); o.Pod != q.want {
			t.Errorf("%s after %d s is %q (%s), want %q", q.ip, q.at, o.Pod, o.Unknown, q.want)
		}
	}
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := w.log.f.Close(); err != nil {
		t.Fatal(err)
	}
	const many = 40
	for n := range many {
		r := podRecord(second(n), identity.Upsert, fmt.Sprint("large-", n), "10.0.1.1")
		r.Annotations = map[string]string{"note": strings.Repeat("x", maxPending/16)}
		if err := give(20+n, r); err == nil {
			t.Fatal("a disk that takes nothing is no error")
		}
	}
	if n := w.Status().IdentityLost; n < many-16 || n > many-10 || w.log.waits > maxPending {
		t.Errorf("%d of %d records are lost, and %d bytes wait", n, many, w.log.waits)
	}
	if err := os.Remove(temp); err != nil {
		t.Fatal(err)
	}
}

func addr(t *testing.T, s string) packet.Addr {
	t.Helper()
	var b [4]byte
	if _, err := fmt.Sscanf(s, "%d.%d.%d.%d", &b[0], &b[1], &b[2], &b[3]); err != nil {
		t.Fatal(err)
	}
	return packet.AddrFrom4(b[:])
}
