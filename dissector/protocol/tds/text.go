package tds

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"

	"shark/dissector/secret"
	"shark/dissector/wire"
)

// appendText appends a text of two bytes a character as UTF-8, at most limit bytes of it;
// cut says that there is more.
func appendText(dst, b []byte, limit int) (out []byte, cut bool) {
	n := len(dst)
	for ; len(b) >= 2; b = b[2:] {
		c := rune(b[0]) | rune(b[1])<<8
		if utf16.IsSurrogate(c) {
			if low := utf8.RuneError; len(b) >= 4 {
				low = utf16.DecodeRune(c, rune(b[2])|rune(b[3])<<8)
				if c = low; low != utf8.RuneError {
					b = b[2:]
				}
			} else {
				c = low
			}
		}
		if len(dst)-n+utf8.RuneLen(c) > limit {
			return dst, true
		}
		dst = utf8.AppendRune(dst, c)
	}
	return dst, false
}

// decode is appendText for a name or the text of an error.
func decode(b []byte) []byte {
	out, _ := appendText(nil, b, maxText)
	return out
}

// secrets finds passwords and keys in statements and in the names of procedures and
// parameters. A procedure takes texts without quotes.
var secrets = secret.Dialect{
	Words: ['z' + 1][]string{
		'a': {"accountkey"},
		'd': {"decryptby"},
		'e': {"encryptby", "encryption by"},
		'i': {"identity_value"},
		'k': {"key_source"},
		'o': {"openrowset", "opendatasource"},
		'p': {"password", "passphrase", "pwd"},
		's': {"secret", "sp_addlogin", "sp_addlinkedsrvlogin", "sp_setapprole", "sp_addapprole", "sp_adddistributor", "signby"},
		'x': {"xp_cmdshell_proxy_account"},
	},
	Sign: '@', List: "[]", Close: "]", Value: "'\";",
	Literal: func(statement []byte) bool { return bytes.Contains(bytes.ToLower(statement), []byte("exec")) },
}

// isSecret tells whether a name is that of a secret, or of what is given secrets.
func isSecret(name []byte) bool {
	_, mask := secrets.Shown(name, true)
	return mask != ""
}

// appendQuery appends the text of a statement, at most limit bytes of it and "..." if
// there is more; *** from a secret on. cut says that the statement goes on.
func appendQuery(dst, query []byte, limit int, cut bool) []byte {
	shown, mask := secrets.Shown(query, cut)
	query, cut = query[:shown], cut && mask == ""
	if len(query) > limit {
		query, cut = wire.Cut(query, limit), true
	}
	if dst = append(dst, query...); cut {
		dst = append(dst, "..."...)
	}
	return append(dst, mask...)
}
