package diameter

import (
	"encoding/binary"
	"strconv"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/wire"
)

// header is the header of a message (RFC 6733 section 3).
type header struct {
	length             int
	flags              byte
	command            uint32
	application        uint32
	hopByHop, endToEnd uint32
}

const (
	headerLen = 20
	version   = 1
)

// Command flags.
const (
	flagRequest       = 0x80
	flagProxiable     = 0x40
	flagError         = 0x20
	flagRetransmitted = 0x10
	flagsReserved     = 0x0f
)

var be = binary.BigEndian

func uint24(b []byte) uint32 { return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) }

// head reads a header of headerLen bytes; it is false when that is none.
func head(b []byte) (header, bool) {
	h := header{
		length: int(uint24(b[1:])), flags: b[4], command: uint24(b[5:]), application: be.Uint32(b[8:]),
		hopByHop: be.Uint32(b[12:]), endToEnd: be.Uint32(b[16:]),
	}
	return h, b[0] == version && h.length >= headerLen && h.length%4 == 0
}

// probe wants a header without reserved bits, of a command that is known or one of a
// session, and AVPs that fit each other as far as they are at hand.
func probe(b []byte) dissector.Guess {
	if b[0] != version {
		return dissector.No
	}
	if len(b) < headerLen+avpHeader {
		return dissector.More
	}
	h, ok := head(b)
	if !ok || h.length < headerLen+avpHeader || h.flags&flagsReserved != 0 {
		return dissector.No
	}
	if h.flags&flagRequest != 0 && h.flags&flagError != 0 || h.flags&flagRequest == 0 && h.flags&flagRetransmitted != 0 {
		return dissector.No
	}
	if commands[h.command] == "" && be.Uint32(b[headerLen:]) != avpSessionID {
		return dissector.No
	}
	left := h.length - headerLen
	for b = b[headerLen:min(len(b), h.length)]; len(b) >= vendorHeader; {
		a, n, ok := next(b, left)
		if !ok || a.flags&avpReserved != 0 || a.code == 0 {
			return dissector.No
		}
		b, left = b[min(n, len(b)):], left-n
	}
	if h.flags&flagRequest != 0 {
		return dissector.Request
	}
	return dissector.Response
}

// parser has what is used again for each message of a connection.
type parser struct {
	text []byte
}

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if len(buf) < headerLen {
		m.Need = headerLen
		return 0, dissector.ErrShort
	}
	h, ok := head(buf)
	if !ok {
		return 0, errMalformed
	}
	if want := min(h.length, maxHead); len(buf) < want && !m.Whole {
		m.Need = want
		return 0, dissector.ErrShort
	}
	b := buf[headerLen:min(len(buf), h.length, maxHead)]
	p.header(&h, from, m)
	if !p.avps(b, &h, m) && !m.Whole {
		return 0, errMalformed
	}
	if h.request() {
		p.summary(&h, m)
	} else {
		result(&h, &m.Values)
	}
	m.SetBody(headerLen, int64(h.length-headerLen))
	if m.Whole && h.length > len(buf) {
		return 0, dissector.ErrShort
	}
	return int64(h.length), nil
}

func (h *header) request() bool { return h.flags&flagRequest != 0 }

// header sets what the header says. The key is what request and answer have in
// common: who asked, the command and the identifier.
func (p *parser) header(h *header, from dissector.Side, m *dissector.Message) {
	asker := from
	m.Role = dissector.Asks
	if !h.request() {
		asker = from.Other()
		m.Role = dissector.Answers
	}
	m.SetKey(uint64(asker)<<63 | uint64(h.command)<<32 | uint64(h.hopByHop))
	v := &m.Values
	dissector.Operation.Set(v, p.named(commands, h.command))
	CommandCode.Set(v, int64(h.command))
	Application.Set(v, p.named(applications, h.application))
	ApplicationID.Set(v, int64(h.application))
	HopByHop.Set(v, int64(h.hopByHop))
	EndToEnd.Set(v, int64(h.endToEnd))
	Proxiable.Set(v, h.flags&flagProxiable != 0)
	if h.flags&flagRetransmitted != 0 && h.request() {
		Retransmitted.Set(v, true)
	}
}

// named returns a number's name, the number itself when it has none.
func (p *parser) named(names map[uint32]string, n uint32) []byte {
	if s := names[n]; s != "" {
		p.text = append(p.text[:0], s...)
	} else {
		p.text = strconv.AppendUint(p.text[:0], uint64(n), 10)
	}
	return p.text
}

// avps sets the fields that AVPs make; it is false when they do not fill the message.
func (p *parser) avps(b []byte, h *header, m *dissector.Message) bool {
	left := h.length - headerLen
	routes, subscriptions := 0, 0
	for len(b) > 0 {
		a, n, ok := next(b, left)
		if !ok {
			return false
		}
		if len(a.data) < a.size { // behind what is looked at, or cut by the capture
			return true
		}
		b, left = b[min(n, len(b)):], left-n
		if a.vendor != 0 {
			continue
		}
		switch {
		case a.code == avpRouteRecord && h.request():
			if routes++; routes <= maxList {
				Route.Add(&m.Values, p.short(a.data))
			}
			Proxied.Set(&m.Values, true)
		case a.code == avpSubscriptionID && h.request():
			if data, ok := find(a.data, avpSubscriptionData); ok {
				if subscriptions++; subscriptions <= maxList {
					Subscriptions.Add(&m.Values, p.short(data))
				}
			}
		case h.request():
			p.asked(&a, m)
		default:
			p.answered(&a, m)
		}
	}
	return true
}

