package dissector

import (
	"errors"

	"shark/dissector/field"
	"shark/packet"
	"shark/packet/keylog"
)

// Protocol is all that the program knows of one application protocol. Adding
// one touches its own folder, its folder in testdata and one line of
// protocol/all.go.
type Protocol struct {
	Name      string // "redis": KFL flag, SQL view, testdata folder
	Label     string // "Redis": value of the KFL variable protocol
	Doc       string // a sentence
	Transport Transport
	Ports     []uint16       // breaks ties between probes; never proof
	Fields    []*field.Field // every field it may set; several protocols may share one
	Implies   []string       // flags of other protocols its entries carry too: gRPC is HTTP
	Peers     bool           // either side asks and answers, over all: what a message is, its Role says, Asks or Answers
	Sync      string         // the bytes, each by itself, that often begin a message: tried after a loss

	// Probe looks at the first bytes of a side, or at a datagram, and names the
	// protocol and the sender's role in one answer. It is also asked after a
	// loss, at places where a message may begin: it must be strict.
	Probe func(head []byte) Guess
	// New returns the parser of one connection: one state for both sides.
	New func(t Transport) Parse

	// A carried protocol (gRPC on HTTP) has no Probe and no New. It is named by
	// Over and reads its carrier's messages.
	Over  string
	Carry *Rider

	// A transport itself has no Probe and no New: Packet reads one packet with payload
	// that belongs to no other entry. That is an entry of each packet of what is not
	// dissected: such protocols are for those who ask for them.
	Packet func(p *packet.Packet, m *Message)

	// Open, of a protocol whose sides go on encrypted, looks in the secrets for what takes the
	// encryption off all that follows an answer of it, or an answer that was cut. It returns nil
	// and why where there is nothing. The Opener may set fields of the answer until it is settled.
	Open func(m *Message, secrets *keylog.Table) (Opener, Unreadable)
	// Follow is the Opener of what cannot be read: it tells records by their heads, and where
	// a side says that it leaves. Then what was spoken before goes on.
	Follow Opener
	// Middle, of such a protocol, tells whether bytes where a segment begins look like what its
	// sides say long after their handshake.
	Middle func(head []byte) bool

	// Trail, of a protocol of datagrams whose client may go on from another port, returns the
	// bytes of a datagram that begin with the name that Message.Trail gave, if a client sent
	// it that goes on; nil if nothing of it can be a name.
	Trail func(datagram []byte) []byte

	// Content returns the body of a message as its application sees it, such as
	// without HTTP's content coding, at most limit bytes of it. raw is the body
	// as it was sent. Nil: the body is shown as it was sent.
	Content func(m *Message, raw []byte, limit int) ([]byte, error)
	// Outline shows what a message says: lines of text, what is part of something else
	// indented, without secrets. It reads m.Raw, which may be the front of what was sent, and
	// writes at most limit bytes. request is what m answers; nil if m asks, or if that is
	// unknown.
	Outline func(m, request *Message, limit int) []byte
}

// Rider is how a carried protocol reads its carrier's messages. Claim is asked
// once for each message, when its head is parsed; the rest is called only for
// messages it claimed.
type Rider struct {
	Claim func(m *Message) bool
	Body  func(m *Message, chunk []byte) // in order, nothing of it kept; after a gap m.Lost has grown
	Done  func(m *Message)               // the message is complete, or as complete as it gets
	// Keep, where a head cannot prove whose message it is, tells once all riders are done with
	// it whether the claim holds. Nil: every claim does.
	Keep func(m *Message) bool
}

// Watcher sees a piece of a stream's message pass by, for a parser that has a use for bytes
// which it need not wait for: missing ones do its message no harm.
type Watcher interface {
	Pass(b []byte)     // the next bytes of the piece, from its first one on; nothing of b is kept
	Miss(n int64)      // the next n bytes were never captured
	Passed(m *Message) // the piece is over, which one that is cut off never is; fields may be set
}

// Transport says over what a protocol runs, as a set.
type Transport uint8

// The transports.
const (
	TCP Transport = 1 << iota
	UDP
	SCTP
	ICMP
	ICMPv6
	QUIC // streams of a connection of QUIC, in clear; nothing is probed in them
)

// Parse reads the message, or the next piece of one, at the front of buf into m
// and returns its span in bytes. from is the side that sent buf.
//
//   - ErrShort asks for more bytes; m.Need may say from what length on a new try
//     is worth it. In a datagram it means that the datagram was cut.
//   - Any other error ends the stream's messages until a place is found where
//     Probe gives the right side and the next message parses.
//   - A span past the end of buf is passed over unseen: a large body costs no
//     memory, and a gap inside it does no harm but to m.Lost. UntilClose spans
//     the rest of the side.
//   - The span must be above zero.
//
// Parse must not keep buf, must not panic whatever the bytes, and must take
// time linear in what it consumes.
type Parse func(from Side, buf []byte, m *Message) (span int64, err error)

