package field_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"shark/dissector/field"
)

var (
	aTruth    = field.NewBool("a_truth", "A truth.", "a_truth")
	anInt     = field.NewInt("an_int", "", "A number.", "an_int > 1")
	aFloat    = field.NewFloat("a_float", "", "A number.", "a_float > 1.0")
	aText     = field.NewText("a_text", "A text.", `a_text == ""`)
	someBytes = field.NewBytes("some_bytes", "Bytes.", "size(some_bytes) > 0")
	aList     = field.NewList("a_list", "A list.", `"a" in a_list`)
	aMap      = field.NewMap("a_map", "A map.", `"a" in a_map`)
)

// TestValueAtPlace checks that a value by its parts is what At gives as a whole.
func TestValueAtPlace(t *testing.T) {
	n, b, text, list := field.NewInt("n", "", "", ""), field.NewBool("b", "", ""), field.NewText("t", "", ""), field.NewList("l", "", "")
	var v field.Values
	n.Set(&v, -7)
	b.Set(&v, true)
	text.SetString(&v, "text")
	list.AddString(&v, "one")
	for i := range v.Len() {
		f, x := v.At(i)
		if v.Field(i) != f || v.Number(i) != x.Int || string(v.Bytes(i)) != string(x.Bytes) {
			t.Errorf("value %d: %s %d %q, want %s %d %q", i, v.Field(i).Name, v.Number(i), v.Bytes(i), f.Name, x.Int, x.Bytes)
		}
	}
	if v.Number(0) != -7 || v.Number(1) != 1 || string(v.Bytes(2)) != "text" || string(v.Bytes(3)) != "one" {
		t.Errorf("got %d %d %q %q", v.Number(0), v.Number(1), v.Bytes(2), v.Bytes(3))
	}
}

func TestValues(t *testing.T) {
	var v field.Values
	if aTruth.Get(&v) || anInt.Get(&v) != 0 || len(aText.Get(&v)) != 0 || v.Has(aText) || v.Len() != 0 {
		t.Error("an empty Values has something")
	}
	buf := []byte("hello")
	aText.Set(&v, buf)
	someBytes.Set(&v, buf)
	copy(buf, "XXXXX")
	aTruth.Set(&v, true)
	anInt.Set(&v, 40)
	anInt.Add(&v, 2)
	aFloat.Set(&v, 1.5)
	aList.Add(&v, []byte("one"))
	aList.AddString(&v, "")
	aMap.Add(&v, []byte("Host"), []byte("example.com"))
	aMap.AddLines(&v, []byte("Accept: a\r\nCookie:b\r\n\r\n"))
	if string(aText.Get(&v)) != "hello" || string(someBytes.Get(&v)) != "hello" {
		t.Errorf("the caller's buffer was kept: %q", aText.Get(&v))
	}
	if !aTruth.Get(&v) || anInt.Get(&v) != 42 {
		t.Errorf("truth %v, number %d", aTruth.Get(&v), anInt.Get(&v))
	}
	var items []string
	for b := range aList.Each(&v) {
		items = append(items, string(b))
	}
	if strings.Join(items, "|") != "one|" {
		t.Errorf("list %q", items)
	}
	for name, want := range map[string]string{"host": "example.com", "ACCEPT": "a", "cookie": "b"} {
		if got, ok := aMap.Get(&v, name); !ok || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, ok)
		}
	}
	if _, ok := aMap.Get(&v, "hos"); ok {
		t.Error("found a name that is not there")
	}
	aText.SetString(&v, "again")
	aTruth.Set(&v, false)
	if string(aText.Get(&v)) != "again" || aTruth.Get(&v) || !v.Has(aTruth) {
		t.Error("setting again did not replace")
	}
	n := 0
	for f, val := range v.All() {
		n++
		if f == aFloat.Field && val.Float != 1.5 || f == anInt.Field && val.Int != 42 {
			t.Errorf("%s: %+v", f.Name, val)
		}
	}
	if n != v.Len() || n != 9 {
		t.Errorf("%d values, Len %d", n, v.Len())
	}
	v.Reset()
	if v.Len() != 0 || v.Has(aText) || v.Size() == 0 {
		t.Error("Reset keeps values or gives memory away")
	}
}

func TestWarmValuesDoNotAllocate(t *testing.T) {
	var v field.Values
	b := []byte("some text")
	fill := func() {
		v.Reset()
		aText.Set(&v, b)
		anInt.Set(&v, 1)
		aList.Add(&v, b)
		aMap.Add(&v, b, b)
	}
	fill()
	if n := testing.AllocsPerRun(100, fill); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestMerge checks Merge against maps: what is set stays, lists and maps grow.
func TestMerge(t *testing.T) {
	g := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		var a, b field.Values
		want := make(map[string]string)
		for i, v := range []*field.Values{&a, &b} {
			for range g.IntN(6) {
				x := fmt.Sprint(i, g.IntN(100))
				switch g.IntN(3) {
				case 0:
					aText.SetString(v, x)
					if i == 0 || !a.Has(aText) {
						want["text"] = x
					}
				case 1:
					aList.AddString(v, x)
					want["list"] += x + ","
				case 2:
					aMap.Add(v, []byte(x), []byte(x))
					want["map"] += x + ": " + x + "\n"
				}
			}
		}
		a.Merge(&b)
		b.Reset()
		aText.SetString(&b, "overwritten")
		got := make(map[string]string)
		if a.Has(aText) {
			got["text"] = string(aText.Get(&a))
		}
		for x := range aList.Each(&a) {
			got["list"] += string(x) + ","
		}
		for x := range aMap.Lines(&a) {
			got["map"] += string(x)
		}
		if !maps.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func TestParseLines(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want map[string]string
	}{
		{"", map[string]string{}},
		{"Host: example.com\r\nX:1\r\n\r\n", map[string]string{"host": "example.com", "x": "1"}},
		{"no colon\nA:  b c \n", map[string]string{"a": "b c"}},
		{"Via: a\nvia: b\n", map[string]string{"via": "a, b"}},
		{"Set-Cookie: a=1\nset-cookie: b=2\n", map[string]string{"set-cookie": "a=1\nb=2"}},
		{"Cookie: a=1\ncookie: b=2\n", map[string]string{"cookie": "a=1; b=2"}},
		{"time: 12:30:00", map[string]string{"time": "12:30:00"}},
	} {
		if got := field.ParseLines(tt.in); !maps.Equal(got, tt.want) {
			t.Errorf("%q: got %v, want %v", tt.in, got, tt.want)
		}
	}
}

// FuzzParseLines checks that the map and a lookup in the lines agree on which
// names there are and where their values begin.
func FuzzParseLines(f *testing.F) {
	f.Add("Host: example.com\r\nAccept: a\r\naccept: b\r\n\r\nrest")
	f.Add(":\n:\n a : b\nSet-Cookie:\x00\n")
	f.Fuzz(func(t *testing.T, s string) {
		var v field.Values
		aMap.AddLines(&v, []byte(s))
		m := field.ParseLines(s)
		for name, value := range m {
			got, ok := aMap.Get(&v, name)
			if ok && !strings.HasPrefix(value, string(got)) {
				t.Fatalf("%q: Get %q, ParseLines %q", name, got, value)
			}
		}
	})
}
