package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// oracle is what another program saw in a capture.
type oracle struct {
	Packets    *int
	TCPStreams int                         `json:"tcp_streams"`
	UDPStreams int                         `json:"udp_streams"`
	Counts     map[string]map[string]int   `json:"counts"`
	Tables     map[string][]map[string]any `json:"tables"`
	Cut        []string                    `json:"tables_truncated_at_400"`
	AppTruth   map[string]int              `json:"app_truth"`
	DecodeAs   []string                    `json:"decode_as"` // rules that tshark was given

	// A copy of another capture in another file format has only these.
	Whole *int   `json:"whole_packets"`
	Same  string `json:"same_packets_as"`
}

// readOracle reads the oracle of a capture; nil when there is none.
func readOracle(dir, capture string) (*oracle, error) {
	f, err := os.Open(filepath.Join(dir, "oracle", filepath.FromSlash(capture)+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	dec := json.NewDecoder(f)
	dec.UseNumber()
	o := new(oracle)
	if err := dec.Decode(o); err != nil {
		return nil, fmt.Errorf("oracle of %s: %w", capture, err)
	}
	return o, nil
}

// items returns what the oracle says, as items.
func (o *oracle) items() tally {
	t := make(tally)
	t.count(kindTCP, o.TCPStreams)
	t.count(kindUDP, o.UDPStreams)
	for _, set := range []map[string]func(tally, row){tables, serviceTables} {
		for name, each := range set {
			for _, r := range o.Tables[name] {
				each(t, row(r))
			}
		}
	}
	t.words(o.Counts)
	if n := o.Counts["icmp"]["echo_replies"] + o.Counts["icmpv6"]["echo_replies"]; n > 0 {
		t[item{kindICMP, textReply}] = n
	}
	for name, n := range o.AppTruth {
		if countable(name) {
			t[item{kindApp, name}] = n
		}
	}
	return t
}

// cutTables are the tables of which an oracle may have the beginning only, with
// the kind of their items and where their true length stands.
var cutTables = map[string]struct {
	kind, group string
	counts      []string
}{
	"redis_calls": {kindRedis, "redis", []string{"commands"}},
	"icmp_echo":   {kindICMP, "icmp", []string{"echo_requests", "echo_replies"}},
}

// cut reduces the kinds whose tables were cut to their numbers, in both tallies.
func (o *oracle) cut(want, got tally) error {
	for _, name := range o.Cut {
		c, ok := cutTables[name]
		if !ok {
			return fmt.Errorf("table %s is cut and its length unknown", name)
		}
		want.lump(c.kind)
		got.lump(c.kind)
		n := 0
		for _, count := range c.counts {
			n += o.Counts[c.group][count]
		}
		want.count(c.kind, n)
	}
	return nil
}

// countable tells whether a count of a program is one of entries in clear text
// of a protocol that is dissected.
func countable(name string) bool {
	for _, prefix := range []string{"http1 ", "h2c ", "grpc ", "redis "} {
		if strings.HasPrefix(name, prefix) && name != "http1 raw calls" {
			return true
		}
	}
	return false
}

// row is one row of an oracle's table.
type row map[string]any

func (r row) text(name string) string {
	if r[name] == nil {
		return ""
	}
	return fmt.Sprint(r[name])
}

// number reads a number, decimal or hexadecimal; 0 when there is none.
func (r row) number(name string) int64 {
	n, _ := strconv.ParseInt(r.text(name), 0, 64)
	return n
}

// code returns the number that a label ends in: 3 of "No such name (3)".
func (r row) code(name string) string {
	s := r.text(name)
	if i := strings.LastIndexByte(s, '('); i >= 0 {
		s = strings.TrimSuffix(s[i+1:], ")")
	}
	return dash(s)
}

func (r row) strings(name string) (out []string) {
	all, _ := r[name].([]any)
	for _, v := range all {
		out = append(out, fmt.Sprint(v))
	}
	return out
}

// tables turns the rows of each table into items.
var tables = map[string]func(tally, row){
	"http1_calls": func(t tally, r row) {
		t.add(kindHTTP, formatHTTP, plain(r.text("method")), plain(r.text("uri")), dash(r.text("status")), r.number("req_frame"), r.number("resp_frame"))
	},
	"http1_orphans": func(t tally, r row) {
		t.add(kindHTTP, formatHTTPLone, dash(r.text("status")), r.number("resp_frame"))
	},
	"http2_calls": func(t tally, r row) {
		t.add(kindHTTP2, formatHTTP2, r.number("h2_stream"), plain(r.text("method")), plain(r.text("path")), dash(r.text("status")),
			dash(r.text("grpc_status")), r.number("req_frame"), r.number("resp_frame"))
	},
	"client_hellos": func(t tally, r row) {
		if r.text("transport") == "quic" {
			t.add(kindQUIC, formatQUIC, plain(r.text("sni")), plain(strings.Join(r.strings("alpn"), ",")))
		}
		if r.text("transport") == "tls" && r.text("ja3") != "" {
			t.add(kindTLS, formatClient, plain(r.text("sni")), r.text("ja3"), plain(strings.Join(r.strings("alpn"), ",")), r.number("frame"))
		}
	},
	"server_hellos": func(t tally, r row) {
		if r.text("transport") == "tls" && r.text("ja3s") != "" {
			suite, _ := strconv.ParseInt(r.code("cipher"), 0, 32)
			t.add(kindTLS, formatServer, suite, r.text("ja3s"), plain(strings.Join(r.strings("alpn"), ",")))
		}
	},
	"dns_calls": func(t tally, r row) {
		t.add(kindDNS, formatDNS, dnsType(r.text("type")), dnsName(r), r.number("id"), r.code("rcode"), r.number("frame"), r.number("resp_frame"))
	},
	"dns_orphans": func(t tally, r row) {
		t.add(kindDNS, formatDNSLone, dnsName(r), r.number("id"), r.code("rcode"), r.number("frame"))
	},
	"mdns_calls":    func(t tally, r row) { multicastCall(t, kindMDNS, r) },
	"mdns_orphans":  func(t tally, r row) { multicastResponse(t, kindMDNS, r, "frame") },
	"llmnr_calls":   func(t tally, r row) { multicastCall(t, kindLLMNR, r) },
	"llmnr_orphans": func(t tally, r row) { multicastResponse(t, kindLLMNR, r, "frame") },
	"redis_calls": func(t tally, r row) {
		arg := plainArgument(r.text("arg"))
		if strings.EqualFold(r.text("cmd"), "AUTH") {
			arg = "***" // shark keeps no password
		}
		t.add(kindRedis, formatRedis, plain(r.text("cmd")), arg, redisReply(r.text("reply")), r.number("frame"), r.number("resp_frame"))
	},
	"kafka_calls": func(t tally, r row) {
		key, _ := strconv.ParseInt(r.code("api"), 10, 32)
		t.add(kindKafka, formatKafka, key, r.number("version"), r.number("correlation_id"), plain(r.text("client_id")), r.number("frame"), r.number("resp_frame"))
		for _, topic := range r.strings("topics") {
			if topic != "[ Null ]" {
				t.add(kindTopic, formatTopic, plain(topic), r.number("frame"))
			}
		}
	},
	"icmp_echo":   echo,
	"icmpv6_echo": echo,
}

// echo takes an echo request. The tables do not say which ones were answered.
func echo(t tally, r row) {
	t.add(kindICMP, formatEcho, r.number("ident"), r.number("seq"), r.number("frame"))
}

// multicastCall takes a query, and the response that the oracle gave to it: in
// multicast both are messages of their own.
func multicastCall(t tally, kind string, r row) {
	t.add(kind, formatQuery, dnsType(r.text("type")), dnsName(r), r.number("id"), r.number("frame"))
	if r["resp_frame"] != nil {
		multicastResponse(t, kind, r, "resp_frame")
	}
}

func multicastResponse(t tally, kind string, r row, frame string) {
	t.add(kind, formatResponse, r.number("id"), r.code("rcode"), r.number(frame))
}

// dnsType returns the type of "A (Host Address) (1)".
func dnsType(label string) string {
	name, _, _ := strings.Cut(label, " ")
	switch name {
	case "*":
		return "ANY"
	case "Unused", "Unknown":
		return "TYPE" + row{"t": label}.code("t")
	}
	return dash(name)
}

func dnsName(r row) string {
	name := r.text("name")
	if name == "<Root>" {
		name = ""
	}
	return plainName(name)
}

// redisReply returns the kind of a reply in shark's words.
func redisReply(s string) string {
	kind, _, _ := strings.Cut(s, ":")
	switch kind {
	case "string":
		return "status"
	case "bulk_string":
		return "string"
	}
	return dash(kind)
}
