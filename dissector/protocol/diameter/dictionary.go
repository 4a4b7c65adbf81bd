package diameter

// kind is how the value of an AVP is written.
type kind uint8

const (
	unknown kind = iota // in hexadecimal
	text
	number
	address
	moment
	grouped
	secret
)

type avpKey struct{ vendor, code uint32 }

// definition is what is known of an AVP.
type definition struct {
	name string
	kind kind
}

// dictionary has the AVPs of the base protocol (RFC 6733 section 4.5), of credit
// control (RFC 8506), of the NAS application (RFC 7155), and of 3GPP those that its
// busiest interfaces have in nearly every message (TS 29.229, 29.272, 29.212, 29.214).
var dictionary = map[avpKey]definition{
	{0, 1}: {"User-Name", text}, {0, 2}: {"User-Password", secret}, {0, 3}: {"CHAP-Password", secret}, {0, 4}: {"NAS-IP-Address", unknown},
	{0, 5}: {"NAS-Port", number}, {0, 6}: {"Service-Type", number}, {0, 8}: {"Framed-IP-Address", unknown}, {0, 18}: {"Reply-Message", text},
	{0, 25}: {"Class", unknown}, {0, 27}: {"Session-Timeout", number}, {0, 30}: {"Called-Station-Id", text},
	{0, 31}: {"Calling-Station-Id", text}, {0, 32}: {"NAS-Identifier", text}, {0, 33}: {"Proxy-State", unknown},
	{0, 44}: {"Accounting-Session-Id", unknown}, {0, 50}: {"Acct-Multi-Session-Id", text}, {0, 55}: {"Event-Timestamp", moment},
	{0, 85}: {"Acct-Interim-Interval", number}, {0, 97}: {"Framed-IPv6-Prefix", unknown}, {0, 257}: {"Host-IP-Address", address},
	{0, 258}: {"Auth-Application-Id", number}, {0, 259}: {"Acct-Application-Id", number},
	{0, 260}: {"Vendor-Specific-Application-Id", grouped}, {0, 261}: {"Redirect-Host-Usage", number},
	{0, 262}: {"Redirect-Max-Cache-Time", number}, {0, 263}: {"Session-Id", text}, {0, 264}: {"Origin-Host", text},
	{0, 265}: {"Supported-Vendor-Id", number}, {0, 266}: {"Vendor-Id", number}, {0, 267}: {"Firmware-Revision", number},
	{0, 268}: {"Result-Code", number}, {0, 269}: {"Product-Name", text}, {0, 270}: {"Session-Binding", number},
	{0, 271}: {"Session-Server-Failover", number}, {0, 272}: {"Multi-Round-Time-Out", number}, {0, 273}: {"Disconnect-Cause", number},
	{0, 274}: {"Auth-Request-Type", number}, {0, 276}: {"Auth-Grace-Period", number}, {0, 277}: {"Auth-Session-State", number},
	{0, 278}: {"Origin-State-Id", number}, {0, 279}: {"Failed-AVP", grouped}, {0, 280}: {"Proxy-Host", text},
	{0, 281}: {"Error-Message", text}, {0, 282}: {"Route-Record", text}, {0, 283}: {"Destination-Realm", text},
	{0, 284}: {"Proxy-Info", grouped}, {0, 285}: {"Re-Auth-Request-Type", number}, {0, 287}: {"Accounting-Sub-Session-Id", number},
	{0, 291}: {"Authorization-Lifetime", number}, {0, 292}: {"Redirect-Host", text}, {0, 293}: {"Destination-Host", text},
	{0, 294}: {"Error-Reporting-Host", text}, {0, 295}: {"Termination-Cause", number}, {0, 296}: {"Origin-Realm", text},
	{0, 297}: {"Experimental-Result", grouped}, {0, 298}: {"Experimental-Result-Code", number}, {0, 299}: {"Inband-Security-Id", number},
	{0, 400}: {"EAP-Payload", unknown}, {0, 480}: {"Accounting-Record-Type", number}, {0, 483}: {"Accounting-Realtime-Required", number},
	{0, 485}: {"Accounting-Record-Number", number},
	{0, 411}: {"CC-Correlation-Id", unknown}, {0, 412}: {"CC-Input-Octets", number}, {0, 414}: {"CC-Output-Octets", number},
	{0, 415}: {"CC-Request-Number", number}, {0, 416}: {"CC-Request-Type", number}, {0, 417}: {"CC-Service-Specific-Units", number},
	{0, 418}: {"CC-Session-Failover", number}, {0, 420}: {"CC-Time", number}, {0, 421}: {"CC-Total-Octets", number},
	{0, 427}: {"Credit-Control-Failure-Handling", number}, {0, 430}: {"Final-Unit-Indication", grouped},
	{0, 431}: {"Granted-Service-Unit", grouped}, {0, 432}: {"Rating-Group", number}, {0, 436}: {"Requested-Action", number},
	{0, 437}: {"Requested-Service-Unit", grouped}, {0, 439}: {"Service-Identifier", number}, {0, 443}: {"Subscription-Id", grouped},
	{0, 444}: {"Subscription-Id-Data", text}, {0, 446}: {"Used-Service-Unit", grouped}, {0, 448}: {"Validity-Time", number},
	{0, 449}: {"Final-Unit-Action", number}, {0, 450}: {"Subscription-Id-Type", number}, {0, 455}: {"Multiple-Services-Indicator", number},
	{0, 456}: {"Multiple-Services-Credit-Control", grouped}, {0, 458}: {"User-Equipment-Info", grouped},
	{0, 459}: {"User-Equipment-Info-Type", number}, {0, 460}: {"User-Equipment-Info-Value", unknown}, {0, 461}: {"Service-Context-Id", text},

	{vendor3GPP, 600}: {"Visited-Network-Identifier", text}, {vendor3GPP, 601}: {"Public-Identity", text},
	{vendor3GPP, 602}: {"Server-Name", text}, {vendor3GPP, 606}: {"User-Data", text}, {vendor3GPP, 607}: {"SIP-Number-Auth-Items", number},
	{vendor3GPP, 608}: {"SIP-Authentication-Scheme", text}, {vendor3GPP, 609}: {"SIP-Authenticate", secret},
	{vendor3GPP, 610}: {"SIP-Authorization", secret}, {vendor3GPP, 612}: {"SIP-Auth-Data-Item", grouped},
	{vendor3GPP, 614}: {"Server-Assignment-Type", number}, {vendor3GPP, 623}: {"User-Authorization-Type", number},
	{vendor3GPP, 624}: {"User-Data-Already-Available", number}, {vendor3GPP, 625}: {"Confidentiality-Key", secret},
	{vendor3GPP, 626}: {"Integrity-Key", secret}, {vendor3GPP, 628}: {"Supported-Features", grouped},
	{vendor3GPP, 629}: {"Feature-List-ID", number}, {vendor3GPP, 630}: {"Feature-List", number},
	{vendor3GPP, 1001}: {"Charging-Rule-Install", grouped}, {vendor3GPP, 1002}: {"Charging-Rule-Remove", grouped},
	{vendor3GPP, 1003}: {"Charging-Rule-Definition", grouped}, {vendor3GPP, 1005}: {"Charging-Rule-Name", text},
	{vendor3GPP, 1006}: {"Event-Trigger", number}, {vendor3GPP, 1016}: {"QoS-Information", grouped},
	{vendor3GPP, 1027}: {"IP-CAN-Type", number}, {vendor3GPP, 1028}: {"QoS-Class-Identifier", number}, {vendor3GPP, 1032}: {"RAT-Type", number},
	{vendor3GPP, 1400}: {"Subscription-Data", grouped}, {vendor3GPP, 1401}: {"Terminal-Information", grouped},
	{vendor3GPP, 1402}: {"IMEI", text}, {vendor3GPP, 1403}: {"Software-Version", text}, {vendor3GPP, 1405}: {"ULR-Flags", number},
	{vendor3GPP, 1406}: {"ULA-Flags", number}, {vendor3GPP, 1407}: {"Visited-PLMN-Id", unknown},
	{vendor3GPP, 1408}: {"Requested-EUTRAN-Authentication-Info", grouped}, {vendor3GPP, 1410}: {"Number-Of-Requested-Vectors", number},
	{vendor3GPP, 1412}: {"Immediate-Response-Preferred", number}, {vendor3GPP, 1413}: {"Authentication-Info", grouped},
	{vendor3GPP, 1414}: {"E-UTRAN-Vector", grouped}, {vendor3GPP, 1415}: {"UTRAN-Vector", grouped},
	{vendor3GPP, 1420}: {"Cancellation-Type", number}, {vendor3GPP, 1423}: {"Context-Identifier", number},
	{vendor3GPP, 1424}: {"Subscriber-Status", number}, {vendor3GPP, 1428}: {"All-APN-Configurations-Included-Indicator", number},
	{vendor3GPP, 1429}: {"APN-Configuration-Profile", grouped}, {vendor3GPP, 1430}: {"APN-Configuration", grouped},
	{vendor3GPP, 1445}: {"Equipment-Status", number}, {vendor3GPP, 1447}: {"RAND", unknown}, {vendor3GPP, 1448}: {"XRES", secret},
	{vendor3GPP, 1449}: {"AUTN", unknown}, {vendor3GPP, 1450}: {"KASME", secret}, {vendor3GPP, 1456}: {"PDN-Type", number},
}
