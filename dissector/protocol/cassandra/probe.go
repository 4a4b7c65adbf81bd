package cassandra

import (
	"shark/dissector"
	"shark/dissector/wire"
)

// What the probe wants to see.
const (
	seenText = 64 // bytes of a text to tell it by
	seenMax  = 512
)

// probe knows a frame by the checksum of its header and an envelope by header and
// body. Bare envelopes of version 5 are only those that begin a session.
func probe(head []byte) dissector.Guess {
	for _, packs := range [...]bool{false, true} {
		if s, ok := readForm(head, packs); ok {
			return probeFrame(s, head[s.header:])
		}
	}
	h, ok := readHeader(head)
	switch {
	case ok && len(head) < headerSize:
		return dissector.More
	case ok:
		return probeEnvelope(h, head[headerSize:])
	case maybeFrame(head):
		return dissector.More
	}
	return dissector.No
}

// probeFrame looks at the envelope that a frame begins with: in a compressed payload
// it is among the literals of the first sequence.
func probeFrame(s frame, b []byte) dissector.Guess {
	b = b[:min(len(b), s.payload)]
	if s.packed {
		if len(b) < min(seenText, s.payload) {
			return dissector.More
		}
		b, _ = lz4(nil, b, min(headerSize, s.plain))
	}
	if len(b) < headerSize {
		if s.packed || len(b) == s.payload {
			return dissector.No
		}
		return dissector.More
	}
	h, ok := readHeader(b)
	if !ok || h.version != 5 || (h.size() <= int64(s.plain)) != s.self {
		return dissector.No
	}
	return by(h.from, true)
}

// by is the guess for a side's envelope.
func by(from dissector.Side, sure bool) dissector.Guess {
	switch {
	case from == dissector.Client && sure:
		return dissector.Request
	case from == dissector.Client:
		return dissector.MaybeRequest
	case sure:
		return dissector.Response
	}
	return dissector.MaybeResponse
}

// probeEnvelope looks at the body of a bare envelope.
func probeEnvelope(h header, b []byte) dissector.Guess {
	if h.flags&flagCompressed != 0 && (h.version == 5 || h.opcode == opStartup || h.opcode == opOptions || h.length < 5) {
		return dissector.No
	}
	all := int64(len(b)) >= h.length
	after := b[min(int64(len(b)), h.length):]
	if b = b[:len(b)-len(after)]; !all && len(b) < seenMax {
		return dissector.More
	}
	if next, ok := readHeader(after); !ok || len(after) > 0 && (next.from != h.from || next.version != h.version) {
		return dissector.No
	}
	if h.flags&flagCompressed != 0 {
		return guess(all, h, false)
	}
	r := reader{Reader: wire.Reader{B: b}}
	if h.from == dissector.Server {
		return probeResponse(h, &r)
	}
	if h.flags&flagPayload != 0 {
		r.list(func() { r.string(); r.bytes() })
	}
	return probeRequest(h, &r)
}

func probeRequest(h header, r *reader) dissector.Guess {
	good := false
	switch h.opcode {
	case opStartup:
		n, key := r.short(), r.string()
		good = n > 0 && len(key) > 2 && printable(key) && capital(key)
	case opOptions:
		good = h.length == 0
	case opQuery, opPrepare:
		if h.version == 5 {
			return dissector.No
		}
		n := int64(r.int())
		good = n >= 2 && n <= h.length-4 && printable(r.B[:min(n, seenText, int64(len(r.B)))])
	case opExecute:
		id := r.shortBytes()
		level, flags := r.short(), r.Byte()
		return guess(h.version < 5 && !r.Bad && level < len(consistencies) && flags < 0x80 && len(id) > 0 && len(id) <= maxID, h, len(id) == 16)
	case opBatch:
		kind, n, prepared := r.Byte(), r.short(), r.Byte()
		good = h.version < 5 && int(kind) < len(batches) && n > 0 && prepared < 2
		if size := int64(r.int()); prepared == 0 {
			good = good && size > 4 && size <= h.length && printable(r.B[:min(size, seenText, int64(len(r.B)))])
		}
	case opRegister:
		n := r.short()
		good = h.version < 5 && n > 0 && events[string(r.string())]
	case opAuthResponse:
		return guess(h.version < 5 && int64(max(0, r.int()))+4 == h.length, h, false)
	}
	return guess(good && !r.Bad, h, true)
}

func probeResponse(h header, r *reader) dissector.Guess {
	if h.flags&flagTracing != 0 {
		r.Take(16)
	}
	if h.flags&flagWarning != 0 {
		r.list(func() { r.string() })
	}
	if h.flags&flagPayload != 0 {
		r.list(func() { r.string(); r.bytes() })
	}
	good := false
	switch h.opcode {
	case opError:
		code, text := r.int(), r.string()
		good = errorNames[code] != "" && printable(text)
	case opReady:
		good = h.length == 0
	case opAuthenticate:
		name := r.string()
		good = len(name) > 0 && printable(name) && len(r.B) == 0
	case opSupported:
		n, key := r.short(), r.string()
		good = n > 0 && len(key) > 2 && printable(key) && capital(key)
	case opResult:
		good = h.version < 5 && probeResult(r)
	case opEvent:
		good = h.version < 5 && events[string(r.string())]
	case opAuthChallenge, opAuthSuccess:
		return guess(h.version < 5 && int64(max(0, r.int()))+4 == h.length, h, false)
	}
	return guess(good && !r.Bad, h, true)
}

// probeResult looks at a result.
func probeResult(r *reader) bool {
	switch r.int() {
	case kindVoid:
		return len(r.B) == 0
	case kindRows:
		flags, columns := r.int(), r.int()
		return flags >= 0 && flags <= 0xf && columns >= 0 && columns < 1<<16
	case kindKeyspace:
		name := r.string()
		return len(name) > 0 && printable(name) && len(r.B) == 0
	case kindPrepared:
		id := r.shortBytes()
		return len(id) > 0 && len(id) <= maxID
	case kindSchema:
		done, target := r.string(), r.string()
		return len(done) > 0 && len(target) > 0 && capital(done) && capital(target)
	}
	return false
}

func guess(good bool, h header, sure bool) dissector.Guess {
	if !good {
		return dissector.No
	}
	return by(h.from, sure)
}

// capital tells whether b is a name as the protocol has them: in capitals, with _.
func capital(b []byte) bool {
	for _, c := range b {
		if (c < 'A' || c > 'Z') && c != '_' {
			return false
		}
	}
	return true
}
