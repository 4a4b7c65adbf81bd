package quic

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"shark/dissector"
)

// Packets of the RFCs' appendixes, whose keys derive from this connection ID.
const (
	rfcID       = "8394c8f03e515708"
	serverV1    = "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee"
	serverV2    = "dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698baeea26b91eb761d9b89237bbf87263017915358230035f7fd3945d88965cf17f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a393e42757507698075b2c984c707f0a0812d8cd5a6881eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca84bed8521e2e140"
	retryV1Text = "ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba"
	retryV2Text = "cf6b3343cf0008f067a5502a4262b5746f6b656ec8646ce8bfe33952d955543665dcc7b6"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func id(b []byte) (c connectionID) {
	c.n = uint8(copy(c.b[:], b))
	return c
}

// RFC 9001 appendix A.3, RFC 9369 appendix A.3.
func TestServerInitialOfTheRFCs(t *testing.T) {
	origin := id(unhex(t, rfcID))
	for _, text := range []string{serverV1, serverV2} {
		p, ok := parsePacket(unhex(t, text))
		if !ok || p.kind != kindInitial {
			t.Fatalf("%.20s: kind %d, %t", text, p.kind, ok)
		}
		var o opener
		b := o.open(deriveKeys(readable[p.version], &origin, dissector.Server), &p)
		if !bytes.HasPrefix(b, unhex(t, "02000000000600405a020000560303eefce7f7b37ba1d163")) {
			t.Errorf("%.20s: %x", text, b)
		}
		if o.open(deriveKeys(readable[p.version], &origin, dissector.Client), &p) != nil {
			t.Errorf("%.20s: the client's keys open it", text)
		}
	}
}

// RFC 9001 appendix A.4, RFC 9369 appendix A.4.
func TestRetryOfTheRFCs(t *testing.T) {
	origin, other := id(unhex(t, rfcID)), id([]byte("otherone"))
	for _, text := range []string{retryV1Text, retryV2Text} {
		p, ok := parsePacket(unhex(t, text))
		if !ok || p.kind != kindRetry || string(p.token) != "token" {
			t.Fatalf("%.20s: kind %d, token %q, %t", text, p.kind, p.token, ok)
		}
		if v := readable[p.version]; !p.genuine(v, &origin) || p.genuine(v, &other) {
			t.Errorf("%.20s: it is not told from a forged one", text)
		}
	}
}

func TestVarint(t *testing.T) { // RFC 9000 appendix A.1
	for text, want := range map[string]uint64{
		"c2197c5eff14e88c": 151288809941952652, "9d7f3e7d": 494878333, "7bbd": 15293, "25": 37, "4025": 37,
	} {
		r := newReader(unhex(t, text))
		if got := r.varint(); got != want || r.Bad || len(r.B) > 0 {
			t.Errorf("%s: %d", text, got)
		}
		r = newReader(unhex(t, text)[:len(text)/2-1])
		if got := r.varint(); got != 0 || !r.Bad {
			t.Errorf("%s, cut: %d", text, got)
		}
	}
}

func TestVersions(t *testing.T) {
	for number, want := range map[uint32]string{
		1: "v1", 0x6b3343cf: "v2", 0x709a50c4: "v2 draft", 0xff00001d: "draft-29", 0xfaceb002: "0xfaceb002",
		0x51303436: "Q046", 0x54303531: "T051", 0x1a2a3a4a: "0x1a2a3a4a", 2: "0x00000002", 0x51000000: "0x51000000",
	} {
		if got := versionName(number); got != want {
			t.Errorf("%x: %s", number, got)
		}
	}
	for number, want := range map[uint32]int{1: 1, 0xff000016: 1, 0xff000015: 0, 0xff000023: 0, 0x1a2a3a4a: 3, 0x51303436: 0, 0: 0} {
		if got := len(candidates(number)); got != want {
			t.Errorf("%x: %d candidates", number, got)
		}
	}
}

// header writes a long header as far as the connection IDs; kind is numbered as v1 does.
func header(kind int, number uint32, dst, src connectionID) []byte {
	if v := readable[number]; v != nil && v.second {
		kind = (kind + 1) & 3
	}
	b := binary.BigEndian.AppendUint32([]byte{longHeader | fixedBit | byte(kind)<<4}, number)
	b = append(append(b, dst.n), dst.bytes()...)
	return append(append(b, src.n), src.bytes()...)
}

// seal makes an Initial packet: the opposite of open. like is the version by whose
// rules it is protected, number what it says that it is.
func seal(from dissector.Side, like, number uint32, keyed, dst, src connectionID, token, plain []byte) []byte {
	k := deriveKeys(readable[like], &keyed, from)
	b := header(kindInitial, number, dst, src)
	b[0] |= 1 // two bytes of a packet number
	b = append(append(b, byte(len(token))), token...)
	for len(plain) < maxNumber {
		plain = append(plain, framePadding)
	}
	b = binary.BigEndian.AppendUint16(b, 0x4000|uint16(2+len(plain)+tagLen))
	at := len(b)
	b = append(b, 0, 7)
	nonce := k.iv
	nonce[len(nonce)-1] ^= 7
	b = k.aead.Seal(b, nonce[:], plain, b)
	mask := k.mask(b[at+maxNumber:][:sampleLen])
	b[0] ^= mask[0] & 0x0f
	b[at] ^= mask[1]
	b[at+1] ^= mask[2]
	return b
}

func TestProbe(t *testing.T) {
	long, src := id([]byte("12345678")), id([]byte("src"))
	short := id([]byte("1234567"))
	hello := crypto(0, clientHello("a.example"))
	good := seal(dissector.Client, numberV1, numberV1, long, long, src, nil, hello)
	for name, c := range map[string]struct {
		b    []byte
		want dissector.Guess
	}{
		"nothing":                      {nil, dissector.No},
		"v1":                           {good, dissector.Request},
		"v1 with more behind it":       {append(bytes.Clone(good), "more"...), dissector.Request},
		"v2":                           {seal(dissector.Client, numberV2, numberV2, long, long, src, nil, hello), dissector.Request},
		"draft-29":                     {seal(dissector.Client, draftBase+29, draftBase+29, long, long, src, nil, hello), dissector.Request},
		"a reserved version":           {seal(dissector.Client, draftBase+29, 0xbabababa, long, long, src, nil, hello), dissector.Request},
		"a version that is not known":  {seal(dissector.Client, numberV1, 0x12345678, long, long, src, nil, hello), dissector.No},
		"Google's":                     {seal(dissector.Client, numberV1, 0x51303530, long, long, src, nil, hello), dissector.No},
		"other keys":                   {seal(dissector.Client, numberV1, numberV1, src, long, src, nil, hello), dissector.No},
		"the server's":                 {seal(dissector.Server, numberV1, numberV1, long, long, src, nil, hello), dissector.No},
		"too short a connection ID":    {seal(dissector.Client, numberV1, numberV1, short, short, src, nil, hello), dissector.No},
		"cut":                          {good[:len(good)-1], dissector.No},
		"a Retry":                      {unhex(t, retryV1Text), dissector.No},
		"a Version Negotiation":        {append(header(0, 0, long, src), 0, 0, 0, 1), dissector.No},
		"a short header":               {append([]byte{0x40}, good...), dissector.No},
		"a connection ID of 21 bytes":  {append([]byte{0xc0, 0, 0, 0, 1, 21}, good...), dissector.No},
		"TLS":                          {[]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), dissector.No},
		"as many bytes of 0xff as fit": {bytes.Repeat([]byte{0xff}, 1400), dissector.No},
	} {
		if got := probe(c.b); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}
