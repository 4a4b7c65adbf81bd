package smb2

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"shark/dissector"
	"shark/dissector/dissectortest"
	"shark/dissector/wire"
)

// head is what a message's header says in a test.
type head struct {
	command int
	id      uint64
	flags   uint32
	status  uint32
	next    int
	tree    uint32
	async   uint64
}

const session = 0x1122

// msg encodes a message.
func msg(h head, body ...any) string {
	b := []byte(idSMB2)
	b = le.AppendUint16(b, headerSMB2)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint32(b, h.status)
	b = le.AppendUint16(b, uint16(h.command))
	b = le.AppendUint16(b, 1)
	b = le.AppendUint32(b, h.flags)
	b = le.AppendUint32(b, uint32(h.next))
	b = le.AppendUint64(b, h.id)
	if h.flags&flagAsync != 0 {
		b = le.AppendUint64(b, h.async)
	} else {
		b = le.AppendUint32(le.AppendUint32(b, 0), h.tree)
	}
	b = le.AppendUint64(b, session)
	b = append(b, make([]byte, 16)...)
	return string(b) + join(body...)
}

// join encodes numbers by their width and texts as they are.
func join(parts ...any) string {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case byte:
			b = append(b, p)
		case uint16:
			b = le.AppendUint16(b, p)
		case uint32:
			b = le.AppendUint32(b, p)
		case uint64:
			b = le.AppendUint64(b, p)
		case string:
			b = append(b, p...)
		}
	}
	return string(b)
}

