package http2

import (
	"encoding/binary"

	"shark/dissector"
	"shark/dissector/protocol/http/hpack"
	"shark/dissector/protocol/http/section"
)

// probe knows a client by the preface and a server by the SETTINGS frame that it
// must begin with (RFC 9113, section 3.4). In the midst of a connection it walks
// over whole frames that are in order, up to a header block that proves by its
// pseudo-headers who speaks.
func probe(head []byte) dissector.Guess {
	if len(head) == 0 {
		return dissector.More
	}
	if head[0] == preface[0] {
		n := min(len(head), len(preface))
		switch {
		case string(head[:n]) != preface[:n]:
			return dissector.No
		case n < len(preface):
			return dissector.More
		}
		return dissector.Request
	}
	if head[0] != 0 { // no frame that could prove anything is that long
		return dissector.No
	}
	return walk(head)
}

// walk is probe's walk over frames.
func walk(head []byte) dissector.Guess {
	// verdict is what holds if the bytes end here.
	verdict := dissector.More
	b := head
	for n := range maxProbeFrames {
		if len(b) < headerLen {
			if !beginsFrame(b) {
				return dissector.No
			}
			return verdict
		}
		f := readFrame(b)
		if !plausible(f) {
			return dissector.No
		}
		if n == 1 && verdict == dissector.More && firstIsSettings(head) {
			verdict = dissector.Response // an empty SETTINGS, and now a second frame
		}
		payload := b[headerLen:min(len(b), f.span())]
		whole := len(payload) == f.length
		switch f.kind {
		case frameHeaders:
			return probeHeaders(f, payload, whole, verdict)
		case frameData: // may hold anything, and says nothing of the side
		default:
			if !sane(f, payload) {
				return dissector.No
			}
			if whole && n == 0 && f.kind == frameSettings && f.length > 0 {
				verdict = dissector.Response
			}
		}
		if !whole {
			return verdict
		}
		b = b[f.span():]
	}
	if verdict == dissector.More {
		return dissector.No
	}
	return verdict
}

// beginsFrame tells whether b, shorter than a header, can be the front of one.
func beginsFrame(b []byte) bool {
	if len(b) < 4 {
		return len(b) == 0 || b[0] == 0
	}
	var whole [headerLen]byte
	copy(whole[:], b)
	f := readFrame(whole[:])
	switch f.kind {
	case frameSettings, framePing, frameGoAway:
		f.stream = 0
	default:
		f.stream = 1
	}
	f.reserved = false
	if f.kind == frameHeaders && len(b) == 4 {
		f.flags = flagEndHeaders
	}
	return plausible(f)
}

func firstIsSettings(head []byte) bool {
	f := readFrame(head)
	return f.kind == frameSettings && !f.has(flagAck)
}

// flagsOf are the flags that each type of frame may have.
var flagsOf = [...]byte{
	frameData:         flagEndStream | flagPadded,
	frameHeaders:      flagEndStream | flagEndHeaders | flagPadded | flagPriority,
	framePriority:     0,
	frameRSTStream:    0,
	frameSettings:     flagAck,
	framePushPromise:  flagEndHeaders | flagPadded,
	framePing:         flagAck,
	frameGoAway:       0,
	frameWindowUpdate: 0,
	frameContinuation: flagEndHeaders,
}

// plausible tells whether f can be the header of a frame at which a connection
// is picked up. It is stricter than the parser.
func plausible(f frame) bool {
	if int(f.kind) >= len(flagsOf) || f.flags&^flagsOf[f.kind] != 0 || f.reserved || f.check() != nil {
		return false
	}
	switch f.kind {
	case frameContinuation, framePushPromise:
		return false
	case frameData, frameHeaders:
		return f.stream%2 == 1 && f.length <= maxBlock && (f.length > 0 || f.flags == flagEndStream)
	case framePriority, frameRSTStream:
		return f.stream%2 == 1
	case frameGoAway:
		return f.length <= 1<<10
	case frameSettings:
		return f.length <= 6*32
	}
	return true
}

