package mysql

import (
	"bytes"
	"encoding/binary"

	"shark/dissector"
)

// What the probe believes, in bytes.
const (
	maxGreeting = 512 // of a greeting
	minSQL      = 10  // of a statement's text to tell it by, unless it ends before
	seenSQL     = 64  // of a statement's text that are looked at
	maxID       = 1 << 24
)

// probe knows a greeting and a login by their form, commands by their first byte and
// text, and results by the column definitions that follow their count. Commands
// and answers of a few bytes prove little: they are taken where the port or the
// connection is MySQL's, and where they end with the bytes at hand.
func probe(head []byte) dissector.Guess {
	if len(head) <= headerSize {
		return dissector.More
	}
	h := readHeader(head)
	if h.n == 0 {
		return dissector.No
	}
	b := head[headerSize:min(len(head), headerSize+h.n)]
	if h.seq == 0 {
		switch b[0] {
		case 9, 10:
			if g := probeGreeting(b, h); g != dissector.No {
				return g
			}
		case 0xff:
			return probeError(b, h, head)
		}
		return probeCommand(b, h, head)
	}
	if h.seq == 1 {
		if g := probeLogin(b, h); g != dissector.No {
			return g
		}
	}
	switch {
	case b[0] == 0xff:
		return probeError(b, h, head)
	case b[0] == 0x00:
		return probeOK(b, h, head)
	}
	return probeResult(b, h, head)
}

func probeGreeting(b []byte, h header) dissector.Guess {
	if h.n > maxGreeting || h.n < 16 {
		return dissector.No
	}
	g, ok := readGreeting(b, len(b) == h.n)
	switch {
	case !ok:
		return dissector.No
	case g.short:
		return dissector.More
	case b[0] == 9:
		return dissector.MaybeResponse
	}
	return dissector.Response
}

func probeLogin(b []byte, h header) dissector.Guess {
	const fixed = 4 + 4 + 1 + 23 // bytes that a login of 4.1 begins with
	if h.n < fixed || h.n > maxLogin {
		return dissector.No
	}
	if len(b) < 2 {
		return dissector.More
	}
	if binary.LittleEndian.Uint16(b)&capProtocol41 == 0 {
		return dissector.No
	}
	if zero := b[min(len(b), 9):min(len(b), 28)]; !zeros(zero) {
		return dissector.No
	}
	if len(b) < h.n {
		return dissector.More
	}
	if _, ok := readLogin(b); !ok {
		return dissector.No
	}
	return dissector.Request
}

// probeError takes an ERR packet: code, SQLSTATE, text.
func probeError(b []byte, h header, head []byte) dissector.Guess {
	if h.n < 4 || h.n > maxText {
		return dissector.No
	}
	if len(b) < h.n {
		return dissector.More
	}
	code := binary.LittleEndian.Uint16(b[1:])
	if code < 1000 || code > 30000 || len(head) > headerSize+h.n {
		return dissector.No
	}
	if b[3] != '#' {
		if h.seq > 2 || !plain(b[3:]) {
			return dissector.No
		}
		return dissector.MaybeResponse
	}
	if len(b) < 9 {
		return dissector.No
	}
	for _, c := range b[4:9] {
		if !digit(c) && (c < 'A' || c > 'Z') {
			return dissector.No
		}
	}
	return dissector.Response
}

// probeOK takes an OK packet that ends the bytes at hand, and
// COM_STMT_PREPARE_OK.
func probeOK(b []byte, h header, head []byte) dissector.Guess {
	if h.n < 7 || h.n > maxText {
		return dissector.No
	}
	if len(b) < h.n {
		return dissector.More
	}
	after := head[headerSize+h.n:]
	if likePrepared(b) {
		n := int(binary.LittleEndian.Uint16(b[5:])) + int(binary.LittleEndian.Uint16(b[7:]))
		if n > 0 {
			return defined(after, h.seq+1, dissector.Response)
		}
	}
	r := newReader(b[1:])
	r.lenenc()
	r.lenenc()
	status := r.int(2)
	r.int(2)
	// Of the status, bit 2 has no meaning, and a session is in autocommit mode or
	// in a transaction.
	if r.Bad || len(after) > 0 || status&4 != 0 || status&3 == 0 {
		return dissector.No
	}
	if info := r.B; status&statusStateChanged == 0 && !plain(info) {
		return dissector.No
	}
	return dissector.MaybeResponse
}

// probeResult takes the number of columns with the first column's definition.
func probeResult(b []byte, h header, head []byte) dissector.Guess {
	if h.n > 4 || b[0] > 0xfd || b[0] == 0xfb {
		return dissector.No
	}
	if len(b) < h.n {
		return dissector.More
	}
	r := newReader(b)
	n := r.lenenc()
	if r.Bad || n == 0 || n > maxColumns || len(r.B) > 1 || len(r.B) == 1 && r.B[0] > 1 && b[0] > 1 {
		return dissector.No
	}
	return defined(head[headerSize+h.n:], h.seq+1, dissector.Response)
}

