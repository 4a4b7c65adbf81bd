package http

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"shark/dissector"
	"shark/dissector/field"
)

// Protocol is HTTP/1.0 and HTTP/1.1 over TCP.
var Protocol = &dissector.Protocol{
	Name:      "http",
	Label:     "HTTP",
	Doc:       "HTTP requests and responses: HTTP/1.0 and HTTP/1.1 (RFC 9110, RFC 9112).",
	Transport: dissector.TCP,
	Ports:     []uint16{80, 8080, 8000, 8081, 3000, 8888},
	Fields:    slices.Concat(Fields, field.Fields(Hint)),
	Sync:      "HGPDOC",
	Probe:     probe,
	New:       func(dissector.Transport) dissector.Parse { return new(parser).parse },
	Content:   Content,
}

// The bits of Message.Notes.
const (
	noteHead    uint64 = 1 << iota // request: its response has no body
	noteConnect                    // request: a 2xx response makes the connection a tunnel
	noteChunks                     // the next piece of the message is a chunk
	noteTyped                      // the head has a Content-Type; higher bits say where
	noteUntyped                    // the head has none
	noteLong                       // the next piece of the message is more of its head
	noteInLine                     // and begins inside of a line that is passed over
)

// Where in Message.Notes the place of the Content-Type stands: the value that is the
// head's lines, the offset in them, and the length.
const (
	slotShift, slotBits       = 8, 8
	typeAtShift, typeLenShift = 16, 40
	typeBits                  = 24 // of each of the two
)

// What a connection may go on with.
const (
	nextWebSocket = "ws"
	nextHTTP2     = "http2"
	nextTLS       = "tlsx"
)

// upgradedStream is the stream of HTTP/2 on which the request that asked for it is answered
// (RFC 7540, section 3.2).
const upgradedStream = 1

var errChunk = errors.New("malformed chunk")

// parser has what is known of the heads that are too long to be read as a whole.
type parser struct{ long [2]head }

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if len(buf) == 0 {
		return 0, dissector.ErrShort
	}
	switch {
	case m.Notes&noteLong != 0:
		return p.parseRest(from, buf, m)
	case m.Notes&noteChunks != 0:
		return parseChunk(from, buf, m)
	}
	if n := lineEnds(buf); n > 0 { // between messages, RFC 9112, section 2.2
		m.Skip = true
		return int64(n), nil
	}
	if from == dissector.Client {
		return p.parseRequest(buf, m)
	}
	return p.parseResponse(buf, m)
}

// lineEnds counts the CR and LF that buf begins with.
func lineEnds(buf []byte) int {
	for i, c := range buf {
		if c != '\r' && c != '\n' {
			return i
		}
	}
	return len(buf)
}

func (p *parser) parseRequest(buf []byte, m *dissector.Message) (int64, error) {
	if err := checkMethod(buf); err != nil {
		return 0, err
	}
	line, next, err := firstLine(buf)
	if err == errHeadTooLong {
		return p.beginInLine(buf, m)
	}
	if err != nil {
		return 0, err
	}
	method, target, version, ok := requestLine(line)
	if !ok {
		return 0, errRequestLine
	}
	var h head
	err = h.read(buf, next)
	if err != nil && err != errHeadTooLong {
		return 0, err
	}
	switch {
	case string(method) == "HEAD":
		m.Notes |= noteHead
	case string(method) == "CONNECT":
		m.Notes |= noteConnect
		m.Next = dissector.Unknown
	case h.upgrade != nil:
		m.Next = upgraded(h.upgrade)
	}
	SetRequest(m, method, target, h.host, version)
	addHeaders(m, RequestHeaders, &h)
	RequestHeadersSize.Set(&m.Values, int64(h.size))
	if h.coded && !h.chunked {
		h.wrong(badCoding)
	}
	setHint(m, &h, target)
	if err != nil {
		return p.begin(dissector.Client, m, &h), nil
	}
	setAnomaly(m, &h)
	return requestBody(m, &h), nil
}

// requestBody finds where a request ends (RFC 9112, section 6.3) and returns its
// span. A body whose end cannot be told is left to the search for the next
// message.
func requestBody(m *dissector.Message, h *head) int64 {
	switch {
	case h.chunked:
		m.Open = true
		m.Notes |= noteChunks
	case !h.coded && !h.invalid && h.length > 0:
		RequestBodySize.Set(&m.Values, h.length)
		m.SetBody(h.size, h.length)
		return int64(h.size) + h.length
	}
	return int64(h.size)
}

// checkMethod turns bytes away that cannot become a request, without waiting
// for the end of the line.
func checkMethod(buf []byte) error {
	for i, c := range buf {
		switch {
		case c == ' ' && i > 0:
			return nil
		case i == maxMethod || !isToken(c):
			return errRequestLine
		}
	}
	return dissector.ErrShort
}

func addLines(m *dissector.Message, f field.MapField, lines []byte) {
	if len(lines) > 0 {
		f.AddLines(&m.Values, lines)
	}
}

// addHeaders adds the lines of a message's head.
func addHeaders(m *dissector.Message, f field.MapField, h *head) {
	addLines(m, f, h.lines)
	if !h.odd && len(h.lines) > 0 {
		NoteContentType(m, h.typeAt, h.typeLen)
	}
}

func setAnomaly(m *dissector.Message, h *head) {
	if h.anomaly != "" {
		Anomaly.SetString(&m.Values, h.anomaly)
	}
}

