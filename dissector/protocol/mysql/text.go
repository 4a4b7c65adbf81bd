package mysql

import (
	"bytes"
	"unicode/utf8"
)

// clip cuts b to n bytes.
func clip(b []byte, n int) []byte { return b[:min(len(b), n)] }

// whole cuts b to n bytes, but no character in two.
func whole(b []byte, n int) []byte {
	if len(b) <= n {
		return b
	}
	for i := 0; i < utf8.UTFMax && n > 0 && !utf8.RuneStart(b[n]); i++ {
		n--
	}
	return b[:n]
}

// appendSQL appends a statement's text, at most limit bytes of it and "..." if
// there is more or if it is cut already. From a secret on it is ***, bytes that are
// no text are U+FFFD.
func appendSQL(dst, sql []byte, limit int, cut bool) []byte {
	end := secret(sql, cut)
	if end >= 0 {
		sql, cut = sql[:end], false
	}
	dst = appendText(dst, sql, limit, cut)
	if end > 0 && named(sql[end-1]) {
		dst = append(dst, ' ')
	}
	if end >= 0 {
		dst = append(dst, "***"...)
	}
	return dst
}

// appendText appends a text, at most limit bytes of it and "..." if there is more or
// if it is cut already. Bytes that are no text are U+FFFD.
func appendText(dst, text []byte, limit int, cut bool) []byte {
	if head := whole(text, limit); len(head) < len(text) {
		text, cut = head, true
	}
	if !utf8.Valid(text) {
		text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
	}
	if dst = append(dst, text...); cut {
		dst = append(dst, "..."...)
	}
	return dst
}

// appendLine appends a text as one line, at most limit bytes of it.
func appendLine(dst, text []byte, limit int) []byte {
	n := len(dst)
	for len(text) > 0 {
		c := text[0]
		if c > ' ' {
			size := 1
			if c >= utf8.RuneSelf {
				_, size = utf8.DecodeRune(text)
			}
			if len(dst)-n+size > limit {
				return append(dst, "..."...)
			}
			dst = append(dst, text[:size]...)
			text = text[size:]
			continue
		}
		text = bytes.TrimLeftFunc(text, func(r rune) bool { return r <= ' ' })
		if len(text) > 0 && len(dst) > n {
			if len(dst)-n >= limit {
				return append(dst, "..."...)
			}
			dst = append(dst, ' ')
		}
	}
	return dst
}

// skipComments returns a statement from its first word on.
func skipComments(sql []byte) []byte {
	for {
		sql = bytes.TrimLeft(sql, " \t\r\n(;\x00")
		var end int
		switch {
		case bytes.HasPrefix(sql, []byte("/*!")), bytes.HasPrefix(sql, []byte("/*M!")): // run by the server
			end = bytes.IndexByte(sql, '!')
			for end+1 < len(sql) && digit(sql[end+1]) {
				end++
			}
			end++
		case bytes.HasPrefix(sql, []byte("/*")):
			if end = bytes.Index(sql, []byte("*/")); end >= 0 {
				end += 2
			}
		case bytes.HasPrefix(sql, []byte("-- ")), bytes.HasPrefix(sql, []byte("#")):
			end = bytes.IndexByte(sql, '\n')
		default:
			return sql
		}
		if end < 0 {
			return nil
		}
		sql = sql[end:]
	}
}

// word returns the first word of a text in capitals, empty if it is none or longer
// than any that is looked for, and what follows it.
func word(sql []byte) (w string, rest []byte) {
	var b [16]byte
	for i, c := range sql {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		switch {
		case !letter && c != '_':
			return string(b[:i]), sql[i:]
		case i == len(b):
			return "", sql[i:]
		case letter:
			c &^= 0x20
		}
		b[i] = c
	}
	return string(b[:min(len(sql), len(b))]), nil
}

// used returns the database that a statement chooses: USE name.
func used(sql []byte) []byte {
	sql = skipComments(sql)
	if len(sql) < 5 || sql[0]|0x20 != 'u' {
		return nil
	}
	w, rest := word(sql)
	if w != "USE" {
		return nil
	}
	rest = bytes.TrimSpace(rest)
	end := 0
	if len(rest) > 0 && rest[0] == '`' {
		rest = rest[1:]
		if end = bytes.IndexByte(rest, '`'); end >= 0 && bytes.HasPrefix(rest[end+1:], []byte("`")) {
			return nil // a name with a backtick in it
		}
	} else if end = bytes.IndexAny(rest, "; \t\r\n"); end < 0 {
		end = len(rest)
	}
	if end <= 0 || end > maxName || !plain(rest[:end]) {
		return nil
	}
	return rest[:end] // other statements may follow
}

