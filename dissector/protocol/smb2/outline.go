package smb2

import (
	"encoding/hex"
	"strings"
	"time"

	"shark/dissector"
	"shark/dissector/outline"
)

// part is one of a command's fields that is shown: where it is, counted from behind the
// header, how many bytes it has, and how it is written.
type part struct {
	name     string
	at, size int
	form     form
}

// form is how a part is written.
type form byte

const (
	number  form = iota
	digits       // in hexadecimal
	bytesOf      // how many bytes
	moment
	identifier // 16 bytes
	text       // at and size are where its offset and its length stand, 16 bits each
	payload    // the same, with only its length told
	payload32  // the same, 32 bits each
	words      // by the names of the part
)

// The parts of what commands ask ([MS-SMB2] sections 2.2.3 to 2.2.39) and answer.
var (
	asked = map[int][]part{
		cmdNegotiate:    {{"dialects", 2, 2, number}, {"security mode", 4, 2, digits}, {"capabilities", 8, 4, digits}, {"client", 12, 16, identifier}},
		cmdSessionSetup: {{"flags", 2, 1, digits}, {"security mode", 3, 1, digits}, {"capabilities", 4, 4, digits}, {"security buffer", 12, 14, payload}},
		cmdTreeConnect:  {{"path", 4, 6, text}},
		cmdCreate: {
			{"oplock", 3, 1, words},
			{"impersonation", 4, 4, number},
			{"access", 24, 4, digits},
			{"attributes", 28, 4, digits},
			{"share access", 32, 4, digits},
			{"disposition", 36, 4, words},
			{"options", 40, 4, digits},
			{"file", 44, 46, text},
			{"contexts", 48, 52, payload32},
		},
		cmdClose:          {{"flags", 2, 2, digits}, {"file id", 8, 16, identifier}},
		7:                 {{"file id", 8, 16, identifier}},
		cmdRead:           {{"length", 4, 4, bytesOf}, {"offset", 8, 8, number}, {"file id", 16, 16, identifier}, {"least", 32, 4, bytesOf}, {"remaining", 40, 4, bytesOf}},
		cmdWrite:          {{"length", 4, 4, bytesOf}, {"offset", 8, 8, number}, {"file id", 16, 16, identifier}, {"remaining", 36, 4, bytesOf}, {"flags", 44, 4, digits}},
		10:                {{"locks", 2, 2, number}, {"file id", 8, 16, identifier}, {"offset", 24, 8, number}, {"length", 32, 8, bytesOf}, {"flags", 40, 4, digits}},
		cmdIoctl:          {{"function", 4, 4, words}, {"file id", 8, 16, identifier}, {"input", 24, 28, payload32}, {"largest output", 44, 4, bytesOf}, {"flags", 48, 4, digits}},
		cmdQueryDirectory: {{"class", 2, 1, words}, {"flags", 3, 1, digits}, {"index", 4, 4, number}, {"file id", 8, 16, identifier}, {"pattern", 24, 26, text}, {"largest output", 28, 4, bytesOf}},
		15:                {{"flags", 2, 2, digits}, {"largest output", 4, 4, bytesOf}, {"file id", 8, 16, identifier}, {"filter", 24, 4, digits}},
		cmdQueryInfo:      {{"class", 2, 2, words}, {"largest output", 4, 4, bytesOf}, {"input", 12, 4, bytesOf}, {"additional", 16, 4, digits}, {"flags", 20, 4, digits}, {"file id", 24, 16, identifier}},
		cmdSetInfo:        {{"class", 2, 2, words}, {"size", 4, 4, bytesOf}, {"additional", 12, 4, digits}, {"file id", 16, 16, identifier}},
		cmdOplockBreak:    {{"oplock", 2, 1, words}, {"file id", 8, 16, identifier}},
	}
	answered = map[int][]part{
		cmdNegotiate: {
			{"security mode", 2, 2, digits},
			{"dialect", 4, 2, words},
			{"server", 8, 16, identifier},
			{"capabilities", 24, 4, digits},
			{"largest transaction", 28, 4, bytesOf},
			{"largest read", 32, 4, bytesOf},
			{"largest write", 36, 4, bytesOf},
			{"system time", 40, 8, moment},
			{"start time", 48, 8, moment},
			{"security buffer", 56, 58, payload},
		},
		cmdSessionSetup: {{"flags", 2, 2, digits}, {"security buffer", 4, 6, payload}},
		cmdTreeConnect:  {{"share type", 2, 1, words}, {"flags", 4, 4, digits}, {"capabilities", 8, 4, digits}, {"access", 12, 4, digits}},
		cmdCreate: {
			{"oplock", 2, 1, words},
			{"action", 4, 4, words},
			{"created", 8, 8, moment},
			{"accessed", 16, 8, moment},
			{"written", 24, 8, moment},
			{"changed", 32, 8, moment},
			{"allocated", 40, 8, bytesOf},
			{"size", 48, 8, bytesOf},
			{"attributes", 56, 4, digits},
			{"file id", 64, 16, identifier},
		},
		cmdClose: {
			{"flags", 2, 2, digits},
			{"created", 8, 8, moment},
			{"accessed", 16, 8, moment},
			{"written", 24, 8, moment},
			{"changed", 32, 8, moment},
			{"allocated", 40, 8, bytesOf},
			{"size", 48, 8, bytesOf},
			{"attributes", 56, 4, digits},
		},
		cmdRead:           {{"length", 4, 4, bytesOf}, {"remaining", 8, 4, bytesOf}},
		cmdWrite:          {{"count", 4, 4, bytesOf}, {"remaining", 8, 4, bytesOf}},
		cmdIoctl:          {{"function", 4, 4, words}, {"file id", 8, 16, identifier}, {"input", 24, 28, payload32}, {"output", 32, 36, payload32}},
		cmdQueryDirectory: {{"output", 2, 4, payload32}},
		15:                {{"output", 2, 4, payload32}},
		cmdQueryInfo:      {{"output", 2, 4, payload32}},
		cmdOplockBreak:    {{"oplock", 2, 1, words}, {"file id", 8, 16, identifier}},
	}
)

