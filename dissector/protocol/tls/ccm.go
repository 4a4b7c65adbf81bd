package tls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

// ccm is AES-CCM with a nonce of 12 bytes (RFC 3610; RFC 6655), as far as it is needed to
// open records: the standard library has the block cipher only.
type ccm struct {
	cipher.AEAD // never called: records are opened, not sealed
	block       cipher.Block
	tag         int
}

var errCCM = errors.New("message authentication failed")

func newCCM(key []byte, tag int) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return &ccm{block: block, tag: tag}, nil
}

func (c *ccm) NonceSize() int { return 12 }
func (c *ccm) Overhead() int  { return c.tag }

// Open implements cipher.AEAD.
func (c *ccm) Open(dst, nonce, sealed, extra []byte) ([]byte, error) {
	n := len(sealed) - c.tag
	if n < 0 || n >= 1<<24 || len(extra) >= 0xff00 || len(nonce) != 12 {
		return nil, errCCM
	}
	var counter, mask [16]byte
	counter[0] = 2 // bytes of the length, less one
	copy(counter[1:], nonce)
	c.block.Encrypt(mask[:], counter[:])
	counter[15] = 1
	from := len(dst)
	dst = append(dst, sealed[:n]...)
	plain := dst[from:]
	cipher.NewCTR(c.block, counter[:]).XORKeyStream(plain, plain)
	sum := c.sum(nonce, plain, extra)
	subtle.XORBytes(sum[:], sum[:], mask[:])
	if subtle.ConstantTimeCompare(sum[:c.tag], sealed[n:]) != 1 {
		clear(plain)
		return nil, errCCM
	}
	return dst, nil
}

// sum is the CBC-MAC of a message and what goes with it.
func (c *ccm) sum(nonce, plain, extra []byte) (x [16]byte) {
	x[0] = 2 | byte((c.tag-2)/2)<<3
	if len(extra) > 0 {
		x[0] |= 1 << 6
	}
	copy(x[1:], nonce)
	x[13], x[14], x[15] = byte(len(plain)>>16), byte(len(plain)>>8), byte(len(plain))
	c.block.Encrypt(x[:], x[:])
	if len(extra) > 0 {
		head := binary.BigEndian.AppendUint16(make([]byte, 0, 32), uint16(len(extra)))
		c.chain(&x, append(head, extra...))
	}
	c.chain(&x, plain)
	return x
}

// chain adds bytes to a sum, filled up with zeros to whole blocks.
func (c *ccm) chain(x *[16]byte, b []byte) {
	for len(b) > 0 {
		n := subtle.XORBytes(x[:], x[:], b[:min(len(b), 16)])
		c.block.Encrypt(x[:], x[:])
		b = b[n:]
	}
}
