package postgresql

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"shark/dissector"
	"shark/dissector/field"
)

// server is where the server stands.
type server struct {
	open bool
	mode mode
	key  uint64 // of the open answer; 0 for one in order

	pipeline uint64 // whose calls are being answered; 0 when none is
	calls    uint64 // of it that were answered, the open one counted
	current  uint64 // the one that the open answer belongs to, a simple query's too
	done     uint64 // the last that was answered whole
	idle     bool   // ReadyForQuery was the last message, and nothing is missing behind it
	blind    bool   // which call of the pipeline is answered was lost

	result result
}

// mode says where an answer ends.
type mode uint8

const (
	untilReady    mode = iota // with ReadyForQuery
	untilComplete             // with what completes an Execute
)

// result is what was seen of an answer so far.
type result struct {
	rows, tagged int64 // DataRow since the last tag; what the tags count
	counted      bool
	tag          []byte
	failed       bool
	fatal        bool // the session ends
	severity     string
	code         string
	message      string
	notice       string
	transaction  string
	auth         string
	pid          int64
	copied       int64
	copies       byte // G for COPY from the client, H for COPY to it
	unsure       bool // what was copied is not known
}

// lose is called where bytes of the server are missing.
func (s *server) lose(c *client) {
	if c.keyed > s.done || s.pipeline != 0 && c.pipeline == s.pipeline {
		s.blind = true
	}
	s.open, s.idle, s.pipeline, s.calls = false, false, 0, 0
}

// ready is called where ReadyForQuery ends a pipeline or a simple query.
func (s *server) ready() { s.pipeline, s.done, s.idle = 0, s.current, true }

// looked is how much of a server's message is looked at.
func looked(kind byte) int {
	switch kind {
	case 'C', 'E', 'N', 'R', 'K', 'Z', 'A':
		return maxSeen
	}
	return 0
}

func (p *parser) answer(buf []byte, m *dissector.Message) (int64, error) {
	s := &p.server
	if s.open {
		return p.on(buf, m)
	}
	if p.asked != 0 {
		if more, err := p.granted(buf[0], m); !more {
			return 1, err
		}
	}
	if s.blind {
		return p.grope(buf, m)
	}
	f, need, err := read(buf, looked)
	if err != nil {
		m.Need = need
		return 0, err
	}
	switch f.kind {
	case 'A':
		return f.size, p.notification(&f, m)
	case 'Z':
		m.Skip = true
		s.ready()
		return f.size, nil
	case 'N', 'S': // of no call, or before the answer to one
		if s.pipeline != 0 {
			m.SetKey(key(s.pipeline, s.calls+1))
		}
		if m.Peer() == nil {
			m.Skip = true
			return f.size, nil
		}
	}
	if lone := p.start(&f, m); lone != "" { // an error that answers no call
		s.result.fail(f.body)
		p.set(m, true)
		name(m, lone)
		m.Role = dissector.OneWay
		return f.size, nil
	}
	return p.on(buf, m)
}

// grope passes over the answers to a pipeline of which some bytes were lost. Behind it
// the pairs have to begin anew, as after any loss: how many of its calls were answered
// is not known.
func (p *parser) grope(buf []byte, m *dissector.Message) (int64, error) {
	f, need, err := read(buf, looked)
	if err != nil {
		m.Need = need
		return 0, err
	}
	if f.kind == 'Z' {
		p.server.blind = false
		p.server.done = p.client.keyed
		return 0, errMalformed
	}
	m.Skip = true
	return f.size, nil
}

// start begins an answer. For an error that answers no call it returns a name: it
// ends the session, or is the answer to Sync, where the transaction failed to end.
func (p *parser) start(f *frame, m *dissector.Message) (lone string) {
	s := &p.server
	s.result = result{tag: s.result.tag[:0]}
	s.key, s.mode = 0, untilComplete
	if s.pipeline != 0 {
		s.key = key(s.pipeline, s.calls+1)
		m.SetKey(s.key)
		if f.kind == 'E' && !p.doubt && m.Peer() == nil {
			return "SYNC"
		}
		s.calls++
		return ""
	}
	peer := m.Peer()
	if peer == nil {
		s.mode, s.current = untilReady, s.done
		if f.kind == 'E' && s.idle && !p.doubt {
			return "ERROR"
		}
		return ""
	}
	p.doubt = false
	s.current = peer.Notes >> kindBits
	if peer.Notes&(1<<kindBits-1) != kindExtended {
		s.mode = untilReady
		return ""
	}
	s.pipeline, s.calls = s.current, 1
	return ""
}

