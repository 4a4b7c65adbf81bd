package filter

import (
	"fmt"
	"net/netip"
	"strings"
)

// kind is the kind of a token.
type kind uint8

const (
	tokEnd    kind = iota
	tokNumber      // num
	tokName        // a host, port or protocol name; text is without a leading backslash
	tokIPv4        // dotted, 2 to 4 parts
	tokIPv6        // addr
	tokMAC         // mac
	tokProto       // proto
	tokWord        // any other keyword: text
	tokSymbol      // operator or bracket: text
)

// token is one lexical element of an expression.
type token struct {
	kind  kind
	proto proto
	num   uint32
	pos   int
	text  string
	addr  netip.Addr
	mac   [6]byte
}

// is tells whether t is this keyword or symbol.
func (t *token) is(text string) bool {
	return (t.kind == tokWord || t.kind == tokSymbol) && t.text == text
}

func (t *token) String() string {
	if t.kind == tokEnd {
		return "the end"
	}
	return fmt.Sprintf("%q", t.text)
}

// symbols lists operators, longer ones first.
var symbols = []string{
	"&&", "||", ">=", "<=", "!=", "==", "<<", ">>",
	"+", "-", "*", "/", "%", ":", "[", "]", "!", "<", ">", "(", ")", "&", "|", "^", "=",
}

// spelling maps symbols and keywords to the one the parser knows.
var spelling = map[string]string{
	"&&": "and", "||": "or", "not": "!", "==": "=", "length": "len", "direction": "dir",
	"address1": "addr1", "address2": "addr2", "address3": "addr3", "address4": "addr4",
}

