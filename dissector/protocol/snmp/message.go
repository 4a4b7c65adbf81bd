package snmp

import "shark/dissector/ber"

// The values of version.
const (
	version1  = 0
	version2c = 1
	version3  = 3
)

var versionNames = [...]string{version1: "1", version2c: "2c", version3: "3"}

// The bits of msgFlags (RFC 3412 section 6.4).
const (
	flagAuth       = 1
	flagPriv       = 2
	flagReportable = 4
)

// message is what is around a PDU.
type message struct {
	version   int64
	community bool // there is one

	id      int64 // of version 3, as the next ones
	flags   byte
	engine  []byte
	context []byte
	secret  bool // the rest is encrypted

	pdu  byte
	body ber.Reader
}

// open reads a message up to its PDU. err is ErrShort where it is cut before that.
func open(b []byte) (msg message, err error) {
	all := datagram(b)
	r, ok := take(&all, ber.Sequence)
	if !ok || len(all.B) > 0 {
		return msg, failure(&all, len(b) < ber.MaxHeader && !all.Bad)
	}
	if msg.version, ok = integer(&r); !ok {
		return msg, failure(&r, r.Cut())
	}
	switch msg.version {
	case version1, version2c:
		community, ok := take(&r, ber.OctetString)
		if !ok {
			return msg, failure(&r, r.Cut())
		}
		msg.community = len(community.B) > 0
	case version3:
		if err := msg.open3(&r); err != nil || msg.secret {
			return msg, err
		}
	default:
		return msg, errMalformed
	}
	if msg.pdu, msg.body, ok = next(&r); !ok || !inVersion(msg.version, msg.pdu) || len(r.B) > 0 {
		msg.pdu = 0
		return msg, failure(&r, !ok && r.Cut())
	}
	return msg, nil
}

// open3 reads what version 3 has before the PDU (RFC 3412 section 6) and leaves r
// where it is.
func (msg *message) open3(r *ber.Reader) error {
	global, ok := take(r, ber.Sequence)
	if !ok {
		return failure(r, r.Cut())
	}
	var model int64
	msg.id, ok = integer(&global)
	if ok {
		_, ok = integer(&global) // msgMaxSize
	}
	var flags ber.Reader
	if ok {
		flags, ok = take(&global, ber.OctetString)
	}
	if ok {
		model, ok = integer(&global)
	}
	if !ok || global.Cut() {
		return failure(&global, global.Cut())
	}
	if len(flags.B) != 1 || levels[flags.B[0]&3] == "" || !over(&global) || model < 1 {
		return errMalformed
	}
	msg.flags = flags.B[0]
	security, ok := take(r, ber.OctetString)
	if !ok {
		return failure(r, r.Cut())
	}
	if model == userBased && !security.Cut() && !msg.user(security) {
		return errMalformed
	}
	if msg.secret = msg.flags&flagPriv != 0; msg.secret {
		if _, ok = take(r, ber.OctetString); !ok || len(r.B) > 0 {
			return failure(r, !ok && r.Cut())
		}
		return nil
	}
	return msg.scoped(r)
}

// userBased is the number of the User-based Security Model.
const userBased = 3

// user reads the parameters of the User-based Security Model (RFC 3414 section 2.4).
func (msg *message) user(b ber.Reader) bool {
	r, ok := take(&b, ber.Sequence)
	if !ok || !over(&b) {
		return false
	}
	engine, ok := take(&r, ber.OctetString)
	if !ok || len(engine.B) > maxEngine {
		return false
	}
	for range 2 { // boots and time
		if _, ok := integer(&r); !ok {
			return false
		}
	}
	for range 3 { // user name, digest, salt
		if _, ok := take(&r, ber.OctetString); !ok {
			return false
		}
	}
	msg.engine = engine.B
	return over(&r)
}

// scoped reads the head of a scoped PDU (RFC 3412 section 6) and leaves r behind it.
func (msg *message) scoped(r *ber.Reader) error {
	s, ok := take(r, ber.Sequence)
	if !ok || len(r.B) > 0 {
		return failure(r, !ok && r.Cut())
	}
	if _, ok := take(&s, ber.OctetString); !ok { // contextEngineID
		return failure(&s, s.Cut())
	}
	name, ok := take(&s, ber.OctetString)
	if !ok {
		return failure(&s, s.Cut())
	}
	msg.context = name.B[:min(len(name.B), maxContext)]
	*r = s
	return nil
}

