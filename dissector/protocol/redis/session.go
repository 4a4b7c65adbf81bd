package redis

import (
	"bytes"

	"shark/dissector"
)

// quiet is what CLIENT REPLY set: whether commands are answered.
type quiet struct {
	off  bool
	skip int // commands that get no answer
}

// What a request's Notes say to the parser of its reply: a task, from bit 4 on the
// kind of subscription, from bit 8 on the number of channels.
const (
	taskPing uint64 = iota + 1 // the other commands that a RESP2 subscriber may send
	taskSubscribe
	taskUnsubscribe
	taskReplicate
	taskMask = 15
)

// The kinds of subscription, as indexes of subscriptions.held.
const (
	channels = iota
	patterns
	shards
)

// request sets the fields of the command and returns its role.
func (p *parser) request(m *dissector.Message) dissector.Role {
	c := &p.command
	c.set(m)
	if m.Notes = c.verb.task; m.Notes > taskPing {
		p.sessions = true
		if m.Notes != taskReplicate {
			m.Notes |= uint64(c.args-1) << 8
		}
	}
	if c.verb.words && c.sub.is("REPLY") {
		return p.clientReply(&c.third)
	}
	if p.off || p.skip > 0 {
		p.skip = max(0, p.skip-1)
		return dissector.OneWay
	}
	return dissector.BySide
}

// clientReply handles CLIENT REPLY, which is answered only when it says ON.
func (p *parser) clientReply(mode *word) dissector.Role {
	switch {
	case mode.is("ON"):
		p.quiet = quiet{}
		return dissector.BySide
	case mode.is("OFF"):
		p.quiet = quiet{off: true}
		return dissector.OneWay
	case mode.is("SKIP") && !p.off:
		p.skip = 1
		return dissector.OneWay
	}
	return dissector.BySide
}

// reply is what was seen of a reply so far.
type reply struct {
	kind     byte  // of the outermost element; 0 before it
	null     bool  // it is a null
	named    bool  // its first element may say that it is a message of a subscription
	n        int64 // its count
	elements int64 // inside it, seen so far, if named
	first    word  // the first of them, if named
	last     int64 // the last integer
	err      []byte
	line     []byte // a status line
	channel  []byte // of a message: its channel
}

func (r *reply) reset() {
	r.kind, r.null, r.named, r.elements, r.first.n, r.last = 0, false, false, 0, 0, 0
	r.err, r.line, r.channel = r.err[:0], r.line[:0], r.channel[:0]
}

// note takes the next element of a reply, at its depth. An attribute that goes
// before the reply is no part of it.
func (r *reply) note(e *element, depth int) {
	switch {
	case r.kind == 0 && (depth > 1 || e.kind == '|'):
		return
	case r.kind == 0:
		r.kind, r.n, r.null = e.kind, e.n, e.kind == '_' || e.n < 0 && (e.kind == '$' || e.kind == '*')
		r.named = e.kind == '>' || e.kind == '*' && (e.n == 3 || e.n == 4)
		if e.kind == '+' {
			r.line = append(r.line, e.data[:min(len(e.data), maxSeen)]...)
		}
	case e.kind == '$' || e.kind == '+':
		r.noteText(e.data)
	default:
		r.elements++
	}
	switch e.kind {
	case ':':
		r.last = e.n
	case '-', '!':
		if len(r.err) == 0 {
			r.err = append(r.err, e.data[:min(len(e.data), maxSeen)]...)
		}
	}
}

// noteText takes a text inside the outermost element.
func (r *reply) noteText(b []byte) {
	if r.named && r.elements < 3 {
		r.noteName(b)
	}
	r.elements++
}

// noteName takes a text that is one of the first three elements.
func (r *reply) noteName(b []byte) {
	switch {
	case r.elements == 0 && (r.kind == '>' || len(b) <= maxName):
		r.first.set(b)
	case r.elements == 1 || r.elements == 2 && r.first.is("PMESSAGE"):
		r.channel = append(r.channel[:0], b[:min(len(b), maxKey)]...)
	}
}

// maxName is the length of the longest name of a message of a subscription, or of the
// command that one confirms.
const maxName = len("PUNSUBSCRIBE")

// set sets the fields of a reply.
func (r *reply) set(m *dissector.Message) {
	v := &m.Values
	kind := kinds[r.kind]
	if r.null {
		kind = "null"
	}
	Reply.SetString(v, kind)
	switch {
	case len(r.err) > 0:
		code, _, _ := bytes.Cut(r.err, []byte(" "))
		Error.Set(v, r.err)
		dissector.Status.Set(v, code)
		dissector.Failed.Set(v, true)
	case isQueued(r):
		dissector.Status.SetString(v, "QUEUED")
	default:
		dissector.Status.SetString(v, "OK")
	}
}

var kinds = [256]string{
	'+': "status", '-': "error", '!': "error", ':': "integer", '$': "string", '=': "string",
	'*': "array", '_': "null", '%': "map", '~': "set", ',': "double", '#': "boolean",
	'(': "number", '>': "push",
}

// early judges a reply of which only the beginning was seen.
func (p *parser) early(m *dissector.Message) dissector.Role {
	r := &p.reply
	if r.kind == '>' || p.published(r, m) {
		r.tell(m)
		return dissector.OneWay
	}
	r.set(m)
	return dissector.BySide
}

