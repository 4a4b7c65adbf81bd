// Package section reads the field sections of HTTP/2 and HTTP/3, which say the same in the same
// way (RFC 9113, section 8; RFC 9114, section 4): heads of requests and responses, and trailers.
// In: decoded fields, some of which may not be known. Out: the values of package http.
package section

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/protocol/http"
	"shark/dissector/protocol/http/hpack"
)

// Kind is what a field section is.
type Kind uint8

// The kinds.
const (
	Head     Kind = iota // of a request or a response
	Trailers             // after its body
	Promise              // the head of a request that the server makes up
	Open                 // head or trailers: the first field will tell
	unclear              // head or trailers: the first fields are unknown
)

// keepLines is how much memory for header lines is kept from section to section, in bytes.
const keepLines = 8 << 10

// List reads the fields of one section into a message (RFC 9113, section 8.1 to 8.3). Pseudo-headers
// are put aside until all of them are there.
type List struct {
	Version      string         // value of http_version
	UnknownField field.IntField // set to how many fields are not known

	Kind    Kind
	Unknown int // fields that are not known

	m       *dissector.Message
	request bool   // its head is that of a request
	lines   []byte // the fields that were read, as lines, but for the pseudo-headers
	odd     bool   // one of them is not plain: its name may be read as another
	typeAt  int    // where the value of content-type begins in lines; 0 is nowhere
	typeLen int

	method, path, authority, host []byte
	status                        int // 0 when not known
}

// Start begins the section of a message that from sends.
func (l *List) Start(m *dissector.Message, from dissector.Side, k Kind) {
	l.m, l.Kind, l.request = m, k, k == Promise || from == dissector.Client
	l.Unknown, l.status = 0, 0
	l.lines, l.odd, l.typeAt = l.lines[:0], false, 0
	l.method, l.path, l.authority, l.host = l.method[:0], l.path[:0], l.authority[:0], l.host[:0]
}

// Add takes the next field.
func (l *List) Add(f *hpack.Field) {
	name := f.Name()
	switch {
	case !f.Known:
		l.Unknown++
		l.nameless(f.Value())
	case len(name) == 0:
	case name[0] == ':':
		l.pseudo(name, f.Value())
	default:
		l.regular(name, f)
	}
}

// pseudo takes a pseudo-header, which trailers have none of.
func (l *List) pseudo(name, value []byte) {
	if l.Kind != Head && l.Kind != Promise {
		l.flush()
		l.Kind = Head
	}
	switch string(name) {
	case ":method":
		l.method = append(l.method[:0], value...)
	case ":path":
		l.path = append(l.path[:0], value...)
	case ":authority":
		l.authority = append(l.authority[:0], value...)
	case ":status":
		l.status = StatusOf(value)
	}
}

// unnamed is the name of a header of which only the value is known, as that of one
// whose name stands in an earlier block: no real header is called so.
const unnamed = "?"

// nameless takes the value of a field without a known name, if there is any. Among
// unknown fields that may be a head's or trailers', it has no place.
func (l *List) nameless(value []byte) {
	if len(value) == 0 || l.Kind == Open || l.Kind == unclear {
		return
	}
	l.odd = true
	l.lines = append(l.lines, unnamed+": "...)
	l.lines = append(l.lines, l.oneLine(value, lineEnds)...)
	l.lines = append(l.lines, '\n')
}

func (l *List) regular(name []byte, f *hpack.Field) {
	if l.Kind == Open {
		l.Kind = Trailers // the first field of a head would be a pseudo-header
		if l.Unknown > 0 {
			l.Kind = unclear
		}
	}
	if l.Kind == unclear {
		l.Unknown++
		return
	}
	switch len(name) { // before the names are looked at: most are none of these
	case len("host"):
		if l.Kind != Trailers && string(name) == "host" {
			l.host = append(l.host[:0], f.Value()...)
		}
	case len("content-type"):
		if l.typeAt == 0 && string(name) == "content-type" {
			l.typeAt, l.typeLen = len(l.lines)+len(name)+len(": "), len(f.Value())
		}
	case len("transfer-encoding"):
		if string(name) == "transfer-encoding" {
			http.Anomaly.SetString(&l.m.Values, "transfer-encoding, which "+l.Version+" does not have")
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
func (l *List) flush() {
	if len(l.lines) == 0 {
		return
	}
	to := l.target()
	to.AddLines(&l.m.Values, l.lines)
	l.Drop()
}

// Drop forgets the lines that were read.
func (l *List) Drop() {
	if l.lines, l.typeAt = l.lines[:0], 0; cap(l.lines) > keepLines {
		l.lines = nil
	}
}

func (l *List) target() field.MapField {
	switch {
	case l.Kind == Trailers && l.request:
		return http.RequestTrailers
	case l.Kind == Trailers:
		return http.ResponseTrailers
	case l.request:
		return http.RequestHeaders
	}
	return http.ResponseHeaders
}

// A value of the field http_anomaly, and what may not stand in a field: a
// proxy that passes such a field on to HTTP/1 sends another message than it got.
const (
	forged   = "line end or colon inside a header field"
	lineEnds = "\r\n\x00"
)

// oneLine returns b with blanks for the bytes of odd, which no correct sender
// sends (section 8.2.1): they would make it look like other headers.
func (l *List) oneLine(b []byte, odd string) []byte {
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

// Interim tells whether the section is the head of an informational response.
func (l *List) Interim() bool {
	return !l.request && l.status >= 100 && l.status < 200
}

// Finish sets what the section says as a whole; span is the length of its frames.
func (l *List) Finish(span int) {
	v := &l.m.Values
	at, some := l.typeAt, len(l.lines) > 0
	l.flush()
	if l.Kind == Head && !l.odd && some {
		http.NoteContentType(l.m, at, l.typeLen)
	}
	http.Version.SetString(v, l.Version)
	if l.Unknown > 0 {
		l.UnknownField.Set(v, int64(l.Unknown))
		l.m.Resumed = true
	}
	switch {
	case l.Kind != Head && l.Kind != Promise:
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
func (l *List) setRequest(v *field.Values) {
	host := l.authority
	if len(host) == 0 {
		host = l.host
	}
	target := l.path
	if string(l.method) == "CONNECT" && len(target) == 0 {
		target = host
	}
	if len(l.method) > 0 && len(target) > 0 {
		http.SetRequest(l.m, l.method, target, host, l.Version)
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

// StatusOf reads the value of :status, three digits; 0 is none.
func StatusOf(b []byte) int {
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