// Words for the values of parts ([MS-SMB2] sections 2.2.10, 2.2.13 and 2.2.14).
var (
	shareTypes   = map[uint32]string{1: "disk", 2: "pipe", 3: "printer"}
	oplockLevels = map[uint32]string{0: "none", 1: "level II", 8: "exclusive", 9: "batch", 255: "lease"}
	dispositions = map[uint32]string{0: "supersede", 1: "open", 2: "create", 3: "open or create", 4: "overwrite", 5: "overwrite or create"}
	didActions   = map[uint32]string{0: actions[0], 1: actions[1], 2: actions[2], 3: actions[3]}
	flagNames    = [...]string{"response", "async", "related", "signed"}
)

// outlined shows a message: its header, and the fields of its command. What is read, written
// or proves who somebody is, is only told the size of.
func outlined(m, _ *dissector.Message, limit int) []byte {
	b := m.Raw
	if len(b) >= prefix+4 && b[0] == sessionMessage && headerOf(b[prefix:prefix+4]) != 0 {
		b = b[prefix:]
	}
	if len(b) < headerSMB2 || string(b[:4]) != idSMB2 {
		return nil
	}
	h, ok := readHeader(b, int64(len(b)))
	if !ok && h.command >= len(commands) {
		return nil
	}
	o := outline.New(limit)
	o.Named("command", int64(h.command), commands[h.command].name)
	if h.response {
		o.Say("status", named(statuses, h.status))
	}
	o.Unsigned("credits", uint64(le.Uint16(b[14:])))
	o.Say("flags", flagsOf(h.flags))
	o.Unsigned("message id", h.id)
	if h.async != 0 {
		o.Unsigned("async id", h.async)
	} else {
		o.Unsigned("tree id", uint64(h.tree))
	}
	o.Hex("session id", h.session, 16)
	if name := File.Get(&m.Values); len(name) > 0 && h.command != cmdCreate {
		o.Text("file", name)
	}
	if h.response && h.status>>30 == severityError && h.status != statusMoreProcessing {
		return o.Bytes()
	}
	parts := asked[h.command]
	if h.response {
		parts = answered[h.command]
	}
	at := body{b: b, size: max(int64(len(b)), m.Size)}
	if at.u16(0) == sizeLease && h.command == cmdOplockBreak {
		return o.Bytes()
	}
	for _, x := range parts {
		x.write(o, &at, h.command)
	}
	if h.command == cmdNegotiate && !h.response {
		var list []string
		for i := range min(at.u16(2), maxListed) {
			list = append(list, named(dialects, uint32(at.u16(36+2*i))))
		}
		o.Say("offered", strings.Join(list, ", "))
	}
	return o.Bytes()
}

