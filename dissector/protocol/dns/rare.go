package dns

import (
	"encoding/base32"
	"encoding/hex"
	"strconv"
	"time"
)

// presentRare goes on with the types that fewer messages carry.
func (c *cursor) presentRare(dst []byte, typ uint16) []byte {
	switch typ {
	case typeCAA: // RFC 8659
		dst = append(c.num(dst, 1), ' ')
		dst = append(append(dst, c.take(int(c.uint(1)))...), ' ')
		return quote(dst, c.rest())
	case typeURI: // RFC 7553
		return quote(append(c.nums(dst, 2, 2), ' '), c.rest())
	case typeNAPTR: // RFC 3403
		dst = append(c.nums(dst, 2, 2), ' ')
		dst = append(c.str(dst), ' ')
		dst = append(c.str(dst), ' ')
		dst = append(c.str(dst), ' ')
		return c.name(dst)
	case typeSVCB, typeHTTPS:
		return c.service(dst)
	case typeDS, typeCDS:
		return c.hex(append(c.nums(dst, 2, 1, 1), ' '))
	case typeDNSKEY, typeCDNSKEY, typeKEY:
		return c.base64(append(c.nums(dst, 2, 1, 1), ' '))
	case typeTLSA, typeSMIMEA:
		return c.hex(append(c.nums(dst, 1, 1, 1), ' '))
	case typeSSHFP:
		return c.hex(append(c.nums(dst, 1, 1), ' '))
	case typeZONEMD:
		return c.hex(append(c.nums(dst, 4, 1, 1), ' '))
	case typeCERT:
		return c.base64(append(c.nums(dst, 2, 2, 1), ' '))
	case typeOPENPGPKEY:
		return c.base64(dst)
	case typeRRSIG, typeSIG:
		return c.signature(dst)
	case typeNSEC:
		return c.types(c.name(dst))
	case typeCSYNC:
		return c.types(c.nums(dst, 4, 2))
	case typeNSEC3, typeNSEC3PARAM:
		return c.nsec3(dst, typ)
	case typeLOC:
		return c.location(dst)
	case typeEUI48:
		return dashed(dst, c.take(6))
	case typeEUI64:
		return dashed(dst, c.take(8))
	case typeTSIG:
		return c.tsig(dst)
	}
	c.bad = true
	return dst
}

func dashed(dst, b []byte) []byte {
	for i := range b {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, b[i:i+1])
	}
	return dst
}

// signature appends an RRSIG, RFC 4034 section 3.
func (c *cursor) signature(dst []byte) []byte {
	dst = append(appendType(dst, uint16(c.uint(2))), ' ')
	dst = append(c.nums(dst, 1, 1, 4), ' ')
	for range 2 { // expiration, inception
		t := time.Unix(int64(c.uint(4)), 0).UTC()
		dst = append(t.AppendFormat(dst, "20060102150405"), ' ')
	}
	dst = append(c.num(dst, 2), ' ')
	return c.base64(append(c.name(dst), ' '))
}

var base32hex = base32.HexEncoding.WithPadding(base32.NoPadding)

// nsec3 appends an NSEC3 or NSEC3PARAM, RFC 5155 sections 3 and 4.
func (c *cursor) nsec3(dst []byte, typ uint16) []byte {
	dst = append(c.nums(dst, 1, 1, 2), ' ')
	if salt := c.take(int(c.uint(1))); len(salt) > 0 {
		dst = hex.AppendEncode(dst, salt)
	} else {
		dst = append(dst, '-')
	}
	if typ == typeNSEC3PARAM {
		return dst
	}
	dst = base32hex.AppendEncode(append(dst, ' '), c.take(int(c.uint(1))))
	return c.types(dst)
}

// tsig appends what a TSIG says but its digest: algorithm, time, error; RFC 8945.
func (c *cursor) tsig(dst []byte) []byte {
	dst = append(c.name(dst), ' ')
	dst = append(c.nums(dst, 6, 2), ' ')
	c.take(int(c.uint(2)))
	dst = c.nums(dst, 2, 2)
	c.take(int(c.uint(2)))
	return dst
}

// location appends a LOC, RFC 1876.
func (c *cursor) location(dst []byte) []byte {
	if c.uint(1) != 0 { // version
		c.bad = true
		return dst
	}
	size, horizontal, vertical := byte(c.uint(1)), byte(c.uint(1)), byte(c.uint(1))
	dst = append(angle(dst, uint32(c.uint(4)), 'N', 'S'), ' ')
	dst = append(angle(dst, uint32(c.uint(4)), 'E', 'W'), ' ')
	dst = metres(dst, int64(c.uint(4))-10_000_000)
	for _, p := range [...]byte{size, horizontal, vertical} {
		cm := int64(p >> 4)
		for range p & 15 {
			cm *= 10
		}
		dst = metres(append(dst, ' '), cm)
	}
	return dst
}

// angle appends thousandths of an arc second, counted from 2^31.
func angle(dst []byte, v uint32, pos, neg byte) []byte {
	n, side := int64(v)-1<<31, pos
	if n < 0 {
		n, side = -n, neg
	}
	dst = append(appendInt(dst, n/3_600_000), ' ')
	dst = append(appendInt(dst, n/60_000%60), ' ')
	dst = strconv.AppendFloat(dst, float64(n%60_000)/1000, 'f', 3, 64)
	return append(dst, ' ', side)
}

func metres(dst []byte, cm int64) []byte {
	return append(strconv.AppendFloat(dst, float64(cm)/100, 'f', 2, 64), 'm')
}

// serviceKeys are the parameters of SVCB and HTTPS records, RFC 9460 section 14.3.
var serviceKeys = [...]string{"mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath", "ohttp"}

func appendServiceKey(dst []byte, k uint64) []byte {
	if k < uint64(len(serviceKeys)) {
		return append(dst, serviceKeys[k]...)
	}
	return strconv.AppendUint(append(dst, "key"...), k, 10)
}

// service appends an SVCB or HTTPS, RFC 9460 section 2.
func (c *cursor) service(dst []byte) []byte {
	dst = c.name(append(c.num(dst, 2), ' '))
	for c.more() {
		key := c.uint(2)
		dst = appendServiceKey(append(dst, ' '), key)
		n := int(c.uint(2))
		if n > c.end-c.off {
			c.bad = true
			return dst
		}
		value := cursor{msg: c.msg, off: c.off, end: c.off + n}
		c.off += n
		if n > 0 {
			dst = value.serviceValue(append(dst, '='), key)
			c.bad = c.bad || value.bad
		}
	}
	return dst
}

func (c *cursor) serviceValue(dst []byte, key uint64) []byte {
	for i := 0; c.more(); i++ {
		if i > 0 {
			dst = append(dst, ',')
		}
		switch key {
		case 0:
			dst = appendServiceKey(dst, c.uint(2))
		case 1:
			dst = appendEscaped(dst, c.take(int(c.uint(1))), false)
		case 3:
			dst = c.num(dst, 2)
		case 4:
			dst = appendAddr(dst, c.take(4))
		case 6:
			dst = appendAddr(dst, c.take(16))
		case 5:
			dst = c.base64(dst)
		default:
			dst = quote(dst, c.rest())
		}
	}
	return dst
}