// answer sets the fields of a reply and returns its role.
func (p *parser) answer(m *dissector.Message) (dissector.Role, error) {
	r := &p.reply
	if sub, ok := r.confirms(); ok {
		return p.confirm(sub, r, m)
	}
	if r.kind == '>' || p.published(r, m) || r.kind == '+' && monitored(r.line) {
		r.tell(m)
		return dissector.OneWay, nil
	}
	r.set(m)
	if !p.sessions || r.kind == '-' {
		return dissector.BySide, nil
	}
	peer := m.Peer()
	if peer == nil {
		return dissector.BySide, nil
	}
	switch peer.Notes & taskMask {
	case taskReplicate:
		m.Next = dissector.Opaque
	case taskSubscribe, taskUnsubscribe:
		if !isQueued(r) { // no answer to that, so the turn is not known
			return dissector.BySide, errMalformed
		}
	}
	return dissector.BySide, nil
}

// isQueued tells the reply to a command inside a transaction.
func isQueued(r *reply) bool { return r.kind == '+' && string(r.line) == "QUEUED" }

// tell sets the fields of a one-way message of the server: a message of a
// subscription, another push, or a line of MONITOR with the command in it.
func (r *reply) tell(m *dissector.Message) {
	v := &m.Values
	Reply.SetString(v, kinds[r.kind])
	if r.kind == '+' {
		Type.SetString(v, "MONITOR")
		Command.Set(v, r.line)
		dissector.Operation.SetString(v, "MONITOR")
		dissector.Summary.Set(v, r.line[:min(len(r.line), maxSummary)])
		return
	}
	Type.Set(v, r.first.b[:r.first.n])
	dissector.Operation.Set(v, r.first.b[:r.first.n])
	if len(r.channel) > 0 {
		Key.Set(v, r.channel)
		dissector.Summary.Set(v, r.channel)
	}
}

// monitored tells a line of MONITOR: a time in seconds with six decimals, a
// database and an address in brackets. No command is answered so.
func monitored(line []byte) bool {
	if len(line) < 18 { // nearly always: it is "OK"
		return false
	}
	secs, rest, ok := bytes.Cut(line, []byte("."))
	if !ok || len(secs) < 9 || len(rest) < 8 || rest[6] != ' ' || rest[7] != '[' {
		return false
	}
	_, ok = number(secs, false)
	return ok
}

// subscriptions is what the client is subscribed to.
type subscriptions struct {
	held    [3]int64 // channels, patterns, shard channels
	total   [2]int64 // as the server counts: channels and patterns, shard channels
	answers int64    // confirmations seen of the oldest unanswered request
	unsure  bool     // some may have been missed
}

// subscribed is a subscription that begins or ends.
type subscribed struct {
	kind   int
	begins bool
}

func (s subscribed) task() uint64 {
	if s.begins {
		return taskSubscribe | uint64(s.kind)<<4
	}
	return taskUnsubscribe | uint64(s.kind)<<4
}

// subscription tells what a command in capitals, or its confirmation, begins or ends.
func subscription(name []byte) (subscribed, bool) {
	switch string(name) {
	case "SUBSCRIBE":
		return subscribed{channels, true}, true
	case "PSUBSCRIBE":
		return subscribed{patterns, true}, true
	case "SSUBSCRIBE":
		return subscribed{shards, true}, true
	case "UNSUBSCRIBE":
		return subscribed{channels, false}, true
	case "PUNSUBSCRIBE":
		return subscribed{patterns, false}, true
	case "SUNSUBSCRIBE":
		return subscribed{shards, false}, true
	}
	return subscribed{}, false
}

// confirms tells which subscription a reply confirms.
func (r *reply) confirms() (subscribed, bool) {
	if r.kind != '*' && r.kind != '>' || r.n != 3 {
		return subscribed{}, false
	}
	return subscription(r.first.b[:r.first.n])
}

// confirm takes a confirmation: the last one of its request is the answer. Which
// one is the last of UNSUBSCRIBE without channels follows from what is held; when
// that is not sure, it is an error, and the pairs begin anew.
func (p *parser) confirm(s subscribed, r *reply, m *dissector.Message) (dissector.Role, error) {
	p.count(s, r.last)
	peer := m.Peer()
	if peer == nil || peer.Notes&0xff != s.task() {
		p.answers = 0
		r.tell(m)
		return dissector.OneWay, nil
	}
	r.set(m)
	p.answers++
	asked := int64(peer.Notes >> 8)
	switch {
	case asked > 0 && p.answers < asked:
		return dissector.Interim, nil
	case asked == 0 && p.unsure && r.last > 0:
		return dissector.BySide, errMalformed
	case asked == 0 && p.held[s.kind] > 0:
		return dissector.Interim, nil
	}
	p.answers = 0
	return dissector.BySide, nil
}

// count keeps account of what is held, by how the server's own total moves.
func (p *parser) count(s subscribed, last int64) {
	held, total := &p.held[s.kind], &p.total[s.kind/2]
	switch last - *total {
	case 0:
	case 1:
		*held++
	case -1:
		*held = max(0, *held-1)
	default:
		p.unsure = true
	}
	if *total = last; last == 0 {
		*held = 0
	}
	if p.total == [2]int64{} {
		p.held, p.unsure = [3]int64{}, false
	}
}

// published tells a message of a subscription from an array that looks like one:
// nothing else was asked that could be answered so.
func (p *parser) published(r *reply, m *dissector.Message) bool {
	if r.kind != '*' {
		return false
	}
	switch {
	case r.n == 3 && (r.first.is("MESSAGE") || r.first.is("SMESSAGE")):
	case r.n == 4 && r.first.is("PMESSAGE"):
	default:
		return false
	}
	peer := m.Peer()
	return peer == nil || peer.Notes&taskMask != 0 && peer.Notes&taskMask != taskReplicate
}
