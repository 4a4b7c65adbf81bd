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
// there is more or if it is cut already. Passwords are shown as ***, other bytes
// that are no text as U+FFFD.
func appendSQL(dst, sql []byte, limit int, cut bool) []byte {
	if head := whole(sql, limit); len(head) < len(sql) {
		sql, cut = head, true
	}
	if from := secret(sql); from >= 0 {
		sql = mask(sql, from)
	}
	if !utf8.Valid(sql) {
		sql = bytes.ToValidUTF8(sql, []byte("\uFFFD"))
	}
	if dst = append(dst, sql...); cut {
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
	name := bytes.TrimRight(bytes.TrimSpace(rest), "; \t\r\n")
	if len(name) > 1 && name[0] == '`' && name[len(name)-1] == '`' {
		name = name[1 : len(name)-1]
	}
	if len(name) == 0 || len(name) > maxName || !plain(name) {
		return nil
	}
	return name
}

// secret returns the offset from which on a statement's string literals may be
// passwords, -1 when none are: those behind IDENTIFIED or PASSWORD in what sets one.
func secret(sql []byte) int {
	switch w, _ := word(skipComments(sql)); w {
	case "CREATE", "ALTER", "GRANT", "SET", "CHANGE", "START", "DO":
	default:
		return -1
	}
	for i := 0; i+8 <= len(sql); i++ {
		switch sql[i] | 0x20 {
		case 'i':
			if i+10 <= len(sql) && bytes.EqualFold(sql[i:i+10], []byte("identified")) {
				return i
			}
		case 'p':
			if bytes.EqualFold(sql[i:i+8], []byte("password")) {
				return i
			}
		}
	}
	return -1
}

// mask returns a statement with *** for each string literal behind from.
func mask(sql []byte, from int) []byte {
	out := append([]byte(nil), sql[:from]...)
	for i := from; i < len(sql); i++ {
		quote := sql[i]
		out = append(out, quote)
		if quote != '\'' && quote != '"' {
			continue
		}
		for i++; i < len(sql) && sql[i] != quote; i++ {
			if sql[i] == '\\' {
				i++
			}
		}
		out = append(out, "***"...)
		if i < len(sql) {
			out = append(out, quote)
		}
	}
	return out
}
