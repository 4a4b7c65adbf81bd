package ring

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// say gives a packet of a time to the disk.
func say(t *testing.T, w *Writer, x *traffic, at time.Time) {
	t.Helper()
	batch := x.next(1, 100)
	batch[0].Time = at.UnixNano()
	w.Write(batch, x.interfaces)
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// kill leaves a ring as a recorder does that is killed: what Close writes is not there.
func kill(t *testing.T, w *Writer, dir string) {
	t.Helper()
	path := dir + "/" + runsName
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, before, 0o600); err != nil {
		t.Fatal(err)
	}
}

// The hole between two runs begins when the first stopped, not at its last packet, and the first
// packet of the second ends it. Where a recorder was killed it is said that its end is not known.
func TestHoleBetweenRuns(t *testing.T) {
	at := func(minutes int) time.Time { return began.Add(time.Duration(minutes) * time.Minute) }
	c := &clock{began}
	o := small()
	o.Age, o.Now = 16*time.Minute, c.now // a segment is sealed a minute after its first packet
	for _, test := range []struct {
		name  string
		end   func(t *testing.T, w *Writer, dir string)
		after bool // the second run has recorded something
		want  []string
	}{
		{"stopped", func(t *testing.T, w *Writer, _ string) {
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}, true, []string{"not recorded between 2026-03-01T12:05:00Z and 2026-03-01T12:08:00Z"}},
		{"stopped, and nothing was said since", func(t *testing.T, w *Writer, _ string) {
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}, false, []string{"nothing is recorded after 2026-03-01T12:05:00Z; the recorder began again at 2026-03-01T12:07:00Z"}},
		{"killed", kill, true, []string{"not recorded between 2026-03-01T12:03:00Z and 2026-03-01T12:08:00Z (the recorder was killed: that is the time of the last it had written before)"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, x := t.TempDir(), newTraffic(41)
			c.at = at(0)
			w := open(t, dir, o)
			say(t, w, x, at(1))
			c.at = at(3)
			if err := w.Flush(t.Context()); err != nil { // which seals the segment: it has aged
				t.Fatal(err)
			}
			c.at = at(5)
			test.end(t, w, dir)
			if from, to := span(t, dir); !from.Equal(at(1)) || test.name != "killed" && !to.Equal(at(5)) {
				t.Errorf("recorded from %s to %s", from, to)
			}
			c.at = at(7)
			w = open(t, dir, o)
			if test.after {
				say(t, w, x, at(8))
			}
			if got := window(t, dir, at(1), at(9)).notes; !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func span(t *testing.T, dir string) (from, to time.Time) {
	t.Helper()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if from, to, err = r.Span(); err != nil {
		t.Fatal(err)
	}
	return from, to
}

// Runs of which nothing is kept any more are forgotten, and a ring whose list of them is not
// sound is recorded and read as one without.
func TestRunsAreBounded(t *testing.T) {
	dir, x := t.TempDir(), newTraffic(42)
	for i := range 20 {
		w := open(t, dir, small())
		if i == 3 {
			say(t, w, x, began)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if all := readRuns(dir); len(all) != 2 || all[0].Stopped.IsZero() || all[1].Stopped.IsZero() {
		t.Errorf("%+v", all)
	}
	if err := os.WriteFile(dir+"/"+runsName, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := window(t, dir, began, began.Add(2*time.Hour))
	if len(got.records) != 1 || len(got.notes) != 1 || !strings.HasPrefix(got.notes[0], "recorded up to ") {
		t.Errorf("%d packets, %q", len(got.records), got.notes)
	}
	open(t, dir, small())
	if len(readRuns(dir)) != 1 {
		t.Error("the list of runs is not made anew")
	}
}
