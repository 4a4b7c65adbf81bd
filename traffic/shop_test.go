package traffic_test

import (
	"bytes"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"shark/packet"
	"shark/snapshot/identity"
	"shark/traffic"
)

// What STORY.md says of the shop.
const (
	oldPayment = "10.244.1.40"
	newPayment = "10.244.2.41"
	redis      = "10.244.2.60"
	backup     = "10.244.2.65"
	checkout   = "10.244.2.35"
)

var begin = time.Date(2026, 3, 14, 15, 0, 0, 0, time.UTC).UnixNano()

// made is the shop, once for all tests.
var made = sync.OnceValues(traffic.NewShop)

func shop(t *testing.T) (*traffic.Shop, []byte) {
	t.Helper()
	s, err := made()
	if err != nil {
		t.Fatal(err)
	}
	return s, unpack(t, s.Files["shop.pcapng.zst"])
}

func unpack(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := zstd.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func seconds(at int64) float64 { return float64(at-begin) / 1e9 }

// The files in testdata are those that the program makes. The capture is
// compared unpacked: another version of the compressor may pack it otherwise.
func TestShopIsInTestdata(t *testing.T) {
	s, capture := shop(t)
	folder := filepath.Join("..", "testdata", "shop")
	size := 0
	for name, want := range s.Files {
		got, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		size += len(got)
		if strings.HasSuffix(name, ".zst") {
			got, want = unpack(t, got), capture
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what `go run ./traffic/trafficgen -shop testdata/shop` writes", name)
		}
	}
	if size > 2<<20 {
		t.Errorf("the files have %d bytes; a repository should not carry more than 2 MiB for a demonstration", size)
	}
}

// The capture holds what the generator says, by another reader's account.
func TestShopIsDissected(t *testing.T) {
	s, capture := shop(t)
	x := dissect(t, capture)
	var want []string
	for i := range s.Calls {
		want = append(want, describe(&s.Calls[i]))
	}
	want = cutAt(want, " for ")
	got := cutAt(x.calls, " for ")
	if m := missing(want, got); m != nil {
		t.Errorf("not found %s", some(m))
	}
	if m := missing(got, want); m != nil {
		t.Errorf("made up %s", some(m))
	}
	if len(x.lone)+len(x.doubt) > 0 {
		t.Errorf("calls in doubt %s", some(append(x.lone, x.doubt...)))
	}
	if n := len(s.Calls); n < 3000 || n > 8000 {
		t.Errorf("%d calls; a demonstration wants some thousands", n)
	}
	if x.conns["tcp"] != s.Truth.Connections || x.conns["udp"] != s.Truth.Flows {
		t.Errorf("found %v connections; there are %d TCP and %d UDP", x.conns, s.Truth.Connections, s.Truth.Flows)
	}
	for _, c := range x.trouble {
		from := c.client.Addr().String()
		switch {
		case from == backup && c.retransmitted >= 30: // the link that loses packets
		case from == checkout && c.server.String() == oldPayment+":50051" && c.reset: // the refused connection
		default:
			t.Errorf("trouble on %v", c)
		}
	}
	if len(x.trouble) != 2 {
		t.Errorf("%d connections in trouble; the story has two: %v", len(x.trouble), x.trouble)
	}
}

// Payments work until the rollout and never after it; the new pod asks for a
// name that does not exist.
func TestShopPayments(t *testing.T) {
	s, _ := shop(t)
	var paid, failed int
	var lastPaid, firstFailed float64
	for _, k := range s.Calls {
		from, to, at := k.Client.Addr().String(), k.Server.Addr().String(), seconds(k.Start)
		switch {
		case k.Protocol == "http" && k.Method == "POST" && k.Path == "/checkout" && strings.HasPrefix(from, "198.51.100."):
			if k.Status == "201" {
				paid, lastPaid = paid+1, max(lastPaid, at)
				continue
			}
			if k.Status != "503" {
				t.Errorf("a checkout was answered with %s", k.Status)
			}
			if failed == 0 || at < firstFailed {
				firstFailed = at
			}
			failed++
		case k.Protocol == "http" && k.Status >= "500" && k.Path != "/checkout":
			t.Errorf("%s %s failed with %s: that is not in the story", k.Method, k.Path, k.Status)
		case k.Protocol == "grpc" && (to == oldPayment) != (k.Status == "0 OK"):
			t.Errorf("%s answered a charge with %s", to, k.Status)
		case k.Protocol == "grpc" && to != oldPayment && (to != newPayment || k.Status != "14 UNAVAILABLE"):
			t.Errorf("%s answered a charge with %s", to, k.Status)
		case k.Protocol == "dns" && (k.Status == "NXDOMAIN") != (k.Path == "api.bank.exmaple"):
			t.Errorf("%s is answered with %s", k.Path, k.Status)
		case k.Protocol == "dns" && k.Path == "api.bank.exmaple" && from != newPayment:
			t.Errorf("%s asks for the mistyped name", from)
		case k.Protocol == "tlsx" && (from != oldPayment || at > 70):
			t.Errorf("%s talks to the bank after %.3f s", from, at)
		}
	}
	if paid < 30 || failed < 60 {
		t.Errorf("%d checkouts succeed and %d fail; the story wants some of both", paid, failed)
	}
	if lastPaid > 69 || firstFailed < 68 || lastPaid > firstFailed {
		t.Errorf("the last checkout succeeds after %.3f s, the first fails after %.3f s", lastPaid, firstFailed)
	}
}

// Redis is slow only while KEYS runs, and then everybody waits.
func TestShopRedis(t *testing.T) {
	s, _ := shop(t)
	type while struct{ from, to int64 }
	var blocked []while
	for _, k := range s.Calls {
		if k.Protocol == "redis" && k.Method == "KEYS" {
			blocked = append(blocked, while{k.Start, k.Start + k.Elapsed})
			if ms := k.Elapsed / 1e6; ms < 400 || ms > 900 {
				t.Errorf("KEYS takes %d ms", ms)
			}
			if k.Client.Addr().String() != oldPayment {
				t.Errorf("KEYS comes from %s, not from the pod that has the old payment pod's address", k.Client)
			}
		}
	}
	if len(blocked) != 6 {
		t.Fatalf("KEYS runs %d times", len(blocked))
	}
	waited := make([]int, len(blocked))
	pages := 0
	for _, k := range s.Calls {
		if k.Elapsed > 300e6 && k.Path == "/orders/latest" {
			pages++
		}
		if k.Protocol != "redis" || k.Method == "KEYS" {
			continue
		}
		during := false
		for i, b := range blocked {
			// Sent up to a round trip before KEYS was, it may still have come in after it.
			if k.Start >= b.from && k.Start < b.to-5e6 {
				during = true
				waited[i]++
				if k.Start+k.Elapsed < b.to-5e6 {
					t.Errorf("%s at %.3f s did not wait for KEYS", k.Method, seconds(k.Start))
				}
			}
		}
		if !during && k.Elapsed > 8e6 {
			t.Errorf("%s at %.3f s took %d ms", k.Method, seconds(k.Start), k.Elapsed/1e6)
		}
	}
	for i, n := range waited {
		if n < 2 {
			t.Errorf("%d commands wait for KEYS number %d", n, i+1)
		}
	}
	if pages < 4 {
		t.Errorf("%d pages are slow for users", pages)
	}
}

// The identity log knows every address of the cluster at every call, and that
// one address has two owners, one after the other.
func TestShopIdentity(t *testing.T) {
	s, _ := shop(t)
	log, err := identity.Read(bytes.NewReader(s.Files["identity.jsonl"]))
	if err != nil {
		t.Fatal(err)
	}
	if d := log.Damage(); len(d) > 0 {
		t.Errorf("damaged: %v", d)
	}
	cluster := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.168.10.0/27")}
	for _, k := range s.Calls {
		for _, a := range []netip.Addr{k.Client.Addr(), k.Server.Addr()} {
			inside := cluster[0].Contains(a) || cluster[1].Contains(a)
			o := log.Lookup(packet.AddrFrom(a), k.Start)
			if inside != (o.Unknown == "") {
				t.Fatalf("%s at %.3f s: %+v", a, seconds(k.Start), o)
			}
		}
	}
	address := packet.AddrFrom(netip.MustParseAddr(oldPayment))
	for at, want := range map[int64]string{
		30: "payment-6c9f7d5b8d-x2k4q", 71: "payment-6c9f7d5b8d-x2k4q", 90: "", 130: "session-cleanup-29225382-zr5kd",
	} {
		if got := log.Lookup(address, begin+at*1e9); got.Pod != want {
			t.Errorf("after %d s %s belongs to %q, not %q", at, oldPayment, got.Pod, want)
		}
	}
	o := log.Lookup(packet.AddrFrom(netip.MustParseAddr("10.96.0.10")), begin)
	if o.Service != "kube-dns" || o.ServiceNamespace != "kube-system" {
		t.Errorf("the DNS service is %+v", o)
	}
}
