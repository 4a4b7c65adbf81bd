package format

import (
	"slices"
	"strconv"
	"strings"

	"shark/workbench/index"
)

// Logs that are written, with their columns:
// https://docs.zeek.org/en/master/script-reference/log-files.html.
var zeekLogs = map[string][]zeekColumn{
	"conn": zeekOf(
		zeekColumn{"proto", "enum", func(z *zeek, r *index.Row) string { return zeekProto(z.text(r, "transport")) }},
		zeekColumn{"service", "string", func(z *zeek, r *index.Row) string { return zeekService(z.list(r, "conn_l7_detected")) }},
		zeekColumn{"duration", "interval", func(z *zeek, r *index.Row) string { return micros(z.number(r, "conn_duration")) }},
		unknownColumn("orig_bytes", "count"), unknownColumn("resp_bytes", "count"), // ours are of both sides together
		zeekColumn{"conn_state", "string", func(z *zeek, r *index.Row) string { return z.state(r) }},
		unknownColumn("local_orig", "bool"), unknownColumn("local_resp", "bool"),
		zeekColumn{"missed_bytes", "count", func(z *zeek, r *index.Row) string {
			return strconv.FormatInt(z.number(r, "conn_missing_bytes"), 10)
		}},
		unknownColumn("history", "string"),
		countColumn("orig_pkts", "conn_local_pkts"), unknownColumn("orig_ip_bytes", "count"),
		countColumn("resp_pkts", "conn_remote_pkts"), unknownColumn("resp_ip_bytes", "count"),
		unknownColumn("tunnel_parents", "set[string]"),
	),
	"http": zeekOf(
		zeekColumn{"trans_depth", "count", func(z *zeek, r *index.Row) string { return strconv.FormatInt(z.number(r, "index")+1, 10) }},
		textColumn("method", "method"), textColumn("host", "host"), textColumn("uri", "url"),
		headerColumn("referrer", "referer"),
		zeekColumn{"version", "string", func(z *zeek, r *index.Row) string {
			return maybe(strings.TrimPrefix(z.text(r, "http_version"), "HTTP/"))
		}},
		textColumn("user_agent", "user_agent"), headerColumn("origin", "origin"),
		zeekBody("request_body_len", "request_body_size"), zeekBody("response_body_len", "response_body_size"),
		countColumn("status_code", "status_code"), textColumn("status_msg", "status_text"),
		unknownColumn("info_code", "count"), unknownColumn("info_msg", "string"),
		unknownColumn("tags", "set[enum]"), unknownColumn("username", "string"), unknownColumn("password", "string"), unknownColumn("proxied", "set[string]"),
		unknownColumn("orig_fuids", "vector[string]"), unknownColumn("orig_filenames", "vector[string]"), unknownColumn("orig_mime_types", "vector[string]"),
		unknownColumn("resp_fuids", "vector[string]"), unknownColumn("resp_filenames", "vector[string]"), unknownColumn("resp_mime_types", "vector[string]"),
	),
	"dns": zeekOf(
		zeekColumn{"proto", "enum", func(z *zeek, r *index.Row) string { return zeekProto(z.text(r, "transport")) }},
		countColumn("trans_id", "dns_id"),
		zeekColumn{"rtt", "interval", func(z *zeek, r *index.Row) string {
			if !z.is(r, "has_request") || !z.is(r, "has_response") {
				return unset
			}
			return micros(z.number(r, "elapsed_time"))
		}},
		firstColumn("query", "dns_questions"),
		unknownColumn("qclass", "count"), unknownColumn("qclass_name", "string"),
		zeekColumn{"qtype", "count", func(z *zeek, r *index.Row) string {
			if types := z.list(r, "dns_question_types"); len(types) > 0 {
				if n, ok := dnsTypes[types[0]]; ok {
					return strconv.Itoa(n)
				}
			}
			return unset
		}},
		firstColumn("qtype_name", "dns_question_types"),
		answered(countColumn("rcode", "status_code")), answered(textColumn("rcode_name", "dns_rcode")),
		boolColumn("AA", "dns_authoritative"), boolColumn("TC", "dns_truncated"), boolColumn("RD", "dns_recursion_desired"), boolColumn("RA", "dns_recursion_available"),
		unknownColumn("Z", "count"),
		listColumn("answers", "vector[string]", "dns_answers"), unknownColumn("TTLs", "vector[interval]"),
		zeekColumn{"rejected", "bool", func(z *zeek, r *index.Row) string { return truth(z.text(r, "dns_rcode") == "REFUSED") }},
	),
}

