package quic

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"

	"shark/dissector"
)

// keys open what one side sends in Initial packets (RFC 9001 section 5).
type keys struct {
	version *version
	from    connectionID // they derive from it
	aead    cipher.AEAD
	iv      [12]byte
	header  cipher.Block
}

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
	secret := expand(initial, label, sha256.Size)
	k := &keys{version: v, from: *id}
	copy(k.iv[:], expand(secret, v.labels[1], len(k.iv)))
	block, err := aes.NewCipher(expand(secret, v.labels[0], 16))
	if err != nil {
		return nil
	}
	if k.header, err = aes.NewCipher(expand(secret, v.labels[2], 16)); err != nil {
		return nil
	}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return nil
	}
	return k
}

// expand is HKDF-Expand-Label with an empty context (RFC 8446 section 7.1). It is nil
// only where the library refuses SHA-256.
func expand(secret []byte, label string, n int) []byte {
	info := make([]byte, 0, 32)
	info = append(info, byte(n>>8), byte(n), byte(len("tls13 ")+len(label)))
	info = append(append(info, "tls13 "...), label...)
	out, err := hkdf.Expand(sha256.New, secret, string(append(info, 0)), n)
	if err != nil {
		return nil
	}
	return out
}

// opener has the memory for opening packets.
type opener struct{ head, plain []byte }

// open returns what an Initial packet says, nil when the keys are not its own. It is
// good until the next call.
func (o *opener) open(k *keys, p *packet) []byte {
	if k == nil {
		return nil
	}
	// RFC 9001 section 5.4: the header is protected with a sample of what is behind it.
	var mask [aes.BlockSize]byte
	k.header.Encrypt(mask[:], p.b[p.number+maxNumber:][:sampleLen])
	first := p.b[0] ^ mask[0]&0x0f
	size := int(first&3) + 1
	o.head = append(o.head[:0], p.b[:p.number+size]...)
	o.head[0] = first
	// Before an acknowledgement, a packet number is sent whole (RFC 9000 section 17.1).
	number := uint64(0)
	for i := range size {
		o.head[p.number+i] ^= mask[1+i]
		number = number<<8 | uint64(o.head[p.number+i])
	}
	nonce := k.iv
	tail := nonce[len(nonce)-8:]
	binary.BigEndian.PutUint64(tail, binary.BigEndian.Uint64(tail)^number)
	plain, err := k.aead.Open(o.plain[:0], nonce[:], p.b[p.number+size:], o.head)
	if err != nil {
		return nil
	}
	o.plain = plain[:0]
	return plain
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
