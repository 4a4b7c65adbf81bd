package proxy

import (
	"bytes"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"shark/dissector"
)

// lineStart begins a header of version 1, a line of text (section 2.1).
const lineStart = "PROXY "

func (e end) String() string {
	if e.port == 0 {
		return e.addr
	}
	return net.JoinHostPort(e.addr, strconv.FormatInt(e.port, 10))
}

// probeLine wants a whole line that can be read.
func probeLine(head []byte) dissector.Guess {
	var h header
	switch _, err := h.readLine(head); err {
	case nil:
		return dissector.Request
	case dissector.ErrShort:
		return dissector.More
	}
	return dissector.No
}

// readLine reads a header of version 1 and returns its length.
func (h *header) readLine(buf []byte) (int, error) {
	i := bytes.IndexByte(buf[:min(len(buf), maxLine)], '\n')
	switch {
	case !begins(buf, lineStart):
		return 0, errMalformed
	case i < 0 && len(buf) < maxLine:
		return 0, dissector.ErrShort
	case i <= len(lineStart) || buf[i-1] != '\r':
		return 0, errMalformed
	}
	words := strings.Split(string(buf[len(lineStart):i-1]), " ")
	h.version, h.family = 1, words[0]
	switch {
	case h.family == "UNKNOWN": // whatever stands behind it is to be ignored
		return i + 1, nil
	case h.family != "TCP4" && h.family != "TCP6" || len(words) != 5:
		return 0, errMalformed
	}
	var ok [2]bool
	h.src, ok[0] = readEnd(words[1], words[3], h.family == "TCP4")
	h.dst, ok[1] = readEnd(words[2], words[4], h.family == "TCP4")
	if !ok[0] || !ok[1] {
		return 0, errMalformed
	}
	return i + 1, nil
}

// readEnd reads an address of a family and a port without leading zeros.
func readEnd(addr, port string, is4 bool) (end, bool) {
	a, err := netip.ParseAddr(addr)
	n, numErr := strconv.ParseUint(port, 10, 16)
	ok := err == nil && numErr == nil && a.Is4() == is4 && a.Zone() == "" && (port == "0" || port[0] != '0')
	return end{addr: a.String(), port: int64(n)}, ok
}
