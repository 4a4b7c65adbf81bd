package http2

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// preface is what a client says first (RFC 9113, section 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// headerLen is the length of a frame's header.
const headerLen = 9

// frameType is the type of a frame (section 6).
type frameType uint8

const (
	frameData frameType = iota
	frameHeaders
	framePriority
	frameRSTStream
	frameSettings
	framePushPromise
	framePing
	frameGoAway
	frameWindowUpdate
	frameContinuation
)

// The flags of frames.
const (
	flagEndStream  = 0x01 // DATA, HEADERS
	flagAck        = 0x01 // SETTINGS, PING
	flagEndHeaders = 0x04 // HEADERS, PUSH_PROMISE, CONTINUATION
	flagPadded     = 0x08 // DATA, HEADERS, PUSH_PROMISE
	flagPriority   = 0x20 // HEADERS
)

// frame is the header of a frame (section 4.1).
type frame struct {
	length   int
	kind     frameType
	flags    byte
	reserved bool
	stream   uint32
}

// readFrame reads the header at the front of b, at least headerLen bytes.
func readFrame(b []byte) frame {
	id := binary.BigEndian.Uint32(b[5:])
	return frame{
		length:   int(b[0])<<16 | int(b[1])<<8 | int(b[2]),
		kind:     frameType(b[3]),
		flags:    b[4],
		reserved: id>>31 != 0,
		stream:   id & (1<<31 - 1),
	}
}

func (f frame) has(flag byte) bool { return f.flags&flag != 0 }

func (f frame) span() int { return headerLen + f.length }

var (
	errPadding   = errors.New("padding is longer than its frame")
	errBlockOpen = errors.New("header block is followed by another frame before its end")
)

// check tells what is wrong with the header by itself: a frame whose length or
// stream cannot be is none.
func (f frame) check() error {
	ofStream, ok := true, true
	switch f.kind {
	case frameData, frameHeaders, framePushPromise, frameContinuation:
	case framePriority:
		ok = f.length == 5
	case frameRSTStream:
		ok = f.length == 4
	case frameSettings:
		ofStream, ok = false, f.length%6 == 0 && (!f.has(flagAck) || f.length == 0)
	case framePing:
		ofStream, ok = false, f.length == 8
	case frameGoAway:
		ofStream, ok = false, f.length >= 8
	case frameWindowUpdate:
		ofStream, ok = f.stream != 0, f.length == 4
	default:
		ofStream, ok = f.stream != 0, f.length <= maxUnknownFrame
	}
	if !ok {
		return fmt.Errorf("frame of type %d has length %d", f.kind, f.length)
	}
	if ofStream != (f.stream != 0) {
		return fmt.Errorf("frame of type %d on stream %d", f.kind, f.stream)
	}
	return nil
}

// unpad takes the padding off a payload (section 6.1).
func (f frame) unpad(payload []byte) ([]byte, error) {
	if !f.has(flagPadded) {
		return payload, nil
	}
	if len(payload) == 0 || int(payload[0]) >= len(payload) {
		return nil, errPadding
	}
	return payload[1 : len(payload)-int(payload[0])], nil
}

// block returns the header block, or the first part of it, in the payload of
// HEADERS or PUSH_PROMISE.
func (f frame) block(payload []byte) ([]byte, error) {
	payload, err := f.unpad(payload)
	if err != nil {
		return nil, err
	}
	skip := 0
	switch {
	case f.kind == framePushPromise:
		skip = 4 // the promised stream
	case f.has(flagPriority):
		skip = 5
	}
	if len(payload) < skip {
		return nil, fmt.Errorf("frame of type %d has no room for its fixed part", f.kind)
	}
	return payload[skip:], nil
}

// refusedStream is the error code of what was not processed at all (section 8.7).
const refusedStream = 7

// errorName returns the name of an error code (section 7).
func errorName(code uint32) string {
	if code < uint32(len(errorNames)) {
		return errorNames[code]
	}
	return fmt.Sprintf("0x%x", code)
}

var errorNames = [...]string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
	"STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
	"CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
}
