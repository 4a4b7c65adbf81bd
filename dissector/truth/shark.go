package main

import (
	"strconv"
	"strings"

	"shark/dissector"
	"shark/dissector/field"
)

// sightings is the sink of a dissection: it writes down each entry as the items
// that the oracles have.
type sightings struct{ tally }

// half is one side of an exchange with its values by the names of their fields.
// The half of a message that was not seen is empty.
type half struct {
	seen  bool
	first uint64
	last  uint64
	ints  map[string]int64
	texts map[string][]string
}

func newHalf(m *dissector.Message) half {
	h := half{ints: map[string]int64{}, texts: map[string][]string{}}
	if m == nil {
		return h
	}
	h.seen, h.first, h.last = true, m.First, m.Last
	for f, v := range m.All() {
		switch f.Kind {
		case field.Bool, field.Int:
			h.ints[f.Name] = v.Int
		default:
			h.texts[f.Name] = append(h.texts[f.Name], string(v.Bytes))
		}
	}
	return h
}

// text returns the first value of a field, empty when there is none.
func (h *half) text(name string) string {
	if t := h.texts[name]; len(t) > 0 {
		return t[0]
	}
	return ""
}

func (h *half) has(name string) bool {
	_, number := h.ints[name]
	return number || len(h.texts[name]) > 0
}

// number returns the value of a field, a dash when there is none.
func (h *half) number(name string) string {
	if n, ok := h.ints[name]; ok {
		return strconv.FormatInt(n, 10)
	}
	return "-"
}

// Entry writes the entry down.
func (s sightings) Entry(e *dissector.Entry) error {
	switch {
	case e.Protocol == dissector.ConnProtocol:
		if name := e.Flow.Proto.String(); name == kindTCP || name == kindUDP {
			s.tally[item{name, ""}]++
		}
		return nil
	case e.Protocol == dissector.FlowProtocol:
		return nil
	}
	req, resp := newHalf(e.Request), newHalf(e.Response)
	switch name := base(e); name {
	case "http":
		s.http(&req, &resp)
	case "http2":
		s.http2(&req, &resp)
		s.words(e.Protocol.Name, &req, &resp)
	case "tlsx", "tls":
		s.tls(&req, &resp)
	case "dns":
		s.dns(&req, &resp)
	case "mdns", "llmnr":
		s.multicast(name, &req)
	case "redis":
		if e.Request != nil && e.Request.From == dissector.Client {
			s.redis(&req, &resp)
		}
	case "kafka":
		if req.seen {
			s.add(kindKafka, formatKafka, req.ints["kafka_api_key"], req.ints["kafka_api_version"],
				req.ints["kafka_correlation_id"], plain(req.text("kafka_client_id")), req.last, resp.last)
			for _, topic := range req.texts["kafka_topics"] {
				s.add(kindTopic, formatTopic, plain(topic), req.last)
			}
		}
	case "icmp":
		s.icmp(&req, &resp)
	default:
		s.service(name, &req, &resp)
		s.words(name, &req, &resp)
	}
	return nil
}

// base returns the name of the protocol that carries all others of the entry.
func base(e *dissector.Entry) string {
	if len(e.Carriers) > 0 {
		return e.Carriers[0].Name
	}
	return e.Protocol.Name
}

func (s sightings) http(req, resp *half) {
	if !req.seen {
		s.add(kindHTTP, formatHTTPLone, resp.number("status_code"), resp.last)
		return
	}
	method, status := req.text("method"), resp.number("status_code")
	s.add(kindHTTP, formatHTTP, plain(method), plain(req.text("url")), status, req.last, resp.last)
	s.program("http1", method, status)
}

func (s sightings) http2(req, resp *half) {
	stream := max(req.ints["http2_stream"], resp.ints["http2_stream"])
	method, path, status := req.text("method"), req.text("url"), resp.number("status_code")
	s.add(kindHTTP2, formatHTTP2, stream, plain(method), plain(path), status, resp.number("grpc_status"), req.first, resp.first)
	if req.has("grpc_method") {
		s.add(kindApp, "grpc %s", path)
		s.add(kindApp, "grpc calls")
		return
	}
	s.program("h2c", method, status)
}

