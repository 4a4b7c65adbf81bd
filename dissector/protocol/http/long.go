package http

import (
	"bytes"

	"shark/dissector"
)

// begin makes m the front of a message whose head goes on behind h. Of the rest only that is
// looked at which tells where the message ends, so that what follows it is found.
func (p *parser) begin(from dissector.Side, m *dissector.Message, h *head) int64 {
	h.wrong(longHead)
	setAnomaly(m, h)
	m.Truncated, m.Open = true, true
	m.Notes |= noteLong
	size := h.size
	h.lines, h.host, h.size = nil, nil, 0
	h.upgrade = bytes.Clone(h.upgrade[:min(len(h.upgrade), maxUpgrade)])
	p.long[from] = *h
	return int64(size)
}

// beginInLine is begin of a request whose line is too long, and of which that is all that is
// known.
func (p *parser) beginInLine(buf []byte, m *dissector.Message) (int64, error) {
	method, rest, _ := bytes.Cut(buf[:maxHead], blank)
	if !isMethod(method) || probeTarget(rest) != dissector.Request {
		return 0, errHeadTooLong
	}
	dissector.Operation.Set(&m.Values, method)
	Method.Set(&m.Values, method)
	RequestHeadersSize.Set(&m.Values, maxHead)
	m.Notes |= noteInLine
	return p.begin(dissector.Client, m, &head{size: maxHead, length: -1}), nil
}

// parseRest reads the next line of such a head, or more of one that is too long itself.
func (p *parser) parseRest(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	h, inside := &p.long[from], m.Notes&noteInLine != 0
	seen := buf[:min(len(buf), maxHead)]
	size := bytes.IndexByte(seen, '\n') + 1
	switch {
	case size == 0 && len(seen) < maxHead:
		return 0, dissector.ErrShort
	case size == 0:
		if !inside {
			h.addFront(seen)
			m.Notes |= noteInLine
		}
		size = len(seen)
	case inside:
		m.Notes &^= noteInLine
	default:
		line := withoutCR(seen[:size-1])
		if len(line) == 0 {
			count(from, size, m)
			return p.finish(from, size, m), nil
		}
		h.addLine(line)
	}
	count(from, size, m)
	m.Open = true
	return int64(size), nil
}

// count counts bytes of a head.
func count(from dissector.Side, n int, m *dissector.Message) {
	if from == dissector.Client {
		RequestHeadersSize.Add(&m.Values, int64(n))
	} else {
		ResponseHeadersSize.Add(&m.Values, int64(n))
	}
}

// finish finds where the message ends, now that the size bytes at hand end its head. Where lines
// are not whole that would tell, this is left to the search for the next message.
func (p *parser) finish(from dissector.Side, size int, m *dissector.Message) int64 {
	h := p.long[from]
	h.size = size
	m.Notes &^= noteLong
	if h.folded {
		h.invalid, h.coded, h.chunked = true, false, false
	}
	if from == dissector.Client {
		return requestBody(m, &h)
	}
	return responseBody(m, &h, int(dissector.StatusCode.Get(&m.Values)))
}

// addLine takes a line of the rest: nothing of it is kept but what it switches to.
func (h *head) addLine(line []byte) {
	to := h.upgrade
	h.upgrade = nil
	h.add(line, 0)
	if h.upgrade != nil {
		to = bytes.Clone(h.upgrade[:min(len(h.upgrade), maxUpgrade)])
	}
	h.upgrade, h.host = to, nil
}

// addFront takes a line of which only the front is read: what it says of framing is unknown.
func (h *head) addFront(line []byte) {
	name := line[:max(0, colon(line))]
	h.folded = h.folded || bytes.EqualFold(name, []byte("content-length")) || bytes.EqualFold(name, []byte("transfer-encoding"))
}
