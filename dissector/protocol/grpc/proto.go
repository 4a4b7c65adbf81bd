package grpc

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxNested is how many messages within each other are written out.
const maxNested = 32

// appendProto writes a message of Protocol Buffers out without its schema: fields by
// their numbers (https://protobuf.dev/programming-guides/encoding/). Texts, messages and
// bytes are encoded alike: what can be shown is taken for text, and what can be read for a
// message.
func appendProto(dst, b []byte, limit int) []byte {
	if !isProto(b, maxNested) {
		return append(appendBytes(dst, b, limit), '\n')
	}
	return appendFields(dst, b, 0, limit)
}

// appendFields writes the fields of a message that isProto took.
func appendFields(dst, b []byte, depth, limit int) []byte {
	indent := bytes.Repeat([]byte("  "), depth)
	for len(b) > 0 && len(dst) < limit {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return dst
		}
		value := b[n:]
		size := protowire.ConsumeFieldValue(number, kind, value)
		if size < 0 {
			return dst
		}
		b = value[size:]
		dst = append(append(dst, indent...), strconv.Itoa(int(number))...)
		dst = appendValue(dst, kind, value[:size], depth, limit)
	}
	return dst
}

func appendValue(dst []byte, kind protowire.Type, value []byte, depth, limit int) []byte {
	switch kind {
	case protowire.VarintType:
		v, _ := protowire.ConsumeVarint(value)
		return fmt.Appendf(dst, ": %d\n", v)
	case protowire.Fixed32Type:
		v, _ := protowire.ConsumeFixed32(value)
		return fmt.Appendf(dst, ": 0x%08x\n", v)
	case protowire.Fixed64Type:
		v, _ := protowire.ConsumeFixed64(value)
		return fmt.Appendf(dst, ": 0x%016x\n", v)
	case protowire.BytesType:
		v, _ := protowire.ConsumeBytes(value)
		if !isText(v) && isProto(v, maxNested-depth-1) {
			return appendNested(dst, v, depth, limit)
		}
		return append(appendBytes(append(dst, ": "...), v, limit), '\n')
	case protowire.StartGroupType:
		return appendNested(dst, value[:len(value)-endTag(value)], depth, limit)
	}
	return append(dst, '\n')
}

// endTag is the length of the tag that a group ends with.
func endTag(group []byte) int {
	n := 1
	for n < len(group) && group[len(group)-n-1]&0x80 != 0 {
		n++
	}
	return n
}

func appendNested(dst, b []byte, depth, limit int) []byte {
	dst = appendFields(append(dst, " {\n"...), b, depth+1, limit)
	return append(append(dst, bytes.Repeat([]byte("  "), depth)...), "}\n"...)
}

// appendBytes writes text in quotes and other bytes as hexadecimal digits.
func appendBytes(dst, b []byte, limit int) []byte {
	if isText(b) {
		return strconv.AppendQuote(dst, string(b[:min(len(b), limit)]))
	}
	return fmt.Appendf(dst, "%x", b[:min(len(b), limit)])
}

// isText tells whether b can be shown as it is.
func isText(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if !unicode.IsPrint(r) && r != '\n' && r != '\t' && r != '\r' {
			return false
		}
	}
	return true
}

// isProto tells whether b may be a message, and not nothing.
func isProto(b []byte, depth int) bool {
	if depth <= 0 || len(b) == 0 {
		return false
	}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 || kind == protowire.EndGroupType {
			return false
		}
		size := protowire.ConsumeFieldValue(number, kind, b[n:])
		if size < 0 {
			return false
		}
		b = b[n+size:]
	}
	return true
}
