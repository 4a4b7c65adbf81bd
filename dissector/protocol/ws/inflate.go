package ws

import (
	"bytes"
	"compress/flate"
	"io"
	"sync"
)

// inflater unpacks what permessage-deflate (RFC 7692) packed on one side. Whether a
// sender begins anew with each message (no_context_takeover) makes no difference: it
// then refers to nothing before.
type inflater struct {
	window []byte // of what was said last: from maxWindow to twice that is kept
	lost   bool   // what was said before the window is not known
	in     int64
	out    int64
}

// tail is what a sender takes off the end of each message (RFC 7692, section 7.2.1), and
// an empty block that ends it all.
const tail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// unpacker is what unpacking a message takes.
type unpacker struct {
	r   io.ReadCloser
	src bytes.Reader
	in  []byte
	out []byte
}

var unpackers = sync.Pool{New: func() any {
	u := &unpacker{out: make([]byte, 8<<10)}
	u.r = flate.NewReader(&u.src)
	return u
}}

// lose forgets what was said: some of it is missing.
func (z *inflater) lose() { z.window, z.lost = z.window[:0], true }

// dictionary returns what the next message may refer to.
func (z *inflater) dictionary() []byte { return z.window[max(0, len(z.window)-maxWindow):] }

// left returns how many bytes may be inflated yet.
func (z *inflater) left() int64 { return freeInflate + maxRatio*z.in - z.out }

// message inflates a message and returns the beginning of it and its length, or why it
// cannot. over says that packed is not all of it.
func (z *inflater) message(packed []byte, over bool) (begin []byte, n int64, why string) {
	if over {
		z.lose()
		return nil, 0, tooLarge
	}
	z.in += int64(len(packed))
	u := unpackers.Get().(*unpacker)
	defer unpackers.Put(u)
	u.reset(packed, z.dictionary())
	begin = make([]byte, 0, maxData)
	for {
		k, err := u.r.Read(u.out)
		n, z.out = n+int64(k), z.out+int64(k)
		begin = append(begin, u.out[:min(k, maxData-len(begin))]...)
		z.remember(u.out[:k])
		switch {
		case err == io.EOF:
			return begin, n, ""
		case err != nil && z.lost:
			z.lose()
			return nil, 0, refersToLost
		case err != nil:
			z.lose()
			return nil, 0, malformed
		case z.left() <= 0:
			z.lose()
			return nil, 0, tooLarge
		}
	}
}

func (u *unpacker) reset(packed, dictionary []byte) {
	if cap(u.in) > maxWindow {
		u.in = nil
	}
	u.in = append(append(u.in[:0], packed...), tail...)
	u.src.Reset(u.in)
	_ = u.r.(flate.Resetter).Reset(&u.src, dictionary) // it never fails
}

// remember appends what was said to the window.
func (z *inflater) remember(b []byte) {
	if len(z.window)+len(b) > 2*maxWindow {
		z.window = z.window[:copy(z.window, z.dictionary())]
	}
	z.window = append(z.window, b...)
}

// inflateAll inflates a message that stands alone but for its dictionary, up to limit
// bytes.
func inflateAll(packed, dictionary []byte, limit int) ([]byte, error) {
	u := unpackers.Get().(*unpacker)
	defer unpackers.Put(u)
	u.reset(packed, dictionary)
	return io.ReadAll(io.LimitReader(u.r, int64(limit)))
}