// asks tells whether its sender asks or tells something.
func (msg *message) asks() bool {
	if msg.secret {
		return msg.flags&flagReportable != 0
	}
	return !answers(msg.pdu)
}

// head is what comes before the variables of a PDU, but for the trap of version 1.
type head struct {
	request   int64
	one, two  int64 // error-status and error-index, or non-repeaters and max-repetitions
	variables ber.Reader
}

func readHead(r ber.Reader) (h head, err error) {
	var ok bool
	for _, n := range []*int64{&h.request, &h.one, &h.two} {
		if *n, ok = integer(&r); !ok {
			return h, failure(&r, r.Cut())
		}
	}
	if h.variables, ok = take(&r, ber.Sequence); !ok || len(r.B) > 0 {
		return h, failure(&r, !ok && r.Cut())
	}
	return h, nil
}

// trapHead is what comes before the variables of a trap of version 1 (RFC 1157
// section 4.1.6).
type trapHead struct {
	enterprise, agent []byte
	generic, specific int64
	variables         ber.Reader
}

func readTrapHead(r ber.Reader) (h trapHead, err error) {
	enterprise, ok := take(&r, tagOID)
	if !ok || enterprise.Cut() {
		return h, failure(&r, r.Cut() || enterprise.Cut())
	}
	agent, ok := take(&r, tagIPAddress)
	if !ok || agent.Cut() {
		return h, failure(&r, r.Cut() || agent.Cut())
	}
	if !isOID(enterprise.B) || len(agent.B) != 4 {
		return h, errMalformed
	}
	h.enterprise, h.agent = enterprise.B, agent.B
	for _, n := range []*int64{&h.generic, &h.specific} {
		if *n, ok = integer(&r); !ok {
			return h, failure(&r, r.Cut())
		}
	}
	if _, ok = take(&r, tagTimeTicks); !ok {
		return h, failure(&r, r.Cut())
	}
	if h.variables, ok = take(&r, ber.Sequence); !ok || len(r.B) > 0 {
		return h, failure(&r, !ok && r.Cut())
	}
	return h, nil
}

// each calls f, if there is one, for every variable and returns their number.
func each(r ber.Reader, f func(oid []byte, tag byte, value []byte)) (n int, err error) {
	for {
		if oid, tag, value, ok := short(&r); ok {
			n++
			if f != nil {
				f(oid, tag, value)
			}
			continue
		}
		v, ok := take(&r, ber.Sequence)
		if !ok {
			break
		}
		oid, ok := take(&v, tagOID)
		if !ok || oid.Cut() {
			return n, failure(&v, v.Cut() || oid.Cut())
		}
		tag, value, ok := next(&v)
		if !ok || value.Cut() {
			return n, failure(&v, v.Cut() || value.Cut())
		}
		if !isOID(oid.B) || !isValue(tag, value.B) || !over(&v) {
			return n, errMalformed
		}
		n++
		if f != nil {
			f(oid.B, tag, value.B)
		}
	}
	if !over(&r) {
		return n, failure(&r, r.Cut())
	}
	return n, nil
}

// short takes a variable as nearly all are: whole, with lengths of one byte each, and
// right. Where it is not so, it takes nothing.
func short(r *ber.Reader) (oid []byte, tag byte, value []byte, ok bool) {
	const header = 2
	b := r.B
	if len(b) < 3*header || b[0] != ber.Sequence || b[1] >= 0x80 || r.Bad {
		return nil, 0, nil, false
	}
	end := header + int(b[1])
	if end > len(b) || int64(end) > r.Left || b[2] != tagOID || b[3] >= 0x80 {
		return nil, 0, nil, false
	}
	at := 2*header + int(b[3])
	if at+header > end || b[at+1] >= 0x80 || at+header+int(b[at+1]) != end {
		return nil, 0, nil, false
	}
	oid, tag, value = b[2*header:at], b[at], b[at+header:end]
	if !isOID(oid) || !isValue(tag, value) {
		return nil, 0, nil, false
	}
	r.B, r.Left = b[end:], r.Left-int64(end)
	return oid, tag, value, true
}
