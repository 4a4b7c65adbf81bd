package ssh

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

// pack puts a payload into a packet.
func pack(payload string) string {
	padding := 8 - (5+len(payload))%8
	if padding < minPadding {
		padding += 8
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(1+len(payload)+padding))
	return string(append(b, byte(padding))) + payload + strings.Repeat("\x00", padding)
}

func text(s string) string { return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s }

// offer encodes a KEXINIT with a key exchange method, and one algorithm for all the rest.
func offer(kex, rest string) string {
	s := "\x14" + strings.Repeat("c", cookie) + text(kex) + text(rest)
	for range 2 {
		s += text(rest) + text(rest) + text(rest)
	}
	return pack(s + text("") + text("") + "\x00\x00\x00\x00\x00")
}

const clientID, serverID = "SSH-2.0-mine_1.0 it's\r\n", "SSH-2.0-yours\r\n"

var (
	old      = offer("dh1,dh2", "a,b")
	asClient = offer("dh1,dh2,ext-info-c", "a,b")
	asServer = offer("dh2,kex-strict-s-v00@openssh.com", "x,b")
	kexInit1 = pack("\x1e" + text("e"))
	kexReply = pack("\x1f" + text("key") + text("f") + text("signature"))
	newKeys  = pack("\x15")
)

func script(t *testing.T, s *dissectortest.Script, want ...string) {
	t.Helper()
	if got := s.Calls(t, Protocol); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const call = "KEXINIT SSH-2.0-mine_1.0 it's > "

// TestOrders: whoever speaks first, the connection is one call.
func TestOrders(t *testing.T) {
	for name, s := range map[string]*dissectortest.Script{
		"in turns":           dissectortest.NewScript().Client(clientID).Server(serverID).Client(asClient).Server(asServer).Client(kexInit1).Server(kexReply + newKeys),
		"server first":       dissectortest.NewScript().Server(serverID, asServer).Client(clientID, asClient, kexInit1).Server(kexReply, newKeys),
		"by the third":       dissectortest.NewScript().Server(serverID, old).Client(clientID, old, kexInit1).Server(kexReply, newKeys),
		"lines before":       dissectortest.NewScript().Server("Welcome\r\nto us\r\n" + serverID).Client(clientID + asClient).Server(asServer).Client(kexInit1).Server(kexReply),
		"debug and ignore":   dissectortest.NewScript().Client(clientID+asClient).Server(serverID+asServer).Client(kexInit1).Server(pack("\x02"+text("x")), pack("\x04"), kexReply),
		"what is encrypted":  dissectortest.NewScript().Client(clientID + asClient).Server(serverID + asServer).Client(kexInit1).Server(kexReply + newKeys + "\x00\x01\x02").Client(newKeys + "SSH-2.0-x\r\n"),
		"group and key":      dissectortest.NewScript().Client(clientID+offer("group-exchange,ext-info-c", "b")).Server(serverID+offer("group-exchange", "b")).Client(pack("\x22")).Server(pack("\x1f"+text("p")), pack("\x21"+text("key"))),
		"by the one behind":  dissectortest.NewScript().Server(serverID, old).Client(clientID, offer("group-exchange", "b")).Client(pack("\x22abc")).Server(kexReply),
		"a guess before":     dissectortest.NewScript().Client(clientID + asClient + kexInit1).Server(serverID + asServer + kexReply),
		"ends of Unix lines": dissectortest.NewScript().Client("SSH-2.0-mine_1.0 it's\n" + asClient).Server("SSH-1.99-yours\n" + asServer + kexReply),
	} {
		want := call + statusAgreed
		if name == "by the one behind" {
			want = call + "no key exchange method in common"
		}
		got := s.Close().Calls(t, Protocol)
		if len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%s: got\n%s", name, strings.Join(got, "\n"))
		}
	}
}

func TestFailures(t *testing.T) {
	script(t, dissectortest.NewScript().Client(clientID+asClient).Server(serverID+offer("dh9", "b")).Close(), call+"no key exchange method in common")
	script(t, dissectortest.NewScript().Client(clientID+asClient).Server(serverID+offer("dh1", "z")).Close(), call+"no host key algorithm in common")
	script(t, dissectortest.NewScript().Client(clientID+asClient).Server(serverID+asServer).Server(pack("\x01\x00\x00\x00\x0b"+text("bye")+text(""))).Close(), call+"disconnected")
	script(t, dissectortest.NewScript().Client(clientID+asClient).Server(serverID).Close(), call+" truncated")
	script(t, dissectortest.NewScript().Client(clientID).Server(serverID).Close(), call+" truncated")
	script(t, dissectortest.NewScript().Server(serverID).Client(clientID).Close(), call+" truncated")
	script(t, dissectortest.NewScript().Server(serverID).Close(), "- >  truncated")
	script(t, dissectortest.NewScript().Client(clientID).Close(), call+"- truncated")
	script(t, dissectortest.NewScript().Client(clientID+asClient).Lose().Server(serverID+asServer).Client(kexInit1).Server(kexReply).Close(), call+"-")
}

