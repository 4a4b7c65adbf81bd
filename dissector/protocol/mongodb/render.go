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
)

// text is a text of limited length in the making. What does not fit is left out and
// marked at the end.
type text struct {
	b   []byte
	max int
	cut bool
}

func (t *text) reset(limit int) { t.b, t.max, t.cut = t.b[:0], limit, false }

// add appends s, or nothing of it when it does not fit.
func (t *text) add(s string) {
	if t.cut = t.cut || len(t.b)+len(s) > t.max; !t.cut {
		t.b = append(t.b, s...)
	}
}

// line appends text as one line: what cannot be shown becomes a blank.
func (t *text) line(b []byte) {
	for len(b) > 0 && !t.cut {
		c, n := utf8.DecodeRune(b)
		if c == utf8.RuneError && n <= 1 {
			t.add("\uFFFD")
		} else if !unicode.IsPrint(c) {
			t.add(" ")
		} else {
			t.add(string(b[:n]))
		}
		b = b[n:]
	}
}

// bytes returns the text, which stays t's.
func (t *text) bytes() []byte {
	if t.cut {
		return append(t.b, cutMark...)
	}
	return t.b
}

// shape appends the keys of a filter or pipeline, without the values: what belongs
// to an operator is gone into, a value that is a document is not.
func (t *text) shape(e element, depth int) {
	list := e.typ == typeArray
	t.add(brackets(list)[:1])
	d := open(e.value)
	for n := 0; !t.cut; {
		c, ok := d.next()
		if !ok {
			break
		}
		nested := depth < maxNested && (c.typ == typeDocument && (list || operator(c.key) || operated(c)) || c.typ == typeArray && operator(c.key) && documents(c))
		if list && !nested {
			continue
		}
		if n++; n > 1 {
			t.add(", ")
		}
		if !list {
			t.line(c.key)
		}
		if nested {
			if !list {
				t.add(": ")
			}
			t.shape(c, depth+1)
		}
	}
	t.cut = t.cut || d.bad
	t.add(brackets(list)[1:])
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
	case t.cut:
	case e.typ == typeDocument || e.typ == typeArray:
		t.container(e, depth)
	case e.text() != nil && e.typ == typeString:
		t.quote(e.text())
		t.cut = t.cut || int64(len(e.value)) < e.size
	case int64(len(e.value)) < e.size:
		t.cut = true
	default:
		t.scalar(e)
	}
}

func (t *text) container(e element, depth int) {
	list := e.typ == typeArray
	if depth >= maxNested {
		t.cut = true
		return
	}
	t.add(brackets(list)[:1])
	d := open(e.value)
	for n := 0; !t.cut; n++ {
		c, ok := d.next()
		if !ok {
			break
		}
		if n > 0 {
			t.add(", ")
		}
		if !list {
			t.quote(c.key)
			t.add(": ")
		}
		if !list && secret(c.key) {
			t.add(`"***"`)
			continue
		}
		t.json(c, depth+1)
	}
	t.cut = t.cut || d.bad || int64(len(e.value)) < e.size && len(d.rest) == 0
	t.add(brackets(list)[1:])
}

// quote appends a JSON string.
func (t *text) quote(b []byte) {
	t.add(`"`)
	for len(b) > 0 && !t.cut {
		c, n := utf8.DecodeRune(b)
		switch {
		case c == utf8.RuneError && n <= 1:
			t.add("\uFFFD")
		case c == '"' || c == '\\':
			t.add(`\` + string(c))
		case !unicode.IsPrint(c) && c <= 0xffff:
			t.add(`\u` + strconv.FormatInt(int64(0x10000+c), 16)[1:])
		default:
			t.add(string(b[:n]))
		}
		b = b[n:]
	}
	t.add(`"`)
}

// scalar appends a value that is at hand and no document, array or string.
func (t *text) scalar(e element) {
	v := e.value
	switch e.typ {
	case typeDouble:
		t.double(math.Float64frombits(binary.LittleEndian.Uint64(v)))
	case typeInt32, typeInt64:
		n, _ := e.number()
		t.add(strconv.FormatInt(n, 10))
	case typeBool:
		t.add(strconv.FormatBool(v[0] != 0))
	case typeNull:
		t.add("null")
	case typeUndefined:
		t.add(`{"$undefined": true}`)
	case typeMinKey:
		t.add(`{"$minKey": 1}`)
	case typeMaxKey:
		t.add(`{"$maxKey": 1}`)
	case typeObjectID:
		t.add(`{"$oid": "` + hex.EncodeToString(v) + `"}`)
	case typeDate:
		t.date(int64(binary.LittleEndian.Uint64(v)))
	case typeTimestamp:
		t.add(`{"$timestamp": {"t": ` + strconv.FormatUint(uint64(binary.LittleEndian.Uint32(v[4:])), 10) +
			`, "i": ` + strconv.FormatUint(uint64(binary.LittleEndian.Uint32(v)), 10) + `}}`)
	case typeDecimal:
		t.add(`{"$numberDecimal": "` + decimal(v) + `"}`)
	case typeBinary:
		t.binary(v[4], v[5:])
	case typeRegex:
		pattern, options, _ := strings.Cut(strings.TrimSuffix(string(v), "\x00"), "\x00")
		t.add(`{"$regularExpression": {"pattern": `)
		t.quote([]byte(pattern))
		t.add(`, "options": `)
		t.quote([]byte(options))
		t.add(`}}`)
	case typeCode, typeSymbol:
		t.add(map[byte]string{typeCode: `{"$code": `, typeSymbol: `{"$symbol": `}[e.typ])
		t.quote(e.text())
		t.add(`}`)
	default: // a database pointer or code with a scope: deprecated
		t.add(`{"$type": ` + strconv.Itoa(int(e.typ)) + `}`)
	}
}

func (t *text) double(x float64) {
	switch {
	case math.IsNaN(x):
		t.add(`{"$numberDouble": "NaN"}`)
	case math.IsInf(x, 1):
		t.add(`{"$numberDouble": "Infinity"}`)
	case math.IsInf(x, -1):
		t.add(`{"$numberDouble": "-Infinity"}`)
	case x == math.Trunc(x) && math.Abs(x) < 1e15:
		t.add(strconv.FormatFloat(x, 'f', 1, 64))
	default:
		t.add(strconv.FormatFloat(x, 'g', -1, 64))
	}
}

// date appends milliseconds since 1970: as ISO-8601 up to the year 9999.
func (t *text) date(ms int64) {
	if ms < 0 || ms >= 253402300800000 {
		t.add(`{"$date": {"$numberLong": "` + strconv.FormatInt(ms, 10) + `"}}`)
		return
	}
	t.add(`{"$date": "` + time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.999Z") + `"}`)
}

// binary appends bytes: those of subtype 4 are a UUID.
func (t *text) binary(subtype byte, b []byte) {
	if subtype == 4 && len(b) == 16 {
		t.add(`{"$uuid": "` + hex.EncodeToString(b[:4]) + "-" + hex.EncodeToString(b[4:6]) + "-" + hex.EncodeToString(b[6:8]) + "-" +
			hex.EncodeToString(b[8:10]) + "-" + hex.EncodeToString(b[10:]) + `"}`)
		return
	}
	t.add(`{"$binary": {"base64": "` + base64.StdEncoding.EncodeToString(b) + `", "subType": "` + hex.EncodeToString([]byte{subtype}) + `"}}`)
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
