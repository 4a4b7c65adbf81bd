package dubbo

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/field"
)

func parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if len(buf) < headerSize {
		m.Need = headerSize
		return 0, dissector.ErrShort
	}
	h, ok := readHeader(buf)
	if !ok {
		return 0, errMalformed
	}
	span := headerSize + h.size
	head := min(span, maxHead)
	if int64(len(buf)) < head {
		m.Need = int(head)
		return 0, dissector.ErrShort
	}
	m.SetBody(headerSize, h.size)
	body := &hessian{b: buf[headerSize:head]}
	switch {
	case h.request:
		request(from, h, body, m)
	case from == dissector.Client || h.event && h.id == 0:
		m.Skip = true // an answer to what the server sent, or to what cannot be told
	default:
		response(h, body, m)
	}
	return span, nil
}

// request reads a call or an event.
func request(from dissector.Side, h header, body *hessian, m *dissector.Message) {
	v := &m.Values
	if !h.twoWay || from == dissector.Server || h.event && h.id == 0 {
		m.Role = dissector.OneWay
	} else {
		m.SetKey(h.id)
	}
	RequestID.Set(v, int64(h.id))
	Serialization.SetString(v, formats[h.format])
	if h.event {
		name := event(h, body)
		dissector.Operation.SetString(v, name)
		dissector.Summary.SetString(v, name)
		return
	}
	if h.format != hessian2 {
		return
	}
	c := readCall(body)
	if !c.good {
		return
	}
	Release.Set(v, c.release)
	Service.Set(v, c.service)
	Version.Set(v, c.version)
	dissector.Operation.Set(v, c.method)
	setText(m, Types.Set, c.types)
	if c.generic {
		Generic.Set(v, true)
	}
	summary := append(append([]byte(nil), c.service...), '.')
	dissector.Summary.Set(v, append(summary, c.method...))
}

// event names an event: a heartbeat is null, and others are a letter
// (org.apache.dubbo.common.constants.CommonConstants).
func event(h header, body *hessian) string {
	if h.format != hessian2 {
		return "heartbeat" // the one event that others than Dubbo for Java send
	}
	switch s := body.text(); {
	case body.bad || len(body.b) == 0:
		return "event"
	case s == nil:
		return "heartbeat"
	case string(s) == "R":
		return "readonly"
	case string(s) == "W":
		return "writable"
	}
	return "event"
}

// invocation is what a call is about.
type invocation struct {
	release, service, version, method, types []byte
	generic                                  bool
	good                                     bool
}

// readCall reads a call (DubboCodec.encodeRequestData). Dubbox has a number before the
// types. The method that $invoke calls is its first argument.
func readCall(h *hessian) (c invocation) {
	c.release, c.service, c.version, c.method = h.text(), h.text(), h.text(), h.text()
	c.good = !h.bad && !h.cut && isName(c.service) && isName(c.method) && len(c.version) <= maxName && len(c.release) <= maxName
	if h.off < len(h.b) && h.b[h.off] >= 0x80 && h.b[h.off] <= 0xbf {
		h.off++
	}
	c.types = h.text()
	if string(c.method) == "$invoke" || string(c.method) == "$invokeAsync" {
		if s := h.text(); !h.bad && !h.cut && isName(s) {
			c.method, c.generic = s, true
		}
	}
	return c
}

// isName tells whether b may be the name of a service or method.
func isName(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return len(b) > 0 && len(b) <= maxName
}

// response reads an answer.
func response(h header, body *hessian, m *dissector.Message) {
	v := &m.Values
	m.SetKey(h.id)
	RequestID.Set(v, int64(h.id))
	Serialization.SetString(v, formats[h.format])
	dissector.Status.SetString(v, statuses[h.status])
	dissector.StatusCode.Set(v, int64(h.status))
	switch {
	case h.status != statusOK:
		dissector.Failed.Set(v, true)
		if h.format == hessian2 {
			setText(m, Error.Set, body.text())
		}
	case h.event:
		dissector.Failed.Set(v, false)
	case h.format == hessian2: // of others it is not known whether the method threw
		result(body, m)
	}
}

// result reads what a method returned or threw.
func result(r *hessian, m *dissector.Message) {
	kind := r.integer()
	if r.bad || r.cut {
		return
	}
	threw := kind == withException || kind == withAttached
	dissector.Failed.Set(&m.Values, threw)
	if !threw {
		return
	}
	dissector.Status.SetString(&m.Values, "exception")
	name, text := r.exception()
	setText(m, Exception.Set, name)
	setText(m, Error.Set, text)
}

// setText sets a field to a text, if there is one, of which not too much is kept.
func setText(m *dissector.Message, set func(*field.Values, []byte), b []byte) {
	if len(b) > maxText {
		b = append(bytes.Clone(b[:maxText]), "..."...)
	}
	if len(b) > 0 {
		set(&m.Values, b)
	}
}
