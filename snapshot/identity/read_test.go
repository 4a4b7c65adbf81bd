package identity

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func packed(t testing.TB, packing string, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	var w io.WriteCloser
	switch packing {
	case "gzip":
		w = gzip.NewWriter(&buf)
	case "zstd":
		z, err := zstd.NewWriter(&buf)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	default:
		return data
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestReadPackings(t *testing.T) {
	data := encode(t, node(0, "n1", "192.168.0.1"), pod(1, "cart-1", "n1", "10.0.0.1"))
	for _, packing := range []string{"plain", "gzip", "zstd"} {
		l, err := Read(iotest.OneByteReader(bytes.NewReader(packed(t, packing, data))))
		if err != nil {
			t.Fatalf("%s: %v", packing, err)
		}
		if got := short(l.Lookup(addr("10.0.0.1"), at(1).UnixNano())); got != "cart-1//n1/192.168.0.1/cart/" || l.Records() != 2 || len(l.Damage()) > 0 {
			t.Errorf("%s: %s, %d records, damage %v", packing, got, l.Records(), l.Damage())
		}
	}
}

func TestReadDamage(t *testing.T) {
	good := `{"time":"2026-03-01T12:00:00Z","op":"upsert","kind":"pod","namespace":"shop","name":"cart","addresses":["10.0.0.1"],"from_the_future":{"a":[1]}}` + "\r\n"
	for _, c := range []struct{ name, line, want string }{
		{"nothing wrong", "\n\n", ""},
		{"a kind not known", `{"time":"2026-03-01T12:00:00Z","op":"upsert","kind":"gateway","name":"x"}`, ""},
		{"a socket", `{"time":"2026-03-01T12:00:00Z","op":"upsert","kind":"socket","name":"x","addresses":["10.0.0.1"],"port":80}`, ""},
		{"torn", `{"time":"2026-03`, "unexpected end of JSON input"},
		{"no JSON", "hello", "invalid character 'h' looking for beginning of value"},
		{"no time", `{"op":"upsert","kind":"pod","name":"x"}`, "it has no time"},
		{"far time", `{"time":"9999-01-01T00:00:00Z","op":"upsert","kind":"pod","name":"x"}`, "its time 9999-01-01T00:00:00Z is out of range"},
		{"no op", `{"time":"2026-03-01T12:00:00Z","kind":"pod","name":"x"}`, `its op "" is neither upsert nor delete`},
		{"no kind", `{"time":"2026-03-01T12:00:00Z","op":"upsert","name":"x"}`, "it has no kind"},
		{"no name", `{"time":"2026-03-01T12:00:00Z","op":"upsert","kind":"pod"}`, "it has no name"},
		{"no address", `{"time":"2026-03-01T12:00:00Z","op":"upsert","kind":"service","name":"x","addresses":["None","10.0.0.7"]}`, `"None" is not an IP address`},
		{"long", `{"name":"` + strings.Repeat("x", maxLine) + `"}`, fmt.Sprintf("it is longer than %d bytes", maxLine)},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := Read(strings.NewReader(good + c.line + "\n" + good))
			if err != nil {
				t.Fatal(err)
			}
			if o := l.Lookup(addr("10.0.0.1"), at(0).UnixNano()); o.Pod != "cart" {
				t.Errorf("the lines around it are lost: %+v", o)
			}
			var want []Damage
			if c.want != "" {
				want = []Damage{{Line: 2, Reason: c.want}}
			}
			if got := l.Damage(); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("damage %v, want %v", got, want)
			}
			if c.name == "no address" && l.Lookup(addr("10.0.0.7"), at(0).UnixNano()).Service != "x" {
				t.Error("the sound address of the line is lost")
			}
		})
	}
}

// What a log that was cut would have said of later is not known.
func TestReadCut(t *testing.T) {
	var records []Record
	for i := range 5000 {
		records = append(records, pod(i, fmt.Sprint("pod-", i), "n1", fmt.Sprintf("10.0.%d.%d", i/250, i%250)))
	}
	whole := encode(t, records...)
	for _, packing := range []string{"plain", "gzip", "zstd"} {
		data := packed(t, packing, whole)
		if l, err := Read(bytes.NewReader(data)); err != nil || l.Until() != math.MaxInt64 {
			t.Fatalf("%s: whole, but known until %d, %v", packing, l.Until(), err)
		}
		l, err := Read(bytes.NewReader(data[:len(data)*9/10]))
		if err != nil {
			t.Fatalf("%s: %v", packing, err)
		}
		n := l.Records()
		if n < 100 || n >= 5000 || len(l.Damage()) != 1 || l.Until() != at(n-1).UnixNano() {
			t.Errorf("%s: %d records until %d, damage %v", packing, n, l.Until(), l.Damage())
		}
		a := addr("10.0.0.7")
		if o := l.Lookup(a, l.Until()); o.Pod != "pod-7" {
			t.Errorf("%s: before the cut: %+v", packing, o)
		}
		if o := l.Lookup(a, l.Until()+1); o.Pod != "" || !strings.HasPrefix(o.Unknown, "the identity log is cut after 2026") {
			t.Errorf("%s: after the cut: %+v", packing, o)
		}
		if _, err := l.Workloads(WorkloadFilter{At: at(5000)}); err == nil {
			t.Errorf("%s: workloads after the cut are listed", packing)
		}
	}
	// A last line without its end mark is whole when it can be read.
	if l, err := Read(bytes.NewReader(whole[:len(whole)-1])); err != nil || l.Records() != 5000 || len(l.Damage()) > 0 {
		t.Errorf("no end mark: %d records, %v, %v", l.Records(), l.Damage(), err)
	}
}

