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

// request sets the fields of a command and returns its role.
func (p *parser) request(c *command, m *dissector.Message) dissector.Role {
	c.set(m)
	if sub, ok := subscription(c.name()); ok {
		m.Notes = sub.task() | uint64(c.args-1)<<8
	}
	switch string(c.name()) {
	case "PING", "QUIT", "RESET":
		m.Notes = taskPing
	case "SYNC", "PSYNC":
		m.Notes = taskReplicate
	case "CLIENT":
		if c.sub.is("REPLY") {
			return p.clientReply(&c.third)
		}
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
	n        int64 // its count
	elements int64 // inside it, seen so far
	first    word  // the first of them
	last     int64 // the last integer
	err      [maxSeen]byte
	errLen   int
	line     [maxSeen]byte // a status line
	lineLen  int
	channel  [maxKey]byte // of a message: its channel
	chanLen  int
}

func (r *reply) reset() {
	r.kind, r.null, r.elements, r.first.n, r.last, r.errLen, r.lineLen, r.chanLen = 0, false, 0, 0, 0, 0, 0, 0
}

// note takes the next element of a reply, at its depth. An attribute that goes
// before the reply is no part of it.
func (r *reply) note(e element, depth int) {
	switch {
	case r.kind == 0 && (depth > 1 || e.kind == '|'):
		return
	case r.kind == 0:
		r.kind, r.n, r.null = e.kind, e.n, e.kind == '_' || e.n < 0 && (e.kind == '$' || e.kind == '*')
		if e.kind == '+' {
			r.lineLen = copy(r.line[:], e.data)
		}
	default:
		if text := e.kind == '$' || e.kind == '+'; text && r.elements == 0 {
			r.first.set(e.data)
		} else if text && (r.elements == 1 || r.elements == 2 && r.first.is("PMESSAGE")) {
			r.chanLen = copy(r.channel[:], e.data)
		}
		r.elements++
	}
	switch e.kind {
	case ':':
		r.last = e.n
	case '-', '!':
		if r.errLen == 0 {
			r.errLen = copy(r.err[:], e.data)
		}
	}
}

// set sets the fields of a reply.
func (r *reply) set(m *dissector.Message) {
	v := &m.Values
	kind := kinds[r.kind]
	if r.null {
		kind = "null"
	}
	Reply.SetString(v, kind)
	switch {
	case r.errLen > 0:
		text := r.err[:r.errLen]
		code, _, _ := bytes.Cut(text, []byte(" "))
		Error.Set(v, text)
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
func (p *parser) early(r *reply, m *dissector.Message) dissector.Role {
	if r.kind == '>' || p.published(r, m) {
		r.tell(m)
		return dissector.OneWay
	}
	r.set(m)
	return dissector.BySide
}

// answer sets the fields of a reply and returns its role.
func (p *parser) answer(r *reply, m *dissector.Message) (dissector.Role, error) {
	if sub, ok := r.confirms(); ok {
		return p.confirm(sub, r, m)
	}
	if r.kind == '>' || p.published(r, m) || r.kind == '+' && monitored(r.line[:r.lineLen]) {
		r.tell(m)
		return dissector.OneWay, nil
	}
	r.set(m)
	peer := m.Peer()
	if peer == nil || r.kind == '-' {
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
func isQueued(r *reply) bool { return r.kind == '+' && string(r.line[:r.lineLen]) == "QUEUED" }

// tell sets the fields of a one-way message of the server: a message of a
// subscription, another push, or a line of MONITOR with the command in it.
func (r *reply) tell(m *dissector.Message) {
	v := &m.Values
	Reply.SetString(v, kinds[r.kind])
	if r.kind == '+' {
		Type.SetString(v, "MONITOR")
		Command.Set(v, r.line[:r.lineLen])
		dissector.Operation.SetString(v, "MONITOR")
		dissector.Summary.Set(v, r.line[:min(r.lineLen, maxSummary)])
		return
	}
	Type.Set(v, r.first.b[:r.first.n])
	dissector.Operation.Set(v, r.first.b[:r.first.n])
	if r.chanLen > 0 {
		Key.Set(v, r.channel[:r.chanLen])
		dissector.Summary.Set(v, r.channel[:r.chanLen])
	}
}

// monitored tells a line of MONITOR: a time in seconds with six decimals, a
// database and an address in brackets. No command is answered so.
func monitored(line []byte) bool {
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
