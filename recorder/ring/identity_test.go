package ring

import (
	"fmt"
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
		list, err := logs(dir)
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

func addr(t *testing.T, s string) packet.Addr {
	t.Helper()
	var b [4]byte
	if _, err := fmt.Sscanf(s, "%d.%d.%d.%d", &b[0], &b[1], &b[2], &b[3]); err != nil {
		t.Fatal(err)
	}
	return packet.AddrFrom4(b[:])
}
