package http2

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/http2/hpack"
)

// kind is what a header list is.
type kind uint8

const (
	head     kind = iota // of a request or a response
	trailers             // after its body
	promise              // the head of a request that the server makes up
	open                 // head or trailers: the first field will tell
	unclear              // head or trailers: the first fields are unknown
)

// list reads the fields of one header list into a message (RFC 9113, section
// 8.1 to 8.3). Pseudo-headers are put aside until all of them are there.
type list struct {
	m       *dissector.Message
	request bool // its head is that of a request
	kind    kind
	unknown int
	lines   []byte // the fields that were read, as lines, but for the pseudo-headers
	odd     bool   // one of them is not plain: its name may be read as another
	typeAt  int    // where the value of content-type begins in lines; 0 is nowhere
	typeLen int

	method, path, authority, host []byte
	status                        int // 0 when not known
}

func (l *list) start(m *dissector.Message, from dissector.Side, k kind) {
	l.m, l.kind, l.request = m, k, k == promise || from == dissector.Client
	l.unknown, l.status = 0, 0
	l.lines, l.odd, l.typeAt = l.lines[:0], false, 0
	l.method, l.path, l.authority, l.host = l.method[:0], l.path[:0], l.authority[:0], l.host[:0]
}

// add takes the next field.
func (l *list) add(f *hpack.Field) {
	name := f.Name()
	switch {
	case !f.Known:
		l.unknown++
		l.nameless(f.Value())
	case len(name) == 0:
	case name[0] == ':':
		l.pseudo(name, f.Value())
	default:
		l.regular(name, f)
	}
}

// pseudo takes a pseudo-header, which trailers have none of.
func (l *list) pseudo(name, value []byte) {
	if l.kind != head && l.kind != promise {
		l.flush()
		l.kind = head
	}
	switch string(name) {
	case ":method":
		l.method = append(l.method[:0], value...)
	case ":path":
		l.path = append(l.path[:0], value...)
	case ":authority":
		l.authority = append(l.authority[:0], value...)
	case ":status":
		l.status = statusOf(value)
	}
}

// unnamed is the name of a header of which only the value is known, as that of one
// whose name stands in an earlier block: no real header is called so.
const unnamed = "?"

// nameless takes the value of a field without a known name, if there is any. Among
// unknown fields that may be a head's or trailers', it has no place.
func (l *list) nameless(value []byte) {
	if len(value) == 0 || l.kind == open || l.kind == unclear {
		return
	}
	l.odd = true
	l.lines = append(l.lines, unnamed+": "...)
	l.lines = append(l.lines, l.oneLine(value, lineEnds)...)
	l.lines = append(l.lines, '\n')
}

func (l *list) regular(name []byte, f *hpack.Field) {
	if l.kind == open {
		l.kind = trailers // the first field of a head would be a pseudo-header
		if l.unknown > 0 {
			l.kind = unclear
		}
	}
	if l.kind == unclear {
		l.unknown++
		return
	}
	switch len(name) { // before the names are looked at: most are none of these
	case len("host"):
		if l.kind != trailers && string(name) == "host" {
			l.host = append(l.host[:0], f.Value()...)
		}
	case len("content-type"):
		if l.typeAt == 0 && string(name) == "content-type" {
			l.typeAt, l.typeLen = len(l.lines)+len(name)+len(": "), len(f.Value())
		}
	case len("transfer-encoding"):
		if string(name) == "transfer-encoding" {
			http.Anomaly.SetString(&l.m.Values, transferCoded)
		}
	}
	if f.Plain {
		l.lines = append(l.lines, f.Line...)
		return
	}
	l.odd = true
	l.lines = append(l.lines, l.oneLine(name, lineEnds+":")...)
	l.lines = append(l.lines, ": "...)
	l.lines = append(l.lines, l.oneLine(f.Value(), lineEnds)...)
	l.lines = append(l.lines, '\n')
}

