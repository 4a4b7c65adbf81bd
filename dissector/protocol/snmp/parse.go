package snmp

import (
	"encoding/hex"
	"hash/maphash"
	"net/netip"
	"strconv"

	"shark/dissector"
	"shark/dissector/ber"
)

// parser reads what two ports say to each other.
type parser struct {
	latest []request // a ring once it has maxRequests
	next   int
	gen    uint64 // tells requests apart that have the same id
	text   []byte
}

// newParser has room for the text of most messages: most ports are used for one call.
func newParser() *parser { return &parser{text: make([]byte, 0, usualText)} }

// request is one that may be sent again.
type request struct {
	key     uint64
	sum     uint64
	time    int64
	gen     uint64
	repeats int64
	open    bool // it is not answered
}

// unasked marks the key of a response whose request was not seen.
const unasked = 1 << 63

// paired is what a request and its response have in common.
func paired(key, gen uint64) uint64 { return key | gen<<33&^unasked }

// probe wants a whole message, of which all but what is encrypted is as it must be.
func probe(b []byte) dissector.Guess {
	msg, err := open(b)
	if err != nil || !msg.secret && check(&msg) != nil || cutInside(b) {
		return dissector.No
	}
	if msg.asks() {
		return dissector.Request
	}
	return dissector.Response
}

// cutInside tells whether b ends before its message does.
func cutInside(b []byte) bool {
	r := datagram(b)
	_, content, _ := next(&r)
	return content.Cut()
}

// check reads a PDU to its end.
func check(msg *message) error {
	var variables ber.Reader
	if msg.pdu == trapV1 {
		h, err := readTrapHead(msg.body)
		if err != nil {
			return err
		}
		variables = h.variables
	} else {
		h, err := readHead(msg.body)
		if err != nil {
			return err
		}
		variables = h.variables
	}
	_, err := each(variables, nil)
	return err
}

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	msg, err := open(buf)
	if err != nil {
		return 0, err
	}
	if msg.asks() != (from == dissector.Client) {
		return 0, errMalformed
	}
	p.header(&msg, m)
	switch {
	case msg.secret:
		p.encrypted(&msg, buf, m)
	case msg.pdu == trapV1:
		err = p.trap(&msg, m)
	default:
		err = p.pdu(&msg, buf, m)
	}
	if err == nil && cutInside(buf) {
		err = dissector.ErrShort
	}
	if err != nil {
		return 0, err
	}
	return int64(len(buf)), nil
}

// header sets what is around the PDU.
func (p *parser) header(msg *message, m *dissector.Message) {
	v := &m.Values
	Version.SetString(v, versionNames[msg.version])
	if msg.community {
		Community.SetString(v, "***")
	}
	if msg.version != version3 {
		return
	}
	MessageID.Set(v, msg.id)
	SecurityLevel.SetString(v, levels[msg.flags&3])
	if len(msg.engine) > 0 {
		p.text = hex.AppendEncode(p.text[:0], msg.engine)
		EngineID.Set(v, p.text)
	}
	if len(msg.context) > 0 {
		Context.Set(v, msg.context)
	}
}

// encrypted takes a message whose PDU cannot be read.
func (p *parser) encrypted(msg *message, buf []byte, m *dissector.Message) {
	switch {
	case m.From == dissector.Client:
		p.asked(key3(msg.id), buf, m)
	case p.answered(key3(msg.id), m) && m.Peer() != nil:
		dissector.Status.SetString(&m.Values, "encryptedPDU")
		return
	default:
		m.Role = dissector.OneWay
	}
	dissector.Operation.SetString(&m.Values, "encryptedPDU")
}

// key3 is the key of a message of version 3.
func key3(id int64) uint64 { return uint64(uint32(id)) | 1<<32 }

