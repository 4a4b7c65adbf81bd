package dns

import "encoding/binary"

const headerLen = 12

// Flag bits of the header, RFC 1035 section 4.1.1 and RFC 2535.
const (
	flagQR = 1 << 15
	flagAA = 1 << 10
	flagTC = 1 << 9
	flagRD = 1 << 8
	flagRA = 1 << 7
	flagZ  = 1 << 6
	flagAD = 1 << 5
)

// Opcodes.
const (
	opQuery  = 0
	opNotify = 4
	opUpdate = 5
	opDSO    = 6
)

// header is the fixed part of every message.
type header struct {
	id, flags      uint16
	qd, an, ns, ar int
}

func readHeader(b []byte) header {
	first, last := binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[8:headerLen])
	return header{
		uint16(first >> 48), uint16(first >> 32),
		int(uint16(first >> 16)), int(uint16(first)), int(last >> 16), int(uint16(last)),
	}
}

func (h header) response() bool { return h.flags&flagQR != 0 }
func (h header) opcode() int    { return int(h.flags >> 11 & 15) }
func (h header) rcode() int     { return int(h.flags & 15) }
func (h header) has(f int) bool { return int(h.flags)&f != 0 }
func (h header) records() int   { return h.an + h.ns + h.ar }
func (h header) opcodeName() string {
	if n := opcodes[h.opcode()]; n != "" {
		return n
	}
	return "OPCODE" + string(digits(h.opcode()))
}

var opcodes = [16]string{opQuery: "QUERY", 1: "IQUERY", 2: "STATUS", opNotify: "NOTIFY", opUpdate: "UPDATE", opDSO: "DSO"}

// rcodes are the response codes, those above 15 carried by EDNS:
// https://www.iana.org/assignments/dns-parameters.
var rcodes = [...]string{
	"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET",
	"NXRRSET", "NOTAUTH", "NOTZONE", "DSOTYPENI", 16: "BADVERS", "BADKEY", "BADTIME",
	"BADMODE", "BADNAME", "BADALG", "BADTRUNC", "BADCOOKIE",
}

func rcodeName(code int) string {
	if code < len(rcodes) && rcodes[code] != "" {
		return rcodes[code]
	}
	return "RCODE" + string(digits(code))
}