// lex splits an expression into tokens; the last is tokEnd. As in libpcap, the
// longest possible token is taken: "iphost" is one name, "tcp-syn" one number.
func lex(expr string) ([]token, *Error) {
	var tokens []token
	for pos := 0; ; {
		pos += len(expr[pos:]) - len(strings.TrimLeft(expr[pos:], " \r\n\t"))
		if pos == len(expr) {
			return append(tokens, token{kind: tokEnd, pos: pos}), nil
		}
		t, reason := lexOne(expr[pos:])
		if reason != "" {
			return nil, &Error{Expr: expr, Pos: pos, Reason: reason}
		}
		t.pos = pos
		pos += len(t.text)
		if t.kind == tokName {
			t.text = strings.TrimPrefix(t.text, `\`)
		}
		if s, ok := spelling[t.text]; ok && t.kind != tokName {
			t.text = s
		}
		tokens = append(tokens, t)
	}
}

// lexOne reads the token at the front of s, which is not empty. Of candidates of
// the same length the first of libpcap's rules wins: keyword, hardware address,
// number, IPv4 address, IPv6 address, name.
func lexOne(s string) (t token, reason string) {
	if s[0] == '\\' {
		n := 1 + len(notBlank(s[1:]))
		if n == 1 {
			return t, "a name is expected after the backslash"
		}
		return token{kind: tokName, text: s[:n]}, ""
	}
	name, mac, num, v4, v6 := nameLen(s), macLen(s), numberLen(s), ipv4Len(s), ipv6Len(s)
	longest := max(name, mac, num, v4, v6, colonsLen(s))
	text := s[:longest]
	switch {
	case longest == 0:
		for _, sym := range symbols {
			if strings.HasPrefix(s, sym) {
				return token{kind: tokSymbol, text: sym}, ""
			}
		}
		return t, fmt.Sprintf("%q is not part of any expression", firstRune(s))
	case longest == name && isKeyword(text):
		return keyword(text), ""
	case longest == mac:
		return token{kind: tokMAC, text: text, mac: parseMAC(text)}, ""
	case longest == num:
		return lexNumber(text)
	case longest == v4:
		return token{kind: tokIPv4, text: text}, ""
	case longest == v6:
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return t, fmt.Sprintf("%q is not an IPv6 address", text)
		}
		return token{kind: tokIPv6, text: text, addr: addr}, ""
	case longest == name:
		return token{kind: tokName, text: text}, ""
	}
	return t, fmt.Sprintf("%q is not an Ethernet address", text)
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

// notBlank returns the front of s that a backslashed name takes.
func notBlank(s string) string {
	if i := strings.IndexAny(s, " !()\n\t"); i >= 0 {
		return s[:i]
	}
	return s
}

// lexNumber reads a decimal, octal (leading 0) or hexadecimal number.
func lexNumber(text string) (t token, reason string) {
	digits, base := text, uint64(10)
	switch {
	case len(text) > 1 && text[1]|0x20 == 'x':
		digits, base = text[2:], 16
	case text[0] == '0':
		base = 8
	}
	n := uint64(0)
	for _, c := range []byte(digits) {
		d := uint64(hexValue(c))
		if d >= base {
			return t, fmt.Sprintf("%q begins with 0 but is not an octal number", text)
		}
		if n = n*base + d; n > 0xffffffff {
			return t, fmt.Sprintf("%s does not fit into 32 bits", text)
		}
	}
	return token{kind: tokNumber, text: text, num: uint32(n)}, ""
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

func isAlnum(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' }

func hexValue(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// run returns how many bytes at the front of s, at most limit, are of a class.
func run(s string, limit int, class func(byte) bool) int {
	n := 0
	for n < len(s) && n < limit && class(s[n]) {
		n++
	}
	return n
}

// nameLen is the length of the name at the front of s: letters, digits and,
// inside it, any of "-_.", a dot also at its end.
func nameLen(s string) int {
	if !isAlnum(s[0]) {
		return 0
	}
	end := 1
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case isAlnum(c) || c == '.':
			end = i + 1
		case c != '-' && c != '_':
			return end
		}
	}
	return end
}

func numberLen(s string) int {
	if len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' && isHex(s[2]) {
		return 2 + run(s[2:], len(s), isHex)
	}
	return run(s, len(s), isDigit)
}

// ipv4Len is the length of 2 to 4 numbers joined by dots.
func ipv4Len(s string) int {
	parts, n := 0, 0
	for parts < 4 {
		if parts > 0 && (n == len(s) || s[n] != '.') {
			break
		}
		at := min(parts, 1) + n // past the dot
		d := numberLen(s[at:])
		if d == 0 {
			break
		}
		n, parts = at+d, parts+1
	}
	if parts < 2 {
		return 0
	}
	return n
}

// macLen is the length of six numbers of two hexadecimal digits at most, joined
// by one kind of ":", "-" and ".", or of 12 digits in groups of four joined by
// dots or nothing.
func macLen(s string) int {
	longest := 0
	for _, form := range []struct {
		groups, least, most int
		sep                 string
	}{{6, 1, 2, ":"}, {6, 1, 2, "-"}, {6, 1, 2, "."}, {3, 4, 4, "."}, {3, 4, 4, ""}} {
		n := 0
		for g := range form.groups {
			if g > 0 {
				if !strings.HasPrefix(s[n:], form.sep) {
					n = 0
					break
				}
				n += len(form.sep)
			}
			d := run(s[n:], form.most, isHex)
			if d < form.least {
				n = 0
				break
			}
			n += d
		}
		longest = max(longest, n)
	}
	return longest
}

// parseMAC reads what macLen has measured.
func parseMAC(s string) (mac [6]byte) {
	if groups := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(":-.", r) }); len(groups) == 6 {
		for i, g := range groups {
			for _, c := range []byte(g) {
				mac[i] = mac[i]<<4 | hexValue(c)
			}
		}
		return mac
	}
	for i, c := range []byte(strings.ReplaceAll(s, ".", "")) {
		mac[i/2] = mac[i/2]<<4 | hexValue(c)
	}
	return mac
}

// colonsLen is the length of two or more hexadecimal numbers, each with colons
// after it: what looks like a hardware address but is none.
func colonsLen(s string) int {
	n, groups := 0, 0
	for {
		d := run(s[n:], 2, isHex)
		c := run(s[n+d:], len(s), func(c byte) bool { return c == ':' })
		if d == 0 || c == 0 {
			break
		}
		n, groups = n+d+c, groups+1
	}
	if groups < 2 {
		return 0
	}
	return n
}

// ipv6Len is the length of the longest front of s in the form of an IPv6
// address.
func ipv6Len(s string) int {
	const longest = 8*5 + 4*12 // more than any address that can be valid
	n := run(s, longest, func(c byte) bool { return isHex(c) || c == ':' || c == '.' || c|0x20 == 'x' })
	for ; n > 1; n-- {
		if isIPv6Form(s[:n]) {
			return n
		}
	}
	return 0
}

// isIPv6Form tells whether s has the right number of groups, with "::" for at
// least one, and an IPv4 tail for two.
func isIPv6Form(s string) bool {
	head, tail, gap := strings.Cut(s, "::")
	h, ok1 := groups(head, !gap)
	t, ok2 := groups(tail, true)
	if gap {
		return ok1 && ok2 && h+t <= 7
	}
	return ok1 && h == 8
}

// groups counts the 16-bit groups in s, an IPv4 address at its end for two.
func groups(s string, tail bool) (n int, ok bool) {
	if s == "" {
		return 0, true
	}
	parts := strings.Split(s, ":")
	for i, p := range parts {
		switch {
		case len(p) > 0 && run(p, 4, isHex) == len(p):
			n++
		case tail && i == len(parts)-1 && strings.Count(p, ".") == 3 && ipv4Len(p) == len(p):
			n += 2
		default:
			return 0, false
		}
	}
	return n, true
}
