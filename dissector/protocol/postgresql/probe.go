package postgresql

import (
	"bytes"
	"encoding/binary"

	"shark/dissector"
	"shark/dissector/wire"
)

// proof is what a message says about the stream that it is found in.
type proof uint8

const (
	never proof = iota // the side sends no such message
	short              // more bytes may tell
	weak               // it may be one
	sure               // nothing else looks so
)

// maxProbed is how many messages are looked at: one that is sure is enough, and of
// weak ones more make no proof.
const maxProbed = 8

// probe names who sent the messages at the front of head. The types of the two sides
// overlap; the bodies do not.
func probe(head []byte) dissector.Guess {
	if len(head) == 0 {
		return dissector.More
	}
	if head[0] == 0 {
		return probePacket(head)
	}
	client, server := chain(head, ofClient), chain(head, ofServer)
	switch {
	case client == sure && server != sure:
		return dissector.Request
	case server == sure && client != sure:
		return dissector.Response
	case client == short || server == short:
		return dissector.More
	case client == weak && server == never:
		return dissector.MaybeRequest
	case server == weak && client == never:
		return dissector.MaybeResponse
	}
	return dissector.No
}

// probePacket looks at a packet that has no type.
func probePacket(head []byte) dissector.Guess {
	if len(head) < 8 {
		// Two zero bytes of the length, then what a length and a version begin with.
		if len(head) > 1 && head[1] != 0 || len(head) > 4 && head[4] != 0 && head[4] != 1234>>8 && head[4] != 4 {
			return dissector.No
		}
		return dissector.More
	}
	size, code, ok := packetHead(head)
	switch {
	case !ok:
		return dissector.No
	case code>>16 != 3:
		if len(head) > size {
			return dissector.No
		}
		return dissector.Request
	}
	b := head[8:min(len(head), size)]
	for n := 0; ; n++ {
		if len(b) > 0 && b[0] == 0 {
			if n > 1 && n%2 == 0 && len(b) == 1 && size == len(head) {
				return dissector.Request
			}
			return dissector.No
		}
		s, rest, whole := text(b)
		if n%2 == 0 && !isParameter(s) || n%2 == 1 && !printable(s) {
			return dissector.No
		}
		if !whole {
			if len(head) >= size {
				return dissector.No
			}
			return dissector.More
		}
		if b = rest; n%2 == 0 && len(b) > 0 && b[0] == 0 { // an empty value
			b = b[1:]
			n++
		}
	}
}

// isParameter tells whether a text may be the name of a parameter, such as user or
// _pq_.option.
func isParameter(s []byte) bool {
	for _, c := range s {
		if !isLetter(c) && c != '.' && (c < '0' || c > '9') {
			return false
		}
	}
	return len(s) <= maxName
}

// chain looks at the messages at the front of b until one of them is sure.
func chain(b []byte, of func(kind byte, n int64, body []byte) proof) proof {
	best := never
	for range maxProbed {
		if len(b) == 0 {
			return best
		}
		if len(b) < 5 {
			if best == never && of(b[0], 0, nil) != never {
				return short
			}
			return best
		}
		n := int64(binary.BigEndian.Uint32(b[1:])) - 4
		if n < 0 || n >= maxFrame {
			return never
		}
		body := b[5:min(int64(len(b)), 5+n)]
		switch p := of(b[0], n, body); p {
		case weak:
			best = weak
		default:
			if p == short && best == weak {
				return weak
			}
			return p
		}
		if int64(len(b)) <= 5+n {
			return best
		}
		b = b[5+n:]
	}
	return best
}

// ofClient judges a message, of whose body of n bytes the first are at hand. With no
// length known, n is 0 and body is nil.
func ofClient(kind byte, n int64, body []byte) proof {
	whole := int64(len(body)) == n
	if body == nil {
		return known(kind, "QFSdcfHXpPBDEC")
	}
	first, rest, ok := text(body)
	switch kind {
	case 'Q':
		return probeStatement(first, rest, ok, whole)
	case 'P':
		if !ok {
			return unfinished(first, whole, maxName)
		}
		if !printable(first) {
			return never
		}
		query, types, ended := text(rest)
		if count, _, counted := number(types); ended && whole && (!counted || len(types) != 2+4*count) {
			return never
		}
		return probeStatement(query, nil, ended, whole)
	case 'B':
		stmt, rest, ok2 := text(rest)
		if !ok || !ok2 {
			return unfinished(append(first[:len(first):len(first)], stmt...), whole, 2*maxName)
		}
		return probeBind(first, stmt, rest, whole)
	case 'D', 'C':
		if n < 2 || len(body) > 0 && body[0] != 'S' && body[0] != 'P' || n > maxName+2 {
			return never
		}
		if !whole {
			return short
		}
		return when(ok && len(rest) == 0 && printable(first), weak)
	case 'E':
		if n < 5 || n > maxName+5 {
			return never
		}
		if !whole {
			return short
		}
		return when(ok && len(rest) == 4 && printable(first), weak)
	case 'S', 'H', 'X', 'c':
		return when(n == 0, weak)
	case 'd':
		return weak
	case 'f':
		return when(!whole || ok && len(rest) == 0, weak)
	case 'F':
		return when(n >= 10, weak)
	}
	return never
}