// ErrShort asks for more bytes than Parse was given.
var ErrShort = errors.New("message is not complete yet")

// UntilClose is the span of a message that only the end of its stream ends.
const UntilClose int64 = 1 << 62

// Opaque is the Next of a stream in which nothing more can be read, such as one
// that goes on encrypted.
const Opaque = "opaque"

// Unknown is the Next of a stream that goes on with a protocol to be found by
// its first bytes, such as behind an accepted HTTP CONNECT.
const Unknown = "unknown"

// Side is an end of a conversation.
type Side uint8

// The sides. The client is who asks.
const (
	Client Side = iota
	Server
)

// Other returns the opposite side.
func (s Side) Other() Side { return s ^ 1 }

func (s Side) String() string { return [...]string{"client", "server"}[s] }

// Guess is the answer of a Probe.
type Guess uint8

// The answers: not this protocol, too few bytes to tell, this protocol and sent by
// the client or by the server, or the same of bytes that are good in another
// protocol too: that is believed where the port is one of this protocol, or where
// the connection is known to speak it. Either is this protocol, but sent by whom is not
// told: the handshake tells it, or which end has a port of the protocol, and elsewhere it is
// as good as More. MaybeEither is as good as More until it is known what the connection
// speaks.
const (
	No Guess = iota
	More
	Request
	Response
	MaybeRequest
	MaybeResponse
	Either
	MaybeEither
)

// sure is g where it is to be believed.
func (g Guess) sure() Guess {
	switch g {
	case MaybeRequest:
		return Request
	case MaybeResponse:
		return Response
	case MaybeEither:
		return Either
	}
	return g
}

// Role is what a message is in an exchange.
type Role uint8

// The roles.
const (
	// BySide makes a message of the client a request and one of the server a response.
	BySide Role = iota
	// OneWay is a message that nothing answers, an entry of its own.
	OneWay
	// Interim is a response that does not end its exchange, such as 100 Continue.
	Interim
	// Asks makes a message a request and Answers one a response, whichever side sent
	// it: of protocols whose sides are peers, or whose server has something to ask too.
	// Their keys must tell who asked.
	Asks
	Answers
	// Silent is no message: it says that nothing answers the request of its key, which is
	// complete without, as what came instead proves. Its fields stand in the request too. With
	// Unpaired it is not known whether anything did.
	Silent
)

// Unanswered says when a request without an answer is an entry.
type Unanswered uint8

// The cases. What begins a connection is Alone, for what comes of it tells more, and Hidden
// where it needs no answer.
const (
	Shown  Unanswered = iota // always
	Alone                    // if nothing else that its connection says is one
	Hidden                   // never
)

// Message is what one side said: a request, a response or a one-way message.
// The engine fills the first part before Parse, Parse the second; the third is
// the engine's account of it.
type Message struct {
	// What the message is about: the fields of its protocol, and the common ones
	// declared in this package (Operation, Summary, Status, StatusCode, Failed).
	field.Values

	// Before Parse.
	Flow      packet.Flow // addresses and ports, of the direction in which buf was sent
	Transport Transport
	Gap       int64         // bytes missing right before buf: whatever depends on them is unknown
	Whole     bool          // buf is a whole datagram
	Joined    bool          // the connection was joined in its middle: what both sides said before is unknown
	Final     bool          // of QUIC: nothing comes behind buf, so that there is no use in asking for more
	Secrets   *keylog.Table // of a datagram: what encrypted sessions can be opened with; nil: nothing
	Detail    bool          // somebody wants to look at it: set what is too dear to store

	// Set by Parse.
	Role   Role
	Open   bool // the message goes on with the next piece: with the next call, or, if keyed, with the next piece of that key
	Skip   bool // the span holds no message and no piece of one, such as a keep-alive
	Cancel bool // this piece ends the exchange of its key, whatever is still missing
	// Remark says that this is no piece of a message, but says something of the exchange of
	// its key while that goes on: its fields stand in what its sender said there, or in what
	// was said so far, in place of what was remarked before. With Cancel it ends the exchange.
	// Without such an exchange it is nothing.
	Remark bool
	// Again says that the bytes of this message, all of them at hand, say more: Parse is
	// called for them once more. An acknowledgement of several is the answer to each.
	Again bool
	// Unanswered says when a request is an entry to which nothing answers. A Remark may say so
	// later.
	Unanswered Unanswered
	// Unpaired says that its other half may exist but will not be told, for a limit.
	Unpaired bool
	// Begins, of a response, says that the server spoke first: the request of its key comes
	// later. An interim one is an entry by itself where nothing follows in its connection.
	Begins bool
	Need   int     // with ErrShort: length of buf from which on another try is worth it
	Trail  *Trail  // of a datagram, also with Skip or an error: what its conversation is known by from now on
	Sealed *Sealed // of a datagram, also with Skip or an error: what it says of the encrypted session that it is of
	Watch  Watcher // sees the piece pass, if set; not of a datagram
	// Next names the protocol that both sides speak after this message, or is
	// Opaque or Unknown. In a request it is a wish: the client's bytes behind it
	// wait for the answer, which grants it by its own Next. In a one-way message it
	// holds at once.
	Next string
	// NextKey, of an interim response with Next, says that its request is answered in that
	// protocol: by the message of this key. 0: it is not.
	NextKey uint64
	Notes   uint64 // free for the parser: a response's parser reads it through Peer
	Ride    any    // free for the rider

	key   uint64
	keyed bool

	// The engine's account.
	From        Side
	Start, End  int64  // time of the packet with its first and with its last byte
	First, Last uint64 // numbers of these packets; Parse may set the first one and its time to those of bytes that waited
	Size        int64  // bytes on the wire, head and body, lost ones counted; Parse may set by how many a piece falls short of them
	BodySize    int64  // bytes of the body on the wire
	Lost        int64  // bytes inside it that were never captured; Parse may set those that a piece says
	Truncated   bool   // it ended before it was complete
	Resumed     bool   // it is the first after a loss or was begun unseen; Parse may set it where parts of it are unknown
	Body        []byte // with Detail: the body as it was sent, up to a limit
	Raw         []byte // with Detail: the message as it was sent, up to a limit

	talk     *talk
	proto    *Protocol
	turned   bool // between peers: From is not the role of who sent it
	ex       *exchange
	offset   int64 // of its first byte in its side's stream
	head     int64 // bytes before the body, if it has one
	bodyFrom int64
	bodyLen  int64
	counted  field.IntField // set to BodySize at the end
	carried  []*Protocol
	done     bool
}

