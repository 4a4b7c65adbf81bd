package ldap

import "shark/dissector/ber"

// The tags of a search's filter (RFC 4511 section 4.5.1).
const (
	filterAnd        = 0xa0
	filterOr         = 0xa1
	filterNot        = 0xa2
	filterEqual      = 0xa3
	filterSubstrings = 0xa4
	filterGreater    = 0xa5
	filterLess       = 0xa6
	filterPresent    = 0x87
	filterApprox     = 0xa8
	filterExtensible = 0xa9

	extensibleRule  = 0x81
	extensibleType  = 0x82
	extensibleValue = 0x83
	extensibleDN    = 0x84

	substringInitial = 0x80
	substringFinal   = 0x82
)

// reserved are the characters that a filter's values hold escaped only (RFC 4515
// section 3).
const reserved = `()*\`

// hidden stands for a password.
const hidden = "***"

// filter appends a filter in the notation of RFC 4515.
func (t *text) filter(e ber.Element, depth int) {
	if depth > maxDepth {
		t.Cut = true
		return
	}
	t.Add("(")
	switch e.Tag {
	case filterAnd, filterOr, filterNot:
		t.Add(map[byte]string{filterAnd: "&", filterOr: "|", filterNot: "!"}[e.Tag])
		for !t.Cut {
			inner, ok := e.Next()
			if !ok {
				break
			}
			t.filter(inner, depth+1)
		}
	case filterEqual:
		t.assertion(&e.Reader, "=")
	case filterGreater:
		t.assertion(&e.Reader, ">=")
	case filterLess:
		t.assertion(&e.Reader, "<=")
	case filterApprox:
		t.assertion(&e.Reader, "~=")
	case filterSubstrings:
		t.substrings(&e.Reader)
	case filterPresent:
		t.octets(e.Reader, reserved)
		t.Add("=*")
	case filterExtensible:
		t.extensible(&e.Reader)
	default:
		t.Add("?")
	}
	t.Cut = t.Cut || e.Cut() || e.Bad
	t.Add(")")
}

// assertion appends an attribute and its value.
func (t *text) assertion(r *ber.Reader, operator string) {
	attribute, _ := r.Take(ber.OctetString)
	value, ok := r.Take(ber.OctetString)
	t.octets(attribute.Reader, reserved)
	t.Add(operator)
	t.value(attribute.Reader, value.Reader)
	t.Cut = t.Cut || !ok
}

func (t *text) value(attribute, value ber.Reader) {
	if secret(attribute) {
		t.Add(hidden)
	} else {
		t.octets(value, reserved)
	}
}

func (t *text) substrings(r *ber.Reader) {
	attribute, _ := r.Take(ber.OctetString)
	parts, _ := r.Take(ber.Sequence)
	t.octets(attribute.Reader, reserved)
	t.Add("=")
	if secret(attribute.Reader) {
		t.Add(hidden)
		return
	}
	final := false
	for i := 0; !t.Cut; i++ {
		part, ok := parts.Next()
		if !ok {
			break
		}
		if i > 0 || part.Tag != substringInitial {
			t.Add("*")
		}
		t.octets(part.Reader, reserved)
		final = part.Tag == substringFinal
	}
	if !final {
		t.Add("*")
	}
}

func (t *text) extensible(r *ber.Reader) {
	rule, ruled := r.Maybe(extensibleRule)
	attribute, _ := r.Maybe(extensibleType)
	value, _ := r.Take(extensibleValue)
	whole, _ := r.Maybe(extensibleDN)
	t.octets(attribute.Reader, reserved)
	if len(whole.B) == 1 && whole.B[0] != 0 {
		t.Add(":dn")
	}
	if ruled {
		t.Add(":")
		t.octets(rule.Reader, reserved)
	}
	t.Add(":=")
	t.value(attribute.Reader, value.Reader)
}