// program counts a call as the programs that made it count it.
func (s sightings) program(what, method, status string) {
	s.add(kindApp, "%s calls", what)
	s.add(kindApp, "%s %s", what, method)
	s.add(kindApp, "%s status %s", what, status)
}

func (s sightings) tls(req, resp *half) {
	if req.has("tlsx_ja3") {
		s.add(kindTLS, formatClient, plain(req.text("tlsx_sni")), req.text("tlsx_ja3"),
			plain(strings.Join(req.texts["tlsx_alpn_offered"], ",")), req.last)
	}
	for _, h := range []*half{req, resp} {
		if h.has("tlsx_ja3s") {
			s.add(kindTLS, formatServer, h.ints["tlsx_cipher_suite"], h.text("tlsx_ja3s"), plain(h.text("tlsx_alpn")))
		}
	}
}

func (s sightings) dns(req, resp *half) {
	code := "-"
	if resp.seen {
		code = strconv.FormatInt(resp.ints["status_code"]&15, 10) // the oracles have no EDNS in it
	}
	switch {
	case !req.seen:
		s.add(kindDNS, formatDNSLone, plainName(resp.text("dns_questions")), resp.ints["dns_id"], code, resp.last)
	case req.has("dns_rcode"): // a response out of turn
		s.add(kindDNS, formatDNSLone, plainName(req.text("dns_questions")), req.ints["dns_id"], req.number("status_code"), req.last)
	default:
		s.add(kindDNS, formatDNS, dash(req.text("dns_question_types")), plainName(req.text("dns_questions")), req.ints["dns_id"], code, req.last, resp.last)
	}
}

func (s sightings) multicast(kind string, m *half) {
	if m.has("dns_rcode") {
		s.add(kind, formatResponse, m.ints["dns_id"], m.number("status_code"), m.last)
		return
	}
	s.add(kind, formatQuery, dash(m.text("dns_question_types")), plainName(m.text("dns_questions")), m.ints["dns_id"], m.last)
}

func (s sightings) icmp(req, resp *half) {
	if name := req.text("icmp_type_name"); name == "Echo" || name == "Echo Request" {
		s.add(kindICMP, formatEcho, req.ints["icmp_id"], req.ints["icmp_sequence"], req.last)
	}
	for _, h := range []*half{req, resp} {
		if h.text("icmp_type_name") == "Echo Reply" {
			s.add(kindICMP, textReply)
		}
	}
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (s sightings) redis(req, resp *half) {
	name := req.text("redis_type")
	arg := firstArgument(req.text("redis_command"))
	reply := "-"
	if resp.seen {
		if reply = resp.text("redis_reply_type"); reply == "null" {
			reply = "string" // to the oracles a null is a string without length
		}
	}
	s.add(kindRedis, formatRedis, plain(name), plainArgument(arg), reply, req.last, resp.last)
	s.add(kindApp, "redis cmdstat_%s", strings.ToLower(name))
	s.add(kindApp, "redis cmdstat_%s|%s", strings.ToLower(name), strings.ToLower(arg))
}

// firstArgument returns the word behind the name in a command line, in which
// words with a blank stand in quotes.
func firstArgument(line string) string {
	_, rest, _ := strings.Cut(line, " ")
	if !strings.HasPrefix(rest, `"`) {
		arg, _, _ := strings.Cut(rest, " ")
		return arg
	}
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			return rest[1:i]
		}
	}
	return rest
}

// maxArgument is how much of an argument is compared.
const maxArgument = 60

// plainArgument compares nothing of an argument that one witness has to escape.
func plainArgument(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f || r == '\\' || r == '"' || r == '?' }) {
		return "?"
	}
	return plain(s[:min(len(s), maxArgument)])
}