// secrets are the words behind which passwords and keys stand, by their first letters;
// longer ones before those that they begin with.
var secrets = [...][]string{
	'a': {"aes_encrypt", "aes_decrypt", "authentication_string"},
	'd': {"des_encrypt", "des_decrypt"},
	'i': {"identified by", "identified"},
	'p': {"password", "passwd", "passphrase", "pwd"},
	'r': {"rds_set_external_"},
	's': {"secret"},
	'z': nil,
}

// secret returns the end of the first word in a statement behind which a secret may
// stand, -1 if there is none; cut says that the statement goes on. What is a literal or
// a comment does not count: whoever is wrong about a single quote shows the secret and
// hides all else.
func secret(sql []byte, cut bool) int {
	judged, names, bare := false, 0, false
	for i, c := range sql {
		if c == ':' {
			if n := userInfo(sql[i:], cut); n > 0 {
				return i + n
			}
			continue
		}
		c = lower(c)
		if int(c) >= len(secrets) {
			continue
		}
		for _, w := range secrets[c] {
			if !hasFold(sql[i:], w) {
				continue
			}
			if !judged && !cut {
				names, bare = listed(sql), valueless(sql, i)
			}
			judged = true
			if end := i + len(w); !bare && (i >= names || !lists(sql[end:])) {
				return end
			}
			break
		}
	}
	return -1
}

// userInfo returns how long the beginning of a URL is, from the colon of :// to that
// before a password; 0 if there is none.
func userInfo(b []byte, cut bool) int {
	if !bytes.HasPrefix(b, []byte("://")) {
		return 0
	}
	n := bytes.IndexAny(b[3:min(len(b), 3+maxText)], ":/@ \t\r\n")
	if n < 0 || b[3+n] != ':' {
		return 0
	}
	n += 4
	port := n
	for port < len(b) && digit(b[port]) {
		port++
	}
	if port > n && port < len(b) && b[port] == '/' || !cut && bytes.IndexByte(b[n:min(len(b), n+maxText)], '@') < 0 {
		return 0
	}
	return n
}

// listed returns how far a statement holds only the names that SELECT lists.
func listed(sql []byte) int {
	if !hasFold(sql, "select") {
		return 0
	}
	i := 0
	for i < len(sql) && (named(sql[i]) || bytes.IndexByte([]byte(" \t\r\n,.*`"), sql[i]) >= 0) {
		i++
	}
	return i
}

// lists tells whether a name in the list of a SELECT ends at the front of rest, or
// behind a few letters more: another one follows, or FROM.
func lists(rest []byte) bool {
	rest = rest[:min(len(rest), maxName)]
	for len(rest) > 0 && named(rest[0]) {
		rest = rest[1:]
	}
	rest = bytes.TrimLeft(rest, "` \t\r\n")
	return len(rest) > 0 && rest[0] == ',' || hasFold(rest, "from") && len(rest) > 4 && rest[4] <= ' '
}

// valueless tells whether a statement on rows has no literal, and from the word at i on
// no number and nothing set or compared but to parameters.
func valueless(sql []byte, i int) bool {
	switch w, _ := word(sql); w {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE":
	default:
		return false
	}
	sql = bytes.TrimRight(sql, "; \t\r\n")
	if bytes.ContainsAny(sql, "'\";#") || bytes.Contains(sql, []byte("--")) || bytes.Contains(sql, []byte("/*")) {
		return false
	}
	for i++; i < len(sql); i++ {
		if digit(sql[i]) && !named(sql[i-1]) || sql[i] == '=' && !parameter(sql[i+1:]) {
			return false
		}
	}
	return true
}

// parameter tells whether a value is one.
func parameter(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && bytes.IndexByte([]byte("?$:@%"), b[0]) >= 0
}

// hasFold tells whether b begins with a word in small letters, whatever its case.
func hasFold(b []byte, w string) bool {
	if len(b) < len(w) {
		return false
	}
	for i := range len(w) {
		if lower(b[i]) != w[i] {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}

// named tells whether c may be in a name.
func named(c byte) bool {
	c = lower(c)
	return 'a' <= c && c <= 'z' || digit(c) || c == '_' || c == '$' || c >= utf8.RuneSelf
}

// discreet returns an error's text without what it quotes of a statement of which a
// part is not shown. Behind the first quote nothing is sure: the secret may have quotes
// in it.
func discreet(text, query []byte) []byte {
	i := bytes.IndexAny(text, "'\"`\u2018\u2019\u201a\u201c\u201d\u201e«»")
	if i < 0 || !bytes.Contains(query, []byte("***")) {
		return text
	}
	return append(bytes.Clone(text[:i]), "'***'"...)
}
