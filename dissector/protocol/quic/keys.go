package quic

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"golang.org/x/crypto/chacha20"

	"shark/dissector"
	"shark/dissector/protocol/tls"
)

// keys open what one side sends at a level of encryption (RFC 9001 section 5).
type keys struct {
	version *version
	from    connectionID // those of Initial packets derive from it
	packetKey
	headerKey
}

// packetKey opens what packets say.
type packetKey struct {
	aead cipher.AEAD
	iv   [12]byte
}

// headerKey takes the protection off a packet's header (RFC 9001 section 5.4).
type headerKey struct {
	block  cipher.Block
	chacha []byte // a key of ChaCha20, in place of block
}

// cipherSuite is how packets are encrypted.
type cipherSuite struct {
	tls.AEAD
	chacha bool
}

// suiteOf returns how the packets of a TLS cipher suite are encrypted. Those of AES-CCM with
// short tags are not allowed (RFC 9001 section 5.3).
func suiteOf(suite uint16) (x cipherSuite, ok bool) {
	x.AEAD, ok = tls.AEADOf(suite)
	x.chacha = strings.HasPrefix(tls.SuiteName(suite), "TLS_CHACHA20")
	return x, ok && !strings.HasSuffix(tls.SuiteName(suite), "_CCM_8_SHA256")
}

// initialSuite is that of Initial packets.
var initialSuite = cipherSuite{AEAD: must(tls.AEADOf(0x1301))}

func must[T any](x T, _ bool) T { return x }

// deriveKeys returns the keys of a side's Initial packets, which derive from the
// connection ID that the client made up (RFC 9001 section 5.2).
func deriveKeys(v *version, id *connectionID, from dissector.Side) *keys {
	label := "client in"
	if from == dissector.Server {
		label = "server in"
	}
	initial, err := hkdf.Extract(sha256.New, id.bytes(), []byte(v.salt))
	if err != nil {
		return nil
	}
	k := newKeys(v, initialSuite, tls.ExpandLabel(initialSuite.Hash, initial, label, sha256.Size))
	if k != nil {
		k.from = *id
	}
	return k
}

// newKeys returns the keys of a secret, nil of one that cannot be one of the suite.
func newKeys(v *version, suite cipherSuite, secret []byte) *keys {
	if len(secret) != suite.Hash.Size() {
		return nil
	}
	p, ok := newPacketKey(v, suite, secret)
	if !ok {
		return nil
	}
	k := &keys{version: v, packetKey: p}
	header := tls.ExpandLabel(suite.Hash, secret, v.labels[2], suite.KeyLen)
	if suite.chacha {
		k.chacha = header
		return k
	}
	var err error
	if k.block, err = aes.NewCipher(header); err != nil {
		return nil
	}
	return k
}

func newPacketKey(v *version, suite cipherSuite, secret []byte) (p packetKey, ok bool) {
	aead, err := suite.New(tls.ExpandLabel(suite.Hash, secret, v.labels[0], suite.KeyLen))
	if err != nil {
		return p, false
	}
	p.aead = aead
	copy(p.iv[:], tls.ExpandLabel(suite.Hash, secret, v.labels[1], len(p.iv)))
	return p, true
}

// mask is what protects a header of whose packet that is a sample: RFC 9001 sections 5.4.3
// and 5.4.4.
func (k *headerKey) mask(sample []byte) (mask [aes.BlockSize]byte) {
	if k.block != nil {
		k.block.Encrypt(mask[:], sample)
		return mask
	}
	c, err := chacha20.NewUnauthenticatedCipher(k.chacha, sample[4:])
	if err != nil { // of a key or a nonce of another length: they are not
		return mask
	}
	c.SetCounter(binary.LittleEndian.Uint32(sample))
	c.XORKeyStream(mask[:1+maxNumber], mask[:1+maxNumber])
	return mask
}

// opener has the memory for opening packets.
type opener struct{ head, plain []byte }

// unmask takes the protection off the header of a packet whose number begins at b[at], behind
// which there is a sample (RFC 9001 section 5.4.2). next is the number that is due in its space;
// it returns the packet's own, and where what is encrypted begins.
func (o *opener) unmask(k *headerKey, b []byte, at int, next uint64) (number uint64, body int) {
	mask := k.mask(b[at+maxNumber:][:sampleLen])
	bits := byte(0x1f)
	if b[0]&longHeader != 0 {
		bits = 0x0f
	}
	first := b[0] ^ mask[0]&bits
	size := int(first&3) + 1
	o.head = append(o.head[:0], b[:at+size]...)
	o.head[0] = first
	for i := range size {
		o.head[at+i] ^= mask[1+i]
		number = number<<8 | uint64(o.head[at+i])
	}
	return nearest(number, 8*size, next), at + size
}

// nearest returns the packet number nearest to next of which the low bits are those of number
// (RFC 9000 appendix A.3).
func nearest(number uint64, bits int, next uint64) uint64 {
	window := uint64(1) << bits
	number |= next &^ (window - 1)
	switch half := window / 2; {
	case number+half <= next && number < 1<<62-window:
		return number + window
	case number > next+half && number >= window:
		return number - window
	}
	return number
}

// unseal returns what a packet says whose header o.head is, nil when the key is not its own. It
// is good until the next call.
func (o *opener) unseal(k *packetKey, number uint64, body []byte) []byte {
	nonce := k.iv
	tail := nonce[len(nonce)-8:]
	binary.BigEndian.PutUint64(tail, binary.BigEndian.Uint64(tail)^number)
	plain, err := k.aead.Open(o.plain[:0], nonce[:], body, o.head)
	if err != nil {
		return nil
	}
	o.plain = plain[:0]
	return plain
}

// open returns what an Initial packet says, nil when the keys are not its own. It is
// good until the next call. Before an acknowledgement, a packet number is sent whole (RFC 9000
// section 17.1).
func (o *opener) open(k *keys, p *packet) []byte {
	if k == nil {
		return nil
	}
	number, body := o.unmask(&k.headerKey, p.b, p.number, 0)
	return o.unseal(&k.packetKey, number, p.b[body:])
}

// genuine tells whether a Retry answers the packet that was sent to origin (RFC 9001
// section 5.8).
func (p *packet) genuine(v *version, origin *connectionID) bool {
	if v.retry == nil || len(p.b) < tagLen {
		return false
	}
	block, err := aes.NewCipher([]byte(v.retry.key))
	if err != nil {
		return false
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return false
	}
	pseudo := append([]byte{origin.n}, origin.bytes()...)
	pseudo = append(pseudo, p.b[:len(p.b)-tagLen]...)
	_, err = aead.Open(nil, []byte(v.retry.nonce), p.b[len(p.b)-tagLen:], pseudo)
	return err == nil
}

// probe wants a datagram that begins with an Initial packet of a client, which proves
// itself by its tag.
func probe(head []byte) dissector.Guess {
	p, ok := parsePacket(head)
	if !ok || p.kind != kindInitial || head[0]&fixedBit == 0 || p.dst.n < minIDLen {
		return dissector.No
	}
	var o opener
	for _, v := range candidates(p.version) {
		if o.open(deriveKeys(v, &p.dst, dissector.Client), &p) != nil {
			return dissector.Request
		}
	}
	return dissector.No
}