// known judges a type of which nothing else is at hand.
func known(kind byte, kinds string) proof {
	return when(bytes.IndexByte([]byte(kinds), kind) >= 0, short)
}

// when is p where a condition holds.
func when(ok bool, p proof) proof {
	if !ok {
		return never
	}
	return p
}

// unfinished judges a text of which the end is not at hand.
func unfinished(b []byte, whole bool, limit int) proof {
	return when(!whole && len(b) <= limit && printable(b), short)
}

// probeStatement judges the text of a statement: without its end it is believed when it is
// long.
func probeStatement(query, rest []byte, ended, whole bool) proof {
	switch {
	case !printable(query) || whole && !ended || len(rest) > 0:
		return never
	case ended && len(query) == 0:
		return weak
	case ended || len(query) >= maxSeen:
		return sure
	}
	return short
}

// probeBind judges a Bind behind its two names: formats, values, formats.
func probeBind(portal, stmt, b []byte, whole bool) proof {
	if !printable(portal) || !printable(stmt) || len(portal) > maxName || len(stmt) > maxName {
		return never
	}
	missing := when(!whole, short)
	n, b, ok := number(b)
	if !ok || len(b) < 2*n {
		return missing
	}
	values, b, ok := number(b[2*n:])
	if !ok {
		return missing
	}
	if n > 1 && n != values {
		return never
	}
	for range values {
		if len(b) < 4 {
			return missing
		}
		size := int64(int32(binary.BigEndian.Uint32(b)))
		if b = b[4:]; size < -1 {
			return never
		}
		if size = max(size, 0); size > int64(len(b)) {
			if !whole && len(b) >= maxText {
				return weak
			}
			return missing
		}
		b = b[size:]
	}
	results, b, ok := number(b)
	if !ok {
		return missing
	}
	return when(whole && len(b) == 2*results, sure)
}

// ofServer is ofClient for the server.
func ofServer(kind byte, n int64, body []byte) proof {
	whole := int64(len(body)) == n
	if body == nil {
		return known(kind, "RKSZTDCENIs123ntAGHWdcVv")
	}
	switch kind {
	case 'Z':
		if !whole {
			return when(n == 1, short)
		}
		return when(n == 1 && transactions[body[0]] != "", sure)
	case 'R':
		return probeAuthentication(n, body)
	case 'C':
		return probeTag(n, body, whole)
	case 'E', 'N':
		return probeError(body, whole)
	case 'S':
		key, rest, ok := text(body)
		value, rest, ok2 := text(rest)
		if !whole {
			return when(isParameter(key) && printable(value), short)
		}
		return when(ok && ok2 && len(rest) == 0 && isParameter(key) && len(key) > 0 && printable(value), weak)
	case 'T':
		return probeColumns(body, whole)
	case 'D':
		return probeRow(n, body)
	case '1', '2', '3', 'n', 's', 'I', 'c':
		return when(n == 0, weak)
	case 'K':
		return when(n >= 8 && n <= 260, weak)
	case 't':
		if !whole && len(body) < 2 {
			return short
		}
		count, _, ok := number(body)
		return when(ok && n == int64(2+4*count), weak)
	case 'G', 'H', 'W':
		if len(body) < 3 {
			return when(!whole, short)
		}
		return when(body[0] < 2 && n == 3+2*int64(binary.BigEndian.Uint16(body[1:])), weak)
	case 'd', 'V', 'v':
		return weak
	case 'A':
		return when(n >= 6 && n <= maxSeen, weak)
	}
	return never
}

