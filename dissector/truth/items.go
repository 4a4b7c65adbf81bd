package main

import (
	"fmt"
	"strings"
)

// item is one thing that a witness says was in a capture. Two witnesses agree
// on it when they write it alike. Text is empty where only numbers of things are
// compared.
type item struct{ kind, text string }

// tally counts items: a witness may have seen two alike.
type tally map[item]int

func (t tally) add(kind, format string, args ...any) {
	t[item{kind, fmt.Sprintf(format, args...)}]++
}

// count sets the number of things of a kind that are not told apart.
func (t tally) count(kind string, n int) {
	if n > 0 {
		t[item{kind, ""}] = n
	}
}

// lump forgets what the items of a kind are and keeps their number.
func (t tally) lump(kind string) {
	n := 0
	for i, c := range t {
		if i.kind == kind {
			n += c
			delete(t, i)
		}
	}
	t.count(kind, n)
}

// The kinds, in the order of the summary.
var kinds = []string{
	kindTCP, kindUDP, kindHTTP, kindHTTP2, kindTLS, kindDNS, kindMDNS, kindLLMNR, kindRedis, kindKafka, kindICMP,
	kindMySQL, kindPostgreSQL, kindLDAP, kindRADIUS, kindMongo, kindAMQP, kindDiameter, kindQUIC,
	"memcache", "mqtt", "nats", kindCQL, "tds", "thrift", "smtp", "ftp", "sip", "snmp", "syslog", "ntp", "dhcp", "dhcpv6", "websocket", "grpc",
	kindPackets, kindFrames, kindTopic, kindApp,
}

const (
	kindTCP   = "tcp"   // conversations
	kindUDP   = "udp"   // conversations
	kindHTTP  = "http1" // calls
	kindHTTP2 = "http2" // streams
	kindTLS   = "tls"   // hellos
	kindDNS   = "dns"
	kindMDNS  = "mdns"  // messages
	kindLLMNR = "llmnr" // messages
	kindRedis = "redis" // commands
	kindKafka = "kafka" // requests
	kindICMP  = "icmp"  // echo

	// What follows stands beside the items and does not count as such.
	kindPackets = "packets"
	kindFrames  = "frames" // where a call was seen, of calls that both have
	kindTopic   = "topic"  // topics that Kafka requests name
	kindApp     = "app"    // what programs counted themselves
)

// The formats in which both sides write an item; frames come last, 0 for none.
const (
	formatHTTP     = "%s %s %s @%d..%d"              // method, target, status
	formatHTTPLone = "response %s @%d"               // status
	formatHTTP2    = "%d %s %s %s grpc %s @%d..%d"   // stream, method, path, status, gRPC status
	formatClient   = "client %s ja3 %s alpn %s @%d"  // name
	formatServer   = "server %d ja3s %s alpn %s"     // suite
	formatDNS      = "%s %s id %d code %s @%d..%d"   // type, name
	formatDNSLone  = "response %s id %d code %s @%d" // name
	formatQuery    = "query %s %s id %d @%d"         // type, name
	formatResponse = "response id %d code %s @%d"
	formatRedis    = "%s %s -> %s @%d..%d"        // command, first argument, kind of reply
	formatKafka    = "%d v%d id %d by %s @%d..%d" // API key, version, correlation id, client id
	formatTopic    = "%s @%d"
	formatEcho     = "echo id %d seq %d @%d"
	textReply      = "echo reply"
)

// counts tells whether a kind is one of what the oracles list.
func counts(kind string) bool {
	switch kind {
	case kindPackets, kindFrames, kindTopic, kindApp:
		return false
	}
	return true
}

// floor tells whether shark may see more of a kind: programs count what they did
// themselves, and the oracles know no topics of newer requests.
// The statements of PostgreSQL stand in shark's calls again when they are executed.
func floor(kind string) bool { return kind == kindApp || kind == kindTopic || kind == kindPostgreSQL }

// answered stands between the frames of a call and of its answer.
const answered = ".."

// maxText is how much of a text is compared: the oracles cut long ones.
const maxText = 200

// plain makes a text of captured bytes one that witnesses write alike, and that
// fits into a line: each run of bytes which one of them might have to escape is
// one question mark.
func plain(s string) string {
	var b strings.Builder
	strange := false
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '?' {
			strange = true
			continue
		}
		if strange {
			b.WriteByte('?')
			strange = false
		}
		b.WriteByte(c)
	}
	if strange {
		b.WriteByte('?')
	}
	if s = b.String(); len(s) > maxText {
		return s[:maxText]
	}
	if s == "" {
		return "-"
	}
	return s
}

// plainName is plain for a domain name, which one witness may escape: of one that
// is no host name nothing is compared.
func plainName(s string) string {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"\?,`, c) >= 0 {
			return "?"
		}
	}
	if s == "" || s == "." {
		return "."
	}
	return strings.ToLower(s[:min(len(s), maxText)])
}
