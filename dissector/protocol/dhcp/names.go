package dhcp

// The types of messages of DHCP that are treated apart (RFC 2132 section 9.6).
const (
	discover = 1
	request  = 3
	decline  = 4
	ack      = 5
	nak      = 6
	release  = 7
	inform   = 8
	force    = 9 // FORCERENEW, RFC 3203
)

// types are the names of the types (RFC 2132 section 9.6, RFC 3203, RFC 4388 section 6.1).
var types = [...]string{
	discover: "DISCOVER", 2: "OFFER", request: "REQUEST", decline: "DECLINE", ack: "ACK", nak: "NAK", release: "RELEASE", inform: "INFORM",
	force: "FORCERENEW", 10: "LEASEQUERY", 11: "LEASEUNASSIGNED", 12: "LEASEUNKNOWN", 13: "LEASEACTIVE",
}

// byServer are the types that a server sends.
var byServer = [len(types)]bool{2: true, ack: true, nak: true, force: true, 11: true, 12: true, 13: true}

// The options of DHCP that fields are made of (RFC 2132, RFC 4361).
const (
	optMask        = 1
	optRouters     = 3
	optDNS         = 6
	optHostname    = 12
	optDomain      = 15
	optRequested   = 50
	optLeaseTime   = 51
	optOverload    = 52
	optType        = 53
	optServerID    = 54
	optMessage     = 56
	optVendorClass = 60
	optClientID    = 61
	optBootFile    = 67
	optRapidCommit = 80 // RFC 4039
	optEnd         = 255
)

// The types of messages of DHCPv6 that are treated apart (RFC 8415 section 7.3).
const (
	solicit     = 1
	advertise   = 2
	reply       = 7
	release6    = 8
	reconfigure = 10
	information = 11
	relayForw   = 12
	relayRepl   = 13
)

// types6 are the names of the types (RFC 8415 section 7.3, RFC 5007 section 4.1.1).
var types6 = [...]string{
	solicit: "SOLICIT", advertise: "ADVERTISE", 3: "REQUEST", 4: "CONFIRM", 5: "RENEW", 6: "REBIND", reply: "REPLY", release6: "RELEASE",
	9: "DECLINE", reconfigure: "RECONFIGURE", information: "INFORMATION-REQUEST", relayForw: "RELAY-FORW", relayRepl: "RELAY-REPL",
	14: "LEASEQUERY", 15: "LEASEQUERY-REPLY",
}

// byServer6 are the types that a server sends.
var byServer6 = [len(types6)]bool{advertise: true, reply: true, reconfigure: true, relayRepl: true, 15: true}

// The options of DHCPv6 that fields are made of (RFC 8415 section 21, RFC 3646,
// RFC 4704, RFC 5970, RFC 6939).
const (
	opt6ClientID    = 1
	opt6ServerID    = 2
	opt6IANA        = 3
	opt6IATA        = 4
	opt6IAAddr      = 5
	opt6RelayMsg    = 9
	opt6Status      = 13
	opt6VendorClass = 16
	opt6DNS         = 23
	opt6Domains     = 24
	opt6IAPD        = 25
	opt6IAPrefix    = 26
	opt6FQDN        = 39
	opt6BootURL     = 59
	opt6LinkLayer   = 79
	opt6Max         = 143 // the largest that is assigned for clients and servers, RFC 8415 and its register
)

// statuses are the names of status codes (RFC 8415 section 21.13).
var statuses = [...]string{"Success", "UnspecFail", "NoAddrsAvail", "NoBinding", "NotOnLink", "UseMulticast", "NoPrefixAvail"}
