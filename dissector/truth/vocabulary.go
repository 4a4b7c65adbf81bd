package main

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// A vocabulary compares how often the words of a protocol were said, where the
// oracles count messages by a word.
type vocabulary struct {
	kind     string
	group    string                         // the oracle's counts
	word     func(label string) string      // shark's word for the oracle's
	protocol string                         // shark's entries
	said     func(req, resp *half) []string // the words of an entry
	only     []string                       // the words that are compared; all when empty
}

var vocabularies = []vocabulary{
	{"memcache", "memcache_command", same, "memcached", asked("operation"), nil},
	{"mqtt", "mqtt_type", byCode(map[string]string{
		"1": "CONNECT", "3": "PUBLISH", "8": "SUBSCRIBE", "10": "UNSUBSCRIBE", "12": "PINGREQ", "14": "DISCONNECT",
	}), "mqtt", asked("operation"), []string{"CONNECT", "PUBLISH", "SUBSCRIBE", "UNSUBSCRIBE", "PINGREQ", "DISCONNECT"}},
	{"nats", "nats_verbs_own_parser", same, "nats", each("operation"), []string{"CONNECT", "PUB", "HPUB", "SUB", "UNSUB", "MSG", "HMSG", "INFO"}},
	{"cql", "cql_opcode", firstWord, "cassandra", asked("cassandra_opcode"), []string{"STARTUP", "OPTIONS", "QUERY", "PREPARE", "EXECUTE", "REGISTER", "BATCH", "AUTH_RESPONSE"}},
	{"tds", "tds_type", byCode(map[string]string{"1": "SQL_BATCH", "3": "RPC", "14": "TRANSACTION_MANAGER"}), "tds", asked("tds_message"), []string{"SQL_BATCH", "RPC", "TRANSACTION_MANAGER"}},
	{"thrift", "thrift_method", same, "thrift", called("operation"), nil},
	{"smtp", "smtp_command", same, "smtp", commandOf(4), []string{"EHLO", "HELO", "MAIL", "RCPT", "DATA", "QUIT", "RSET", "AUTH", "STAR", "NOOP", "VRFY", "BDAT"}},
	{"ftp", "ftp_command", same, "ftp", commandOf(20), []string{
		"AUTH", "USER", "PASS", "PASV", "PORT", "EPSV", "EPRT", "STOR", "RETR", "LIST", "NLST", "MLST", "PWD", "CWD", "FEAT", "HELP", "CLNT", "TYPE", "SIZE", "MDTM", "QUIT",
	}},
	{"sip", "sip_method", same, "sip", sipRequest, nil},
	{
		"snmp", "snmp_pdu", byCode(map[string]string{"0": "GetRequest", "1": "GetNextRequest", "3": "SetRequest", "5": "GetBulkRequest", "6": "InformRequest"}),
		"snmp", asked("operation"),
		[]string{"GetRequest", "GetNextRequest", "SetRequest", "GetBulkRequest", "InformRequest"},
	},
	{"syslog", "syslog_facility", byCode(syslogFacilities()), "syslog", asked("syslog_facility"), nil},
	{"ntp", "ntp_mode", byCode(map[string]string{"3": "client", "5": "broadcast"}), "ntp", asked("ntp_mode"), []string{"client", "broadcast"}},
	{
		"dhcp", "dhcp_type", byCode(map[string]string{"1": "DISCOVER", "3": "REQUEST", "4": "DECLINE", "7": "RELEASE", "8": "INFORM"}),
		"dhcp", asked("operation"),
		[]string{"DISCOVER", "REQUEST", "DECLINE", "RELEASE", "INFORM"},
	},
	{
		"dhcpv6", "dhcpv6_type", byCode(map[string]string{"1": "SOLICIT", "4": "CONFIRM", "5": "RENEW", "6": "REBIND", "11": "INFORMATION-REQUEST"}),
		"dhcp", asked("operation"),
		[]string{"SOLICIT", "CONFIRM", "RENEW", "REBIND", "INFORMATION-REQUEST"},
	},
	{"grpc", "grpc_status", same, "grpc", status, nil},
	{"websocket", "websocket_opcode", byCode(map[string]string{
		"0": "continuation", "1": "text", "2": "binary", "8": "close", "9": "ping", "10": "pong",
	}), "ws", webSocketFrames, nil},
}

// words counts the words that an oracle has.
func (t tally) words(counts map[string]map[string]int) {
	for _, v := range vocabularies {
		for label, n := range counts[v.group] {
			t.said(&v, v.word(label), n)
		}
	}
}

// words counts those of an entry.
func (s sightings) words(protocol string, req, resp *half) {
	for _, v := range vocabularies {
		if v.protocol != protocol {
			continue
		}
		for _, word := range v.said(req, resp) {
			s.said(&v, word, 1)
		}
	}
}

func (t tally) said(v *vocabulary, word string, n int) {
	if word != "" && (v.only == nil || slices.Contains(v.only, word)) {
		t[item{v.kind, word}] += n
	}
}

// How oracles write words.

func same(label string) string { return label }

func firstWord(label string) string {
	word, _, _ := strings.Cut(label, " ")
	return word
}

// byCode takes the number that a label ends in.
func byCode(words map[string]string) func(string) string {
	return func(label string) string { return words[row{"label": label}.code("label")] }
}

// syslogFacilities are the names of the facilities, by their numbers.
func syslogFacilities() map[string]string {
	names := make(map[string]string)
	for i, name := range strings.Fields("kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock local0 local1 local2 local3 local4 local5 local6 local7") {
		names[strconv.Itoa(i)] = name
	}
	return names
}

// Which words an entry has.

// asked is a field of the request.
func asked(field string) func(req, resp *half) []string {
	return func(req, _ *half) []string { return []string{req.text(field)} }
}

// each is a field of request and response.
func each(field string) func(req, resp *half) []string {
	return func(req, resp *half) []string { return []string{req.text(field), resp.text(field)} }
}

// called is what request and response are both about.
func called(field string) func(req, resp *half) []string {
	return func(req, resp *half) (words []string) {
		word := cmp.Or(req.text(field), resp.text(field))
		for _, h := range []*half{req, resp} {
			if h.seen {
				words = append(words, word)
			}
		}
		return words
	}
}

// commandOf is the command of a text protocol, of which the oracles have the first
// letters.
func commandOf(letters int) func(req, resp *half) []string {
	return func(req, _ *half) []string {
		word := req.text("operation")
		return []string{word[:min(len(word), letters)]}
	}
}

// sipRequest is the method of a request. A response that nobody waits for is a message
// of its own, with a status.
func sipRequest(req, _ *half) []string {
	if req.has("status_code") {
		return nil
	}
	return []string{req.text("operation")}
}

// status is that of a gRPC call.
func status(_, resp *half) []string {
	if !resp.has("grpc_status") {
		return nil
	}
	return []string{resp.number("grpc_status")}
}

// webSocketFrames are the frames of a message, or of a ping and its pong.
func webSocketFrames(req, resp *half) (words []string) {
	for _, h := range []*half{req, resp} {
		words = append(words, h.text("ws_opcode"))
		for range h.ints["ws_frames"] - 1 {
			words = append(words, "continuation")
		}
	}
	return words
}
