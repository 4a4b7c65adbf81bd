package snmp

// The PDUs (RFC 3416 section 3, RFC 1157 section 4.1).
const (
	getRequest     = 0xa0
	getNextRequest = 0xa1
	response       = 0xa2
	setRequest     = 0xa3
	trapV1         = 0xa4
	getBulkRequest = 0xa5
	informRequest  = 0xa6
	trapV2         = 0xa7
	report         = 0xa8
)

var pduNames = [...]string{
	"GetRequest", "GetNextRequest", "Response", "SetRequest", "Trap", "GetBulkRequest", "InformRequest", "SNMPv2-Trap", "Report",
}

// inVersion tells whether a version has a PDU. Reports are of version 3 alone
// (RFC 3416 section 4.2.6).
func inVersion(version int64, pdu byte) bool {
	switch version {
	case version1:
		return pdu >= getRequest && pdu <= trapV1
	case version2c:
		return pdu >= getRequest && pdu <= trapV2 && pdu != trapV1
	}
	return pdu >= getRequest && pdu <= report && pdu != trapV1
}

// answers tells responses from what is asked or told.
func answers(pdu byte) bool { return pdu == response || pdu == report }

// errorNames are the values of error-status (RFC 3416 section 3).
var errorNames = [...]string{
	"noError", "tooBig", "noSuchName", "badValue", "readOnly", "genErr", "noAccess", "wrongType", "wrongLength", "wrongEncoding",
	"wrongValue", "noCreation", "inconsistentValue", "resourceUnavailable", "commitFailed", "undoFailed", "authorizationError",
	"notWritable", "inconsistentName",
}

// exceptions are what may stand in the place of a value (RFC 3416 section 3), from
// tagNoSuchObject on.
var exceptions = [...]string{"noSuchObject", "noSuchInstance", "endOfMibView"}

// exception returns what stands in the place of a value, if the tag says so.
func exception(tag byte) string {
	if i := int(tag) - tagNoSuchObject; i >= 0 && i < len(exceptions) {
		return exceptions[i]
	}
	return ""
}

// trapNames are the generic traps of RFC 1157 section 4.1.6, by number.
var trapNames = [...]string{"coldStart", "warmStart", "linkDown", "linkUp", "authenticationFailure", "egpNeighborLoss"}

// enterpriseSpecific is the generic trap that says that the specific one tells.
const enterpriseSpecific = 6

// snmpTraps is what their identifiers begin with in version 2 (RFC 3584 section 3.1).
const snmpTraps = "1.3.6.1.6.3.1.1.5."

// snmpTrapOID is the variable that names a trap (RFC 3416 section 4.2.6).
const snmpTrapOID = "1.3.6.1.6.3.1.1.4.1.0"

// reports are the counters that tell what a report is about (RFC 3412 section 7,
// RFC 3414 section 3.2, RFC 3413 section 3.2).
var reports = map[string]string{
	"1.3.6.1.6.3.11.2.1.1.0": "snmpUnknownSecurityModels",
	"1.3.6.1.6.3.11.2.1.2.0": "snmpInvalidMsgs",
	"1.3.6.1.6.3.11.2.1.3.0": "snmpUnknownPDUHandlers",
	"1.3.6.1.6.3.12.1.4.0":   "snmpUnavailableContexts",
	"1.3.6.1.6.3.12.1.5.0":   "snmpUnknownContexts",
	"1.3.6.1.6.3.15.1.1.1.0": "usmStatsUnsupportedSecLevels",
	"1.3.6.1.6.3.15.1.1.2.0": notInTime,
	"1.3.6.1.6.3.15.1.1.3.0": "usmStatsUnknownUserNames",
	"1.3.6.1.6.3.15.1.1.4.0": unknownEngine,
	"1.3.6.1.6.3.15.1.1.5.0": "usmStatsWrongDigests",
	"1.3.6.1.6.3.15.1.1.6.0": "usmStatsDecryptionErrors",
}

// These reports are asked for: they tell engine and time (RFC 3414 section 4).
const (
	unknownEngine = "usmStatsUnknownEngineIDs"
	notInTime     = "usmStatsNotInTimeWindows"
)

// levels are the security levels by the bits auth and priv of the flags (RFC 3412
// section 6.4). The third is not allowed.
var levels = [4]string{"noAuthNoPriv", "authNoPriv", "", "authPriv"}
