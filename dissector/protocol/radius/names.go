package radius

import "strconv"

// The codes (RFC 2865 section 3, RFC 2866 section 3, RFC 5176 section 2.3).
const (
	accessRequest      = 1
	accessAccept       = 2
	accessReject       = 3
	accountingRequest  = 4
	accountingResponse = 5
	accessChallenge    = 11
	statusServer       = 12
	statusClient       = 13
	disconnectRequest  = 40
	disconnectACK      = 41
	disconnectNAK      = 42
	coaRequest         = 43
	coaACK             = 44
	coaNAK             = 45
)

var codes = map[byte]string{
	accessRequest:      "Access-Request",
	accessAccept:       "Access-Accept",
	accessReject:       "Access-Reject",
	accountingRequest:  "Accounting-Request",
	accountingResponse: "Accounting-Response",
	accessChallenge:    "Access-Challenge",
	statusServer:       "Status-Server",
	statusClient:       "Status-Client",
	disconnectRequest:  "Disconnect-Request",
	disconnectACK:      "Disconnect-ACK",
	disconnectNAK:      "Disconnect-NAK",
	coaRequest:         "CoA-Request",
	coaACK:             "CoA-ACK",
	coaNAK:             "CoA-NAK",
}

// asks tells requests from responses.
func asks(code byte) bool {
	switch code {
	case accessRequest, accountingRequest, statusServer, statusClient, disconnectRequest, coaRequest:
		return true
	}
	return false
}

// answers tells whether a request may be answered so. Status-Server is answered as
// the port's other requests are (RFC 5997 section 2.1).
func answers(request, response byte) bool {
	switch request {
	case accessRequest:
		return response == accessAccept || response == accessReject || response == accessChallenge
	case accountingRequest:
		return response == accountingResponse
	case statusServer:
		return response == accessAccept || response == accountingResponse
	case disconnectRequest:
		return response == disconnectACK || response == disconnectNAK
	case coaRequest:
		return response == coaACK || response == coaNAK
	}
	return false
}

func failed(response byte) bool {
	return response == accessReject || response == disconnectNAK || response == coaNAK
}

// The attributes that fields are made of (RFC 2865 section 5, RFC 2866 section 5,
// RFC 3162, RFC 5176 section 3, RFC 6911).
const (
	attrUserName          = 1
	attrNASIPAddress      = 4
	attrNASPort           = 5
	attrFramedIPAddress   = 8
	attrReplyMessage      = 18
	attrVendorSpecific    = 26
	attrCalledStation     = 30
	attrCallingStation    = 31
	attrNASIdentifier     = 32
	attrAcctStatusType    = 40
	attrAcctSessionID     = 44
	attrNASIPv6Address    = 95
	attrErrorCause        = 101
	attrFramedIPv6Address = 168
)

// fixed are the lengths of values that have only one: numbers, addresses, times and
// the authenticators.
var fixed = lengths(map[byte][]byte{
	4: {
		4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 23, 27, 28, 29, 37, 38, 40, 41, 42, 43, 45, 46, 47, 48, 49, 51, 52, 53, 55,
		61, 62, 64, 65, 76, 86, 101,
	},
	16: {80, 95, 168},
	17: {3},
})

func lengths(by map[byte][]byte) (out [256]byte) {
	for n, types := range by {
		for _, t := range types {
			out[t] = n
		}
	}
	return out
}

// acctStatus are the values of Acct-Status-Type (RFC 2866 section 5.1, RFC 2867
// section 3).
var acctStatus = map[uint32]string{
	1: "Start", 2: "Stop", 3: "Interim-Update", 7: "Accounting-On", 8: "Accounting-Off", 9: "Tunnel-Start",
	10: "Tunnel-Stop", 11: "Tunnel-Reject", 12: "Tunnel-Link-Start", 13: "Tunnel-Link-Stop", 14: "Tunnel-Link-Reject", 15: "Failed",
}

// errorCauses are the values of Error-Cause (RFC 5176 section 3.6).
var errorCauses = map[uint32]string{
	201: "Residual-Session-Context-Removed", 202: "Invalid-EAP-Packet", 401: "Unsupported-Attribute", 402: "Missing-Attribute",
	403: "NAS-Identification-Mismatch", 404: "Invalid-Request", 405: "Unsupported-Service", 406: "Unsupported-Extension",
	407: "Invalid-Attribute-Value", 501: "Administratively-Prohibited", 502: "Request-Not-Routable",
	503: "Session-Context-Not-Found", 504: "Session-Context-Not-Removable", 505: "Other-Proxy-Processing-Error",
	506: "Resources-Unavailable", 507: "Request-Initiated", 508: "Multiple-Session-Selection-Unsupported",
}

// vendors are the private enterprise numbers most met (IANA's register).
var vendors = map[uint32]string{
	9: "Cisco", 43: "3Com", 193: "Ericsson", 311: "Microsoft", 529: "Ascend", 1584: "Bay Networks", 1916: "Extreme",
	1991: "Foundry", 2011: "Huawei", 2352: "Redback", 2636: "Juniper", 3224: "NetScreen", 3561: "Broadband Forum",
	4874: "Unisphere", 5535: "3GPP2", 6527: "Nokia", 8164: "Starent", 8744: "Colubris", 10415: "3GPP", 11344: "FreeRADIUS",
	12356: "Fortinet", 14122: "WISPr", 14179: "Airespace", 14823: "Aruba", 14988: "MikroTik", 24757: "WiMAX",
	25053: "Ruckus", 25461: "Palo Alto Networks", 25506: "H3C", 29671: "Meraki", 30065: "Arista", 41112: "Ubiquiti",
}

// named returns a number's name, the number itself when it has none.
func named(names map[uint32]string, n uint32) string {
	if s := names[n]; s != "" {
		return s
	}
	return strconv.FormatUint(uint64(n), 10)
}