// on reads on in an answer.
func (p *parser) on(buf []byte, m *dissector.Message) (int64, error) {
	s := &p.server
	if s.key != 0 {
		m.SetKey(s.key)
	}
	for pos := int64(0); ; {
		if pos >= int64(len(buf)) {
			return p.pause(pos, m), nil
		}
		f, need, err := read(buf[pos:], looked)
		next := byte(0)
		if err == nil {
			next, need, err = p.lookahead(&f, buf[pos:])
		}
		if err == dissector.ErrShort && pos > 0 {
			return p.pause(pos, m), nil
		}
		if err == nil && !p.note(&f, m) {
			err = errMalformed
		}
		if err != nil {
			m.Need = need
			if err == dissector.ErrShort && !s.open {
				p.rewind()
			} else if err == errMalformed {
				s.open = false
			}
			return 0, err
		}
		pos += f.size
		if p.ends(&f, next) {
			s.open = false
			p.set(m, true)
			return pos, nil
		}
	}
}

// rewind undoes start for an answer that waits for more bytes.
func (p *parser) rewind() {
	s := &p.server
	if s.key != 0 {
		s.calls--
	} else {
		s.pipeline, s.calls = 0, 0
	}
}

// lookahead returns the type of the message behind one that may be the last of a
// simple query's answer before a notification, which is no part of it.
func (p *parser) lookahead(f *frame, buf []byte) (next byte, need int, err error) {
	if p.server.mode != untilReady || f.size > maxSeenDetail || f.kind != 'C' && f.kind != 'E' && f.kind != 'I' || f.kind == 'E' && fatal(f.body) {
		return 0, 0, nil
	}
	if f.size >= int64(len(buf)) {
		return 0, int(f.size + 1), dissector.ErrShort
	}
	return buf[f.size], 0, nil
}

// ends tells whether an answer ends with a message.
func (p *parser) ends(f *frame, next byte) bool {
	s := &p.server
	switch f.kind {
	case 'Z':
		s.ready()
		return true
	case 'W':
		return true
	case 'C', 'I', 's', 'E':
		return s.result.fatal || next == 'A' || s.mode == untilComplete
	}
	return false
}

// pause ends a piece of an answer that goes on.
func (p *parser) pause(span int64, m *dissector.Message) int64 {
	p.server.open, m.Open = true, true
	if p.server.key == 0 {
		p.set(m, false)
	}
	return span
}

// note takes a message of an answer.
func (p *parser) note(f *frame, m *dissector.Message) bool {
	r := &p.server.result
	switch f.kind {
	case 'D':
		r.rows++
		r.counted = true
	case 'C':
		tag, _, ok := text(f.body)
		if !ok {
			return false
		}
		r.complete(tag)
		p.copied()
	case 'E':
		r.fail(f.body)
	case 'N':
		if r.notice == "" {
			r.notice = string(shorten(diagnose(f.body).message, maxText, false))
		}
	case 'Z':
		if f.size != 6 {
			return false
		}
		r.transaction = transactions[f.body[0]]
		return r.transaction != ""
	case 'R':
		return r.authenticate(f)
	case 'K':
		if len(f.body) < 8 {
			return false
		}
		r.pid = int64(binary.BigEndian.Uint32(f.body))
	case 'G', 'H':
		r.copies = f.kind
	case 'd':
		r.copied += f.size - 5
	case 'W': // CopyBothResponse: a replication stream begins (section 54.4)
		m.Next = dissector.Opaque
		r.tag = append(r.tag[:0], "replication stream"...)
	case 'I':
		r.tag = append(r.tag[:0], "EMPTY QUERY"...)
	case 's':
		r.tag = append(r.tag[:0], "PORTAL SUSPENDED"...)
	case '1', '2', '3', 'n':
		return f.size == 5
	case 'T', 't', 'S', 'A', 'V', 'v', 'c':
	default:
		return false
	}
	return true
}

// copied takes the account of the data that the client sent, when its COPY is over.
func (p *parser) copied() {
	r := &p.server.result
	if r.copies != 'G' {
		return
	}
	r.copied += p.copyIn.bytes
	r.unsure = r.unsure || p.copyIn.gap || !p.copyIn.ended
	p.copyIn = copyIn{}
	r.copies = 'H' // what follows is counted by the server's own messages
}

