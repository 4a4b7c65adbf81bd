package mysql

import (
	"bytes"
	"unicode/utf8"

	"shark/dissector/secret"
	"shark/dissector/wire"
)

// clip cuts b to n bytes.
func clip(b []byte, n int) []byte { return b[:min(len(b), n)] }

// appendSQL appends a statement's text, at most limit bytes of it and "..." if
// there is more or if it is cut already. From a secret on it is ***, bytes that are
// no text are U+FFFD.
func appendSQL(dst, sql []byte, limit int, cut bool) []byte {
	n, mask := secrets.Shown(sql, cut)
	return append(appendText(dst, sql[:n], limit, cut && mask == ""), mask...)
}

// appendText appends a text, at most limit bytes of it and "..." if there is more or
// if it is cut already. Bytes that are no text are U+FFFD.
func appendText(dst, text []byte, limit int, cut bool) []byte {
	if head := wire.Cut(text, limit); len(head) < len(text) {
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

// secrets finds passwords and keys in statements.
var secrets = secret.Dialect{
	Words: ['z' + 1][]string{
		'a': {"aes_encrypt", "aes_decrypt", "authentication_string"},
		'd': {"des_encrypt", "des_decrypt"},
		'i': {"identified by", "identified"},
		'p': {"password", "passwd", "passphrase", "pwd"},
		'r': {"rds_set_external_"},
		's': {"secret"},
	},
	Sign: '$', List: "`$", Close: "`", Value: "'\";#", Verbs: []string{"replace"},
}