// A small file that unpacks to more than is read ends there.
func TestUnpackBounded(t *testing.T) {
	r, err := Unpack(bytes.NewReader(packed(t, "zstd", []byte("hello"))))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b := r.(*bounded)
	b.left = 3
	if data, err := io.ReadAll(b); string(data) != "hel" || !errors.Is(err, errTooMuch) {
		t.Errorf("%q, %v", data, err)
	}
}

func TestReadNoLog(t *testing.T) {
	for _, data := range []string{"hello\n", "\xd4\xc3\xb2\xa1\x02\x00\x04\x00", "{}\n{}\n", "\x1f\x8b garbage", "\x28\xb5\x2f\xfd garbage", strings.Repeat("x\n", 1<<20)} {
		if _, err := Read(strings.NewReader(data)); !errors.Is(err, ErrFormat) {
			t.Errorf("%.20q: %v", data, err)
		}
	}
	if l, err := Read(strings.NewReader("")); err != nil || l.Records() != 0 {
		t.Errorf("empty: %v", err)
	}
	broken := errors.New("the disk is gone")
	if _, err := Read(io.MultiReader(bytes.NewReader(encode(t, node(0, "n1"))), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("read error: %v", err)
	}
}

func TestReadAll(t *testing.T) {
	p := pod(0, "cart-1", "n1", "10.0.0.1")
	again := p
	again.Time = at(7)
	a, b := encode(t, p, gone(5, p)), encode(t, again, node(0, "n1", "192.168.0.1"), pod(6, "web-1", "n2", "10.0.0.1"))
	l, err := ReadAll(Input{"a", bytes.NewReader(a)}, Input{"b", bytes.NewReader(append(b, "x\n"...))})
	if err != nil {
		t.Fatal(err)
	}
	for s, want := range map[int]string{1: "cart-1//n1/192.168.0.1/cart/", 5: "? nobody has had it since 2026-03-01T12:00:05Z", 8: "web-1//n2//web/"} {
		if got := short(l.Lookup(addr("10.0.0.1"), at(s).UnixNano())); got != want {
			t.Errorf("at %d: %s, want %s", s, got, want)
		}
	}
	if d := l.Damage(); len(d) != 1 || d[0].String() != "identity log b, line 4: invalid character 'x' looking for beginning of value" {
		t.Errorf("damage %v", d)
	}
}

func TestDamageIsBounded(t *testing.T) {
	data := string(encode(t, node(0, "n1"))) + strings.Repeat("x\n", 5000)
	l, err := Read(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	d := l.Damage()
	if len(d) != maxDamage || !strings.Contains(d[maxDamage-1].Reason, "in all 4001 places are not listed") {
		t.Errorf("%d places, the last %v", len(d), d[len(d)-1])
	}
}

func TestWriter(t *testing.T) {
	var buf bytes.Buffer
	w := NewWriter(&buf)
	r := pod(0, "a<b", "n1", "10.0.0.1")
	r.Labels = map[string]string{"z": "1", "a": "2"}
	r.Containers = []Container{{Name: "app", ID: "containerd://1"}}
	if err := w.Write(&r); err != nil {
		t.Fatal(err)
	}
	want := `{"time":"2026-03-01T12:00:00Z","op":"upsert","source":"kubernetes","kind":"pod","uid":"uid-a<b","namespace":"shop","name":"a<b","addresses":["10.0.0.1"],` +
		`"node":"n1","workload":{"kind":"Deployment","name":"a<b"},"labels":{"a":"2","z":"1"},"containers":[{"name":"app","id":"containerd://1"}]}` + "\n"
	if buf.String() != want {
		t.Errorf("got  %swant %s", buf.String(), want)
	}
	for _, bad := range []Record{
		{},
		{Time: at(0), Op: "move", Kind: Pod, Name: "x"},
		{Time: at(0), Op: Upsert, Kind: Pod},
		{Time: at(0), Op: Upsert, Kind: Pod, Name: "x", Cgroup: strings.Repeat("x", maxLine)},
	} {
		if err := w.Write(&bad); err == nil {
			t.Errorf("written: %.80v", bad)
		}
	}
	if buf.String() != want {
		t.Error("a refused record left bytes behind")
	}
}

func FuzzRead(f *testing.F) {
	p := pod(1, "cart-1", "n1", "10.0.0.1", "::1", "fe80::1%eth0")
	seed := encode(f, node(0, "n1", "10.0.0.2"), p, host(pod(2, "agent", "n1", "10.0.0.2")), service(2, "cart", "10.0.0.3"), endpoints(3, "cart-1", "cart", "10.0.0.1"), gone(4, p))
	for _, packing := range []string{"plain", "gzip", "zstd"} {
		f.Add(packed(f, packing, seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, x := range []int64{math.MinInt64, 0, at(2).UnixNano(), math.MaxInt64} {
			for _, a := range l.addrs {
				if o := l.Lookup(a, x); o.Unknown == "" && o.Pod == "" && o.Service == "" && o.Node == "" && o.Process == "" {
					t.Fatalf("%s at %d: neither an owner nor a reason", a, x)
				}
			}
		}
		w, err := l.Workloads(WorkloadFilter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range w {
			if one, err := l.Workloads(WorkloadFilter{Name: x.Name, Namespace: x.Namespace, Type: x.Kind}); err != nil || len(one) != 1 {
				t.Fatalf("%q of %q: %d found, %v", x.Name, x.Namespace, len(one), err)
			}
		}
		ips, err := l.IPs(IPFilter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range ips {
			if one, err := l.IPs(IPFilter{IP: x.IP}); err != nil || len(one) != 1 || len(one[0].Records) != len(x.Records) {
				t.Fatalf("%s: %v, %v", x.IP, one, err)
			}
		}
	})
}