func (p *parser) parseResponse(buf []byte, m *dissector.Message) (int64, error) {
	if n := min(len(buf), len(statusPrefix)); string(buf[:n]) != statusPrefix[:n] {
		return 0, errStatusLine
	}
	line, next, err := firstLine(buf)
	if err != nil {
		return 0, err
	}
	code, reason, version, ok := statusLine(line)
	if !ok {
		return 0, errStatusLine
	}
	var h head
	err = h.read(buf, next)
	if err != nil && err != errHeadTooLong {
		return 0, err
	}
	SetStatus(m, code, reason, version)
	addHeaders(m, ResponseHeaders, &h)
	ResponseHeadersSize.Set(&m.Values, int64(h.size))
	setHint(m, &h, nil)
	if err != nil {
		if code < 200 && code != 101 {
			m.Role = dissector.Interim
		}
		return p.begin(dissector.Server, m, &h), nil
	}
	setAnomaly(m, &h)
	return responseBody(m, &h, code), nil
}

const statusPrefix = "HTTP/1."

// responseBody finds where a response ends (RFC 9112, section 6.3) and returns
// its span. When the request is not known it may have been a HEAD; a body is
// then taken to be there if the head speaks of one.
func responseBody(m *dissector.Message, h *head, code int) int64 {
	size := int64(h.size)
	var asked uint64
	if req := m.Peer(); req != nil {
		asked = req.Notes
	}
	switch {
	case code == 101:
		if m.Next = upgraded(h.upgrade); m.Next == nextHTTP2 {
			m.Role, m.NextKey = dissector.Interim, upgradedStream
		}
	case code < 200:
		m.Role = dissector.Interim
	case code < 300 && asked&noteConnect != 0:
		m.Next = dissector.Unknown
	case code == 204, code == 304, asked&noteHead != 0:
	case h.chunked:
		m.Open = true
		m.Notes |= noteChunks
	case h.coded:
		return untilClose(m, h)
	case h.invalid:
	case h.length > 0:
		ResponseBodySize.Set(&m.Values, h.length)
		m.SetBody(h.size, h.length)
		return size + h.length
	case h.length < 0:
		return untilClose(m, h)
	}
	return size
}

// untilClose makes the rest of the side the message's body.
func untilClose(m *dissector.Message, h *head) int64 {
	m.SetBody(h.size, dissector.UntilClose-int64(h.size))
	m.CountBody(ResponseBodySize)
	return dissector.UntilClose
}

// upgraded names the protocol that an Upgrade header asks for or, in a 101
// response, switches to.
func upgraded(to []byte) string {
	name, _, _ := bytes.Cut(to, comma)
	name, _, _ = bytes.Cut(name, slash)
	switch {
	case bytes.EqualFold(name, tokenWebSocket):
		return nextWebSocket
	case bytes.EqualFold(name, tokenH2C):
		return nextHTTP2
	case bytes.EqualFold(name, tokenTLS):
		return nextTLS
	}
	return dissector.Opaque
}

var (
	comma          = []byte(",")
	slash          = []byte("/")
	tokenWebSocket = []byte("websocket")
	tokenH2C       = []byte("h2c")
	tokenTLS       = []byte("TLS")
)

// parseChunk reads one chunk of a body, or the last one and the trailers after
// it (RFC 9112, section 7.1). The line end after a chunk's bytes belongs to the
// piece of the next chunk.
func parseChunk(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	start := 0
	if buf[0] == '\r' {
		start++
	}
	if len(buf) > start && buf[start] == '\n' {
		start++
	}
	window := buf[start:min(len(buf), start+maxChunkLine)]
	eol := bytes.IndexByte(window, '\n')
	if eol < 0 {
		if len(window) == maxChunkLine {
			return 0, fmt.Errorf("%w: its line is longer than %d bytes", errChunk, maxChunkLine)
		}
		return 0, dissector.ErrShort
	}
	size, ok := chunkSize(window[:eol])
	if !ok {
		return 0, errChunk
	}
	next := start + eol + 1
	if size == 0 {
		return parseTrailers(from, buf, next, m)
	}
	if from == dissector.Client {
		RequestBodySize.Add(&m.Values, size)
	} else {
		ResponseBodySize.Add(&m.Values, size)
	}
	m.Open = true
	m.SetBody(next, size)
	return int64(next) + size, nil
}

// chunkSize reads the hexadecimal number that a chunk's line begins with; blanks
// or an extension may follow it.
func chunkSize(line []byte) (n int64, ok bool) {
	for i, c := range line {
		var digit byte
		switch {
		case c >= '0' && c <= '9':
			digit = c - '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			digit = c | 0x20 - 'a' + 10
		default:
			end := c == ';' || c == ' ' || c == '\t' || c == '\r'
			return n, i > 0 && end
		}
		if n > maxLength>>4 {
			return 0, false
		}
		n = n<<4 | int64(digit)
	}
	return n, len(line) > 0
}

// parseTrailers reads what follows the line of the last chunk and ends the
// message.
func parseTrailers(from dissector.Side, buf []byte, pos int, m *dissector.Message) (int64, error) {
	var h head
	if err := h.read(buf, pos); err != nil {
		return 0, err
	}
	trailers := RequestTrailers
	if from == dissector.Server {
		trailers = ResponseTrailers
	}
	addLines(m, trailers, h.lines)
	m.Open = false
	m.Notes &^= noteChunks
	return int64(h.size), nil
}
