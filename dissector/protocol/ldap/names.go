package ldap

import "strconv"

// The tags of the operations (RFC 4511 section 4.2 to 4.14).
const (
	tagBindRequest        = 0x60
	tagBindResponse       = 0x61
	tagUnbindRequest      = 0x42
	tagSearchRequest      = 0x63
	tagSearchEntry        = 0x64
	tagSearchDone         = 0x65
	tagSearchReference    = 0x73
	tagModifyRequest      = 0x66
	tagModifyResponse     = 0x67
	tagAddRequest         = 0x68
	tagAddResponse        = 0x69
	tagDelRequest         = 0x4a
	tagDelResponse        = 0x6b
	tagModifyDNRequest    = 0x6c
	tagModifyDNResponse   = 0x6d
	tagCompareRequest     = 0x6e
	tagCompareResponse    = 0x6f
	tagAbandonRequest     = 0x50
	tagExtendedRequest    = 0x77
	tagExtendedResponse   = 0x78
	tagIntermediate       = 0x79
	oidStartTLS           = "1.3.6.1.4.1.1466.20037"
	operationSASL         = "sasl" // what a security layer hides
	statusSASL            = "protected"
	operationIntermediate = "intermediate"
)

// operations are the names of what is asked, by the tag of the request.
var operations = map[byte]string{
	tagBindRequest:     "bind",
	tagUnbindRequest:   "unbind",
	tagSearchRequest:   "search",
	tagModifyRequest:   "modify",
	tagAddRequest:      "add",
	tagDelRequest:      "delete",
	tagModifyDNRequest: "modifyDN",
	tagCompareRequest:  "compare",
	tagAbandonRequest:  "abandon",
	tagExtendedRequest: "extended",
	tagIntermediate:    operationIntermediate,
}

// requestOf returns the tag of the request that a response answers: 0 for an
// intermediate response, which may answer any, and for what is no response.
func requestOf(response byte) byte {
	switch response {
	case tagBindResponse:
		return tagBindRequest
	case tagSearchEntry, tagSearchDone, tagSearchReference:
		return tagSearchRequest
	case tagModifyResponse:
		return tagModifyRequest
	case tagAddResponse:
		return tagAddRequest
	case tagDelResponse:
		return tagDelRequest
	case tagModifyDNResponse:
		return tagModifyDNRequest
	case tagCompareResponse:
		return tagCompareRequest
	case tagExtendedResponse:
		return tagExtendedRequest
	}
	return 0
}

// scopes are the names of a search's scopes in LDAP URLs (RFC 4516 section 2); the
// last is of draft-sermersheim-ldap-subordinate-scope.
var scopes = [...]string{"base", "one", "sub", "subordinates"}

// changes are the kinds of a modification (RFC 4511 section 4.6, RFC 4525).
var changes = [...]string{"add", "delete", "replace", "increment"}

// results are the names of the result codes: RFC 4511 section 4.1.9 and the
// register at IANA (LDAP Result Codes).
var results = map[int64]string{
	0: "success", 1: "operationsError", 2: "protocolError", 3: "timeLimitExceeded", 4: "sizeLimitExceeded",
	5: "compareFalse", 6: "compareTrue", 7: "authMethodNotSupported", 8: "strongerAuthRequired", 9: "partialResults",
	10: "referral", 11: "adminLimitExceeded", 12: "unavailableCriticalExtension", 13: "confidentialityRequired",
	14: "saslBindInProgress", 16: "noSuchAttribute", 17: "undefinedAttributeType", 18: "inappropriateMatching",
	19: "constraintViolation", 20: "attributeOrValueExists", 21: "invalidAttributeSyntax", 32: "noSuchObject",
	33: "aliasProblem", 34: "invalidDNSyntax", 35: "isLeaf", 36: "aliasDereferencingProblem",
	48: "inappropriateAuthentication", 49: "invalidCredentials", 50: "insufficientAccessRights", 51: "busy",
	52: "unavailable", 53: "unwillingToPerform", 54: "loopDetect", 60: "sortControlMissing", 61: "offsetRangeError",
	64: "namingViolation", 65: "objectClassViolation", 66: "notAllowedOnNonLeaf", 67: "notAllowedOnRDN",
	68: "entryAlreadyExists", 69: "objectClassModsProhibited", 70: "resultsTooLarge", 71: "affectsMultipleDSAs",
	76: "virtualListViewError", 80: "other", 113: "lcupResourcesExhausted", 114: "lcupSecurityViolation",
	115: "lcupInvalidData", 116: "lcupUnsupportedScheme", 117: "lcupReloadRequired", 118: "canceled",
	119: "noSuchOperation", 120: "tooLate", 121: "cannotCancel", 122: "assertionFailed", 123: "authorizationDenied",
	4096: "e-syncRefreshRequired", 16654: "noOperation",
}