// defined gives yes if b begins with the packet seq that defines a column: its
// catalog is always "def".
func defined(b []byte, seq byte, yes dissector.Guess) dissector.Guess {
	form := [...]byte{headerSize + 0: 3, headerSize + 1: 'd', headerSize + 2: 'e', headerSize + 3: 'f'}
	if len(b) < len(form) {
		if len(b) < headerSize || b[2] == 0 && b[3] == seq && bytes.HasPrefix(form[headerSize:], b[headerSize:]) {
			return dissector.More
		}
		return dissector.No
	}
	if h := readHeader(b); h.n < 20 || h.n > maxHead || h.seq != seq || !bytes.Equal(b[headerSize:len(form)], form[headerSize:]) {
		return dissector.No
	}
	return yes
}

// probeCommand takes a command by its form.
func probeCommand(b []byte, h header, head []byte) dissector.Guess {
	all := len(b) == h.n
	after := head[min(len(head), headerSize+h.n):]
	switch b[0] {
	case comQuery:
		return probeSQL(b[1:], all)
	case comStmtPrepare:
		return probeSQL(b[1:], all)
	case comStmtExecute:
		if h.n < 10 {
			return dissector.No
		}
		if len(b) < 10 {
			return dissector.More
		}
		if small(b[1:]) && b[5] <= 15 && binary.LittleEndian.Uint32(b[6:]) == 1 {
			return dissector.Request
		}
	case comStmtClose, comStmtReset:
		if h.n == 5 {
			return probeShort(b, all, small, after)
		}
	case comStmtFetch:
		if h.n == 9 {
			return probeShort(b, all, small, after)
		}
	case comStmtLongData:
		if h.n >= 7 && len(b) < 7 {
			return dissector.More
		}
		if h.n >= 7 && small(b[1:]) && b[6] < 16 {
			return dissector.MaybeRequest
		}
	case comQuit, comStatistics, comPing, comResetConnection, comDebug, comProcessInfo:
		if h.n == 1 {
			return probeShort(b, all, nil, after)
		}
	case comInitDB, comCreateDB, comDropDB:
		if h.n > 1 && h.n <= maxName {
			return probeShort(b, all, plain, after)
		}
	case comChangeUser:
		if h.n > 4 && h.n <= maxLogin {
			user := newReader(b[1:])
			return probeShort(b, all, func([]byte) bool { u := user.cstring(); return len(u) > 0 && plain(u) }, after)
		}
	case comBinlogDump, comBinlogDumpGTID:
		if h.n >= 11 && h.n <= maxLogin {
			return probeShort(b, all, nil, after)
		}
	}
	return dissector.No
}

// probeShort takes a command that is at hand, if what follows its first byte is good
// and if nothing, or another command, follows it.
func probeShort(b []byte, all bool, good func([]byte) bool, after []byte) dissector.Guess {
	switch {
	case !all:
		return dissector.More
	case good != nil && !good(b[1:]):
		return dissector.No
	case len(after) == 0:
		return dissector.MaybeRequest
	case len(after) <= headerSize:
		return dissector.More
	}
	h := readHeader(after)
	rest := after[headerSize:min(len(after), headerSize+h.n)]
	if h.seq != 0 || len(rest) == 0 || commands[rest[0]] == "" {
		return dissector.No
	}
	switch rest[0] {
	case comQuery, comStmtPrepare:
		return probeSQL(rest[1:], len(rest) == h.n)
	}
	return dissector.MaybeRequest
}

// small tells whether b begins with the id of a statement as servers count them.
func small(b []byte) bool {
	id := binary.LittleEndian.Uint32(b)
	return id > 0 && id < maxID
}

// verbs are the words that statements begin with.
var verbs = set("ALTER", "ANALYZE", "BACKUP", "BEGIN", "BINLOG", "CACHE", "CALL", "CHANGE", "CHECK", "CHECKSUM", "COMMIT", "CREATE",
	"DEALLOCATE", "DELETE", "DESC", "DESCRIBE", "DO", "DROP", "EXECUTE", "EXPLAIN", "FLUSH", "GET", "GRANT", "HANDLER", "HELP",
	"INSERT", "INSTALL", "KILL", "LOAD", "LOCK", "OPTIMIZE", "PREPARE", "PURGE", "RELEASE", "RENAME", "REPAIR", "REPLACE",
	"RESET", "RESIGNAL", "RESTART", "REVOKE", "ROLLBACK", "SAVEPOINT", "SELECT", "SET", "SHOW", "SHUTDOWN", "SIGNAL", "START",
	"STOP", "TABLE", "TRUNCATE", "UNINSTALL", "UNLOCK", "UPDATE", "USE", "VALUES", "WITH", "XA")

func set(words ...string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, w := range words {
		m[w] = true
	}
	return m
}

// probeSQL takes the text of a statement by its first word. Attributes may be before
// it, if only to say that there are none.
func probeSQL(text []byte, all bool) dissector.Guess {
	if bytes.HasPrefix(text, []byte{0, 1}) {
		text = text[2:]
	}
	if len(text) < minSQL && !all {
		return dissector.More
	}
	text = clip(text, seenSQL)
	for _, c := range text {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == 0x7f {
			return dissector.No
		}
	}
	w, rest := word(skipComments(text))
	if !verbs[w] || len(rest) == 0 && !all {
		return dissector.No
	}
	return dissector.Request
}
