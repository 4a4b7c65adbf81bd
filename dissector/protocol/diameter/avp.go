package diameter

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"

	"shark/dissector"
)

// avp is an attribute-value pair (RFC 6733 section 4.1).
type avp struct {
	code, vendor uint32
	flags        byte
	data         []byte // as far as it is at hand
	size         int    // of the data as it says
}

const (
	avpHeader    = 8
	vendorHeader = 12 // with the vendor's number
)

// Flags of an AVP.
const (
	avpVendor   = 0x80
	avpReserved = 0x1f
)

// next reads the AVP at the front of b, of which left bytes were sent, and returns
// how many bytes it takes, padding included.
func next(b []byte, left int) (a avp, n int, ok bool) {
	if len(b) < avpHeader {
		return avp{}, left, left > len(b) // its header is not at hand
	}
	a = avp{code: be.Uint32(b), flags: b[4]}
	length, start := int(uint24(b[5:])), avpHeader
	if a.flags&avpVendor != 0 {
		start = vendorHeader
	}
	if length < start || length > left {
		return avp{}, 0, false
	}
	if len(b) < start {
		return avp{size: length - start}, left, true
	}
	if start == vendorHeader {
		a.vendor = be.Uint32(b[avpHeader:])
	}
	a.size = length - start
	a.data = b[start:min(length, len(b))]
	return a, min((length+3)&^3, left), true
}

// number returns the value of an AVP of 32 bits.
func (a *avp) number() (uint32, bool) {
	if len(a.data) != 4 {
		return 0, false
	}
	return be.Uint32(a.data), true
}

// find returns the value of an AVP, of no vendor, inside another.
func find(b []byte, code uint32) ([]byte, bool) {
	for len(b) > 0 {
		a, n, ok := next(b, len(b))
		if !ok {
			return nil, false
		}
		if a.code == code && a.vendor == 0 {
			return a.data, true
		}
		b = b[min(n, len(b)):]
	}
	return nil, false
}

func findNumber(b []byte, code uint32) (uint32, bool) {
	data, ok := find(b, code)
	if !ok || len(data) != 4 {
		return 0, false
	}
	return be.Uint32(data), true
}

// name returns the AVP's name, its number where it has none here.
func (a *avp) name() string {
	if d, ok := dictionary[avpKey{a.vendor, a.code}]; ok {
		return d.name
	}
	s := strconv.FormatUint(uint64(a.code), 10)
	if a.vendor == 0 {
		return s
	}
	if v := vendors[a.vendor]; v != "" {
		return v + "-" + s
	}
	return strconv.FormatUint(uint64(a.vendor), 10) + "-" + s
}

// content shows the AVPs of a message as text, a line each, those inside another one
// indented.
func content(_ *dissector.Message, raw []byte, limit int) ([]byte, error) {
	out, ok := lines(nil, raw, 0, limit)
	if !ok {
		return out, errMalformed
	}
	return out[:min(len(out), limit)], nil
}

func lines(out, b []byte, depth, limit int) ([]byte, bool) {
	for len(b) > 0 && len(out) <= limit {
		a, n, ok := next(b, len(b))
		if !ok {
			return out, false
		}
		b = b[min(n, len(b)):]
		for range depth {
			out = append(out, "  "...)
		}
		out = append(out, a.name()...)
		kind := dictionary[avpKey{a.vendor, a.code}].kind
		if kind == grouped && depth < maxDepth {
			out = append(out, '\n')
			if out, ok = lines(out, a.data, depth+1, limit); !ok {
				return out, false
			}
			continue
		}
		out = append(a.value(append(out, ": "...), kind), '\n')
	}
	return out, true
}

// value appends the AVP's value as text. Passwords are not shown.
func (a *avp) value(out []byte, kind kind) []byte {
	switch {
	case kind == secret:
		return append(out, "***"...)
	case kind == number && len(a.data) == 4:
		n := be.Uint32(a.data)
		out = strconv.AppendUint(out, uint64(n), 10)
		if name := a.meaning(n); name != "" {
			out = append(append(append(out, " ("...), name...), ')')
		}
		return out
	case kind == number && len(a.data) == 8:
		return strconv.AppendUint(out, be.Uint64(a.data), 10)
	case kind == moment && len(a.data) == 4: // seconds since 1900 (RFC 6733 section 4.3.1)
		return time.Unix(int64(be.Uint32(a.data))-secondsTo1970, 0).UTC().AppendFormat(out, time.RFC3339)
	case kind == address && len(a.data) > 2:
		if ip, ok := netip.AddrFromSlice(a.data[2:]); ok {
			return ip.AppendTo(out)
		}
	case kind == text && utf8.Valid(a.data):
		return append(out, a.data...)
	}
	return hex.AppendEncode(out, a.data)
}

// secondsTo1970 is how many seconds after 1900 the year 1970 began.
const secondsTo1970 = 2208988800

// meaning returns what a number stands for.
func (a *avp) meaning(n uint32) string {
	if a.vendor != 0 {
		return ""
	}
	switch a.code {
	case avpResultCode:
		return results[n]
	case avpVendorID, avpSupportedVendor:
		return vendors[n]
	case avpAuthApplication, avpAcctApplication:
		return applications[n]
	case avpCCRequestType:
		return requestTypes[n]
	case avpAccountingRecordType:
		return recordTypes[n]
	case avpTerminationCause:
		return terminationCauses[n]
	case avpDisconnectCause:
		return disconnectCauses[n]
	}
	return ""
}