// TestChosen: the client's order decides (RFC 4253 section 7.1).
func TestChosen(t *testing.T) {
	parse := Protocol.New(dissector.TCP)
	read := func(from dissector.Side, s string) *dissector.Message {
		m := new(dissector.Message)
		if span, err := parse(from, []byte(s), m); err != nil || span != int64(len(s)) {
			t.Fatal(span, err)
		}
		return m
	}
	aead := "chacha20-poly1305@openssh.com"
	read(dissector.Client, offer("c,b,a", aead))
	read(dissector.Server, offer("a,b", aead))
	m := read(dissector.Server, kexReply)
	if s := string(Kex.Get(&m.Values)); s != "b" {
		t.Error(s)
	}
	if s := string(MACUp.Get(&m.Values)) + string(MACDown.Get(&m.Values)); s != "implicitimplicit" {
		t.Error(s)
	}
	if s := string(Fingerprint.Get(&m.Values)); s != "SHA256:LHDhK3oGRvkiefQnx7OOczTY5Tic/xZ6HcMOc/gmtoM" {
		t.Error(s)
	}
	m = new(dissector.Message)
	if span, err := parse(dissector.Client, []byte(kexInit1), m); err != nil || span != dissector.UntilClose || !m.Skip {
		t.Error("more of the client than its KEXINIT is read")
	}
}

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		name, head string
		want       dissector.Guess
	}{
		{"client", clientID + asClient, dissector.Request},
		{"server by its KEXINIT only", serverID + asServer, dissector.Either},
		{"server", serverID + asServer + kexReply, dissector.Response},
		{"client by the third", clientID + old + kexInit1, dissector.Request},
		{"client with a group", clientID + old + pack("\x22abc"), dissector.Request},
		{"server by the third", serverID + old + kexReply, dissector.Response},
		{"without identification", asClient, dissector.Request},
		{"neither", clientID + old + newKeys, dissector.No},
		{"server that says what clients say", serverID + asServer + kexInit1, dissector.No},
		{"identification", clientID, dissector.Either},
		{"part of one", "SSH-2.0-mi", dissector.More},
		{"its beginning", "S", dissector.More},
		{"line before", "hello\r\n" + serverID, dissector.Either},
		{"version 1", "SSH-1.5-x\n", dissector.No},
		{"no software", "SSH-2.0-\r\n" + asClient, dissector.No},
		{"too long", "SSH-2.0-" + strings.Repeat("x", 300), dissector.No},
		{"binary", "SSH-2.0-\x01\x02", dissector.No},
		{"SMTP", "220 mail.example ESMTP\r\n", dissector.No},
		{"no packet behind it", clientID + "\x00\x00\x00\x01\x04\x14", dissector.No},
		{"another message", clientID + kexInit1, dissector.No},
		{"Kerberos", "\x00\x00\x01\x00\x6a\x81\xfd\x30", dissector.No},
		{"SMB", "\x00\x00\x00\x54\xfeSMB\x40\x00", dissector.No},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

// TestCut: a probe of less of a side does not say otherwise, and a parser waits.
func TestCut(t *testing.T) {
	whole := clientID + asClient
	for n := range len(whole) {
		want := dissector.More
		if n >= len(clientID) {
			want = dissector.Either
		}
		if got := probe([]byte(whole[:n])); got != want {
			if got != dissector.Request || n < len(whole)-minPadding-kexInitTrailer-8 {
				t.Fatalf("%d bytes: %d", n, got)
			}
		}
	}
	for n := range len(clientID) - 1 {
		if _, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(clientID[:n]), new(dissector.Message)); err != dissector.ErrShort {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	for n := range len(asClient) {
		if _, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(asClient[:n]), new(dissector.Message)); err != dissector.ErrShort {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
}

func TestMalformed(t *testing.T) {
	for name, s := range map[string]string{
		"a list that does not fit":  pack("\x14" + strings.Repeat("c", cookie) + "\x00\x00\x70\x00x"),
		"a huge list":               pack("\x14" + strings.Repeat("c", cookie) + "\x7f\x00\x00\x00x"),
		"binary names":              pack("\x14" + strings.Repeat("c", cookie) + text("\x01\x02")),
		"more behind it":            offer("a", "b")[:4] + "\x04" + offer("a", "b")[5:],
		"no method":                 offer("", "b"),
		"too large":                 "\x00\x01\x00\x00\x04\x14",
		"no multiple of eight":      "\x00\x00\x00\x0b\x04\x14" + strings.Repeat("\x00", 9),
		"too little padding":        "\x00\x00\x00\x0c\x03\x14" + strings.Repeat("\x00", 10),
		"another message":           kexInit1,
		"a line that never ends":    strings.Repeat("x", 300),
		"lines that never end":      strings.Repeat("hello\n", 2000),
		"an answer before KEXINIT":  kexReply,
		"a disconnect before":       pack("\x01\x00\x00\x00\x02"),
		"what can be ignored first": pack("\x02" + text("x")),
	} {
		if _, err := Protocol.New(dissector.TCP)(dissector.Server, []byte(s), new(dissector.Message)); err != errMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRandomBytesAreNotClaimed(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 200_000 {
		b := make([]byte, 300)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		if i%2 == 0 {
			copy(b, asClient[:22])
		}
		if g := probe(b); g == dissector.Request || g == dissector.Response {
			t.Fatalf("claimed %x", b)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(clientID+asClient+kexInit1+newKeys), byte(9))
	f.Add([]byte("hello\r\n"+serverID+asServer+pack("\x02")+kexReply+newKeys), byte(0))
	f.Add([]byte(serverID+offer("group-exchange", "b")+pack("\x1f"+text("p"))+pack("\x21"+text("key"))), byte(1))
	f.Add([]byte(serverID+asServer+pack("\x01\x00\x00\x00\x0b"+text("bye")+text(""))), byte(2))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		parse := Protocol.New(dissector.TCP)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			for _, p := range []dissector.Parse{parse, Protocol.New(dissector.TCP)} {
				dissectortest.Feed(t, p, from, b, 1+int(cut), func() *dissector.Message {
					return &dissector.Message{Detail: cut&1 != 0, Gap: int64(cut & 2)}
				})
			}
		}
	})
}
