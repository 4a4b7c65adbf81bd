package smb2

import (
	"bytes"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"shark/dissector"
	"shark/dissector/field"
	"shark/dissector/wire"
)

// name sets a field to a name of the message and appends it to the summary.
func (p *parser) name(b *body, off, n int, f field.TextField, m *dissector.Message) error {
	data, cut, ok := b.buffer(off, n)
	if !ok {
		return errMalformed
	}
	p.text = appendUTF16(p.text[:0], data, cut)
	f.Set(&m.Values, p.text)
	p.summary = append(p.summary, p.text...)
	return nil
}

// appendUTF16 appends text in UTF-16 with the low byte first, at most maxName bytes of
// it. What is none or cannot be shown becomes U+FFFD; cut says that there is more of it
// than b.
func appendUTF16(dst, b []byte, cut bool) []byte {
	start := len(dst)
	for len(b) > 1 {
		c, n := rune(le.Uint16(b)), 2
		if utf16.IsSurrogate(c) {
			low := rune(0)
			if len(b) > 3 {
				low = rune(le.Uint16(b[2:]))
			}
			if c = utf16.DecodeRune(c, low); c != utf8.RuneError {
				n = 4
			}
		}
		if !unicode.IsPrint(c) {
			c = utf8.RuneError
		}
		if len(dst)-start+utf8.RuneLen(c) > maxName {
			cut = true
			break
		}
		dst, b = utf8.AppendRune(dst, c), b[n:]
	}
	if cut {
		dst = append(dst, wire.CutMark...)
	}
	return dst
}

// The marks of the two mechanisms in a token of GSS-API: NTLM's signature ([MS-NLMP]
// section 2.2.1) and the object identifiers of Kerberos (RFC 4121 section 4.1, and the
// wrong one that [MS-SPNG] section 3.1.5.2 keeps).
var (
	ntlmSignature = []byte("NTLMSSP\x00")
	kerberosOID   = []byte("\x2a\x86\x48\x86\xf7\x12\x01\x02\x02")
	kerberosWrong = []byte("\x2a\x86\x48\x82\xf7\x12\x01\x02\x02")
)

// Of NTLM's AUTHENTICATE_MESSAGE ([MS-NLMP] section 2.2.1.3).
const (
	ntlmAuthenticate = 3
	ntlmHeader       = 64
	ntlmUnicode      = 1
)

// authentication reads who logs on. A first token may offer Kerberos and come with one
// of NTLM at once: the token that is there tells.
func (p *parser) authentication(token []byte, m *dissector.Message) {
	v := &m.Values
	i := bytes.Index(token, ntlmSignature)
	if i < 0 {
		if bytes.Contains(token, kerberosOID) || bytes.Contains(token, kerberosWrong) {
			Mechanism.SetString(v, "Kerberos")
			p.add("Kerberos")
		}
		return
	}
	Mechanism.SetString(v, "NTLM")
	p.add("NTLM")
	if token = token[i:]; len(token) < ntlmHeader || le.Uint32(token[8:]) != ntlmAuthenticate {
		return
	}
	wide := le.Uint32(token[60:])&ntlmUnicode != 0
	for _, f := range []struct {
		at     int
		field  field.TextField
		before string
	}{{28, Domain, " "}, {36, User, `\`}, {44, Host, " from "}} {
		n, off := int(le.Uint16(token[f.at:])), int(le.Uint32(token[f.at+4:]))
		if off < 0 || off > len(token) {
			continue // out of sight
		}
		data := token[off:min(off+n, len(token))]
		if wide {
			p.text = appendUTF16(p.text[:0], data, len(data) < n)
		} else {
			p.text = appendOEM(p.text[:0], data)
		}
		f.field.Set(v, p.text)
		p.add(f.before)
		p.summary = append(p.summary, p.text...)
	}
}

// appendOEM appends text in the code page of a DOS, of which only ASCII is known.
func appendOEM(dst, b []byte) []byte {
	for _, c := range b[:min(len(b), maxName/utf8.UTFMax)] {
		if c < ' ' || c > '~' {
			dst = utf8.AppendRune(dst, utf8.RuneError)
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}
