package dissector

import (
	"errors"

	"shark/dissector/stream"
)

// Opener takes the encryption off what both sides of a connection send behind the answer that
// ended their handshake in clear. It must not keep what it is given, must not panic whatever the
// bytes, and gives nothing that its own check does not prove.
type Opener interface {
	// Open reads the record at the front of buf, which from sent, appending what it says to
	// dst. missing is how many bytes of the side are not there before buf, about: then it looks
	// for the first place where a record proves to be one. ErrShort asks for more than buf, and
	// any other error ends what can be read of the side.
	Open(from Side, buf []byte, missing int64, dst []byte) (Opened, error)
	// Settled tells whether all is known that the rest of the handshake says.
	Settled() bool
	// Agreed is the name of the protocol that the sides agreed to speak, as far as that is
	// known: it breaks ties between probes.
	Agreed() string
	// Library is the one that told the secrets, as they say; empty where they do not.
	Library() string
}

// Opened is what Open did with the front of its bytes.
type Opened struct {
	Span   int    // bytes done with
	Plain  []byte // what they say; nil: nothing, as records of the handshake do
	At     int    // where in buf the bytes begin that Plain stands in, one for one
	Wrong  bool   // it was a record whose check does not hold: what it says is missing
	Proven bool   // it was a record, whole, and its check holds: the place is known again
	End    bool   // the side says that it says no more
	Need   int    // with ErrShort: from what length of buf on a new try is worth it; 0: after what the other side says
}

// tunnel is the stream that both sides of a talk go on in: what their records say, once the
// encryption is off, is taken by a talk of its own. Times and places of the bytes are those
// of the packets that they came in.
type tunnel struct {
	outer, inner *talk
	open         Opener
	answer       *Message // that the handshake's rest adds to; nil once it is handed out
	side         [2]burrow
	proven       int64 // records
	wrong        int64 // those that did not open
	why          Unreadable
}

// burrow is one direction of a tunnel.
type burrow struct {
	inbox
	need    int
	missing int64 // bytes missing right before buf
	out     int64 // bytes handed on
	end     int64 // offset behind the last byte that came
	ended   bool
	left    bool // the side said that it leaves: what it says now is in clear, unless it is a record
	deaf    bool // nothing more of it can be read
}

// protocolBefore is what was spoken before an upgrade to encryption, and goes on in it.
type protocolBefore struct {
	proto *Protocol
	parse Parse
}

// burrow opens what follows the answer m, if it can be read, and tells whether it did: m is
// handed out when it is settled.
func (t *talk) burrow(m *Message) bool {
	if t.proto == nil || t.proto.Open == nil || t.tunnel != nil || t.depth() >= MaxNested {
		return false
	}
	open, why := t.proto.Open(m, t.c.p.opts.Secrets)
	if t.carrier == nil {
		t.c.secure().why = why
	}
	if open == nil && t.before.proto != nil && m.Next == Opaque {
		open = t.proto.Follow
	}
	if open == nil {
		return false
	}
	p := t.c.p
	u := &tunnel{outer: t, open: open, inner: p.talk(t.c), why: why}
	u.inner.carrier, u.inner.role = u, t.role
	if b := t.before; b.proto != nil {
		u.inner.goOn(b)
	}
	for i := range t.side {
		s := &t.side[i]
		s.hold, s.need, s.cur = nil, 0, nil
	}
	t.tunnel = u
	if open.Settled() {
		t.pairs.finished(t, m)
	} else {
		u.answer = m
	}
	return true
}

// goOn makes a protocol what both sides speak that they spoke before.
func (t *talk) goOn(b protocolBefore) {
	t.proto, t.parse, t.riders, t.fresh = b.proto, b.parse, t.c.p.riders[b.proto], true
	t.c.speaks(b.proto)
}

// depth is how many streams the talk is inside of.
func (t *talk) depth() (n int) {
	for u := t.carrier; u != nil; u = u.outer.carrier {
		n++
	}
	return n
}

// hint is what the sides agreed to speak, if they did.
func (t *talk) hint() []*Protocol {
	if t.carrier == nil {
		return nil
	}
	if p := t.c.p.byName[t.carrier.open.Agreed()]; p != nil && p.Probe != nil {
		return []*Protocol{p}
	}
	return nil
}

// feed takes what is left of data in an inbox from used on.
func (u *tunnel) feed(d int, from *inbox, data []byte, used int) {
	for used < len(data) {
		next := from.segmentAfter(used, len(data))
		u.data(d, data[used:next], from.place(used))
		used = next
	}
}

// data takes the next encrypted bytes of a side.
func (u *tunnel) data(d int, b []byte, at stream.At) {
	s := &u.side[d]
	if s.deaf {
		return
	}
	data := s.add(b, at)
	s.keep(u.outer.c.p, data, u.read(d, data))
	u.settle(d)
}

// settle hands out the answer once it is settled; what waited for that is read then.
func (u *tunnel) settle(d int) {
	m := u.answer
	if m == nil || !u.open.Settled() {
		return
	}
	u.answer = nil
	u.outer.pairs.finished(u.outer, m)
	if s := &u.side[d^1]; len(s.buf) > 0 && !s.deaf {
		s.need = 0
		data := s.buf
		s.keep(u.outer.c.p, data, u.read(d^1, data))
	}
}