// complete takes a tag: words, and for some commands the number of rows at its end.
// Others, such as SHOW, may have rows all the same.
func (r *result) complete(tag []byte) {
	if i := bytes.LastIndexByte(tag, ' '); i >= 0 {
		if n, err := strconv.ParseInt(string(tag[i+1:]), 10, 64); err == nil && n >= 0 {
			r.rows = n
			r.counted = true
		}
	}
	r.tagged += r.rows
	r.rows = 0
	r.tag = append(r.tag[:0], tag[:min(len(tag), maxText)]...)
}

// fail takes an error. The first one says what went wrong.
func (r *result) fail(b []byte) {
	if r.failed {
		return
	}
	d := diagnose(b)
	r.failed, r.fatal = true, fatal(b)
	r.severity = string(shorten(d.severity, maxName, false))
	r.code = string(shorten(d.code, maxName, false))
	r.message = string(shorten(d.message, maxText, false))
}

// transactions are the states that ReadyForQuery tells.
var transactions = map[byte]string{'I': "idle", 'T': "open", 'E': "failed"}

// authenticate takes a step of the authentication. The last one says that the client
// is who it says; where it was not asked, the server trusts it.
func (r *result) authenticate(f *frame) bool {
	if len(f.body) < 4 {
		return false
	}
	code := binary.BigEndian.Uint32(f.body)
	if method := authentication(code, f.body[4:]); method != "" {
		r.auth = method
	} else if code == 0 && r.auth == "" {
		r.auth = "trust"
	}
	return true
}

// set sets the fields of an answer, or of what was seen of it so far. How the answer
// was cut into pieces makes no difference: all are set anew.
func (p *parser) set(m *dissector.Message, ended bool) {
	r, v := &p.server.result, &m.Values
	v.Reset()
	p.session(m)
	setText(v, Auth, r.auth)
	if r.pid != 0 {
		PID.Set(v, r.pid)
	}
	if r.counted {
		Rows.Set(v, r.rows+r.tagged)
	}
	if r.copies != 0 && !r.unsure && !r.failed {
		CopyBytes.Set(v, r.copied)
	}
	m.Resumed = m.Resumed || r.unsure
	setText(v, Severity, r.severity)
	setText(v, ErrorCode, r.code)
	message, notice := r.message, r.notice
	if peer := m.Peer(); peer != nil {
		query := Query.Get(&peer.Values)
		message, notice = string(secrets.Discreet([]byte(message), query)), string(secrets.Discreet([]byte(notice), query))
	}
	setText(v, ErrorText, message)
	setText(v, Notice, notice)
	setText(v, Transaction, r.transaction)
	switch {
	case r.failed:
		dissector.Status.SetString(v, r.severity+" "+r.code)
		dissector.Failed.Set(v, true)
	case len(r.tag) > 0:
		dissector.Status.Set(v, r.tag)
	case ended:
		dissector.Status.SetString(v, "OK")
	}
}

func setText(v *field.Values, f field.TextField, s string) {
	if s != "" {
		f.SetString(v, s)
	}
}

// notification takes a message of a channel that the client listens on.
func (p *parser) notification(f *frame, m *dissector.Message) error {
	if len(f.body) < 4 {
		return errMalformed
	}
	channel, _, ok := text(f.body[4:])
	if !ok {
		return errMalformed
	}
	m.Role = dissector.OneWay
	name(m, "NOTIFICATION")
	dissector.Summary.Set(&m.Values, line(channel))
	PID.Set(&m.Values, int64(binary.BigEndian.Uint32(f.body)))
	p.session(m)
	return nil
}

// diagnosis is what an ErrorResponse or NoticeResponse says (section 54.8).
type diagnosis struct{ severity, code, message []byte }

func diagnose(b []byte) (d diagnosis) {
	for len(b) > 0 && b[0] != 0 {
		value, rest, _ := text(b[1:])
		switch b[0] {
		case 'S':
			if d.severity == nil {
				d.severity = value
			}
		case 'V': // the same, never translated
			d.severity = value
		case 'C':
			d.code = value
		case 'M':
			d.message = value
		}
		b = rest
	}
	return d
}

// fatal tells an error that ends the session.
func fatal(b []byte) bool {
	s := string(diagnose(b).severity)
	return s == "FATAL" || s == "PANIC"
}