// SetKey says that the message pairs with the one of the same key from the
// other side. Without a key, messages pair in order.
func (m *Message) SetKey(k uint64) { m.key, m.keyed = k, true }

// SetKeyBytes is SetKey for a short byte string.
func (m *Message) SetKeyBytes(b []byte) {
	h := uint64(14695981039346656037) // FNV-1a
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	m.SetKey(h)
}

// SetBody says where in the piece its body lies: n bytes from off, counted from
// the front of buf. They may reach past the end of buf, up to the span.
func (m *Message) SetBody(off int, n int64) { m.bodyFrom, m.bodyLen = int64(off), n }

// CountBody says that f is to be set, when the message ends, to the bytes of its
// body on the wire, for a parser that does not know them before.
func (m *Message) CountBody(f field.IntField) { m.counted = f }

// settle makes the sender of a message between peers client or server, by what it
// said.
func (m *Message) settle() {
	switch m.Role {
	case Asks:
		m.turned = m.turned || m.From != Client
		m.From, m.Role = Client, BySide
	case Answers:
		m.turned = m.turned || m.From != Server
		m.From, m.Role = Server, BySide
	case Interim:
		if m.proto != nil && m.proto.Peers {
			m.From = Server
		}
	}
}

// end marks the message as done and tells those who ride on it.
func (m *Message) end(truncated bool) {
	m.done = true
	m.Truncated = m.Truncated || truncated
	if m.counted.Field != nil {
		m.counted.Set(&m.Values, m.BodySize)
	}
	for _, r := range m.carried {
		if r.Carry.Done != nil {
			r.Carry.Done(m)
		}
	}
	if len(m.carried) > 0 {
		m.judgeClaims()
	}
}

// judgeClaims takes back the claims that the whole message does not bear out.
func (m *Message) judgeClaims() {
	kept := m.carried[:0]
	for _, r := range m.carried {
		if r.Carry.Keep != nil {
			if !r.Carry.Keep(m) {
				continue
			}
			m.talk.c.speaks(r)
		}
		kept = append(kept, r)
	}
	m.carried = kept
}

// Peer returns the request that this response answers: by its key, if that is
// set, or else the oldest that is not answered yet. It is nil when that is
// unknown, as it may be after a loss. The message is read only.
func (m *Message) Peer() *Message {
	if m.talk == nil {
		return nil
	}
	return m.talk.pairs.peer(m)
}

// Outline returns lines of text that show what the message says, at most limit bytes;
// nil if its protocol has none or nothing of it was kept. request is what it answers, or nil.
func (m *Message) Outline(request *Message, limit int) []byte {
	if m.proto == nil || m.proto.Outline == nil || len(m.Raw) == 0 {
		return nil
	}
	return m.proto.Outline(m, request, limit)
}

// HeadSize returns how many bytes of the message come before its body: all of
// them when it has none.
func (m *Message) HeadSize() int64 {
	if m.BodySize == 0 {
		return m.Size
	}
	return m.head
}

// Content returns the function that gives the message's body as its application
// sees it, of its most specific protocol that has one; nil when none has.
func (m *Message) Content() func(m *Message, raw []byte, limit int) ([]byte, error) {
	for i := len(m.carried) - 1; i >= 0; i-- {
		if f := m.carried[i].Content; f != nil {
			return f
		}
	}
	if m.proto == nil {
		return nil
	}
	return m.proto.Content
}