// read reads the records in data, all that a side has, and returns how much is done with.
func (u *tunnel) read(d int, data []byte) (used int) {
	s, p := &u.side[d], u.outer.c.p
	scratch := p.record()
	defer func() { p.recycleRecord(scratch) }()
	for used < len(data) && len(data)-used >= s.need {
		r, err := u.open.Open(u.outer.role[d], data[used:], s.missing, scratch[:0])
		if cap(r.Plain) > cap(scratch) {
			scratch = r.Plain
		}
		switch {
		case (err != nil || r.Span <= 0) && s.left && len(data)-used < MaxUnparsed:
			return used
		case err == ErrShort && len(data)-used < maxSealed:
			s.need = max(r.Need, len(data)-used+1)
			return used
		case err != nil || r.Span <= 0:
			u.deafen(d, err)
			return len(data)
		}
		s.need, s.left = 0, r.End && u.outer.before.proto != nil
		switch {
		case r.Proven:
			u.proven++
			s.missing = 0
		case s.missing > 0:
			s.missing += int64(r.Span)
		case r.Wrong:
			u.wrong++
			if !s.ended {
				u.inner.miss(d, 1)
			}
		}
		u.say(d, data, used, &r)
		used += r.Span
	}
	return used
}

// say hands on what a record says, each byte from where its packet was.
func (u *tunnel) say(d int, data []byte, used int, r *Opened) {
	s := &u.side[d]
	if s.ended {
		return
	}
	from, plain := used+r.At, r.Plain
	for len(plain) > 0 {
		next := min(s.segmentAfter(from, len(data)), from+len(plain))
		at := s.place(from)
		at.Acked = -1 // what it counts is encrypted
		n := next - from
		off := s.out
		s.out += int64(n)
		if p := u.outer.c.p; p.tap != nil && p.opts.TapClear && u.outer.carrier == nil {
			p.tap.Data(u.outer.c.id, d, off, plain[:n], at)
		}
		u.inner.take(d, off, plain[:n], at)
		from, plain = next, plain[n:]
	}
	if r.End {
		u.finish(d)
	}
}

// deafen ends what is read of a side: of the rest nothing can be proven.
func (u *tunnel) deafen(d int, err error) {
	s := &u.side[d]
	s.deaf = true
	why := BytesLost
	errors.As(err, &why)
	if u.why == "" {
		u.why = why
	}
	if !s.ended {
		u.inner.miss(d, 1)
	}
}

// leave goes on with what was spoken before, in clear, once both sides have left: RFC 4217,
// section 12.3, has it for FTP.
func (u *tunnel) leave() {
	a, b, t := &u.side[0], &u.side[1], u.outer
	if !a.left || !b.left || a.deaf || b.deaf || len(a.buf)+len(b.buf) == 0 {
		return
	}
	t.tunnel = nil
	u.close(false)
	t.goOn(t.before)
	for d := range t.side {
		s := &u.side[d]
		t.side[d].inbox, t.side[d].base = s.inbox, s.end-int64(len(s.buf))
		s.inbox = inbox{}
	}
	u.recycle(t.c.p)
	client := int(t.client())
	t.rework(client)
	t.rework(client ^ 1)
}

// gap says that about n bytes of a side are missing.
func (u *tunnel) gap(d int, n int64) {
	s := &u.side[d]
	if s.deaf {
		return
	}
	if s.left {
		s.drop(u.outer.c.p)
		u.deafen(d, BytesLost)
		return
	}
	s.missing += n + int64(len(s.buf))
	s.need = 0
	s.drop(u.outer.c.p)
	if !s.ended {
		u.inner.miss(d, n)
	}
}

// finish says that a side says no more.
func (u *tunnel) finish(d int) {
	if s := &u.side[d]; !s.ended {
		s.ended = true
		u.inner.end(d)
	}
}

// end says that a side sent its last byte.
func (u *tunnel) end(d int) {
	u.finish(d)
	u.side[d].drop(u.outer.c.p)
}

// close ends the stream; the answer comes out as it is.
func (u *tunnel) close(evicted bool) {
	t := u.outer
	if m := u.answer; m != nil {
		u.answer = nil
		m.Truncated = true
		t.pairs.finished(t, m)
	}
	u.inner.close(evicted)
	if t.carrier == nil {
		u.account(t.c.secure())
	}
}

// account says how well the stream could be read.
func (u *tunnel) account(x *secured) {
	if x.proven = u.proven; x.proven > 0 {
		x.library = u.open.Library()
	}
	switch {
	case u.why != "":
		x.why = u.why
	case u.side[0].missing+u.side[1].missing > 0:
		x.why = BytesLost
	case u.wrong > 0 && u.proven > 0:
		x.why = SecretsPartly
	case u.wrong > 0:
		x.why = WrongSecrets
	case u.proven == 0:
		x.why = NothingSaid
	}
}

// held is how many bytes the tunnel keeps waiting, and those of its inner talk.
func (u *tunnel) held() int {
	n := tunnelSize + u.inner.footprint()
	for d := range u.side {
		n += len(u.side[d].buf) + 40*len(u.side[d].marks)
	}
	return n
}

// recycle lets go of all.
func (u *tunnel) recycle(p *partition) {
	for d := range u.side {
		p.recycleBuffer(u.side[d].buf)
	}
	p.recycleTalk(u.inner)
}
