// Package ftp reads the control connection of FTP (RFC 959 with RFC 2228, 2389, 2428 and
// 3659).
//
// Commands and replies pair in order; a 1yz reply is an interim one. The greeting, and a
// 421 that nobody asked for, are one-way. A server that answers STAT or NOOP while a
// transfer goes on breaks the order: from there on pairs are unknown until the sides
// take turns again.
//
// Passwords are never kept. A granted AUTH TLS (RFC 4217) hands the connection to TLS.
// The data connections are connections of their own, whose addresses are told here.
package ftp

import (
	"errors"

	"shark/dissector"
	"shark/dissector/field"
)

// Limits on what one connection may make us do or keep.
const (
	maxLine       = 8 << 10 // bytes of a line
	maxProbe      = 1 << 10 // bytes that a probe looks at
	maxProbeLines = 8       // lines that a probe looks at
	maxArgument   = 512     // bytes of an argument
	maxReply      = 512     // bytes of a reply's text
	maxFeatures   = 64      // features that a server lists
	maxVerb       = 8       // bytes of a command's name
)

// hidden stands where a secret was.
const hidden = "***"

// The fields.
var (
	Argument = field.NewText("ftp_argument", "What stands behind the command: a path, a type, a name; *** for what may be a secret.", `ftp_argument.endsWith(".txt")`)
	User     = field.NewText("ftp_user", "Name of the user, of USER and of the PASS behind it.", `ftp_user == "anonymous"`)
	Reply    = field.NewText("ftp_reply", "Text of the reply, its lines joined; of FEAT the first and the last.", `ftp_reply.contains("Transfer complete")`)
	Data     = field.NewText("ftp_data_address", "Address and port at which the data connection is to be opened, of PORT, EPRT, PASV and EPSV.", `ftp_data_address.startsWith("127.0.0.1:")`)
	Features = field.NewList("ftp_features", "Extensions that the server lists for FEAT; at most 64, then ....", `"AUTH TLS" in ftp_features`)
)

// Protocol is FTP. A call has failed when its reply is a 4yz or a 5yz.
var Protocol = &dissector.Protocol{
	Name:      "ftp",
	Label:     "FTP",
	Doc:       "File transfer: the commands and replies of FTP's control connection.",
	Transport: dissector.TCP,
	Ports:     []uint16{21},
	Fields: field.Fields(
		field.NewAlias("ftp_command", field.Operation, "Command in capitals; greeting and closing for what the server says unasked, UNKNOWN for what cannot be one.", `ftp_command == "RETR"`),
		Argument, User, Reply, Data, Features,
		field.NewAlias("ftp_success", field.Succeeded, "Answered, and not with an error.", `ftp && !ftp_success`),
	),
	Sync:  "UPASTEMLRCDNOFHQXBIWGVJuapstemlrcdn123456",
	Probe: probe,
	New:   func(dissector.Transport) dissector.Parse { return new(parser).parse },
}

var errMalformed = errors.New("malformed ftp line")

// Kinds of requests, as Notes tell them to the parser of the reply.
const (
	kindOther uint64 = iota
	kindUser
	kindSecret   // what stands behind it is not shown
	kindTransfer // answered when the data connection is done with
	kindAuth
	kindAuthTLS
	kindData // tells where the data connection goes
	kindFeatures
	kindSite
	kindAgain   // answered by 220, as if by another greeting
	kindUnknown // its words are not shown
)

// verbs are the commands that there are, with what their kind is.
var verbs = map[string]uint64{
	"USER": kindUser, "PASS": kindSecret, "ACCT": kindSecret, "ADAT": kindSecret, "MIC": kindSecret, "CONF": kindSecret, "ENC": kindSecret,
	"AUTH": kindAuth, "PBSZ": kindOther, "PROT": kindOther, "CCC": kindOther, "CWD": kindOther, "CDUP": kindOther, "SMNT": kindOther,
	"QUIT": kindOther, "REIN": kindAgain, "HOST": kindAgain, "PORT": kindData, "PASV": kindData, "EPRT": kindData, "EPSV": kindData,
	"LPRT": kindOther, "LPSV": kindOther, "TYPE": kindOther, "STRU": kindOther, "MODE": kindOther,
	"RETR": kindTransfer, "STOR": kindTransfer, "STOU": kindTransfer, "APPE": kindTransfer, "LIST": kindTransfer, "NLST": kindTransfer,
	"MLSD": kindTransfer, "ALLO": kindOther, "REST": kindOther, "RNFR": kindOther, "RNTO": kindOther, "ABOR": kindOther, "DELE": kindOther,
	"RMD": kindOther, "MKD": kindOther, "PWD": kindOther, "SITE": kindSite, "SYST": kindOther, "STAT": kindOther, "HELP": kindOther,
	"NOOP": kindOther, "FEAT": kindFeatures, "OPTS": kindOther, "LANG": kindOther, "MDTM": kindOther, "MLST": kindOther, "SIZE": kindOther,
	"MFMT": kindOther, "MFCT": kindOther, "MFF": kindOther, "CLNT": kindOther, "CSID": kindOther, "AVBL": kindOther, "HASH": kindOther,
	"XCWD": kindOther, "XCUP": kindOther, "XPWD": kindOther, "XMKD": kindOther, "XRMD": kindOther, "XCRC": kindOther, "XMD5": kindOther,
}

// parser reads one connection.
type parser struct {
	begun   bool // a command was seen
	greeted bool // a reply was seen
	whole   bool // the greeting was seen
	lost    bool // bytes of a side are missing
	user    []byte
	reply   reply
}

func (p *parser) parse(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if m.Gap > 0 {
		p.lost = true
	}
	if from == dissector.Client {
		return p.request(buf, m)
	}
	return p.answer(buf, m)
}
