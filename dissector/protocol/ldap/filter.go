package ldap

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
func (t *text) filter(e element, depth int) {
	if depth > maxDepth {
		t.cut = true
		return
	}
	t.add("(")
	switch e.tag {
	case filterAnd, filterOr, filterNot:
		t.add(map[byte]string{filterAnd: "&", filterOr: "|", filterNot: "!"}[e.tag])
		for !t.cut {
			inner, ok := e.next()
			if !ok {
				break
			}
			t.filter(inner, depth+1)
		}
	case filterEqual:
		t.assertion(&e.reader, "=")
	case filterGreater:
		t.assertion(&e.reader, ">=")
	case filterLess:
		t.assertion(&e.reader, "<=")
	case filterApprox:
		t.assertion(&e.reader, "~=")
	case filterSubstrings:
		t.substrings(&e.reader)
	case filterPresent:
		t.octets(e.reader, reserved)
		t.add("=*")
	case filterExtensible:
		t.extensible(&e.reader)
	default:
		t.add("?")
	}
	t.cut = t.cut || e.cut() || e.bad
	t.add(")")
}

// assertion appends an attribute and its value.
func (t *text) assertion(r *reader, operator string) {
	attribute, _ := r.take(tagOctetString)
	value, ok := r.take(tagOctetString)
	t.octets(attribute.reader, reserved)
	t.add(operator)
	t.value(attribute.reader, value.reader)
	t.cut = t.cut || !ok
}

func (t *text) value(attribute, value reader) {
	if secret(attribute) {
		t.add(hidden)
	} else {
		t.octets(value, reserved)
	}
}

func (t *text) substrings(r *reader) {
	attribute, _ := r.take(tagOctetString)
	parts, _ := r.take(tagSequence)
	t.octets(attribute.reader, reserved)
	t.add("=")
	if secret(attribute.reader) {
		t.add(hidden)
		return
	}
	final := false
	for i := 0; !t.cut; i++ {
		part, ok := parts.next()
		if !ok {
			break
		}
		if i > 0 || part.tag != substringInitial {
			t.add("*")
		}
		t.octets(part.reader, reserved)
		final = part.tag == substringFinal
	}
	if !final {
		t.add("*")
	}
}

func (t *text) extensible(r *reader) {
	rule, ruled := r.maybe(extensibleRule)
	attribute, _ := r.maybe(extensibleType)
	value, _ := r.take(extensibleValue)
	whole, _ := r.maybe(extensibleDN)
	t.octets(attribute.reader, reserved)
	if len(whole.b) == 1 && whole.b[0] != 0 {
		t.add(":dn")
	}
	if ruled {
		t.add(":")
		t.octets(rule.reader, reserved)
	}
	t.add(":=")
	t.value(attribute.reader, value.reader)
}
