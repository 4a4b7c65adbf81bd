package ntp

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"shark/dissector"
)

// parser reads what two ports say to each other.
type parser struct {
	text []byte
}

func (p *parser) parse(from dissector.Side, b []byte, m *dissector.Message) (int64, error) {
	if !fits(b) || answers(b) != (from == dissector.Server) {
		return 0, errMalformed
	}
	Version.Set(&m.Values, int64(version(b)))
	Mode.SetString(&m.Values, modes[mode(b)])
	switch mode(b) {
	case control:
		p.control(b, m)
	case private:
		p.private(b, m)
	case client:
		dissector.Operation.SetString(&m.Values, modes[client])
		m.SetKey(binary.BigEndian.Uint64(b[40:]))
		p.key(b, m)
	default:
		p.time(b, m)
	}
	return int64(len(b)), nil
}

// answers tells whether a message is an answer.
func answers(b []byte) bool {
	switch mode(b) {
	case control, private:
		return isAnswer(b)
	}
	return mode(b) == server
}

// key sets the key of a message's authenticator.
func (p *parser) key(b []byte, m *dissector.Message) {
	if id, _ := tail(b[timeLen:]); id != 0 {
		KeyID.Set(&m.Values, id)
	}
}

// time takes a message that tells the time.
func (p *parser) time(b []byte, m *dissector.Message) {
	v := &m.Values
	Leap.SetString(v, leaps[b[0]>>6])
	Stratum.Set(v, int64(b[1]))
	if exponent := int8(b[2]); exponent >= 0 {
		Poll.Set(v, 1<<exponent)
	}
	Precision.Set(v, int64(int8(b[3])))
	RootDelay.Set(v, short(b[4:]))
	RootDispersion.Set(v, short(b[8:]))
	kiss := p.reference(b, m)
	p.key(b, m)
	if mode(b) != server {
		m.Role = dissector.OneWay
		dissector.Operation.SetString(v, modes[mode(b)])
		return
	}
	m.SetKey(binary.BigEndian.Uint64(b[24:]))
	switch {
	case kiss:
		dissector.Status.Set(v, KissCode.Get(v))
	case b[0]>>6 == unsynchronized || b[1] == 0 || b[1] >= maxStratum: // RFC 5905 section 9.2
		dissector.Status.SetString(v, leaps[unsynchronized])
	default:
		dissector.Status.SetString(v, "synchronized")
		dissector.Failed.Set(v, false)
		p.offset(b, m)
		return
	}
	dissector.Failed.Set(v, true)
}

// short is a number of seconds with 16 bits before and behind the point (RFC 5905
// section 6), in microseconds.
func short(b []byte) int64 { return int64(binary.BigEndian.Uint32(b)) * 1e6 >> 16 }

// reference sets where the server has its time from (RFC 5905 section 7.3), or why it
// gives none (section 7.4): that is so when kiss is true.
func (p *parser) reference(b []byte, m *dissector.Message) (kiss bool) {
	id, stratum := b[12:16], b[1]
	p.text = p.text[:0]
	for _, c := range id {
		if c >= '!' && c <= '~' {
			p.text = append(p.text, c)
		} else if c != 0 {
			p.text = p.text[:0]
			break
		}
	}
	switch {
	case stratum == 0 && len(p.text) == len(id):
		KissCode.Set(&m.Values, p.text)
		return true
	case stratum == 0 || stratum >= maxStratum && len(p.text) == 0:
		return false
	case stratum > 1 && stratum < maxStratum || len(p.text) == 0:
		p.text = netip.AddrFrom4([4]byte(id)).AppendTo(p.text[:0])
	}
	ReferenceID.Set(&m.Values, p.text)
	return false
}

// offset sets how far the server's clock is ahead, as RFC 5905 section 8 has it, with
// the capture's clock in the place of the client's, which need not tell its time.
func (p *parser) offset(b []byte, m *dissector.Message) {
	request := m.Peer()
	if request == nil {
		return
	}
	there, back := since(b[32:], request.Start), since(b[40:], m.Start)
	Offset.Set(&m.Values, (there+back)/2/1000)
}

// since returns how many nanoseconds a time is behind one since 1970. It is taken to be
// of the era in which that is least.
func since(b []byte, unix int64) int64 {
	const to1970 = 2208988800 // seconds from 1900
	seconds, rest := unix/1e9, unix%1e9
	whole := int64(int32(binary.BigEndian.Uint32(b) - uint32(seconds+to1970)))
	return whole*1e9 + int64(uint64(binary.BigEndian.Uint32(b[4:]))*1e9>>32) - rest
}

// The bits of the second byte of a control message (RFC 9327 section 2).
const (
	bitError = 0x40
	bitMore  = 0x20
)

// Keys that are not times.
const (
	keyControl = 1 << 56
	keyPrivate = 1 << 57
)

// control takes a control message.
func (p *parser) control(b []byte, m *dissector.Message) {
	v := &m.Values
	code := b[1] & 31
	Association.Set(v, int64(binary.BigEndian.Uint16(b[6:])))
	m.SetKey(keyControl | uint64(code)<<16 | uint64(binary.BigEndian.Uint16(b[2:])))
	if !isAnswer(b) {
		dissector.Operation.SetString(v, opcodes[code])
		p.summary(b, m)
		return
	}
	switch {
	case code == trap:
		m.Role = dissector.OneWay
		dissector.Operation.SetString(v, opcodes[code])
		p.summary(b, m)
		return
	case b[1]&bitError != 0:
		status := binary.BigEndian.Uint16(b[4:]) >> 8 // RFC 9327 section 3.4
		p.outcome(int64(status), name(controlErrors[:], int(status)), true, m)
		return
	case b[1]&bitMore != 0:
		m.Role = dissector.Interim
	}
	p.outcome(0, "okay", false, m)
}

// summary shows the beginning of a control message's text.
func (p *parser) summary(b []byte, m *dissector.Message) {
	data := b[controlLen:]
	data = data[:min(len(data), int(binary.BigEndian.Uint16(b[10:])), maxText)]
	p.text = p.text[:0]
	for _, c := range data {
		if c < ' ' || c > '~' {
			c = ' '
		}
		p.text = append(p.text, c)
	}
	if len(p.text) > 0 && binary.BigEndian.Uint16(b[8:]) == 0 {
		dissector.Summary.Set(&m.Values, p.text)
	}
}

// private takes a private message.
func (p *parser) private(b []byte, m *dissector.Message) {
	m.SetKey(keyPrivate | uint64(b[2])<<8 | uint64(b[3]))
	if !isAnswer(b) {
		dissector.Operation.SetString(&m.Values, requests[b[3]])
		return
	}
	if b[0]&0x40 != 0 {
		m.Role = dissector.Interim
	}
	code := int(b[4] >> 4)
	p.outcome(int64(code), name(privateErrors[:], code), code != 0, m)
}

func (p *parser) outcome(code int64, status string, failed bool, m *dissector.Message) {
	dissector.Status.SetString(&m.Values, status)
	dissector.StatusCode.Set(&m.Values, code)
	dissector.Failed.Set(&m.Values, failed)
}

func name(names []string, i int) string {
	if i < len(names) && names[i] != "" {
		return names[i]
	}
	return strconv.Itoa(i)
}