// nb puts messages into a packet.
func nb(messages ...string) string {
	s := strings.Join(messages, "")
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func wide(s string) string {
	var b []byte
	for _, c := range utf16.Encode([]rune(s)) {
		b = le.AppendUint16(b, c)
	}
	return string(b)
}

func zero(n int) string { return strings.Repeat("\x00", n) }

func connect(id uint64, path string) string {
	return msg(head{command: cmdTreeConnect, id: id}, uint16(9), uint16(0), uint16(headerSMB2+8), uint16(len(wide(path))), wide(path))
}

func connected(id uint64, tree uint32) string {
	return msg(head{command: cmdTreeConnect, id: id, flags: flagResponse, tree: tree}, uint16(16), byte(1), byte(0), zero(12))
}

func create(id uint64, tree uint32, name string) string {
	return msg(head{command: cmdCreate, id: id, tree: tree}, uint16(57), zero(42), uint16(headerSMB2+56), uint16(len(wide(name))), zero(8), wide(name), zero(1))
}

func created(id uint64, file byte) string {
	return msg(head{command: cmdCreate, id: id, flags: flagResponse}, uint16(89), byte(0), byte(0), uint32(2), zero(56), fid(file), zero(8))
}

func fid(n byte) string { return strings.Repeat(string([]byte{n}), 16) }

func closing(h head, file string) string {
	h.command = cmdClose
	return msg(h, uint16(24), uint16(0), uint32(0), file)
}

func answer(command int, id uint64, status uint32) string {
	return msg(head{command: command, id: id, flags: flagResponse, status: status}, uint16(9), zero(7))
}

func read(id uint64, n int) string {
	return msg(head{command: cmdRead, id: id, tree: 7}, uint16(49), uint16(0), uint32(n), uint64(4096), fid(3), zero(17))
}

func data(id uint64, s string) string {
	return msg(head{command: cmdRead, id: id, flags: flagResponse}, uint16(17), byte(headerSMB2+16), byte(0), uint32(len(s)), zero(8), s)
}

func script(t *testing.T, s *dissectortest.Script, want ...string) {
	t.Helper()
	if got := s.Calls(t, Protocol); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// opened begins a connection on which a tree and a file are opened.
func opened() *dissectortest.Script {
	return dissectortest.NewScript().
		Client(nb(connect(1, `\\s\x`))).Server(nb(connected(1, 7))).
		Client(nb(create(2, 7, `a\b`))).Server(nb(created(2, 3)))
}

const connecting, creating = `TREE_CONNECT \\s\x > STATUS_SUCCESS`, `CREATE \\s\x\a\b > STATUS_SUCCESS`

func TestNames(t *testing.T) {
	script(t, opened().
		Client(nb(read(3, 5))).Server(nb(data(3, "hello"))).
		Client(nb(closing(head{id: 4, tree: 7}, fid(3)))).Server(nb(answer(cmdClose, 4, 0))).
		Client(nb(closing(head{id: 5, tree: 7}, fid(3)))).Server(nb(answer(cmdClose, 5, 0xc0000128))).Close(),
		connecting, creating, `READ \\s\x\a\b > STATUS_SUCCESS`, `CLOSE \\s\x\a\b > STATUS_SUCCESS`, `CLOSE \\s\x > STATUS_FILE_CLOSED resumed`)
}

// TestOutOfOrder: responses pair by id, one after STATUS_PENDING with the same.
func TestOutOfOrder(t *testing.T) {
	pending := msg(head{command: cmdRead, id: 3, flags: flagResponse | flagAsync, async: 9, status: statusPending}, uint16(9), zero(7))
	final := msg(head{command: cmdRead, id: 3, flags: flagResponse | flagAsync, async: 9, status: 0xc0000120}, uint16(9), zero(7))
	cancel := msg(head{command: cmdCancel, id: 3, flags: flagAsync, async: 9}, uint16(4), uint16(0))
	script(t, opened().
		Client(nb(read(3, 5))+nb(read(4, 5))).Server(nb(pending)+nb(data(4, "hello"))).
		Client(nb(cancel)).Server(nb(final)).Close(),
		connecting, creating, `READ \\s\x\a\b > STATUS_SUCCESS`, `CANCEL one-way`, `READ \\s\x\a\b > STATUS_CANCELLED`)
}

func TestCompound(t *testing.T) {
	pad := func(s string) (string, int) {
		s += zero(-len(s) & 7)
		return s, len(s)
	}
	first, n := pad(create(2, 7, "c"))
	first = first[:20] + join(uint32(n)) + first[24:]
	second := closing(head{id: 3, flags: flagRelated, tree: 1<<32 - 1}, string(none[:]))
	reply, n := pad(created(2, 5))
	reply = reply[:20] + join(uint32(n)) + reply[24:]
	script(t, dissectortest.NewScript().
		Client(nb(connect(1, `\\s\x`))).Server(nb(connected(1, 7))).
		Client(nb(first, second)).Server(nb(reply, answer(cmdClose, 3, 0))).Close(),
		connecting, `CREATE \\s\x\c > STATUS_SUCCESS`, `CLOSE \\s\x\c > STATUS_SUCCESS`)
}

// TestLoss: what ids stand for is unknown after a hole.
func TestLoss(t *testing.T) {
	script(t, opened().
		Client(nb(read(3, 5))).Lose().Server(nb(data(3, "hello"))).
		Client(nb(read(4, 5))).Server(nb(data(4, "hello"))).
		Client(nb(read(5, 5))).Server(nb(data(5, "hello"))).Close(),
		connecting, creating, `READ \\s\x\a\b > STATUS_SUCCESS resumed`, `READ > STATUS_SUCCESS resumed`, `READ \\s\x\a\b > -`)
}

func TestHiddenMessages(t *testing.T) {
	sealed := idEncrypted + zero(32) + join(uint32(80), uint16(0), uint16(1), uint64(session)) + zero(80)
	packed := idCompressed + zero(100)
	script(t, opened().Client(nb(sealed)).Server(nb(sealed)).Client(nb(packed)).Client(nb(read(4, 5))).Server(nb(data(4, "hello"))).Close(),
		connecting, creating, "encrypted to the server one-way", "encrypted to the client one-way", "compressed to the server one-way", `READ \\s\x\a\b > STATUS_SUCCESS`)
}

func TestBreaks(t *testing.T) {
	broken := head{command: cmdOplockBreak, id: unasked, flags: flagResponse}
	script(t, opened().
		Server(nb(msg(broken, uint16(24), byte(1), byte(0), uint32(0), fid(3)))).
		Server(nb(msg(broken, uint16(44), zero(42)))).
		Client(nb(msg(head{command: cmdOplockBreak, id: 4, tree: 7}, uint16(36), zero(34)))).Server(nb(answer(cmdOplockBreak, 4, 0))).Close(),
		connecting, creating, `OPLOCK_BREAK a\b to level II one-way`, "OPLOCK_BREAK lease one-way", `OPLOCK_BREAK \\s\x > STATUS_SUCCESS`)
}

// TestPort139: the session service's own packets are passed over.
func TestPort139(t *testing.T) {
	name := "\x20" + strings.Repeat("CA", 16) + "\x00"
	script(t, dissectortest.NewScript().
		Client("\x81\x00\x00\x44"+name+name).Server("\x82\x00\x00\x00").
		Client(nb(connect(1, `\\s\x`))).Client("\x85\x00\x00\x00").Server(nb(connected(1, 7))).Close(),
		connecting)
}

func one(t *testing.T, s string) *dissector.Message {
	t.Helper()
	m := new(dissector.Message)
	if span, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(s), m); err != nil || span != int64(len(s)) {
		t.Fatal(span, err)
	}
	return m
}

func TestAuthentication(t *testing.T) {
	field := func(n, off int) string { return join(uint16(n), uint16(n), uint32(off)) }
	token := func(flags uint32, domain, user, host string) string {
		return string(ntlmSignature) + join(uint32(3)) + field(0, 64) + field(0, 64) + field(len(domain), 64) + field(len(user), 64+len(domain)) +
			field(len(host), 64+len(domain)+len(user)) + field(0, 64) + join(flags) + domain + user + host
	}
	setup := func(token string) string {
		return nb(msg(head{command: cmdSessionSetup, id: 1}, uint16(25), zero(10), uint16(headerSMB2+24), uint16(len(token)), zero(8), token))
	}
	for _, c := range []struct{ token, want string }{
		{"\x60\x82" + token(1, wide("SHOP"), wide("Jürgen"), wide("PC")), `NTLM SHOP\Jürgen from PC`},
		{token(0, "SHOP", "bob", "PC\xff"), "NTLM SHOP\\bob from PC\ufffd"},
		{token(1, "", "", ""), `NTLM \ from `},
		{token(1, "", wide(strings.Repeat("u", 1000)), ""), `NTLM \` + strings.Repeat("u", maxName) + "... from "},
		{string(ntlmSignature) + "\x01\x00\x00\x00", "NTLM"},
		{"\x60\x10" + string(kerberosOID), "Kerberos"},
		{"\x60\x10" + string(kerberosWrong), "Kerberos"},
		{token(1, "", "", "")[:40], "NTLM"},
		{token(1, wide("SHOP"), wide("bob"), wide("PC"))[:70], "NTLM SHO..."},
		{"", ""},
	} {
		m := one(t, setup(c.token))
		if s := string(dissector.Summary.Get(&m.Values)); s != c.want {
			t.Errorf("got %q, want %q", s, c.want)
		}
	}
}

func TestRename(t *testing.T) {
	info := zero(16) + join(uint32(len(wide("new")))) + wide("new")
	m := one(t, nb(msg(head{command: cmdSetInfo, id: 1}, uint16(33), byte(1), byte(10), uint32(len(info)), uint16(headerSMB2+32), uint16(0), uint32(0), string(none[:]), info)))
	if s := string(NewName.Get(&m.Values)); s != "new" {
		t.Error(s)
	}
	if s := string(dissector.Summary.Get(&m.Values)); s != " FileRenameInformation new" {
		t.Errorf("%q", s)
	}
}

// TestSMB1: a server may answer with either version.
func TestSMB1(t *testing.T) {
	header := func(flags byte) string { return idSMB1 + "\x72" + zero(4) + string([]byte{flags}) + zero(22) }
	ask := nb(header(0) + join(byte(0), uint16(24)) + "\x02NT LM 0.12\x00\x02SMB 2.002\x00")
	negotiated := msg(head{command: cmdNegotiate, flags: flagResponse}, uint16(65), uint16(1), uint16(0x0202), zero(58))
	script(t, dissectortest.NewScript().Client(ask).Server(nb(negotiated)).Client(nb(connect(1, `\\s\x`))).Server(nb(connected(1, 7))).Close(),
		"NEGOTIATE NT LM 0.12, SMB 2.002 > STATUS_SUCCESS", connecting)
	script(t, dissectortest.NewScript().Client(ask).Server(nb(header(0x80)+join(byte(1), uint16(0), uint16(0)))).Client(nb(idSMB1+"\x73"+zero(60))).Close(),
		"NEGOTIATE NT LM 0.12, SMB 2.002 > STATUS_SUCCESS")
}

// TestLargeMessagesAreNotBuffered: of a READ only the head is waited for, and what of a
// name is out of sight is shown to be.
func TestLargeMessagesAreNotBuffered(t *testing.T) {
	p := Protocol.New(dissector.TCP)
	b := nb(data(1, zero(1<<20)))
	m := new(dissector.Message)
	if _, err := p(dissector.Server, []byte(b)[:200], m); err != dissector.ErrShort || m.Need != prefix+maxHead {
		t.Error(err, m.Need)
	}
	m = new(dissector.Message)
	if span, err := p(dissector.Server, []byte(b)[:prefix+maxHead], m); err != nil || span != int64(len(b)) || DataSize.Get(&m.Values) != 1<<20 {
		t.Error(span, err)
	}
	m = one(t, nb(create(1, 7, strings.Repeat("x", 30_000))))
	if s := string(File.Get(&m.Values)); s != strings.Repeat("x", maxName)+wire.CutMark {
		t.Error(s)
	}
	m = one(t, nb(create(1, 7, "a\x00\nb\U0001f600")))
	if s := string(File.Get(&m.Values)); s != "a\ufffd\ufffdb\U0001f600" {
		t.Error(s)
	}
}

func TestRememberedNamesAreBounded(t *testing.T) {
	p := new(parser)
	for i := range 10_000 {
		var id file
		le.PutUint32(id[:], uint32(i))
		p.files.put(id, []byte("name"), maxFiles)
		if _, ok := p.files.get(id); !ok || len(p.files.young)+len(p.files.old) > maxFiles {
			t.Fatal("forgotten at once, or too many")
		}
	}
	if s := kept([]byte(strings.Repeat("é", maxKept))); s != strings.Repeat("é", maxKept/2)+wire.CutMark {
		t.Error(s)
	}
}

func TestProbe(t *testing.T) {
	bad := func(at int, with string) string {
		s := nb(read(1, 5))
		return s[:at] + with + s[at+len(with):]
	}
	for _, c := range []struct {
		name, head string
		want       dissector.Guess
	}{
		{"request", nb(read(1, 5)), dissector.Request},
		{"response", nb(data(1, "x")), dissector.Response},
		{"beginning of a large one", nb(data(1, zero(100_000)))[:100], dissector.Response},
		{"part of a header", nb(read(1, 5))[:40], dissector.More},
		{"length", "\x00\x00\x01", dissector.More},
		{"nothing", "", dissector.More},
		{"another command", bad(prefix+12, "\x14"), dissector.No},
		{"unknown flags", bad(prefix+17, "\x01"), dissector.No},
		{"a next message that does not fit", bad(prefix+20, "\x00\x01\x00\x00"), dissector.No},
		{"another header", bad(prefix+4, "\x41"), dissector.No},
		{"SMB 1", "\x00\x00\x00\x40" + idSMB1 + "\x72" + zero(60), dissector.Request},
		{"another command of SMB 1", "\x00\x00\x00\x40" + idSMB1 + "\x73" + zero(60), dissector.No},
		{"encrypted", nb(idEncrypted + zero(100)), dissector.No},
		{"Kerberos", "\x00\x00\x01\x00\x6a\x81", dissector.No},
		{"PostgreSQL", "\x00\x00\x00\x08\x04\xd2\x16\x2f", dissector.No},
		{"session request with other names", "\x81\x00\x00\x44" + zero(68), dissector.No},
	} {
		if got := probe([]byte(c.head)); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestRandomBytesAreNotClaimed(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200_000 {
		b := []byte(nb(zero(100)))
		for i := prefix; i < len(b); i++ {
			b[i] = byte(rng.Uint32())
		}
		if g := probe(b); g == dissector.Request || g == dissector.Response {
			t.Fatalf("claimed %x", b)
		}
	}
}

// TestCut: a message waits for its rest wherever it is cut.
func TestCut(t *testing.T) {
	for _, s := range []string{nb(create(2, 7, "name")), nb(connect(1, "x")), nb(closing(head{id: 4}, fid(3))), nb(idEncrypted + zero(100))} {
		for n := range min(len(s), prefix+headerEncrypted) {
			if _, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(s[:n]), new(dissector.Message)); err != dissector.ErrShort {
				t.Fatalf("%d of %d bytes: %v", n, len(s), err)
			}
		}
	}
}

func TestMalformed(t *testing.T) {
	for name, s := range map[string]string{
		"a response of a client":        nb(data(1, "x")),
		"a name outside of the message": nb(msg(head{command: cmdTreeConnect, id: 1}, uint16(9), uint16(0), uint16(72), uint16(99), "x")),
		"a body of another command":     nb(msg(head{command: cmdTreeConnect, id: 1}, uint16(57), zero(20))),
		"a file's id cut off":           nb(msg(head{command: cmdClose, id: 1}, uint16(24), zero(9))),
		"too many dialects":             nb(msg(head{command: cmdNegotiate, id: 1}, uint16(36), uint16(9), zero(36))),
		"a packet of a session":         "\x84\x00\x40\x00",
		"an unknown packet":             "\x07\x00\x00\x04abcd",
		"an empty message":              "\x00\x00\x00\x00",
		"another protocol":              nb("\x01SMB" + zero(80)),
		"a short header":                nb(idSMB2 + zero(40)),
	} {
		if _, err := Protocol.New(dissector.TCP)(dissector.Client, []byte(s), new(dissector.Message)); err != errMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(nb(connect(1, `\\s\x`))+nb(create(2, 7, `a\b`))+nb(read(3, 5))), byte(9))
	f.Add([]byte(nb(connected(1, 7))+nb(created(2, 3))+nb(data(3, "hello"))), byte(0))
	f.Add([]byte(nb(msg(head{command: cmdSetInfo, id: 1}, uint16(33), byte(1), byte(10), uint32(26), uint16(96), uint16(0), uint32(0), string(none[:]), zero(16), uint32(6), wide("new")))), byte(1))
	f.Add([]byte(nb(msg(head{command: cmdSessionSetup, id: 1}, uint16(25), zero(10), uint16(88), uint16(72), zero(8), string(ntlmSignature), uint32(3), zero(60)))), byte(2))
	f.Add([]byte(nb(idSMB1+"\x72"+zero(27)+join(byte(0), uint16(24))+"\x02NT LM 0.12\x00")), byte(3))
	f.Add([]byte(nb(msg(head{command: cmdNegotiate, id: 1}, uint16(36), uint16(2), zero(32), uint16(0x202), uint16(0x311)))+nb(idEncrypted+zero(60))), byte(3))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		defer dissectortest.Bounded(t)()
		probe(b)
		for _, from := range []dissector.Side{dissector.Client, dissector.Server} {
			dissectortest.Feed(t, Protocol.New(dissector.TCP), from, b, 1+int(cut), func() *dissector.Message {
				return &dissector.Message{Detail: cut&1 != 0, Gap: int64(cut & 2)}
			})
		}
	})
}
