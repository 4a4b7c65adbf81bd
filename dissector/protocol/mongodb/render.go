package mongodb

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"shark/dissector/wire"
)

// text is a text of limited length that is made of documents.
type text struct{ wire.Text }

// line appends text as one line: what cannot be shown becomes a blank.
func (t *text) line(b []byte) {
	for len(b) > 0 && !t.Cut {
		c, n := utf8.DecodeRune(b)
		if c == utf8.RuneError && n <= 1 {
			t.Add("\uFFFD")
		} else if !unicode.IsPrint(c) {
			t.Add(" ")
		} else {
			t.Add(string(b[:n]))
		}
		b = b[n:]
	}
}

// shape appends the keys of a filter or pipeline, without the values: what belongs
// to an operator is gone into, a value that is a document is not.
func (t *text) shape(e element, depth int) {
	list := e.typ == typeArray
	t.Add(brackets(list)[:1])
	d := open(e.value)
	for n := 0; !t.Cut; {
		c, ok := d.next()
		if !ok {
			break
		}
		nested := depth < maxNested && (c.typ == typeDocument && (list || operator(c.key) || operated(c)) || c.typ == typeArray && operator(c.key) && documents(c))
		if list && !nested {
			continue
		}
		if n++; n > 1 {
			t.Add(", ")
		}
		if !list {
			t.line(c.key)
		}
		if nested {
			if !list {
				t.Add(": ")
			}
			t.shape(c, depth+1)
		}
	}
	t.Cut = t.Cut || d.bad
	t.Add(brackets(list)[1:])
}

func brackets(list bool) string {
	if list {
		return "[]"
	}
	return "{}"
}

func operator(key []byte) bool { return len(key) > 0 && key[0] == '$' }

// operated tells whether a document is made of operators, such as {$gt: 5}.
func operated(e element) bool {
	d := open(e.value)
	first, ok := d.next()
	return ok && operator(first.key)
}

// documents tells whether an array's first item is a document.
func documents(e element) bool {
	d := open(e.value)
	first, ok := d.next()
	return ok && first.typ == typeDocument
}

// secrets are the keys, in lower case, whose values are never shown.
var secrets = map[string]bool{"password": true, "passwd": true, "pwd": true, "passphrase": true, "secret": true, "token": true, "apikey": true}

// secret tells whether a key is one of them, or a path (a.b.password) that ends in one.
func secret(key []byte) bool {
	name := key[bytes.LastIndexByte(key, '.')+1:]
	return len(name) < 16 && secrets[strings.ToLower(string(name))]
}

// json appends a value as relaxed Extended JSON
// (https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/).
func (t *text) json(e element, depth int) {
	switch {
	case t.Cut:
	case e.typ == typeDocument || e.typ == typeArray:
		t.container(e, depth)
	case e.text() != nil && e.typ == typeString:
		t.quote(e.text())
		t.Cut = t.Cut || int64(len(e.value)) < e.size
	case int64(len(e.value)) < e.size:
		t.Cut = true
	default:
		t.scalar(e)
	}
}

func (t *text) container(e element, depth int) {
	list := e.typ == typeArray
	if depth >= maxNested {
		t.Cut = true
		return
	}
	t.Add(brackets(list)[:1])
	d := open(e.value)
	for n := 0; !t.Cut; n++ {
		c, ok := d.next()
		if !ok {
			break
		}
		if n > 0 {
			t.Add(", ")
		}
		if !list {
			t.quote(c.key)
			t.Add(": ")
		}
		if !list && secret(c.key) {
			t.Add(`"***"`)
			continue
		}
		t.json(c, depth+1)
	}
	t.Cut = t.Cut || d.bad || int64(len(e.value)) < e.size && len(d.rest) == 0
	t.Add(brackets(list)[1:])
}

