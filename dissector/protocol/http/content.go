package http

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"shark/dissector"
	"shark/dissector/field"
)

// The limits of decoding a body, beside the length that the caller asks for.
const (
	maxCodings  = 4       // content codings on top of each other
	maxRatio    = 1100    // unpacked to packed, above freeUnpack; deflate cannot exceed 1032
	freeUnpack  = 4 << 20 // unpacked bytes that no ratio is asked of
	usualRatio  = 4       // the same of most bodies: room for that is made at once
	maxWindow   = 8 << 20 // zstd's window, RFC 9659
	maxPartHead = 200     // bytes kept of a part's name, file name and type
	maxParts    = 1000    // parts of a multipart body
)

// ErrRatio tells that a body unpacks to suspiciously much.
var ErrRatio = errors.New("body unpacks to more than it may")

// Content undoes the codings that m's headers name (Content-Encoding, and
// Transfer-Encoding but for the chunks, which raw has no more) and returns at
// most limit bytes. With an error it returns what could be decoded before it;
// raw that was cut short gives io.ErrUnexpectedEOF. It serves all versions of
// HTTP.
func Content(m *dissector.Message, raw []byte, limit int) ([]byte, error) {
	return ContentIn(new([]byte), m, raw, limit)
}

// ContentIn is Content for those who read one body after the other: what has to be
// unpacked is in room, which grows and is valid until the next use.
func ContentIn(room *[]byte, m *dissector.Message, raw []byte, limit int) ([]byte, error) {
	return unpack(room, codingsOf(m), raw, limit)
}

// Unpack is Content for codings that are known, the one that was applied first in front.
func Unpack(codings []string, raw []byte, limit int) ([]byte, error) {
	return unpack(new([]byte), codings, raw, limit)
}

func unpack(room *[]byte, codings []string, raw []byte, limit int) ([]byte, error) {
	if len(codings) > maxCodings {
		return nil, fmt.Errorf("%d content codings on top of each other", len(codings))
	}
	if len(codings) == 0 {
		return raw[:min(len(raw), limit)], nil
	}
	in := bytes.NewReader(raw)
	defer in.Reset(nil) // who reads it may be used again, and raw is not ours
	var r io.Reader = in
	most := int64(max(len(raw)*maxRatio, freeUnpack))
	for i := len(codings) - 1; i >= 0; i-- {
		d, err := decoder(codings[i], r)
		if err != nil {
			return nil, fmt.Errorf("content coding %s: %w", codings[i], err)
		}
		if c, ok := d.(io.Closer); ok {
			defer c.Close()
		}
		r = &bounded{r: d, left: most}
	}
	body := bytes.NewBuffer((*room)[:0])
	body.Grow(min(limit, usualRatio*len(raw)) + bytes.MinRead)
	_, err := body.ReadFrom(io.LimitReader(r, int64(limit)))
	if err != nil {
		err = fmt.Errorf("content coding %s: %w", strings.Join(codings, ", "), err)
	}
	*room = body.Bytes()
	return *room, err
}

// NoteContentType remembers in m.Notes where the Content-Type is, which is asked for
// with every message: its value is the n bytes from at on of the lines that m's headers
// begin with, which were the last to be set. at is 0 when there is none in them.
func NoteContentType(m *dissector.Message, at, n int) {
	slot := m.Len() - 1
	switch {
	case at == 0:
		m.Notes |= noteUntyped
	case at < 1<<typeBits && n < 1<<typeBits && slot >= 0 && slot < 1<<slotBits:
		m.Notes |= noteTyped | uint64(slot)<<slotShift | uint64(at)<<typeAtShift | uint64(n)<<typeLenShift
	}
}

// ContentType returns the Content-Type in the head of a message, which its From says
// is a request or a response; it aliases the message.
func ContentType(m *dissector.Message) ([]byte, bool) {
	headers := RequestHeaders
	if m.From == dissector.Server {
		headers = ResponseHeaders
	}
	switch {
	case m.Notes&noteTyped != 0:
		const mask = 1<<typeBits - 1
		at, n := int(m.Notes>>typeAtShift&mask), int(m.Notes>>typeLenShift&mask)
		if slot := int(m.Notes >> slotShift & (1<<slotBits - 1)); slot < m.Len() {
			if f, v := m.At(slot); f == headers.Field && at+n <= len(v.Bytes) {
				return bytes.TrimSpace(v.Bytes[at : at+n]), true
			}
		}
	case m.Notes&noteUntyped != 0:
		blocks := 0
		for range headers.Lines(&m.Values) {
			blocks++
		}
		if blocks <= 1 { // else there are lines that were not noted
			return nil, false
		}
	}
	return headers.Get(&m.Values, "content-type")
}

// Coded tells whether the body of a message is packed, as its headers say.
func Coded(m *dissector.Message) bool { return len(codingsOf(m)) > 0 }

// codingsOf lists the codings of m's body in the order they were applied.
func codingsOf(m *dissector.Message) []string {
	headers := RequestHeaders
	if m.Has(ResponseHeaders) {
		headers = ResponseHeaders
	}
	var content, transfer []string
	for block := range headers.Lines(&m.Values) {
		lines := field.ParseLines(string(block))
		content = append(content, split(lines["content-encoding"])...)
		transfer = append(transfer, split(lines["transfer-encoding"])...)
	}
	return append(content, transfer...)
}

// split takes a list of codings apart and leaves out those that change nothing.
func split(list string) []string {
	var out []string
	for list != "" {
		var one string
		one, list, _ = strings.Cut(list, ",")
		one = strings.ToLower(strings.TrimSpace(one))
		if one != "" && one != "identity" && one != "chunked" && one != "aws-chunked" {
			out = append(out, one)
		}
	}
	return out
}

// decoder unpacks r, which was packed by coding (RFC 9110, section 8.4.1; RFC
// 7932; RFC 8878).
func decoder(coding string, r io.Reader) (io.Reader, error) {
	switch coding {
	case "gzip", "x-gzip":
		return ungzip(r)
	case "deflate":
		return inflate(r)
	case "br":
		return brotli.NewReader(r), nil
	case "zstd":
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return nil, errors.New("not known")
}

// gzips are readers of gzip that can be used again: a new one takes 40 KB.
var gzips = sync.Pool{New: func() any { return new(gzip.Reader) }}

// ungzip reads gzip. Close gives back what it reads with.
func ungzip(r io.Reader) (io.Reader, error) {
	z := gzips.Get().(*gzip.Reader)
	if err := z.Reset(r); err != nil {
		gzips.Put(z)
		return nil, err
	}
	return &gzipped{z}, nil
}

type gzipped struct{ z *gzip.Reader }

func (g *gzipped) Read(p []byte) (int, error) { return g.z.Read(p) }

func (g *gzipped) Close() error {
	gzips.Put(g.z)
	return nil
}

// inflate reads deflate with its zlib header, as it should be, or without it,
// as some servers send it.
func inflate(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	h, err := b.Peek(2)
	if err != nil {
		return nil, err
	}
	if h[0]&0x0f == 8 && (int(h[0])<<8|int(h[1]))%31 == 0 {
		return zlib.NewReader(b)
	}
	return flate.NewReader(b), nil
}

// bounded is a reader that fails once it gave more than it may.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, ErrRatio
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}
