// Package record is how what the two sides of a QUIC connection say in its streams becomes one
// sequence of bytes a side, as dissector.Sealed has it: records, each of which says of which
// stream it is. Records of one stream are in the order of its bytes, those of several as they
// came. In: what package quic puts together. Out: what package http3 reads.
package record

import "encoding/binary"

// Kind says what a record is.
type Kind uint8

// The kinds.
const (
	Data    Kind = iota // the next bytes of the stream
	Last                // its last bytes, or none
	Reset               // RESET_STREAM: the sender says no more in it (RFC 9000 section 19.4)
	Stop                // STOP_SENDING: the sender wants to hear no more of it (RFC 9000 section 19.5)
	Missing             // bytes of it were not captured
	Lapse               // bytes of it were, but are not here: where in it the next ones are is unknown
	Close               // CONNECTION_CLOSE of the application: the connection ends, whatever stream is said (RFC 9000 section 19.19)
	kinds
)

// HeaderLen is the length of what is before a record's payload: its kind, the stream's ID, where
// it was captured, and the payload's length. Only payloads of Data and Last were on the wire.
const HeaderLen = 1 + 8 + 8 + 8 + 4

// MaxPayload is how long a payload is at most, in bytes: what a datagram holds.
const MaxPayload = 1 << 16

// Place is the packet that something was captured in: its time in ns and its number. Bytes that
// waited for those before them have an earlier place than what came in between.
type Place struct {
	Time   int64
	Packet uint64
}

// Record is one record.
type Record struct {
	Place
	Kind   Kind
	Stream uint64 // its ID, RFC 9000 section 2.1
	Data   []byte // of Data and Last; it aliases what was read
	Number uint64 // of Reset, Stop and Close the application's error code, of Missing how many bytes
}

// AppendData appends bytes of a stream to b, as many records as that takes; last says that they
// are its last ones.
func AppendData(b []byte, stream uint64, at Place, data []byte, last bool) []byte {
	for len(data) > MaxPayload {
		b = append(header(b, Data, stream, at, MaxPayload), data[:MaxPayload]...)
		data = data[MaxPayload:]
	}
	kind := Data
	if last {
		kind = Last
	}
	return append(header(b, kind, stream, at, len(data)), data...)
}

// AppendNumber appends a record of another kind.
func AppendNumber(b []byte, kind Kind, stream uint64, at Place, number uint64) []byte {
	return binary.BigEndian.AppendUint64(header(b, kind, stream, at, 8), number)
}

func header(b []byte, kind Kind, stream uint64, at Place, n int) []byte {
	b = binary.BigEndian.AppendUint64(append(b, byte(kind)), stream)
	b = binary.BigEndian.AppendUint64(b, uint64(at.Time))
	b = binary.BigEndian.AppendUint64(b, at.Packet)
	return binary.BigEndian.AppendUint32(b, uint32(n))
}

// Read reads the record at the front of b, which takes n bytes. If b ends inside of it, n is how
// many it takes, or more than b has; ok is false then. n is 0 where there is none.
func Read(b []byte) (r Record, n int, ok bool) {
	if len(b) < HeaderLen {
		return r, HeaderLen, false
	}
	r.Kind, r.Stream = Kind(b[0]), binary.BigEndian.Uint64(b[1:])
	r.Time, r.Packet = int64(binary.BigEndian.Uint64(b[9:])), binary.BigEndian.Uint64(b[17:])
	size := binary.BigEndian.Uint32(b[25:])
	number := r.Kind > Last
	if r.Kind >= kinds || size > MaxPayload || number && size != 8 {
		return r, 0, false
	}
	if n = HeaderLen + int(size); len(b) < n {
		return r, n, false
	}
	if number {
		r.Number = binary.BigEndian.Uint64(b[HeaderLen:])
	} else {
		r.Data = b[HeaderLen:n]
	}
	return r, n, true
}
