package dubbo

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/outline"
)

// outlined shows a message: its header and, of a body in Hessian 2, what is called and the
// attachments. Arguments and results are passed over.
func outlined(m, _ *dissector.Message, limit int) []byte {
	if len(m.Raw) < headerSize {
		return nil
	}
	h, ok := readHeader(m.Raw)
	if !ok {
		return nil
	}
	o := outline.New(limit)
	o.Say("message", map[bool]string{true: "request", false: "response"}[h.request])
	o.Unsigned("id", h.id)
	o.Named("serialization", int64(h.format), formats[h.format])
	if h.request {
		o.Flag("two-way", h.twoWay)
	} else {
		o.Named("status", int64(h.status), statuses[h.status])
	}
	o.Flag("event", h.event)
	o.Size("body", h.size)
	if h.format != hessian2 {
		return o.Bytes()
	}
	body := &hessian{b: m.Raw[headerSize:min(int64(len(m.Raw)), headerSize+h.size)]}
	switch {
	case h.event:
		if text := body.text(); text != nil {
			o.Text("data", text)
		}
	case h.request:
		outlineCall(o, body)
	case h.status != statusOK:
		if text := body.text(); text != nil {
			o.Text("error", text)
		}
	default:
		outlineResult(o, body)
	}
	return o.Bytes()
}

// outlineCall writes a call (DubboCodec.encodeRequestData).
func outlineCall(o *outline.Writer, h *hessian) {
	for _, name := range []string{"dubbo version", "service", "service version", "method"} {
		if text := h.text(); !h.bad && !h.cut {
			o.Text(name, text)
		}
	}
	if h.off < len(h.b) && h.b[h.off] >= 0x80 && h.b[h.off] <= 0xbf { // of Dubbox
		h.off++
	}
	types := h.text()
	if h.bad || h.cut {
		return
	}
	n := 0
	o.Group("parameter types", func() {
		for len(types) > 0 {
			var one []byte
			if one, types = descriptor(types); one == nil {
				return
			}
			o.Text("type", one)
			n++
		}
	})
	for i := 0; i < n && !h.bad && !h.cut; i++ {
		h.skip(0)
	}
	attachments(o, h)
}

// descriptor parts the first type from a list of them (JVM specification, 4.3.2).
func descriptor(b []byte) (one, rest []byte) {
	n := 0
	for n < len(b) && b[n] == '[' {
		n++
	}
	if n < len(b) && b[n] == 'L' {
		if n = bytes.IndexByte(b, ';'); n < 0 {
			return nil, nil
		}
	}
	if n >= len(b) {
		return nil, nil
	}
	return b[:n+1], b[n+1:]
}

// outlineResult writes what a method threw, and the attachments that stand behind what it
// returned or threw.
func outlineResult(o *outline.Writer, h *hessian) {
	kind := h.integer()
	if h.bad || h.cut || kind < withException || kind > lastResult {
		return
	}
	o.Named("result", int64(kind), [...]string{"exception", "value", "null", "exception", "value", "null"}[kind])
	switch kind {
	case withException, withAttached:
		at := *h
		if name, text := h.exception(); name != nil {
			o.Text("exception", name)
			o.Text("text", text)
		}
		h.off, h.cut, h.bad, h.classes, h.values = at.off, at.cut, at.bad, at.classes, at.values
		h.skip(0)
	case 1, 4:
		h.skip(0)
	}
	if kind >= withAttached {
		attachments(o, h)
	}
}

// attachments writes a map of texts. Of values that are no texts it tells only that they
// are there.
func attachments(o *outline.Writer, h *hessian) {
	switch c := h.next(); {
	case h.bad || h.cut || c != 'H' && c != 'M':
		return
	case c == 'M':
		h.kind()
	}
	o.Group("attachments", func() {
		for !h.bad && !h.cut && !o.Full() {
			if h.off < len(h.b) && h.b[h.off] == 'Z' {
				return
			}
			name := h.text()
			if h.bad || h.cut {
				return
			}
			at := *h
			value := h.text()
			switch isText := !h.bad; {
			case h.cut:
				return
			case !isText:
				*h = at
				h.skip(0)
				o.Say(outline.Name(name), "...")
			case outline.IsSecret(name):
				o.Secret(outline.Name(name))
			default:
				o.Text(outline.Name(name), value)
			}
		}
	})
}