// zeekOf puts what all logs have around columns.
func zeekOf(columns ...zeekColumn) []zeekColumn { return slices.Concat(zeekEnds, columns, zeekNames) }

// headerColumn is a header of the request.
func headerColumn(name, header string) zeekColumn {
	return zeekColumn{name, "string", func(z *zeek, r *index.Row) string { return maybe(z.pairs(r, "request.headers")[header]) }}
}

// zeekBody is the size of a body, 0 where there is none.
func zeekBody(name, f string) zeekColumn {
	return zeekColumn{name, "count", func(z *zeek, r *index.Row) string { return strconv.FormatInt(z.number(r, f), 10) }}
}

// firstColumn is the first of a list.
func firstColumn(name, f string) zeekColumn {
	return zeekColumn{name, "string", func(z *zeek, r *index.Row) string {
		if list := z.list(r, f); len(list) > 0 {
			return maybe(list[0])
		}
		return unset
	}}
}

// answered is a column that is unset without a response.
func answered(c zeekColumn) zeekColumn {
	text := c.text
	c.text = func(z *zeek, r *index.Row) string {
		if !z.is(r, "has_response") && !z.is(r, "dns_response") {
			return unset
		}
		return text(z, r)
	}
	return c
}

// zeekProto is a transport as Zeek calls it.
func zeekProto(transport string) string {
	switch transport {
	case "tcp", "udp":
		return transport
	case "icmp", "icmpv6":
		return "icmp"
	}
	return "unknown_transport"
}

// zeekService is what Zeek calls the protocols that were found.
func zeekService(labels []string) string {
	if len(labels) == 0 {
		return unset
	}
	out := make([]string, len(labels))
	for i, l := range labels {
		out[i] = zeekEscape(strings.ToLower(l), ",")
		if out[i] == "tls" {
			out[i] = "ssl"
		}
	}
	return strings.Join(out, ",")
}

// What conn_completeness adds up.
const (
	seenSYN    = 1
	seenSYNACK = 2
	seenFIN    = 16
	seenRST    = 32
)

// state is Zeek's conn_state where what we know tells it: not where it depends on which
// side closed first.
func (z *zeek) state(r *index.Row) string {
	answeredTo := z.number(r, "conn_remote_pkts") > 0
	switch z.text(r, "transport") {
	case "tcp":
	case "udp":
		if answeredTo {
			return "SF"
		}
		return "S0"
	default:
		return "OTH"
	}
	seen := z.number(r, "conn_completeness")
	switch {
	case seen&(seenSYN|seenSYNACK) == 0:
		return "OTH"
	case seen&seenSYN == 0:
		return unset
	case seen&seenSYNACK == 0 && seen&seenRST != 0 && answeredTo:
		return "REJ"
	case seen&seenSYNACK == 0 && seen&seenRST != 0:
		return "RSTOS0"
	case seen&seenSYNACK == 0 && seen&seenFIN != 0:
		return "SH"
	case seen&seenSYNACK == 0:
		return "S0"
	case seen&(seenFIN|seenRST) == 0:
		return "S1"
	case seen&seenRST == 0 && z.number(r, "conn_fins") >= 2:
		return "SF"
	}
	return unset
}

// dnsTypes are the numbers of the types that are asked for most:
// https://www.iana.org/assignments/dns-parameters.
var dnsTypes = map[string]int{
	"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "HINFO": 13, "MX": 15, "TXT": 16, "AAAA": 28, "LOC": 29, "SRV": 33, "NAPTR": 35, "DNAME": 39,
	"DS": 43, "SSHFP": 44, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "NSEC3": 50, "TLSA": 52, "CDS": 59, "CDNSKEY": 60, "SVCB": 64, "HTTPS": 65,
	"SPF": 99, "IXFR": 251, "AXFR": 252, "ANY": 255, "CAA": 257,
}
