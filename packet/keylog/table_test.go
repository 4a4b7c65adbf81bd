package keylog_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"shark/packet/keylog"
)

// line returns a secret's line, of a client's random that n tells from others.
func line(label string, n uint32, secret string) []byte {
	s := keylog.Secret{Label: label, Secret: []byte(secret)}
	binary.BigEndian.PutUint32(s.Random[:], n)
	return s.Append(nil)
}

func random(n uint32) (r [keylog.RandomSize]byte) {
	binary.BigEndian.PutUint32(r[:], n)
	return r
}

func TestTable(t *testing.T) {
	var table keylog.Table
	table.Add(line(keylog.ClientTraffic, 1, "one"))
	table.Add(append(line(keylog.ClientTraffic, 1, "another"), "not a line\n"...))
	table.Add(line(keylog.Exporter, 2, "of no use"))
	s := table.Find(random(1))
	if s == nil || string(s.Secret(keylog.ClientTraffic)) != "one" || s.Secret(keylog.ServerTraffic) != nil || s.Secret("X") != nil {
		t.Errorf("found %+v", s)
	}
	if table.Find(random(2)) != nil {
		t.Error("an exporter's secret is a session")
	}
	if got, want := table.Stats(), (keylog.Stats{Sessions: 1, Used: 1, Bad: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestView: a view finds what the table has, and each tells what was asked for by way of it.
func TestView(t *testing.T) {
	var table keylog.Table
	table.Add(line(keylog.ClientRandom, 1, "one"))
	table.Add(line(keylog.ClientRandom, 2, "two"))
	one, two, none := table.View(), table.View(), table.View()
	if s := one.Find(random(1)); s == nil || string(s.Secret(keylog.ClientRandom)) != "one" {
		t.Errorf("found %+v", s)
	}
	if two.Find(random(2)) == nil || two.Find(random(3)) != nil {
		t.Error("the view has not what the table has")
	}
	for name, x := range map[string]struct {
		table *keylog.Table
		used  int
		asked bool
	}{"one": {one, 1, true}, "two": {two, 1, true}, "none": {none, 0, false}, "all": {&table, 2, true}, "nil": {(*keylog.Table)(nil).View(), 0, false}} {
		if x.table.Asked() != x.asked || x.table != nil && len(x.table.Used()) != x.used {
			t.Errorf("%s: asked %v", name, x.table.Asked())
		}
	}
	if used := one.Used(); used[0] != random(1) {
		t.Errorf("used is %x", used)
	}
}

// TestTableLate adds what was asked for before: then it is late, once.
func TestTableLate(t *testing.T) {
	var table keylog.Table
	table.Add(line(keylog.ClientRandom, 1, "master"))
	if table.Find(random(2)) != nil {
		t.Fatal("found what was not added")
	}
	table.Add(line(keylog.ClientRandom, 1, "master"))
	table.Add(line(keylog.ClientRandom, 3, "master"))
	if table.Stats().Late {
		t.Error("late, and nobody asked for it")
	}
	table.Add(line(keylog.ClientRandom, 2, "master"))
	if !table.Stats().Late {
		t.Error("not late")
	}
	table.Again()
	table.Add(line(keylog.ClientRandom, 2, "master"))
	if table.Stats().Late || table.Find(random(2)) == nil {
		t.Error("late the second time")
	}
}

func TestTableLimit(t *testing.T) {
	var table keylog.Table
	var lines bytes.Buffer
	for n := range uint32(keylog.MaxSessions + 7) {
		lines.Write(line(keylog.ClientRandom, n, "master"))
	}
	table.Add(lines.Bytes())
	if s := table.Stats(); s.Sessions != keylog.MaxSessions || s.Dropped != 7 {
		t.Errorf("%+v", s)
	}
}