// flush sets the lines that were read.
func (l *list) flush() {
	if len(l.lines) == 0 {
		return
	}
	to := l.target()
	to.AddLines(&l.m.Values, l.lines)
	l.drop()
}

// drop forgets the lines that were read.
func (l *list) drop() {
	if l.lines, l.typeAt = l.lines[:0], 0; cap(l.lines) > keepLines {
		l.lines = nil
	}
}

func (l *list) target() field.MapField {
	switch {
	case l.kind == trailers && l.request:
		return http.RequestTrailers
	case l.kind == trailers:
		return http.ResponseTrailers
	case l.request:
		return http.RequestHeaders
	}
	return http.ResponseHeaders
}

// The values of the field http_anomaly, and what may not stand in a field: a
// proxy that passes such a field on to HTTP/1 sends another message than it got.
const (
	transferCoded = "transfer-encoding, which HTTP/2 does not have"
	forged        = "line end or colon inside a header field"
	lineEnds      = "\r\n\x00"
)

// oneLine returns b with blanks for the bytes of odd, which no correct sender
// sends (section 8.2.1): they would make it look like other headers.
func (l *list) oneLine(b []byte, odd string) []byte {
	if !bytes.ContainsAny(b, odd) {
		return b
	}
	http.Anomaly.SetString(&l.m.Values, forged)
	b = bytes.Clone(b)
	for i := bytes.IndexAny(b, odd); i >= 0; i = bytes.IndexAny(b, odd) {
		b[i] = ' '
	}
	return b
}

// interim tells whether the list is the head of an informational response.
func (l *list) interim() bool {
	return !l.request && l.status >= 100 && l.status < 200
}

// finish sets what the list says as a whole; span is the length of its frames.
func (l *list) finish(span int) {
	v := &l.m.Values
	at, some := l.typeAt, len(l.lines) > 0
	l.flush()
	if l.kind == head && !l.odd && some {
		http.NoteContentType(l.m, at, l.typeLen)
	}
	http.Version.SetString(v, version)
	if l.unknown > 0 {
		Unknown.Set(v, int64(l.unknown))
		l.m.Resumed = true
	}
	switch {
	case l.kind != head && l.kind != promise:
	case l.request:
		http.RequestHeadersSize.Set(v, int64(span))
		l.setRequest(v)
	default:
		http.ResponseHeadersSize.Set(v, int64(span))
		if l.status > 0 {
			setStatus(v, l.status)
		}
	}
}

// setRequest sets what is known of the request's pseudo-headers.
func (l *list) setRequest(v *field.Values) {
	host := l.authority
	if len(host) == 0 {
		host = l.host
	}
	target := l.path
	if string(l.method) == "CONNECT" && len(target) == 0 {
		target = host
	}
	if len(l.method) > 0 && len(target) > 0 {
		http.SetRequest(l.m, l.method, target, host, version)
		return
	}
	// A part of it is not known.
	switch {
	case len(l.method) > 0:
		dissector.Operation.Set(v, l.method)
		http.Method.Set(v, l.method)
	case len(target) > 0:
		path, _, _ := bytes.Cut(target, []byte("?"))
		dissector.Summary.Set(v, path)
		http.URL.Set(v, target)
		http.Path.Set(v, path)
	}
	if len(host) > 0 {
		http.Host.Set(v, host)
	}
}

// setStatus sets what a status says. It leaves Failed alone unless the status is
// a failure: a reset may yet make it one.
func setStatus(v *field.Values, code int) {
	digits := [3]byte{'0' + byte(code/100), '0' + byte(code/10%10), '0' + byte(code%10)}
	dissector.Status.Set(v, digits[:])
	dissector.StatusCode.Set(v, int64(code))
	if code >= 400 {
		dissector.Failed.Set(v, true)
	}
}

// statusOf reads a status of three digits; 0 is none.
func statusOf(b []byte) int {
	if len(b) != 3 {
		return 0
	}
	code := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0
		}
		code = code*10 + int(c-'0')
	}
	return code
}
