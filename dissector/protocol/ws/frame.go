package ws

import (
	"encoding/binary"
	"math"

	"shark/dissector"
)

// The opcodes (RFC 6455, section 5.2).
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

var opcodes = map[byte]string{
	opContinuation: "continuation", opText: "text", opBinary: "binary", opClose: "close", opPing: "ping", opPong: "pong",
}

// maxControl is the length of a control frame's payload (RFC 6455, section 5.5).
const maxControl = 125

// frame is the header of a frame.
type frame struct {
	opcode byte
	fin    bool
	packed bool // RSV1, which permessage-deflate sets on a message's first frame
	masked bool
	key    [4]byte
	size   int // of the header
	length int64
}

func (f *frame) control() bool { return f.opcode >= opClose }

// readFrame reads the header at the front of buf (RFC 6455, section 5.2). A length that
// is not in its shortest form is no frame.
func readFrame(buf []byte) (f frame, need int, err error) {
	if len(buf) < 2 {
		return f, 2, dissector.ErrShort
	}
	f.opcode, f.fin, f.packed, f.masked = buf[0]&0xf, buf[0]&0x80 != 0, buf[0]&0x40 != 0, buf[1]&0x80 != 0
	if buf[0]&0x30 != 0 || opcodes[f.opcode] == "" {
		return f, 0, errFrame
	}
	f.size, f.length = 2, int64(buf[1]&0x7f)
	if f.control() && (!f.fin || f.packed || f.length > maxControl) || f.opcode == opContinuation && f.packed {
		return f, 0, errFrame
	}
	least := int64(0)
	switch f.length {
	case 126:
		f.size, least = 4, 126
	case 127:
		f.size, least = 10, math.MaxUint16+1
	}
	end := f.size
	if f.masked {
		end += len(f.key)
	}
	if len(buf) < end {
		return f, end, dissector.ErrShort
	}
	switch f.size {
	case 4:
		f.length = int64(binary.BigEndian.Uint16(buf[2:]))
	case 10:
		f.length = int64(binary.BigEndian.Uint64(buf[2:]))
	}
	if f.length < least || f.length > math.MaxInt64>>2 {
		return f, 0, errFrame
	}
	if f.masked {
		copy(f.key[:], buf[f.size:])
		f.size = end
	}
	return f, 0, nil
}

// unmask appends to dst the payload b, which begins at off of the frame's (RFC 6455,
// section 5.3).
func (f *frame) unmask(dst, b []byte, off int) []byte {
	if !f.masked {
		return append(dst, b...)
	}
	for i, c := range b {
		dst = append(dst, c^f.key[(off+i)&3])
	}
	return dst
}