func resultName(code int64) string {
	if name := results[code]; name != "" {
		return name
	}
	return "result code " + strconv.FormatInt(code, 10)
}

// failed tells the codes of errors from the others (RFC 4511 appendix A.1).
func failed(code int64) bool {
	switch results[code] {
	case "success", "compareFalse", "compareTrue", "referral", "saslBindInProgress":
		return false
	}
	return true
}

// oids are the names of extended operations, intermediate responses and unsolicited
// notifications: the register at IANA (LDAP Object Identifiers), and Active
// Directory's ([MS-ADTS] section 3.1.1.3.4.2).
var oids = map[string]string{
	oidStartTLS:                  "StartTLS",                      // RFC 4511 section 4.14
	"1.3.6.1.4.1.1466.20036":     "Notice of Disconnection",       // RFC 4511 section 4.4.1
	"1.3.6.1.4.1.4203.1.11.1":    "Password Modify",               // RFC 3062
	"1.3.6.1.4.1.4203.1.11.3":    "Who am I?",                     // RFC 4532
	"1.3.6.1.1.8":                "Cancel",                        // RFC 3909
	"1.3.6.1.1.21.1":             "Start Transaction",             // RFC 5805
	"1.3.6.1.1.21.3":             "End Transaction",               // RFC 5805
	"1.3.6.1.1.21.4":             "Aborted Transaction Notice",    // RFC 5805
	"1.3.6.1.1.19":               "Turn",                          // RFC 4531
	"1.3.6.1.4.1.4203.1.9.1.4":   "Sync Info",                     // RFC 4533
	"1.3.6.1.4.1.1466.101.119.1": "Refresh",                       // RFC 2589
	"1.2.840.113556.1.4.1781":    "Fast Bind",                     // MS-ADTS
	"1.2.840.113556.1.4.2212":    "Batch Request",                 // MS-ADTS
	"2.16.840.1.113719.1.27.100": "NDS operation",                 // Novell eDirectory
	"2.16.840.1.113730.3.5.3":    "Start Replication Session",     // Netscape Directory Server
	"2.16.840.1.113730.3.5.12":   "Start Replication Session 7.1", // Netscape Directory Server
}

// oidName returns the name of an object identifier, itself when it has none.
func oidName(oid string) string {
	if name := oids[oid]; name != "" {
		return name
	}
	return oid
}

// secrets are the attributes whose values are passwords or made from one, in lower
// case.
var secrets = map[string]bool{
	"userpassword": true, "2.5.4.35": true, // RFC 4519 section 2.41
	"authpassword": true, "1.3.6.1.4.1.4203.1.3.4": true, // RFC 3112
	"unicodepwd": true, "dbcspwd": true, "ntpwdhistory": true, "lmpwdhistory": true, "supplementalcredentials": true,
	"ms-mcs-admpwd": true, "mslaps-password": true,
	"sambantpassword": true, "sambalmpassword": true, "krbprincipalkey": true, "clearpassword": true, "oathsecret": true,
}
