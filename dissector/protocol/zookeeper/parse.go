package zookeeper

import (
	"encoding/binary"
	"strconv"
	"strings"

	"shark/dissector"
)

// parser reads one connection.
type parser struct {
	request request
	again   [kinds]again
	rest    [2]rest // of each side
	word    string  // that was sent instead of requests
}

// known marks a request's notes: in their lower half is its opcode.
const known = 1 << 32

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if m.Gap > 0 {
		p.lose(from, m.Start)
		p.rest[from].size = 0
	}
	if p.rest[from].size > 0 {
		return p.readRest(from, buf, m)
	}
	if p.word != "" {
		return p.besideWord(from, buf, m)
	}
	if len(buf) < 4 {
		m.Need = 4
		return 0, dissector.ErrShort
	}
	if from == dissector.Client && words[string(buf[:4])] {
		return p.readWord(buf, m)
	}
	size := binary.BigEndian.Uint32(buf)
	if size > maxSize || size < 8 {
		return 0, errMalformed
	}
	span := 4 + int(size)
	if head := min(span, maxHead); len(buf) < head {
		m.Need = head
		return 0, dissector.ErrShort
	}
	j := jute{b: buf[4:min(span, maxHead)], size: int(size)}
	var err error
	switch first := int32(binary.BigEndian.Uint32(buf[4:])); {
	case first == 0 && from == dissector.Client:
		err = p.connect(&j, m)
	case first == 0:
		err = p.connected(&j, m)
	case from == dissector.Client:
		span, err = p.ask(&j, m)
	case first == xidNotification:
		err = notify(&j, m)
	default:
		span, err = p.answer(&j, m)
	}
	return int64(span), err
}

// readWord reads four letters that are sent instead of requests.
func (p *parser) readWord(buf []byte, m *dissector.Message) (int64, error) {
	p.word = string(buf[:4])
	m.Notes = known | opWord
	dissector.Operation.SetString(&m.Values, p.word)
	return 4, nil
}

// besideWord reads the answer to four letters, and passes over what stands behind
// them. That they are not obeyed is told by the answer's first bytes: it begins with
// the word itself, or with "This ZooKeeper instance is not currently serving requests".
func (p *parser) besideWord(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if from == dissector.Client {
		m.Skip = true
		return int64(len(buf)), nil
	}
	if len(buf) < 2 {
		return 0, dissector.ErrShort
	}
	status := "OK"
	switch string(buf[:2]) {
	case p.word[:2]:
		status = "not in the whitelist"
	case "Th":
		status = "not serving requests"
	}
	dissector.Status.SetString(&m.Values, status)
	dissector.Failed.Set(&m.Values, status != "OK")
	return dissector.UntilClose, nil
}

// connection is what opens a session (ConnectRequest, ConnectResponse).
type connection struct {
	zxid    int64 // of a request
	timeout int32 // ms
	session int64
}

// readConnection reads a record that opens a session. The read-only flag at its end
// came with ZooKeeper 3.4.
func readConnection(j *jute, request bool) (c connection) {
	if j.i32() != 0 {
		j.bad = true
	}
	if request {
		c.zxid = j.i64()
	}
	c.timeout, c.session = j.i32(), j.i64()
	if _, n := j.buffer(); n > maxPassword {
		j.bad = true
	}
	if !j.cut && j.off < j.size {
		j.boolean()
	}
	if c.zxid < 0 || c.timeout < 0 || c.timeout > maxTimeout || !j.end() {
		j.bad = true
	}
	return c
}

func (p *parser) connect(j *jute, m *dissector.Message) error {
	c := readConnection(j, true)
	if j.bad {
		return errMalformed
	}
	v := &m.Values
	p.again[kindConnect].ask(kindConnect, m)
	m.Notes = known | opConnect
	dissector.Operation.SetString(v, "connect")
	Zxid.Set(v, c.zxid)
	Timeout.Set(v, int64(c.timeout))
	if c.session != 0 {
		setSession(c.session, m)
		dissector.Summary.Set(v, Session.Get(v))
	}
	return nil
}

func setSession(id int64, m *dissector.Message) {
	Session.SetString(&m.Values, "0x"+strconv.FormatUint(uint64(id), 16))
}

// connected reads the answer to a connect: no time is granted to a session that has
// expired.
func (p *parser) connected(j *jute, m *dissector.Message) error {
	c := readConnection(j, false)
	if j.bad {
		return errMalformed
	}
	p.again[kindConnect].answer(kindConnect, m)
	Granted.Set(&m.Values, int64(c.timeout))
	if c.session != 0 {
		setSession(c.session, m)
	}
	err := int32(0)
	if c.timeout <= 0 {
		err = errSessionExpired
	}
	setStatus(opConnect, err, m)
	return nil
}

