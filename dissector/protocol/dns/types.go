package dns

// Record types that are treated apart.
const (
	typeA          = 1
	typeNS         = 2
	typeCNAME      = 5
	typeSOA        = 6
	typePTR        = 12
	typeHINFO      = 13
	typeMX         = 15
	typeTXT        = 16
	typeRP         = 17
	typeAFSDB      = 18
	typeRT         = 21
	typeSIG        = 24
	typeKEY        = 25
	typeAAAA       = 28
	typeLOC        = 29
	typeNIMLOC     = 32
	typeSRV        = 33
	typeNAPTR      = 35
	typeKX         = 36
	typeCERT       = 37
	typeDNAME      = 39
	typeOPT        = 41
	typeDS         = 43
	typeSSHFP      = 44
	typeRRSIG      = 46
	typeNSEC       = 47
	typeDNSKEY     = 48
	typeNSEC3      = 50
	typeNSEC3PARAM = 51
	typeTLSA       = 52
	typeSMIMEA     = 53
	typeCDS        = 59
	typeCDNSKEY    = 60
	typeOPENPGPKEY = 61
	typeCSYNC      = 62
	typeZONEMD     = 63
	typeSVCB       = 64
	typeHTTPS      = 65
	typeSPF        = 99
	typeEUI48      = 108
	typeEUI64      = 109
	typeTSIG       = 250
	typeIXFR       = 251
	typeAXFR       = 252
	typeURI        = 256
	typeCAA        = 257
)

// typeNames has the types up to 127: https://www.iana.org/assignments/dns-parameters.
var typeNames = [128]string{
	1: "A", "NS", "MD", "MF", "CNAME", "SOA", "MB", "MG", "MR", "NULL", "WKS", "PTR", "HINFO",
	"MINFO", "MX", "TXT", "RP", "AFSDB", "X25", "ISDN", "RT", "NSAP", "NSAP-PTR", "SIG", "KEY",
	"PX", "GPOS", "AAAA", "LOC", "NXT", "EID", "NIMLOC", "SRV", "ATMA", "NAPTR", "KX", "CERT",
	"A6", "DNAME", "SINK", "OPT", "APL", "DS", "SSHFP", "IPSECKEY", "RRSIG", "NSEC", "DNSKEY",
	"DHCID", "NSEC3", "NSEC3PARAM", "TLSA", "SMIMEA", 55: "HIP", "NINFO", "RKEY", "TALINK",
	"CDS", "CDNSKEY", "OPENPGPKEY", "CSYNC", "ZONEMD", "SVCB", "HTTPS", "DSYNC", "HHIT", "BRID",
	99: "SPF", "UINFO", "UID", "GID", "UNSPEC", "NID", "L32", "L64", "LP", "EUI48", "EUI64",
}

// highTypes has the types from 249.
var highTypes = [...]string{
	"TKEY", "TSIG", "IXFR", "AXFR", "MAILB", "MAILA", "ANY", "URI", "CAA", "AVC", "DOA",
	"AMTRELAY", "RESINFO", "WALLET", "CLA", "IPN",
}

const firstHigh = 249

func appendType(dst []byte, t uint16) []byte {
	switch {
	case int(t) < len(typeNames) && typeNames[t] != "":
		return append(dst, typeNames[t]...)
	case t >= firstHigh && int(t) < firstHigh+len(highTypes):
		return append(dst, highTypes[t-firstHigh]...)
	case t == 32768:
		return append(dst, "TA"...)
	case t == 32769:
		return append(dst, "DLV"...)
	}
	return appendInt(append(dst, "TYPE"...), int64(t)) // RFC 3597 section 5
}

// plausibleType tells whether somebody may ask for t: it is assigned or for
// private use.
func plausibleType(t uint16) bool {
	switch {
	case int(t) < len(typeNames):
		return typeNames[t] != ""
	case t >= firstHigh && int(t) < firstHigh+len(highTypes), t == 32768, t == 32769:
		return true
	}
	return t >= 65280 && t < 65535
}

// Classes.
const (
	classIN   = 1
	classTop  = 1 << 15 // in mDNS not part of the class: cache flush, or unicast wanted
	classANY  = 255
	classNONE = 254
)

func plausibleClass(c uint16) bool {
	return c == classIN || c == 3 || c == 4 || c == classANY || c == classNONE
}

func appendClass(dst []byte, c uint16) []byte {
	switch c {
	case classIN:
		return append(dst, "IN"...)
	case 3:
		return append(dst, "CH"...)
	case 4:
		return append(dst, "HS"...)
	case classNONE:
		return append(dst, "NONE"...)
	case classANY:
		return append(dst, "ANY"...)
	}
	return appendInt(append(dst, "CLASS"...), int64(c))
}