// asked takes an AVP of a request.
func (p *parser) asked(a *avp, m *dissector.Message) {
	v := &m.Values
	switch a.code {
	case avpSessionID:
		SessionID.Set(v, p.short(a.data))
	case avpOriginHost:
		OriginHost.Set(v, p.short(a.data))
	case avpOriginRealm:
		OriginRealm.Set(v, p.short(a.data))
	case avpDestinationHost:
		DestinationHost.Set(v, p.short(a.data))
	case avpDestinationRealm:
		DestinationRealm.Set(v, p.short(a.data))
	case avpUserName:
		User.Set(v, p.short(a.data))
	case avpInbandSecurity:
		p.security(a, m)
	}
	n, ok := a.number()
	if !ok {
		return
	}
	switch a.code {
	case avpCCRequestType:
		RequestType.Set(v, p.named(requestTypes, n))
	case avpCCRequestNumber:
		RequestNumber.Set(v, int64(n))
	case avpAccountingRecordType:
		RecordType.Set(v, p.named(recordTypes, n))
	case avpTerminationCause:
		Cause.Set(v, p.named(terminationCauses, n))
	case avpDisconnectCause:
		Cause.Set(v, p.named(disconnectCauses, n))
	}
}

// answered takes an AVP of an answer.
func (p *parser) answered(a *avp, m *dissector.Message) {
	v := &m.Values
	switch a.code {
	case avpSessionID:
		SessionID.Set(v, p.short(a.data))
	case avpOriginHost:
		AnsweredBy.Set(v, p.short(a.data))
	case avpUserName:
		User.Set(v, p.short(a.data))
	case avpErrorMessage:
		ErrorMessage.Set(v, p.short(a.data))
	case avpResultCode:
		if n, ok := a.number(); ok {
			ResultCode.Set(v, int64(n))
		}
	case avpExperimentalResult:
		vendor, known := findNumber(a.data, avpVendorID)
		code, ok := findNumber(a.data, avpExperimentalCode)
		if known && ok && !m.Has(ResultCode) {
			ResultCode.Set(v, int64(code))
			ResultVendor.Set(v, p.named(vendors, vendor))
		}
	case avpFailedAVP:
		kept := 0 // of this one and those before it
		for range FailedAVPs.Each(v) {
			kept++
		}
		left := len(a.data)
		for b := a.data; len(b) > 0 && kept < maxList; kept++ {
			x, n, ok := next(b, left)
			if !ok {
				break
			}
			FailedAVPs.AddString(v, x.name())
			b, left = b[min(n, len(b)):], left-n
		}
	case avpInbandSecurity:
		p.security(a, m)
	}
}

// security takes Inband-Security-Id, which RFC 3588 section 2.2 offered in the
// exchange of capabilities: if both sides have TLS in it, that follows.
func (p *parser) security(a *avp, m *dissector.Message) {
	if n, ok := a.number(); ok && n == inbandTLS && !m.Whole && CommandCode.Get(&m.Values) == commandCapabilities {
		m.Next = "tlsx"
	}
}

// result says what became of a request.
func result(h *header, v *field.Values) {
	code := uint32(ResultCode.Get(v))
	names := results
	if v.Has(ResultVendor) {
		names = nil
		if string(ResultVendor.Get(v)) == vendors[vendor3GPP] {
			names = results3GPP
		}
	}
	failed := h.flags&flagError != 0 || code >= 3000
	if v.Has(ResultCode) {
		name := names[code]
		if name == "" {
			name = strconv.FormatUint(uint64(code), 10)
		}
		dissector.Status.SetString(v, name)
		dissector.StatusCode.Set(v, int64(code))
	}
	dissector.Failed.Set(v, failed)
}

// short returns a text, cut with a mark when it is long.
func (p *parser) short(b []byte) []byte {
	if len(b) <= maxText {
		return b
	}
	p.text = append(append(p.text[:0], wire.Cut(b, maxText)...), "…"...)
	return p.text
}

// summary says what a request is about: application, kind, whom, from where and to
// where.
func (p *parser) summary(h *header, m *dissector.Message) {
	v := &m.Values
	p.text = p.text[:0]
	add := func(before string, f field.TextField) {
		if s := f.Get(v); len(s) > 0 {
			if len(p.text) > 0 {
				p.text = append(p.text, ' ')
			}
			p.text = append(append(p.text, before...), s...)
		}
	}
	if h.application != 0 {
		add("", Application)
	}
	add("", RequestType)
	add("", RecordType)
	add("", Cause)
	if m.Has(User) {
		add("", User)
	} else {
		for s := range Subscriptions.Each(v) {
			p.text = append(append(p.text, ' '), s...)
			break
		}
	}
	add("from ", OriginHost)
	if m.Has(DestinationHost) {
		add("to ", DestinationHost)
	} else {
		add("to ", DestinationRealm)
	}
	if h.length > maxHead {
		p.text = append(p.text, " …"...)
	}
	dissector.Summary.Set(v, p.text)
}
