package record

import (
	"bytes"
	"reflect"
	"testing"
)

// TestRecords: what is appended is read again, and what ends too early says how much it takes.
func TestRecords(t *testing.T) {
	at := Place{-5, 7}
	long := bytes.Repeat([]byte("x"), MaxPayload)
	b := AppendData(nil, 4, at, []byte("abc"), false)
	b = AppendData(b, 1<<62-1, at, append([]byte("y"), long...), true)
	b = AppendData(b, 0, at, nil, true)
	b = AppendNumber(b, Reset, 8, at, 0x10c)
	b = AppendNumber(b, Missing, 8, at, 1<<40)
	for i, want := range []Record{
		{Place: at, Kind: Data, Stream: 4, Data: []byte("abc")},
		{Place: at, Kind: Data, Stream: 1<<62 - 1, Data: append([]byte("y"), long[1:]...)},
		{Place: at, Kind: Last, Stream: 1<<62 - 1, Data: []byte("x")},
		{Place: at, Kind: Last, Data: []byte{}},
		{Place: at, Kind: Reset, Stream: 8, Number: 0x10c},
		{Place: at, Kind: Missing, Stream: 8, Number: 1 << 40},
	} {
		got, n, ok := Read(b)
		if !ok || !reflect.DeepEqual(got, want) {
			t.Fatalf("record %d: %.80v, %v", i, got, ok)
		}
		for _, cut := range []int{0, 1, HeaderLen - 1, HeaderLen, n - 1} {
			if _, need, ok := Read(b[:min(cut, n-1)]); ok || need <= min(cut, n-1) || need > n {
				t.Errorf("record %d cut to %d bytes: needs %d, %v", i, cut, need, ok)
			}
		}
		b = b[n:]
	}
	if len(b) > 0 {
		t.Errorf("%d bytes are left", len(b))
	}
}

func FuzzRead(f *testing.F) {
	f.Add(AppendData(nil, 4, Place{1, 2}, []byte("abc"), false))
	f.Add(AppendNumber(nil, Stop, 4, Place{1, 2}, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, n, ok := Read(b)
		switch {
		case !ok && n > 0 && n <= len(b):
			t.Fatalf("needs %d, has %d", n, len(b))
		case !ok:
		case r.Kind <= Last:
			if again := AppendData(nil, r.Stream, r.Place, r.Data, r.Kind == Last); !bytes.Equal(again, b[:n]) {
				t.Fatalf("%x became %x", b[:n], again)
			}
		default:
			if again := AppendNumber(nil, r.Kind, r.Stream, r.Place, r.Number); !bytes.Equal(again, b[:n]) {
				t.Fatalf("%x became %x", b[:n], again)
			}
		}
	})
}