// pdu takes a PDU that is no trap of version 1.
func (p *parser) pdu(msg *message, buf []byte, m *dissector.Message) error {
	h, err := readHead(msg.body)
	if err != nil {
		m.Role = dissector.OneWay // whatever its id is
		return err
	}
	v, key := &m.Values, uint64(uint32(h.request))
	if msg.version == version3 {
		key = key3(msg.id)
	}
	RequestID.Set(v, h.request)
	if answers(msg.pdu) {
		p.answered(key, m)
		return p.response(msg, &h, m)
	}
	dissector.Operation.SetString(v, pduNames[msg.pdu-getRequest])
	if msg.pdu == trapV2 {
		m.Role = dissector.OneWay
	} else {
		p.asked(key, buf, m)
	}
	if msg.pdu == getBulkRequest {
		NonRepeaters.Set(v, h.one)
		MaxRepetitions.Set(v, h.two)
	}
	l := p.list(m)
	n, err := each(h.variables, l.variable)
	Variables.Set(v, int64(n))
	p.summary(&l, n, m)
	return err
}

// response sets what a response or report says.
func (p *parser) response(msg *message, h *head, m *dissector.Message) error {
	v := &m.Values
	l := p.list(m)
	l.quiet = true
	n, err := each(h.variables, l.variable)
	ResponseVariables.Set(v, int64(n))
	if l.exceptions > 0 {
		Exceptions.Set(v, l.exceptions)
	}
	if msg.pdu == report {
		name := reports[string(l.first)]
		if name == "" {
			name = "Report"
		}
		dissector.Status.SetString(v, name)
		dissector.Failed.Set(v, name != unknownEngine && name != notInTime)
		return err
	}
	name := strconv.FormatInt(h.one, 10)
	if h.one >= 0 && h.one < int64(len(errorNames)) {
		name = errorNames[h.one]
	}
	dissector.Status.SetString(v, name)
	dissector.StatusCode.Set(v, h.one)
	dissector.Failed.Set(v, h.one != 0)
	if h.one != 0 {
		ErrorIndex.Set(v, h.two)
	}
	return err
}

// trap takes a trap of version 1.
func (p *parser) trap(msg *message, m *dissector.Message) error {
	m.Role = dissector.OneWay
	v := &m.Values
	dissector.Operation.SetString(v, pduNames[trapV1-getRequest])
	h, err := readTrapHead(msg.body)
	if err != nil {
		return err
	}
	p.text = appendOID(p.text[:0], h.enterprise)
	Enterprise.Set(v, p.text)
	switch {
	case h.generic >= 0 && h.generic < int64(len(trapNames)):
		Trap.SetString(v, trapNames[h.generic])
	case h.generic == enterpriseSpecific: // RFC 3584 section 3.1
		p.text = strconv.AppendInt(append(p.text, ".0."...), h.specific, 10)
		Trap.Set(v, p.text)
	}
	p.text = netip.AddrFrom4([4]byte(h.agent)).AppendTo(p.text[:0])
	AgentAddress.Set(v, p.text)
	l := p.list(m)
	n, err := each(h.variables, l.variable)
	Variables.Set(v, int64(n))
	p.summary(&l, n, m)
	return err
}

// seed makes sums of requests.
var seed = maphash.MakeSeed()

// asked remembers a request, unless it is one that is sent again. It leaves older ones
// of the same id without an answer: some clients give every request the same.
func (p *parser) asked(key uint64, buf []byte, m *dissector.Message) {
	sum := maphash.Bytes(seed, buf)
	for i := range p.latest {
		q := &p.latest[i]
		if q.key != key || !q.open {
			continue
		}
		if q.sum == sum && m.Start-q.time <= againTime {
			q.repeats++
			m.Skip = true
			return
		}
		q.open = false
	}
	p.gen++
	m.SetKey(paired(key, p.gen))
	q := request{key: key, sum: sum, time: m.Start, gen: p.gen, open: true}
	if len(p.latest) < maxRequests {
		p.latest = append(p.latest, q)
		return
	}
	p.latest[p.next] = q
	p.next = (p.next + 1) % maxRequests
}

// answered notes that a request is answered, and tells whether there is one.
func (p *parser) answered(key uint64, m *dissector.Message) bool {
	for i := range p.latest {
		q := &p.latest[i]
		if q.key == key && q.open {
			q.open = false
			m.SetKey(paired(key, q.gen))
			if q.repeats > 0 {
				Retransmissions.Set(&m.Values, q.repeats)
			}
			return true
		}
	}
	m.SetKey(key | unasked)
	return false
}
