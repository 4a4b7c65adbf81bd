package packing

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const text = "what is packed"

func pack(t *testing.T, kind Kind) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch kind {
	case Gzip:
		w = gzip.NewWriter(&b)
	case Zstd:
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	default:
		return []byte(text)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestUnpack(t *testing.T) {
	skippable := []byte{0x5f, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 'x', 'x'} // zstd's metadata frame
	for _, c := range []struct {
		kind Kind
		data []byte
	}{{None, pack(t, None)}, {Gzip, pack(t, Gzip)}, {Zstd, pack(t, Zstd)}, {Zstd, append(skippable, pack(t, Zstd)...)}} {
		in := bufio.NewReader(bytes.NewReader(c.data))
		if got := Of(in); got != c.kind {
			t.Errorf("%x is %q, want %q", c.data, got, c.kind)
			continue
		}
		r, err := Open(c.kind, in)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != text {
			t.Errorf("%q: %q, %v", c.kind, got, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatIsNotPacked(t *testing.T) {
	for _, s := range []string{"", "\x1f", "\x28\xb5\x2f", "\x28\xb5\x2f\xfc", "\x60\x2a\x4d\x18"} {
		if got := Of(bufio.NewReader(bytes.NewReader([]byte(s)))); got != None {
			t.Errorf("%x is %q", s, got)
		}
	}
}

func TestInputRemembersItsError(t *testing.T) {
	broken := errors.New("broken")
	in := &Input{R: io.MultiReader(bytes.NewReader(pack(t, Gzip)[:15]), iotest.ErrReader(broken))}
	r, err := Open(Gzip, in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); err == nil || in.Err != broken {
		t.Errorf("%v, and of the input %v", err, in.Err)
	}
	in = &Input{R: bytes.NewReader(pack(t, None))}
	if _, err := io.ReadAll(in); err != nil || in.Err != nil {
		t.Errorf("an end: %v, %v", err, in.Err)
	}
}