// quote appends a JSON string.
func (t *text) quote(b []byte) {
	t.Add(`"`)
	for len(b) > 0 && !t.Cut {
		c, n := utf8.DecodeRune(b)
		switch {
		case c == utf8.RuneError && n <= 1:
			t.Add("\uFFFD")
		case c == '"' || c == '\\':
			t.Add(`\` + string(c))
		case !unicode.IsPrint(c) && c <= 0xffff:
			t.Add(`\u` + strconv.FormatInt(int64(0x10000+c), 16)[1:])
		default:
			t.Add(string(b[:n]))
		}
		b = b[n:]
	}
	t.Add(`"`)
}

// scalar appends a value that is at hand and no document, array or string.
func (t *text) scalar(e element) {
	v := e.value
	switch e.typ {
	case typeDouble:
		t.double(math.Float64frombits(binary.LittleEndian.Uint64(v)))
	case typeInt32, typeInt64:
		n, _ := e.number()
		t.Add(strconv.FormatInt(n, 10))
	case typeBool:
		t.Add(strconv.FormatBool(v[0] != 0))
	case typeNull:
		t.Add("null")
	case typeUndefined:
		t.Add(`{"$undefined": true}`)
	case typeMinKey:
		t.Add(`{"$minKey": 1}`)
	case typeMaxKey:
		t.Add(`{"$maxKey": 1}`)
	case typeObjectID:
		t.Add(`{"$oid": "` + hex.EncodeToString(v) + `"}`)
	case typeDate:
		t.date(int64(binary.LittleEndian.Uint64(v)))
	case typeTimestamp:
		t.Add(`{"$timestamp": {"t": ` + strconv.FormatUint(uint64(binary.LittleEndian.Uint32(v[4:])), 10) +
			`, "i": ` + strconv.FormatUint(uint64(binary.LittleEndian.Uint32(v)), 10) + `}}`)
	case typeDecimal:
		t.Add(`{"$numberDecimal": "` + decimal(v) + `"}`)
	case typeBinary:
		t.binary(v[4], v[5:])
	case typeRegex:
		pattern, options, _ := strings.Cut(strings.TrimSuffix(string(v), "\x00"), "\x00")
		t.Add(`{"$regularExpression": {"pattern": `)
		t.quote([]byte(pattern))
		t.Add(`, "options": `)
		t.quote([]byte(options))
		t.Add(`}}`)
	case typeCode, typeSymbol:
		t.Add(map[byte]string{typeCode: `{"$code": `, typeSymbol: `{"$symbol": `}[e.typ])
		t.quote(e.text())
		t.Add(`}`)
	default: // a database pointer or code with a scope: deprecated
		t.Add(`{"$type": ` + strconv.Itoa(int(e.typ)) + `}`)
	}
}

func (t *text) double(x float64) {
	switch {
	case math.IsNaN(x):
		t.Add(`{"$numberDouble": "NaN"}`)
	case math.IsInf(x, 1):
		t.Add(`{"$numberDouble": "Infinity"}`)
	case math.IsInf(x, -1):
		t.Add(`{"$numberDouble": "-Infinity"}`)
	case x == math.Trunc(x) && math.Abs(x) < 1e15:
		t.Add(strconv.FormatFloat(x, 'f', 1, 64))
	default:
		t.Add(strconv.FormatFloat(x, 'g', -1, 64))
	}
}

// date appends milliseconds since 1970: as ISO-8601 up to the year 9999.
func (t *text) date(ms int64) {
	if ms < 0 || ms >= 253402300800000 {
		t.Add(`{"$date": {"$numberLong": "` + strconv.FormatInt(ms, 10) + `"}}`)
		return
	}
	t.Add(`{"$date": "` + time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.999Z") + `"}`)
}

// binary appends bytes: those of subtype 4 are a UUID.
func (t *text) binary(subtype byte, b []byte) {
	if subtype == 4 && len(b) == 16 {
		t.Add(`{"$uuid": "` + hex.EncodeToString(b[:4]) + "-" + hex.EncodeToString(b[4:6]) + "-" + hex.EncodeToString(b[6:8]) + "-" +
			hex.EncodeToString(b[8:10]) + "-" + hex.EncodeToString(b[10:]) + `"}`)
		return
	}
	t.Add(`{"$binary": {"base64": "` + base64.StdEncoding.EncodeToString(b) + `", "subType": "` + hex.EncodeToString([]byte{subtype}) + `"}}`)
}

// decimal writes a decimal number of 128 bits whose digits fit into 64: digits and
// exponent; others, which are rare, by their bytes.
func decimal(b []byte) string {
	low, high := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	if high&(1<<49-1) != 0 || high>>61&3 == 3 {
		return "0x" + hex.EncodeToString(b)
	}
	sign := ""
	if high>>63 != 0 {
		sign = "-"
	}
	digits := sign + strconv.FormatUint(low, 10)
	if exponent := int(high>>49&(1<<14-1)) - 6176; exponent != 0 {
		return digits + "E" + strconv.Itoa(exponent)
	}
	return digits
}