// sane tells whether the payload, of which the end may be absent, can be that of
// f, which is neither DATA nor HEADERS.
func sane(f frame, payload []byte) bool {
	switch f.kind {
	case frameSettings:
		return saneSettings(payload)
	case frameWindowUpdate: // section 6.9: from 1 to 2^31-1
		return len(payload) < 4 || binary.BigEndian.Uint32(payload)-1 < 1<<31-1
	case frameRSTStream:
		return len(payload) < 4 || binary.BigEndian.Uint32(payload) < uint32(len(errorNames))
	case frameGoAway:
		return len(payload) < 8 || binary.BigEndian.Uint32(payload) < 1<<31 && binary.BigEndian.Uint32(payload[4:]) < uint32(len(errorNames))
	}
	return true
}

// saneSettings wants the settings that stand in RFC 9113, section 6.5.2, RFC 8441
// and RFC 9218 to have values they may have; others are allowed once one of them
// was there.
func saneSettings(payload []byte) bool {
	known := false
	for ; len(payload) >= 6; payload = payload[6:] {
		id, value := binary.BigEndian.Uint16(payload), binary.BigEndian.Uint32(payload[2:])
		ok := true
		switch id {
		case 1, 3, 6: // HEADER_TABLE_SIZE, MAX_CONCURRENT_STREAMS, MAX_HEADER_LIST_SIZE
		case 2, 8, 9: // ENABLE_PUSH, ENABLE_CONNECT_PROTOCOL, NO_RFC7540_PRIORITIES
			ok = value <= 1
		case 4: // INITIAL_WINDOW_SIZE
			ok = value < 1<<31
		case 5: // MAX_FRAME_SIZE
			ok = value >= 1<<14 && value < 1<<24
		default:
			ok = known
		}
		if !ok {
			return false
		}
		known = true
	}
	return true
}

// probeHeaders proves by its fields whose header block it is.
func probeHeaders(f frame, payload []byte, whole bool, verdict dissector.Guess) dissector.Guess {
	if !f.has(flagEndHeaders) {
		return verdictOr(verdict, dissector.No)
	}
	var e evidence
	block, err := payload, error(nil)
	if whole {
		if block, err = f.block(payload); err != nil {
			return dissector.No
		}
	} else if f.has(flagPadded | flagPriority) {
		return verdict // rare: wait for the whole
	}
	var d hpack.Decoder
	err = d.Decode(block, e.add)
	switch {
	case e.wrong, whole && err != nil, !whole && err != nil && err != hpack.ErrTruncated:
		return dissector.No
	case e.fields > 0 && e.guess() == dissector.No:
		return verdictOr(verdict, dissector.No)
	case !whole:
		return verdict
	case e.guess() == dissector.More:
		return verdictOr(verdict, dissector.No)
	}
	return e.guess()
}

// verdictOr returns the verdict if there is one yet.
func verdictOr(verdict, otherwise dissector.Guess) dissector.Guess {
	if verdict == dissector.More {
		return otherwise
	}
	return verdict
}

// evidence is what the fields of a block say of who sent it.
type evidence struct {
	fields            int
	regular           bool // a field that is no pseudo-header was there
	request, response bool
	wrong             bool
}

func (e *evidence) add(f *hpack.Field) {
	e.fields++
	name := f.Name()
	switch {
	case !f.Known:
	case len(name) > 0 && name[0] == ':':
		e.wrong = e.wrong || e.regular
		e.pseudo(string(name), f.Value())
	default:
		e.wrong = e.wrong || !hpack.IsName(name)
		if !e.regular && e.fields == 1 && string(name) == "grpc-status" {
			e.response = true // trailers of gRPC
		}
		e.regular = true
	}
}

func (e *evidence) pseudo(name string, value []byte) {
	ok := len(value) > 0
	switch name {
	case ":status":
		e.response = true
		ok = section.StatusOf(value) >= 100
	case ":method":
		e.request = true
		for _, c := range value {
			ok = ok && (c >= 'A' && c <= 'Z' || c == '-' || c == '_')
		}
	case ":path":
		e.request = true
		ok = ok && (value[0] == '/' || value[0] == '*')
	case ":scheme", ":authority", ":protocol":
		e.request = true
	default:
		ok = false
	}
	e.wrong = e.wrong || !ok || e.request && e.response
}

// guess is Request or Response by what was seen, More if that is nothing.
func (e *evidence) guess() dissector.Guess {
	switch {
	case e.wrong:
		return dissector.No
	case e.request:
		return dissector.Request
	case e.response:
		return dissector.Response
	case e.regular:
		return dissector.No
	}
	return dissector.More
}
