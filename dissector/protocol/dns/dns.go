// Package dns reads DNS (RFC 1035 and what came after it) over UDP and TCP, and
// its multicast kin mDNS (RFC 6762) and LLMNR (RFC 4795).
//
// In DNS a query and its response pair by id and by the first question's name,
// case ignored: resolvers that vary the case of a name get it back as they sent
// it, but not every server plays along. A response that repeats no question
// takes the name of the latest query with its id.
//
// mDNS and LLMNR messages are one-way: a group has no response that could be
// told to be the only one, and the answer to a multicast question comes from an
// address that the question never named.
package dns

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one message may make us do or keep.
const (
	maxName    = 255  // bytes of a name on the wire, RFC 1035 section 2.3.4
	maxHops    = 127  // pointers followed in one name: it cannot have more labels
	maxListed  = 256  // questions, answers or records listed of one message
	maxText    = 1024 // bytes of one record's text
	maxPending = 16   // latest queries remembered for responses without a question
)

// The fields.
var (
	Questions     = field.NewList("dns_questions", "Names asked for, as they were sent, without the last dot.", `dns_questions.exists(q, q.endsWith(".example"))`)
	Answers       = field.NewList("dns_answers", "Records of the answer section: the address of A and AAAA, the name of CNAME, NS and PTR, the presentation form of others.", `"192.0.2.80" in dns_answers`)
	QuestionTypes = field.NewList("dns_question_types", "Types of the records asked for, such as A, AAAA, MX or ANY.", `"AAAA" in dns_question_types`)
	AnswerTypes   = field.NewList("dns_answer_types", "Types of the records of the answer section, in the order of dns_answers.", `"CNAME" in dns_answer_types`)
	ID            = field.NewInt("dns_id", "", "Message id, which a response repeats.", `dns && dns_id == 14`)
	Opcode        = field.NewText("dns_opcode", "Kind of message: QUERY, NOTIFY, UPDATE, STATUS, IQUERY or DSO.", `dns_opcode == "UPDATE"`)
	Rcode         = field.NewText("dns_rcode", "Response code by name, such as NOERROR, NXDOMAIN or SERVFAIL.", `dns_rcode == "NXDOMAIN"`)
	TTL           = field.NewInt("dns_ttl", "s", "Smallest time to live of the answers.", `dns && size(dns_answers) > 0 && dns_ttl < 5`)
	Authoritative = field.NewBool("dns_authoritative", "The response is authoritative.", `dns_response && !dns_authoritative`)
	Cut           = field.NewBool("dns_truncated", "The server cut the response to fit (TC); the client should ask again over TCP.", `dns_truncated`)
	Desired       = field.NewBool("dns_recursion_desired", "The client asked for recursion (RD).", `dns && !dns_recursion_desired`)
	Available     = field.NewBool("dns_recursion_available", "The server offers recursion (RA).", `dns_response && !dns_recursion_available`)
	Authentic     = field.NewBool("dns_authentic", "The server vouches for the answer by DNSSEC (AD).", `dns_authentic`)
	EDNSSize      = field.NewInt("dns_edns_size", "bytes", "Largest UDP response that the client takes, by its EDNS record.", `dns_edns_size > 1232`)
	DNSSECOK      = field.NewBool("dns_dnssec_ok", "The client wants DNSSEC records (DO).", `dns_dnssec_ok`)
	ClientSubnet  = field.Rarely(field.NewText("dns_client_subnet", "Network on whose behalf a resolver asks, RFC 7871.", `dns_client_subnet.startsWith("192.0.2.")`))
	ExtendedError = field.Rarely(field.NewText("dns_extended_error", "Why the answer is what it is: code and text of RFC 8914.", `dns_extended_error.contains("Stale")`))
	Malformed     = field.Rarely(field.NewBool("dns_malformed", "A record could not be read; it and what follows it are missing here.", `dns_malformed`))
	Records       = field.NewList("dns_records", "Records that are not answers, with section, owner, TTL, class and type: authority, additional, updates. For an entry that is looked at, all records.", `dns_records.exists(r, r.contains(" SOA "))`)
)

var fields = field.Fields(
	Questions, Answers, QuestionTypes, AnswerTypes,
	field.NewAlias("dns_request", field.HasRequest, "The query was seen.", `dns_request && !dns_response`),
	field.NewAlias("dns_response", field.HasResponse, "The response was seen.", `dns_response && size(dns_answers) == 0`),
	field.NewAlias("dns_request_length", field.RequestSize, "Size of the query.", `dns_request_length > 100`),
	field.NewAlias("dns_response_length", field.ResponseSize, "Size of the response.", `dns_response_length > 1232`),
	field.NewAlias("dns_total_size", field.TotalSize, "Size of query and response.", `dns_total_size > 4096`),
	ID, Opcode, Rcode, TTL, Authoritative, Cut, Desired, Available, Authentic,
	EDNSSize, DNSSECOK, ClientSubnet, ExtendedError, Malformed, Records,
)

// Protocol is DNS over UDP and TCP. A response code other than NOERROR counts as
// failed, NXDOMAIN too: the client did not get what it asked for.
var Protocol = &dissector.Protocol{
	Name:      "dns",
	Label:     "DNS",
	Doc:       "Domain name queries and their responses over UDP and TCP.",
	Transport: dissector.UDP | dissector.TCP,
	Ports:     []uint16{53},
	Fields:    fields,
	Probe:     probe,
	New: func(t dissector.Transport) dissector.Parse {
		return (&parser{stream: t == dissector.TCP}).parse
	},
}

// Mdns is multicast DNS; its messages are one-way.
var Mdns = &dissector.Protocol{
	Name:      "mdns",
	Label:     "mDNS",
	Doc:       "Multicast DNS on the local link: service discovery and .local names.",
	Transport: dissector.UDP,
	Ports:     []uint16{5353},
	Fields:    fields,
	Implies:   []string{"dns"},
	Probe:     probeMdns,
	New: func(dissector.Transport) dissector.Parse {
		return (&parser{multicast: true}).parse
	},
}

// Llmnr is Link-Local Multicast Name Resolution; its messages are one-way.
var Llmnr = &dissector.Protocol{
	Name:      "llmnr",
	Label:     "LLMNR",
	Doc:       "Link-Local Multicast Name Resolution, with which Windows asks its neighbours for a name.",
	Transport: dissector.UDP,
	Ports:     []uint16{5355},
	Fields:    fields,
	Implies:   []string{"dns"},
	Probe:     probeLlmnr,
	New: func(dissector.Transport) dissector.Parse {
		return (&parser{multicast: true}).parse
	},
}

var errMalformed = errors.New("malformed dns message")
