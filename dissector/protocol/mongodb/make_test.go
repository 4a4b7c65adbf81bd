package mongodb

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// raw is a value of any type as it is sent.
type raw struct {
	typ byte
	b   string
}

// list is an array.
type list []any

// text32 is what begins with its length.
func text32(s string) string { return le32(len(s)+1) + s + "\x00" }

func le32(n int) string {
	return string(binary.LittleEndian.AppendUint32(nil, uint32(n)))
}

func le64(n int64) string {
	return string(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

// bson is a document.
type bson string

// doc encodes a document: keys and values in turn.
func doc(pairs ...any) bson {
	var b bytes.Buffer
	for i := 0; i < len(pairs); i += 2 {
		typ, v := value(pairs[i+1])
		b.WriteByte(typ)
		b.WriteString(fmt.Sprint(pairs[i]) + "\x00" + v)
	}
	return bson(le32(b.Len()+5) + b.String() + "\x00")
}

func value(v any) (typ byte, b string) {
	switch v := v.(type) {
	case raw:
		return v.typ, v.b
	case bson:
		return typeDocument, string(v)
	case list:
		var pairs []any
		for i, item := range v {
			pairs = append(pairs, strconv.Itoa(i), item)
		}
		return typeArray, string(doc(pairs...))
	case string:
		return typeString, text32(v)
	case int:
		return typeInt32, le32(v)
	case int64:
		return typeInt64, le64(v)
	case float64:
		return typeDouble, le64(int64(math.Float64bits(v)))
	case bool:
		if v {
			return typeBool, "\x01"
		}
		return typeBool, "\x00"
	}
	return typeNull, ""
}

// send encodes a message.
func send(id, to, opcode int, body string) string {
	return le32(headerSize+len(body)) + le32(id) + le32(to) + le32(opcode) + body
}

// msg encodes an OP_MSG with a body and, behind it, sections.
func msg(id, to, flags int, body bson, more ...string) string {
	b := le32(flags) + "\x00" + string(body)
	for _, s := range more {
		b += s
	}
	if flags&checksumPresent != 0 {
		b += "csum"
	}
	return send(id, to, opMsg, b)
}

// sequence encodes a document sequence.
func sequence(name string, docs ...bson) string {
	b := name + "\x00"
	for _, d := range docs {
		b += string(d)
	}
	return "\x01" + le32(4+len(b)) + b
}

func query(id, flags int, name string, d bson) string {
	return send(id, 0, opQuery, le32(flags)+name+"\x00"+le32(0)+le32(-1&0xffffffff)+string(d))
}

func replied(id, to, flags int, cursor int64, docs ...bson) string {
	b := le32(flags) + le64(cursor) + le32(0) + le32(len(docs))
	for _, d := range docs {
		b += string(d)
	}
	return send(id, to, opReply, b)
}

// packed wraps a message in OP_COMPRESSED.
func packed(id byte, s string) string {
	body := []byte(s[headerSize:])
	var out []byte
	switch id {
	case noop:
		out = body
	case snappyID:
		out = snappy.Encode(nil, body)
	case zlibID:
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		_, _ = w.Write(body) // a buffer takes all
		_ = w.Close()
		out = b.Bytes()
	case zstdID:
		w, err := zstd.NewWriter(nil)
		if err != nil {
			panic(err)
		}
		out = w.EncodeAll(body, nil)
	}
	n := func(at int) int { return int(int32(binary.LittleEndian.Uint32([]byte(s)[at:]))) }
	return send(n(4), n(8), opCompressed, le32(n(12))+le32(len(body))+string([]byte{id})+string(out))
}
