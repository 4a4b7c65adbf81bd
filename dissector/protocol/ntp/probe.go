package ntp

import (
	"encoding/binary"

	"shark/dissector"
)

// The lengths of headers and of what may stand behind them (RFC 5905 section 7.3,
// RFC 9327 section 2, [MS-SNTP] section 2.2).
const (
	timeLen     = 48
	controlLen  = 12
	privateLen  = 8
	maxData     = 1024 // bytes of a control message, twice what is usual
	macShort    = 20
	macLong     = 24
	cryptoNAK   = 4
	macSNTP     = 72
	minField    = 16 // bytes of an extension field, RFC 7822 section 3
	year2000    = 3155673600
	maxStratum  = 16
	maxExponent = 24 // of the interval between requests
	minExponent = -6
)

func mode(b []byte) byte    { return b[0] & 7 }
func version(b []byte) byte { return b[0] >> 3 & 7 }

// probe wants a message whose length and numbers fit. Only a server's answer has so much
// that must be so that it is believed anywhere.
func probe(b []byte) dissector.Guess {
	if !fits(b) {
		return dissector.No
	}
	switch mode(b) {
	case control, private:
		if isAnswer(b) {
			return dissector.MaybeResponse
		}
		return dissector.MaybeRequest
	case server:
		if told(b) {
			return dissector.Response
		}
		return dissector.MaybeResponse
	}
	return dissector.MaybeRequest
}

// fits tells whether b may be a message.
func fits(b []byte) bool {
	if len(b) < privateLen || version(b) == 0 || version(b) > 4 {
		return false
	}
	switch mode(b) {
	case 0:
		return false
	case control:
		return len(b) >= controlLen && fitsControl(b)
	case private:
		return fitsPrivate(b)
	}
	if len(b) < timeLen || b[1] > maxStratum || int8(b[2]) < minExponent || int8(b[2]) > maxExponent {
		return false
	}
	if m := mode(b); m != client && m != server && !recent(b[40:]) {
		return false
	}
	_, ok := tail(b[timeLen:])
	return ok
}

// recent tells whether a time is of this century. An era ends in 2036: from then on
// this tells less.
func recent(b []byte) bool { return binary.BigEndian.Uint32(b) >= year2000 }

// told tells whether b is an answer that gives the time: one that came in and went out
// within a second.
func told(b []byte) bool {
	received, sent := binary.BigEndian.Uint64(b[32:]), binary.BigEndian.Uint64(b[40:])
	return version(b) >= 3 && b[1] > 0 && b[1] < maxStratum && b[0]>>6 != unsynchronized && binary.BigEndian.Uint64(b[24:]) != 0 &&
		recent(b[32:]) && recent(b[40:]) && sent >= received && sent-received < 1<<32
}

// tail reads extension fields (RFC 7822) and the authenticator behind them, of which it
// returns the number of its key.
func tail(b []byte) (key int64, ok bool) {
	for len(b) > macLong && len(b) != macSNTP {
		n := int(binary.BigEndian.Uint16(b[2:]))
		if n < minField || n%4 != 0 || n > len(b) {
			return 0, false
		}
		b = b[n:]
	}
	switch len(b) {
	case 0:
		return 0, true
	case cryptoNAK, macShort, macLong, macSNTP:
		return int64(binary.BigEndian.Uint32(b)), true
	}
	// The last extension field may be short (RFC 7822 section 7.5.1.4).
	return 0, len(b) >= minField && int(binary.BigEndian.Uint16(b[2:])) == len(b)
}

// fitsControl tells whether the data of a control message is as long as it says. It is
// padded, and an authenticator may follow.
func fitsControl(b []byte) bool {
	n := int(binary.BigEndian.Uint16(b[10:]))
	if n > maxData || opcodes[b[1]&31] == "" || !isAnswer(b) && b[1]>>5 != 0 {
		return false
	}
	rest := len(b) - controlLen - n
	padded := len(b) - controlLen - (n+3)&^3
	return rest == 0 || padded == 0 || padded == macShort || padded == macLong || (n+7)&^7 == len(b)-controlLen-macShort
}

// fitsPrivate tells whether a private message is of a known kind and, if it answers, as
// long as its items. Requests are padded as they please.
func fitsPrivate(b []byte) bool {
	if implementation := b[2]; implementation != 0 && implementation != 2 && implementation != 3 {
		return false
	}
	if int(b[3]) >= len(requests) || requests[b[3]] == "" {
		return false
	}
	code, items, size := b[4]>>4, int(binary.BigEndian.Uint16(b[4:])&0xfff), int(binary.BigEndian.Uint16(b[6:]))
	if !isAnswer(b) {
		return code == 0 && size <= 0xfff && items*size <= len(b)-privateLen && b[0]&0x40 == 0
	}
	return privateErrors[code&7] != "" && code < 8 && size <= 0xfff && items*size == len(b)-privateLen
}

// isAnswer reads the bit R of control and private messages.
func isAnswer(b []byte) bool {
	if mode(b) == control {
		return b[1]&0x80 != 0
	}
	return b[0]&0x80 != 0
}