// sizeLease tells the OPLOCK_BREAK of a lease from that of an oplock.
const sizeLease = 44

func flagsOf(flags uint32) string {
	var list []string
	for i, name := range flagNames {
		if flags>>i&1 != 0 {
			list = append(list, name)
		}
	}
	return strings.Join(list, ", ")
}

// write writes a part, unless it is not at hand.
func (x *part) write(o *outline.Writer, b *body, command int) {
	switch x.form {
	case text:
		if b.at(x.at, 2) == nil || b.at(x.size, 2) == nil {
			return
		}
		if data, cut, ok := b.buffer(b.u16(x.at), b.u16(x.size)); ok {
			o.Say(x.name, string(appendUTF16(nil, data, cut)))
		}
	case payload:
		if b.at(x.size, 2) != nil {
			o.Size(x.name, int64(b.u16(x.size)))
		}
	case payload32:
		if b.at(x.size, 4) != nil {
			o.Size(x.name, int64(b.u32(x.size)))
		}
	case identifier:
		if id := b.at(x.at, x.size); id != nil {
			o.Say(x.name, hex.EncodeToString(id))
		}
	default:
		if v := b.at(x.at, x.size); v != nil {
			x.writeNumber(o, b, command)
		}
	}
}

func (x *part) writeNumber(o *outline.Writer, b *body, command int) {
	n := uint64(0)
	for i, c := range b.at(x.at, x.size) {
		n |= uint64(c) << (8 * i)
	}
	switch x.form {
	case digits:
		o.Hex(x.name, n, 2*x.size)
	case bytesOf:
		o.Size(x.name, int64(n))
	case moment:
		if n != 0 {
			o.Say(x.name, fileTime(n))
		}
	case words:
		o.Say(x.name, x.word(b, command))
	default:
		o.Unsigned(x.name, n)
	}
}

// word is the word for a part that has some.
func (x *part) word(b *body, command int) string {
	switch x.name {
	case "class":
		if command == cmdQueryDirectory {
			return infoName(fileInformation, b.u8(2))
		}
		return infoName(b.u8(2), b.u8(3))
	case "function":
		return named(functions, b.u32(4))
	case "dialect":
		return named(dialects, uint32(b.u16(4)))
	case "share type":
		return named(shareTypes, uint32(b.u8(2)))
	case "disposition":
		return named(dispositions, b.u32(36))
	case "action":
		return named(didActions, b.u32(4))
	}
	return named(oplockLevels, uint32(b.u8(x.at)))
}

// secondsTo1970 is how many seconds after 1601, where file times begin ([MS-DTYP] section
// 2.3.3), the year 1970 began.
const secondsTo1970 = 11644473600

func fileTime(n uint64) string {
	return time.Unix(int64(n/1e7)-secondsTo1970, int64(n%1e7)*100).UTC().Format(time.RFC3339Nano)
}
