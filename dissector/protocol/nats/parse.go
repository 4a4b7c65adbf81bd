package nats

import (
	"bytes"
	"encoding/json"
	"strings"

	"shark/dissector"
	"shark/dissector/wire"
)

// parser reads one connection.
type parser struct {
	begun    bool // the client has spoken, or the connection was seen from its middle
	verbose  bool
	subs     map[string]string // subjects that the client is subscribed to, by sid
	exact    map[string]int    // how many of them are one without wildcards
	patterns map[string][]byte // those with wildcards, by sid
	waiting  map[uint64]bool   // keys of requests without reply
	losses   uint64
}

// Notes of a request.
const askedAPI = 1

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if m.Gap > 0 {
		p.losses++
		p.begun, p.waiting = true, nil
	}
	line, end, err := wire.Line(buf, maxLine, m)
	if err != nil {
		return 0, err
	}
	c, ok := readCommand(line)
	switch {
	case from == dissector.Client && !(ok && fromClient[c.name]):
		return p.stranger(line, end, m)
	case !ok || from == dissector.Server && !fromServer[c.name]:
		return 0, errMalformed
	}
	span, payload := int64(end), []byte(nil)
	if c.payload {
		if payload, err = p.body(from, &c, buf, end, m); err != nil {
			return 0, err
		}
		span += c.size + 2
		m.SetBody(end+int(c.header), c.size-c.header)
	}
	c.set(m)
	if from == dissector.Client {
		p.request(&c, m)
	} else {
		p.response(&c, payload, m)
	}
	return span, nil
}

// stranger takes a line of the client that is no command, which the server answers with
// an error.
func (p *parser) stranger(line []byte, end int, m *dissector.Message) (int64, error) {
	if !p.begun || m.Gap > 0 || len(line) == 0 {
		return 0, errMalformed
	}
	for _, c := range line {
		if c < ' ' || c > '~' {
			return 0, errMalformed
		}
	}
	word, _, _ := bytes.Cut(line, []byte(" "))
	dissector.Operation.Set(&m.Values, word[:min(len(word), maxName)])
	if !p.verbose {
		m.Role = dissector.OneWay
	}
	return int64(end), nil
}

// body checks the end of a payload that is at hand, and returns what of headers and
// payload is to be looked at.
func (p *parser) body(from dissector.Side, c *command, buf []byte, at int, m *dissector.Message) ([]byte, error) {
	end := int64(at) + c.size
	if end+2 <= int64(len(buf)) && string(buf[end:end+2]) != "\r\n" {
		return nil, errMalformed
	}
	want := int64(0)
	if from == dissector.Server {
		want = min(c.header, maxStatus)
		m.SetKey(p.key(c.subject))
		if peer := m.Peer(); c.size <= maxAnswer && peer != nil && peer.Notes == askedAPI {
			want = c.size
		}
	}
	if int64(len(buf)-at) < want {
		m.Need = at + int(want)
		return nil, dissector.ErrShort
	}
	return buf[at : at+int(want)], nil
}

// key is by what a request waits for its reply.
func (p *parser) key(subject []byte) uint64 {
	h := 14695981039346656037 + p.losses // FNV-1a
	for _, c := range subject {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// set sets the fields that are in the line.
func (c *command) set(m *dissector.Message) {
	v := &m.Values
	dissector.Operation.SetString(v, c.name)
	if len(c.subject) > 0 {
		subject := c.subject[:min(len(c.subject), maxSubject)]
		Subject.Set(v, subject)
		dissector.Summary.Set(v, subject)
		if a := api(subject); len(a) > 0 {
			API.Set(v, a)
		}
	}
	if len(c.reply) > 0 {
		Reply.Set(v, c.reply[:min(len(c.reply), maxSubject)])
	}
	if len(c.queue) > 0 {
		Queue.Set(v, c.queue[:min(len(c.queue), maxName)])
	}
	if len(c.sid) > 0 {
		SID.Set(v, c.sid[:min(len(c.sid), maxName)])
	}
	if c.payload {
		PayloadSize.Set(v, c.size-c.header)
	}
}

// request takes what the client says.
func (p *parser) request(c *command, m *dissector.Message) {
	p.begun = true
	switch c.name {
	case "CONNECT":
		p.connect(c, m)
	case "SUB":
		p.subscribe(c)
	case "UNSUB":
		if !bytes.ContainsAny(c.args, " \t") { // else it ends later, after some messages
			p.unsubscribe(string(c.sid))
		}
	}
	switch {
	case c.name == "PING" || p.verbose && c.name != "PONG":
	case len(c.reply) > 0 && p.expects(c.reply, m):
		if len(api(c.subject)) > 0 {
			m.Notes = askedAPI
		}
	default:
		m.Role = dissector.OneWay
	}
}

// subscribe remembers a subscription.
func (p *parser) subscribe(c *command) {
	if len(p.subs) >= maxSubs || len(c.sid) > maxName || len(c.subject) > maxSubject {
		return
	}
	if p.subs == nil {
		p.subs, p.exact, p.patterns = make(map[string]string), make(map[string]int), make(map[string][]byte)
	}
	sid, subject := string(c.sid), string(c.subject)
	p.unsubscribe(sid)
	switch {
	case !strings.ContainsAny(subject, "*>"):
		p.exact[subject]++
	case len(p.patterns) >= maxPatterns || strings.Count(subject, ".") >= maxTokens:
		return
	default:
		p.patterns[sid] = []byte(subject)
	}
	p.subs[sid] = subject
}

// unsubscribe forgets a subscription.
func (p *parser) unsubscribe(sid string) {
	subject, ok := p.subs[sid]
	if !ok {
		return
	}
	delete(p.subs, sid)
	delete(p.patterns, sid)
	if p.exact[subject]--; p.exact[subject] <= 0 {
		delete(p.exact, subject)
	}
}

// subscribed tells whether what is sent to a subject comes here.
func (p *parser) subscribed(subject []byte) bool {
	if len(subject) > maxSubject {
		return false
	}
	if p.exact[string(subject)] > 0 {
		return true
	}
	for _, pattern := range p.patterns {
		if matches(pattern, subject) {
			return true
		}
	}
	return false
}

// expects makes a request of a message whose reply comes here, and to nothing else.
func (p *parser) expects(reply []byte, m *dissector.Message) bool {
	key := p.key(reply)
	if p.waiting[key] || len(p.waiting) >= maxWaiting || !p.subscribed(reply) {
		return false
	}
	if p.waiting == nil {
		p.waiting = make(map[uint64]bool)
	}
	p.waiting[key] = true
	m.SetKey(key)
	return true
}

// connect reads the options of a client; its secrets are never looked at.
func (p *parser) connect(c *command, m *dissector.Message) {
	var options struct {
		Name, User string
		Verbose    *bool
	}
	v := &m.Values
	if json.Unmarshal(c.args, &options) != nil {
		return
	}
	p.verbose = options.Verbose == nil || *options.Verbose // the default
	if options.Name != "" {
		name := options.Name[:min(len(options.Name), maxName)]
		Name.SetString(v, name)
		dissector.Summary.SetString(v, name)
	}
	if options.User != "" {
		User.SetString(v, options.User[:min(len(options.User), maxName)])
	}
}
