package cassandra

import (
	"bytes"
	"unicode/utf8"
)

// clip cuts a text to n bytes, but no character in two.
func clip(b []byte, n int) []byte {
	if len(b) <= n {
		return b
	}
	for i := 0; i < utf8.UTFMax && n > 0 && !utf8.RuneStart(b[n]); i++ {
		n--
	}
	return b[:n]
}

// appendQuery appends the text of a statement, at most limit bytes of it and "..." if
// there is more, without passwords.
func appendQuery(dst, query []byte, limit int, cut bool) []byte {
	if head := clip(query, limit); len(head) < len(query) {
		query, cut = head, true
	}
	query = bytes.ToValidUTF8(query, []byte("\uFFFD"))
	if from := secret(query); from >= 0 {
		query = mask(query, from)
	}
	if dst = append(dst, query...); cut {
		dst = append(dst, "..."...)
	}
	return dst
}

// appendLine appends a text as one line of at most limit bytes.
func appendLine(dst, text []byte, limit int) []byte {
	n := len(dst)
	for word := range bytes.FieldsSeq(clip(text, 2*limit)) {
		if len(dst) > n {
			dst = append(dst, ' ')
		}
		if dst = append(dst, word...); len(dst)-n > limit {
			return append(dst[:n+len(clip(dst[n:], limit))], "..."...)
		}
	}
	return dst
}

// secret returns where in a statement that makes or changes a role the passwords
// begin, -1 in any other.
func secret(query []byte) int {
	first := skipComments(query)
	if len(first) < 6 || !bytes.EqualFold(first[:5], []byte("alter")) && !bytes.EqualFold(first[:6], []byte("create")) {
		return -1
	}
	for i := 0; i+8 <= len(query); i++ {
		if query[i]|0x20 == 'p' && bytes.EqualFold(query[i:i+8], []byte("password")) {
			return i
		}
	}
	return -1
}

// skipComments returns a statement from its first word on.
func skipComments(query []byte) []byte {
	for {
		query = bytes.TrimLeft(query, " \t\r\n;")
		var end int
		switch {
		case bytes.HasPrefix(query, []byte("/*")):
			if end = bytes.Index(query, []byte("*/")); end >= 0 {
				end += 2
			}
		case bytes.HasPrefix(query, []byte("--")), bytes.HasPrefix(query, []byte("//")):
			end = bytes.IndexByte(query, '\n')
		default:
			return query
		}
		if end < 0 {
			return nil
		}
		query = query[end:]
	}
}

// mask returns a statement with *** for each literal behind from: between quotes, in
// which a quote is doubled, or between $$.
func mask(query []byte, from int) []byte {
	out := append([]byte(nil), query[:from]...)
	for i := from; i < len(query); i++ {
		switch {
		case query[i] == '\'':
			for i++; i < len(query) && (query[i] != '\'' || i+1 < len(query) && query[i+1] == '\''); i++ {
				if query[i] == '\'' {
					i++
				}
			}
			out = append(out, "'***'"...)
		case bytes.HasPrefix(query[i:], []byte("$$")):
			end := bytes.Index(query[i+2:], []byte("$$"))
			if end < 0 {
				end = len(query)
			}
			i += 3 + end
			out = append(out, "$$***$$"...)
		default:
			out = append(out, query[i])
		}
	}
	return out
}

// printable tells whether b is text as statements and names are.
func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\t' && c != '\r' || c == 0x7f {
			return false
		}
	}
	return true
}