// ask reads a request: its header (RequestHeader) and its record.
func (p *parser) ask(j *jute, m *dissector.Message) (span int, err error) {
	xid, code := j.i32(), j.i32()
	o := opOf(code)
	if o == nil || !asks(xid, code) {
		return 0, errMalformed
	}
	p.key(xid, m, (*again).ask)
	m.Notes = known | uint64(uint32(code))
	Xid.Set(&m.Values, int64(xid))
	p.request.reset()
	if o.request(j, &p.request); j.bad {
		p.request.reset() // of what is not understood, only the operation is told
	}
	p.request.set(code, o.name, m)
	return p.rest[dissector.Client].split(4+j.size, p.request.dataAt, p.request.dataSize, xid, code, m), nil
}

// asks tells whether a client gives an xid to an operation: those below zero belong to
// one each.
func asks(xid, code int32) bool {
	switch xid {
	case xidPing:
		return code == opPing
	case xidAuth:
		return code == opAuth
	case xidSetWatches:
		return code == opSetWatches || code == opSetWatches2
	}
	return xid > 0 && code != opPing
}

// notify reads a watch event (WatcherEvent).
func notify(j *jute, m *dissector.Message) error {
	e := readEvent(j)
	if j.bad {
		return errMalformed
	}
	v := &m.Values
	m.Role = dissector.OneWay
	Opcode.Set(v, opNotification)
	Xid.Set(v, xidNotification)
	if e.zxid > 0 { // -1 up to ZooKeeper 3.8
		Zxid.Set(v, e.zxid)
	}
	dissector.Operation.SetString(v, "notification")
	name := nameOf(events, e.kind)
	Event.SetString(v, name)
	State.SetString(v, nameOf(states, e.state))
	setText(v, Path, e.path)
	dissector.Summary.SetString(v, strings.TrimSpace(name+" "+clip(e.path)))
	return nil
}

// event is what a watch told.
type event struct {
	zxid        int64
	kind, state int32
	path        []byte
}

func readEvent(j *jute) (e event) {
	xid := j.i32()
	e.zxid = j.i64()
	err := j.i32()
	e.kind, e.state = j.i32(), j.i32()
	if e.kind == -1 {
		e.path = j.text()
	} else {
		e.path = j.path()
	}
	if xid != xidNotification || err != 0 || events[e.kind] == "" || states[e.state] == "" || !j.end() {
		j.bad = true
	}
	return e
}

// answer reads a reply: its header (ReplyHeader), and, when that has no error, the
// record that its request asked for.
func (p *parser) answer(j *jute, m *dissector.Message) (span int, err error) {
	xid, zxid, failure := j.i32(), j.i64(), j.i32()
	if j.bad || !answers(xid) || failure != 0 && j.size != replyHeader {
		return 0, errMalformed
	}
	p.key(xid, m, (*again).answer)
	v := &m.Values
	Xid.Set(v, int64(xid))
	if zxid > 0 {
		Zxid.Set(v, zxid)
	}
	span = 4 + j.size
	peer := m.Peer()
	if peer == nil || peer.Notes&known == 0 {
		dissector.Status.SetString(v, nameOf(errorNames, failure))
		dissector.StatusCode.Set(v, int64(failure))
		if failure != errNoNode { // which may be an answer to exists
			dissector.Failed.Set(v, failure != 0)
		}
		return span, nil
	}
	code := int32(uint32(peer.Notes))
	r := response{dataSize: -1, children: -1}
	if o := opOf(code); o != nil && failure == 0 {
		if o.response(j, &r); j.bad {
			r = response{dataSize: -1, children: -1}
		}
	}
	r.set(m)
	if failure == 0 {
		failure = r.err
	}
	setStatus(code, failure, m)
	return p.rest[dissector.Server].split(span, r.dataAt, r.dataSize, xid, code, m), nil
}

// replyHeader is the length of a reply that is nothing but its header.
const replyHeader = 16

// answers tells whether a reply may have an xid.
func answers(xid int32) bool {
	return xid > 0 || xid == xidPing || xid == xidAuth || xid == xidSetWatches
}

// key gives a message its key.
func (p *parser) key(xid int32, m *dissector.Message, count func(*again, int, *dissector.Message)) {
	k := 0
	switch xid {
	case xidPing:
		k = kindPing
	case xidAuth:
		k = kindAuth
	case xidSetWatches:
		k = kindWatches
	default:
		m.SetKey(uint64(uint32(xid)))
		return
	}
	count(&p.again[k], k, m)
}
