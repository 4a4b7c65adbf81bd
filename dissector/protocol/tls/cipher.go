package tls

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// cipherKind is how a cipher suite encrypts records.
type cipherKind struct {
	key  int                                   // bytes
	iv   int                                   // bytes of it that come with the key; those of CBC before TLS 1.1 are 0 here
	aead func(key []byte) (cipher.AEAD, error) // nil: by CBC
	cbc  func(key []byte) (cipher.Block, error)
	mac  func() hash.Hash // with CBC
	hash crypto.Hash      // of the key schedule, from TLS 1.2 on
}

// AEAD is how a cipher suite of TLS 1.3 encrypts, which QUIC does too (RFC 9001 section 5.3).
type AEAD struct {
	KeyLen int // bytes
	Hash   crypto.Hash
	New    func(key []byte) (cipher.AEAD, error)
}

// AEADOf returns how a suite of TLS 1.3 encrypts; ok is false of others and of unknown ones.
func AEADOf(suite uint16) (a AEAD, ok bool) {
	k, ok := cipherOf(suite)
	return AEAD{k.key, k.hash, k.aead}, ok && k.aead != nil && !strings.Contains(SuiteName(suite), "_WITH_")
}

// cipherOf reads how a suite encrypts from its name.
func cipherOf(suite uint16) (k cipherKind, ok bool) {
	name := strings.TrimPrefix(SuiteName(suite), "TLS_")
	if _, after, found := strings.Cut(name, "_WITH_"); found {
		name = after
	}
	k.hash = crypto.SHA256
	if strings.HasSuffix(name, "_SHA384") {
		k.hash = crypto.SHA384
	}
	switch {
	case strings.HasPrefix(name, "AES_128_"):
		k.key = 16
	case strings.HasPrefix(name, "AES_256_"), strings.HasPrefix(name, "CHACHA20_"):
		k.key = 32
	case strings.HasPrefix(name, "3DES_EDE_"):
		k.key = 24
	default:
		return k, false
	}
	switch {
	case strings.HasPrefix(name, "CHACHA20_POLY1305"):
		k.iv, k.aead = 12, chacha20poly1305.New
	case strings.Contains(name, "_GCM_"):
		k.iv, k.aead = 4, newGCM
	case strings.Contains(name, "_CCM_8"):
		k.iv, k.aead = 4, func(key []byte) (cipher.AEAD, error) { return newCCM(key, 8) }
	case strings.Contains(name, "_CCM"):
		k.iv, k.aead = 4, func(key []byte) (cipher.AEAD, error) { return newCCM(key, 16) }
	case strings.Contains(name, "_CBC_"):
		k.cbc, k.mac = aes.NewCipher, macOf(name)
		if k.key == 24 {
			k.cbc = des.NewTripleDESCipher
		}
	default:
		return k, false
	}
	return k, true
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func macOf(name string) func() hash.Hash {
	switch {
	case strings.HasSuffix(name, "_SHA384"):
		return sha512.New384
	case strings.HasSuffix(name, "_SHA256"):
		return sha256.New
	}
	return sha1.New
}

// box opens the records of one key.
type box interface {
	// open appends to dst what a whole record says that is the one of number seq of its key; ok
	// says that its check holds. at is where in the record the first byte stood.
	open(dst []byte, seq uint64, rec []byte) (plain []byte, kind byte, at int, ok bool)
}

// aeadBox opens records of AEAD ciphers (RFC 5246, section 6.2.3.3; RFC 8446, section 5.2).
type aeadBox struct {
	aead cipher.AEAD
	iv   [12]byte
	long int // bytes of the nonce that the record has
	v13  bool
}

func (b *aeadBox) open(dst []byte, seq uint64, rec []byte) (plain []byte, kind byte, at int, ok bool) {
	at = headerLen + b.long
	n := len(rec) - at - b.aead.Overhead()
	if n < 0 {
		return nil, 0, 0, false
	}
	nonce := b.iv
	if b.long > 0 {
		copy(nonce[12-b.long:], rec[headerLen:at])
	} else {
		binary.BigEndian.PutUint64(nonce[4:], binary.BigEndian.Uint64(nonce[4:])^seq)
	}
	var own [13]byte
	extra := rec[:headerLen]
	if !b.v13 {
		extra = own[:]
		recordInfo(extra, seq, rec, n)
	}
	plain, err := b.aead.Open(dst, nonce[:], rec[at:], extra)
	if err != nil {
		return nil, 0, 0, false
	}
	if !b.v13 {
		return plain, rec[0], at, true
	}
	for n = len(plain); n > len(dst); n-- { // behind what is said is its type, then padding
		if kind = plain[n-1]; kind != 0 {
			return plain[:n-1], kind, at, true
		}
	}
	return nil, 0, 0, false
}

// recordInfo writes what is protected of a record besides its content, which has n bytes.
func recordInfo(out []byte, seq uint64, rec []byte, n int) {
	binary.BigEndian.PutUint64(out, seq)
	copy(out[8:], rec[:3])
	binary.BigEndian.PutUint16(out[11:], uint16(n))
}

// cbcBox opens records of CBC ciphers (RFC 5246, section 6.2.3.2; RFC 7366).
type cbcBox struct {
	block cipher.Block
	mac   hash.Hash // with its key
	etm   bool      // encrypted first
	chain []byte    // before TLS 1.1 the last block of the record before; nil: the record has its own
}

func (b *cbcBox) open(dst []byte, seq uint64, rec []byte) (plain []byte, kind byte, at int, ok bool) {
	size, tag := b.block.BlockSize(), b.mac.Size()
	at, iv, body := headerLen, b.chain, rec[headerLen:]
	if iv == nil {
		if len(body) < size {
			return nil, 0, 0, false
		}
		at, iv = at+size, body[:size]
	}
	sealed := rec[at:]
	if b.etm {
		if len(sealed) < tag {
			return nil, 0, 0, false
		}
		sealed = sealed[:len(sealed)-tag]
		if !b.holds(seq, rec, body[:len(body)-tag], body[len(body)-tag:]) {
			return nil, 0, 0, false
		}
	}
	if len(sealed) == 0 || len(sealed)%size != 0 {
		return nil, 0, 0, false
	}
	from := len(dst)
	dst = append(dst, sealed...)
	plain = dst[from:]
	cipher.NewCBCDecrypter(b.block, iv).CryptBlocks(plain, plain)
	pad := int(plain[len(plain)-1])
	n := len(plain) - pad - 1
	if !b.etm {
		n -= tag
	}
	if n < 0 {
		return nil, 0, 0, false
	}
	for _, c := range plain[len(plain)-pad-1:] {
		if int(c) != pad {
			return nil, 0, 0, false
		}
	}
	if !b.etm && !b.holds(seq, rec, plain[:n], plain[n:n+tag]) {
		return nil, 0, 0, false
	}
	if b.chain != nil {
		b.chain = append(b.chain[:0], sealed[len(sealed)-size:]...)
	}
	return dst[:from+n], rec[0], at, true
}

// holds tells whether a record's MAC is that of its content.
func (b *cbcBox) holds(seq uint64, rec, content, tag []byte) bool {
	var info [13]byte
	recordInfo(info[:], seq, rec, len(content))
	b.mac.Reset()
	b.mac.Write(info[:])
	b.mac.Write(content)
	var sum [sha512.Size]byte
	return subtle.ConstantTimeCompare(b.mac.Sum(sum[:0]), tag) == 1
}

func newMAC(h func() hash.Hash, key []byte) hash.Hash { return hmac.New(h, key) }