// probeAuthentication judges an AuthenticationRequest.
func probeAuthentication(n int64, body []byte) proof {
	if n < 4 || n > maxSeen {
		return never
	}
	if len(body) < 4 {
		return short
	}
	switch binary.BigEndian.Uint32(body) {
	case 0, 2, 3, 7, 9:
		return when(n == 4, sure)
	case 5:
		return when(n == 8, sure)
	case 8, 10, 11, 12:
		return weak
	}
	return never
}

// probeTag judges the tag of a CommandComplete: words in capitals, then numbers. One
// word or name alone might be the name of what a client closes.
func probeTag(n int64, body []byte, whole bool) proof {
	if n < 2 || n > maxName {
		return never
	}
	digits := false
	tag, rest, ok := text(body)
	for i, c := range tag {
		switch {
		case 'A' <= c && c <= 'Z' && !digits:
		case c == ' ' && i > 0:
		case '0' <= c && c <= '9' && i > 0 && (digits || tag[i-1] == ' '):
			digits = true
		default:
			return never
		}
	}
	if !whole {
		return short
	}
	if !ok || len(rest) > 0 {
		return never
	}
	return when(tags[string(tag[:max(0, bytes.IndexByte(append(tag[:len(tag):len(tag)], ' '), ' '))])], sure)
}

// tags are the first words of the tags that there are (src/include/tcop/cmdtaglist.h).
var tags = map[string]bool{
	"ALTER": true, "ANALYZE": true, "BEGIN": true, "CALL": true, "CHECKPOINT": true, "CLOSE": true, "CLUSTER": true,
	"COMMENT": true, "COMMIT": true, "COPY": true, "CREATE": true, "DEALLOCATE": true, "DECLARE": true, "DELETE": true,
	"DISCARD": true, "DO": true, "DROP": true, "EXECUTE": true, "EXPLAIN": true, "FETCH": true, "GRANT": true,
	"IMPORT": true, "INSERT": true, "LISTEN": true, "LOAD": true, "LOCK": true, "MERGE": true, "MOVE": true,
	"NOTIFY": true, "PREPARE": true, "REASSIGN": true, "REFRESH": true, "REINDEX": true, "RELEASE": true, "RESET": true,
	"REVOKE": true, "ROLLBACK": true, "SAVEPOINT": true, "SECURITY": true, "SELECT": true, "SET": true, "SHOW": true,
	"START": true, "TRUNCATE": true, "UNLISTEN": true, "UPDATE": true, "VACUUM": true,
}

// probeError judges an ErrorResponse or NoticeResponse: it begins with its severity.
func probeError(b []byte, whole bool) proof {
	for i, want := range "SVCM" {
		if len(b) == 0 {
			return when(!whole, short)
		}
		if rune(b[0]) != want && (want != 'V' || b[0] != 'C') {
			return never
		}
		if want == 'V' && b[0] == 'C' { // before version 9.6
			continue
		}
		value, rest, ok := text(b[1:])
		if !printable(value) || i < 3 && len(value) > maxName || ok && want == 'C' && len(value) != 5 {
			return never
		}
		if !ok {
			return when(!whole, short)
		}
		b = rest
	}
	return sure
}

// probeColumns judges a RowDescription: names, each with 18 bytes behind it.
func probeColumns(b []byte, whole bool) proof {
	count, b, ok := number(b)
	if !ok {
		return when(!whole, short)
	}
	if count > 1664 { // MaxTupleAttributeNumber
		return never
	}
	for i := range count {
		name, rest, ok := text(b)
		if !printable(name) || len(name) > maxName {
			return never
		}
		if !ok || len(rest) < 18 {
			return when(!whole, short)
		}
		if format := binary.BigEndian.Uint16(rest[16:]); format > 1 {
			return never
		}
		if b = rest[18:]; i >= 3 {
			return sure
		}
	}
	if count == 0 {
		return when(whole, weak)
	}
	return when(len(b) == 0, sure)
}

// probeRow judges a DataRow: its lengths add up to its own.
func probeRow(n int64, b []byte) proof {
	left := n - 2
	count, b, ok := number(b)
	if !ok || left < int64(4*count) || count > 1664 {
		return when(!ok && n >= 2, short)
	}
	for range count {
		if len(b) < 4 {
			return when(left >= 4, weak)
		}
		size := int64(int32(binary.BigEndian.Uint32(b)))
		left -= 4 + max(size, 0)
		if size < -1 || left < 0 {
			return never
		}
		b = b[min(int64(len(b)), 4+max(size, 0)):]
	}
	return when(left == 0, weak)
}

// printable tells whether b is text as statements and names are.
func printable(b []byte) bool { return wire.Printable(b, "\n\t\r") }
