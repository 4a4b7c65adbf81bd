// Package smtp reads SMTP (RFC 5321) with its extensions, and LMTP (RFC 2033).
//
// Each command is a call, answered in order (RFC 2920). So is what the server asks for
// in between: the mail data behind DATA, whose operation is "message" and which carries
// the envelope, and each line of an AUTH exchange (RFC 4954). A chunk of BDAT
// (RFC 3030) belongs to its command. LMTP answers a message once for each recipient:
// all of that is one answer. The greeting, and a 421 that nobody asked for, are one-way.
//
// Mail data is passed over. What AUTH sends is never kept, but for the name of the
// user. A granted STARTTLS (RFC 3207) hands the connection to TLS.
package smtp

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one connection may make us do or keep.
const (
	maxLine       = 16 << 10 // bytes of a line; RFC 4954 section 4 asks for 12288
	maxProbe      = 1 << 10  // bytes of a line that a probe waits for
	maxArgument   = 512      // bytes of an argument
	maxReply      = 512      // bytes of a reply's text
	maxName       = 320      // bytes of an address, of a host and of a user: 64 + @ + 255
	maxRecipients = 100      // recipients of a message that are kept; RFC 5321 section 4.5.3.1.8
	maxExtensions = 64       // extensions that a server offers
	maxChunk      = 1 << 40  // bytes of a chunk
	maxSummary    = 3        // recipients that a summary names
)

// The fields.
var (
	Argument   = field.NewText("smtp_argument", "What stands behind the command; of AUTH the mechanism and ***.", `smtp_argument.contains("SIZE=")`)
	Hello      = field.NewText("smtp_hello", "Name by which the client introduces itself.", `smtp_hello == "client.example.org"`)
	Sender     = field.NewText("smtp_sender", "Envelope sender of MAIL and of the message; empty for a bounce.", `smtp_sender.endsWith("@example.org")`)
	Recipients = field.NewList("smtp_recipients", "Envelope recipients: of RCPT the one, of a message those that the server took; at most 100, then ....", `"bob@example.org" in smtp_recipients`)
	Size       = field.NewInt("smtp_message_size", "bytes", "Mail data of a message, or of a chunk, as it was sent.", `smtp_message_size > 1000`)
	Mechanism  = field.NewText("smtp_mechanism", "SASL mechanism of AUTH.", `smtp_mechanism == "PLAIN"`)
	User       = field.NewText("smtp_user", "Name of the user in AUTH PLAIN and AUTH LOGIN.", `smtp_user == "ann"`)
	Enhanced   = field.NewText("smtp_enhanced_code", "Enhanced status code of the reply (RFC 3463).", `smtp_enhanced_code.startsWith("5.7.")`)
	Reply      = field.NewText("smtp_reply", "Text of the reply, its lines joined; of EHLO the first; of AUTH what is no challenge.", `smtp_reply.contains("no such mailbox")`)
	Extensions = field.NewList("smtp_extensions", "Extensions that the server offers in its answer to EHLO; at most 64, then ....", `smtp && !("STARTTLS" in smtp_extensions)`)
)

// Protocol is SMTP. A call has failed when its reply is a 4yz or a 5yz.
var Protocol = &dissector.Protocol{
	Name:      "smtp",
	Label:     "SMTP",
	Doc:       "Mail transport: SMTP commands, messages and replies, and LMTP.",
	Transport: dissector.TCP,
	Ports:     []uint16{25, 587, 2525},
	Fields: field.Fields(
		field.NewAlias("smtp_command", field.Operation, "Command in capitals; message for the mail data behind DATA, greeting and closing for what the server says unasked, UNKNOWN for a command of no standard.", `smtp_command == "RCPT"`),
		Argument, Hello, Sender, Recipients, Size, Mechanism, User, Enhanced, Reply, Extensions,
		field.NewAlias("smtp_success", field.Succeeded, "Answered, and not with an error.", `smtp && !smtp_success`),
	),
	Sync:    "EHLMRDBQNSVAehlmrdbqnsva2345",
	Probe:   probe,
	New:     func(dissector.Transport) dissector.Parse { return new(parser).parse },
	Content: unstuff,
}

var errMalformed = errors.New("malformed smtp line")

// Kinds of requests, as Notes tell them to the parser of the reply.
const (
	kindOther uint64 = iota
	kindHello
	kindMail
	kindRcpt
	kindData
	kindMessage
	kindChunk
	kindLast // the last chunk
	kindAuth
	kindReset
	kindStartTLS
	kindUnknown     // its words are not shown
	kindBits    = 8 // above them MAIL notes how many holes there were
)

// phase is what the client's next bytes are.
type phase uint8

const (
	commands phase = iota
	message
	secret
)

// parser reads one connection.
type parser struct {
	phase   phase
	waiting uint64 // kindData or kindAuth: the reply to it decides on the phase
	begun   bool   // a command was seen
	greeted bool   // a reply was seen
	whole   bool   // the greeting was seen
	fresh   bool   // the next byte of mail data is its first
	gaps    uint64 // holes in what the two sides said
	auth    auth
	mail    envelope
	reply   reply
	hello   bool // the command was seen that tells LMTP from SMTP
	lmtp    bool
	left    int // replies to the message that are still to come
}

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if m.Gap > 0 {
		p.gaps++
	}
	if from == dissector.Client {
		return p.request(buf, m)
	}
	return p.answer(buf, m)
}
