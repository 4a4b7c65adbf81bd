package traffic

import "strings"

// hpackStatic is the static table of RFC 7541, appendix A: name, or name=value.
// The value of accept-encoding is left out: nothing here sends it.
var hpackStatic = strings.Fields(`
:authority :method=GET :method=POST :path=/ :path=/index.html :scheme=http :scheme=https
:status=200 :status=204 :status=206 :status=304 :status=400 :status=404 :status=500
accept-charset accept-encoding accept-language accept-ranges accept
access-control-allow-origin age allow authorization cache-control content-disposition
content-encoding content-language content-length content-location content-range content-type
cookie date etag expect expires from host if-match if-modified-since if-none-match if-range
if-unmodified-since last-modified link location max-forwards proxy-authenticate
proxy-authorization range referer refresh retry-after server set-cookie
strict-transport-security transfer-encoding user-agent vary via www-authenticate`)

// hpackLengths are the lengths of the Huffman codes of the bytes 0 to 255, RFC
// 7541, appendix B: 'a' stands for 5 bits, 'z' for 30. The codes follow from
// them: shorter ones come first, and of one length they count up.
const hpackLengths = "isxxxxxxxtzxxzxxxxxxxxzxxxxxxxxx" + "bffhibdgffdgdbbbaaabbbbbbbcdkbhf" +
	"ibccccccccccccccccccccccdcdioijb" + "kabababbbaccbbbabcbaabccccckgjix" +
	"prpprrrsrssssststtrstssssqrsrsst" + "rqprrssqsrrtqrssqqrqsrssprrrsrrs" +
	"vvporsruvvvwwvtuoqvwwvwtqqvvxwww" + "ptpqrqqsrruuttvsvwvvwwwwwxwwwwwv"

var hpackCodes = hpackHuffman()

func hpackHuffman() (codes [256]uint32) {
	code := uint32(0)
	for n := byte('a'); n <= 'z'; n++ {
		for i := range codes {
			if hpackLengths[i] == n {
				codes[i] = code
				code++
			}
		}
		code <<= 1
	}
	return codes
}

// hpackTable is the size of the dynamic table, the default of HTTP/2.
const hpackTable = 4096

type hpackField struct{ name, value string }

func (f hpackField) size() int { return len(f.name) + len(f.value) + 32 }

// hpackEncoder writes the header blocks of one direction of a connection.
type hpackEncoder struct {
	huffman bool
	table   []hpackField // newest last
	size    int
}

// hpackKind says how a field is written.
type hpackKind uint8

const (
	hpackKeep  hpackKind = iota // into the dynamic table
	hpackPass                   // without indexing
	hpackNever                  // never indexed, as secrets are
)

// field appends one header field.
func (e *hpackEncoder) field(b []byte, name, value string, kind hpackKind) []byte {
	full, byName := e.find(name, value)
	if full > 0 {
		return hpackInt(b, 0x80, 7, full)
	}
	switch kind {
	case hpackKeep:
		b = hpackInt(b, 0x40, 6, byName)
		e.add(hpackField{name, value})
	case hpackPass:
		b = hpackInt(b, 0, 4, byName)
	case hpackNever:
		b = hpackInt(b, 0x10, 4, byName)
	}
	if byName == 0 {
		b = e.str(b, name)
	}
	return e.str(b, value)
}

// find returns the index of the whole field and of one with its name, 0 for none.
func (e *hpackEncoder) find(name, value string) (full, byName int) {
	for i, s := range hpackStatic {
		if len(s) < len(name) || s[:len(name)] != name || len(s) > len(name) && s[len(name)] != '=' {
			continue
		}
		if byName == 0 {
			byName = i + 1
		}
		if len(s) == len(name)+1+len(value) && s[len(name)+1:] == value {
			return i + 1, byName
		}
	}
	n := len(e.table)
	for i := n - 1; i >= 0; i-- {
		if f := &e.table[i]; f.name == name {
			at := len(hpackStatic) + n - i
			if f.value == value {
				return at, at
			}
			if byName == 0 {
				byName = at
			}
		}
	}
	return 0, byName
}

// add puts a field into the dynamic table and evicts the oldest for it.
func (e *hpackEncoder) add(f hpackField) {
	e.size += f.size()
	e.table = append(e.table, f)
	evict := 0
	for ; e.size > hpackTable; evict++ {
		e.size -= e.table[evict].size()
	}
	e.table = e.table[:copy(e.table, e.table[evict:])]
}

// str appends a string literal, Huffman coded if that is shorter.
func (e *hpackEncoder) str(b []byte, s string) []byte {
	bits := 0
	for i := range len(s) {
		bits += int(hpackLengths[s[i]]-'a') + 5
	}
	n := (bits + 7) / 8
	if !e.huffman || n >= len(s) {
		return append(hpackInt(b, 0, 7, len(s)), s...)
	}
	b = hpackInt(b, 0x80, 7, n)
	var word uint64
	var have uint
	for i := range len(s) {
		l := uint(hpackLengths[s[i]]-'a') + 5
		word = word<<l | uint64(hpackCodes[s[i]])
		for have += l; have >= 8; have -= 8 {
			b = append(b, byte(word>>(have-8)))
		}
	}
	if have > 0 {
		b = append(b, byte(word<<(8-have))|byte(1<<(8-have)-1))
	}
	return b
}

// hpackInt appends an integer behind the bits first, RFC 7541, section 5.1.
func hpackInt(b []byte, first byte, prefix uint, n int) []byte {
	limit := 1<<prefix - 1
	if n < limit {
		return append(b, first|byte(n))
	}
	b = append(b, first|byte(limit))
	for n -= limit; n >= 128; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}
