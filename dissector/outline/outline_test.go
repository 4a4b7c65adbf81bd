package outline_test

import (
	"strings"
	"testing"

	"shark/dissector/outline"
)

func TestLines(t *testing.T) {
	o := outline.New(1000)
	o.Say("type", "call")
	o.Group("fields", func() {
		o.Text("name", []byte("a\x1b[31mb\n\xff"))
		o.Number("n", -3)
		o.Unsigned("u", 1<<63)
		o.Named("code", 3, "three")
		o.Named("code", 4, "")
		o.Hex("id", 10, 4)
		o.Flag("on", true)
		o.Size("data", 7)
		o.Octets("text", []byte("é\n"))
		o.Octets("octets", []byte{0, 1, 0xff})
		o.Octets("nothing", nil)
		o.Secret("password")
	})
	o.Say("end", "")
	want := "type: call\nfields\n  name: a\\1b[31mb\\0a\\ff\n  n: -3\n  u: 9223372036854775808\n  code: 3 (three)\n  code: 4\n  id: 0x000a\n  on: true\n" +
		"  data: 7 bytes\n  text: é\\0a\n  octets: 0001ff\n  nothing: \n  password: ***\nend: \n"
	if got := string(o.Bytes()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestLimits: an outline never grows over its limit, and says that it goes on.
func TestLimits(t *testing.T) {
	for limit := range 60 {
		o := outline.New(limit)
		for range 10 {
			o.Group("a", func() { o.Text("name", []byte("value")) })
		}
		got := string(o.Bytes())
		if len(got) > limit || !o.Full() || limit >= 4 && !strings.HasSuffix(got, "...\n") {
			t.Errorf("limit %d: %q", limit, got)
		}
	}
	long := []byte(strings.Repeat("x", outline.MaxValue+1))
	for _, write := range []func(*outline.Writer){
		func(o *outline.Writer) { o.Text("a", long) },
		func(o *outline.Writer) { o.Octets("a", long) },
		func(o *outline.Writer) { o.Octets("a", make([]byte, outline.MaxValue+1)) },
		func(o *outline.Writer) { o.Say(outline.Name(long), "") },
	} {
		o := outline.New(1 << 20)
		if write(o); !strings.Contains(string(o.Bytes()), "...") || len(o.Bytes()) > 2*outline.MaxValue+10 {
			t.Errorf("%s", o.Bytes())
		}
	}
	deep := outline.New(1 << 20)
	var down func(n int)
	down = func(n int) {
		if n > 0 {
			deep.Group("x", func() { down(n - 1) })
		}
	}
	if down(1000); len(deep.Bytes()) > 200_000 {
		t.Errorf("%d bytes of 1000 levels", len(deep.Bytes()))
	}
}

func TestSecretNames(t *testing.T) {
	for name, want := range map[string]bool{"User-Password": true, "access_token": true, "x-api-key": true, "Authorization": true, "path": false, "monkey": false} {
		if outline.IsSecret([]byte(name)) != want {
			t.Errorf("%s: %t", name, !want)
		}
	}
}
