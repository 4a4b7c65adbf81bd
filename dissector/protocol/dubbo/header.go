package dubbo

import "encoding/binary"

// headerSize is the length of the header: the magic number, flags, status, request id and
// the length of the body.
const headerSize = 16

const (
	magicHigh = 0xda
	magicLow  = 0xbb

	flagRequest = 0x80
	flagTwoWay  = 0x40
	flagEvent   = 0x20
	maskFormat  = 0x1f

	hessian2 = 2
	statusOK = 20
)

type header struct {
	request, twoWay, event bool
	format                 byte // of the body
	status                 byte
	id                     uint64
	size                   int64 // of the body
}

// readHeader reads the header at the front of b, which has that many bytes.
func readHeader(b []byte) (h header, ok bool) {
	flags := b[2]
	h = header{
		request: flags&flagRequest != 0, twoWay: flags&flagTwoWay != 0, event: flags&flagEvent != 0, format: flags & maskFormat,
		status: b[3], id: binary.BigEndian.Uint64(b[4:]), size: int64(binary.BigEndian.Uint32(b[12:])),
	}
	ok = b[0] == magicHigh && b[1] == magicLow && formats[h.format] != "" && h.size <= maxSize && (!h.event || h.size <= maxEvent)
	if h.request {
		return h, ok && h.status == 0
	}
	return h, ok && statuses[h.status] != ""
}

// formats are the serializations (org.apache.dubbo.common.serialize.Constants).
var formats = [maskFormat + 1]string{
	hessian2: "hessian2", 3: "java", 4: "compactedjava", 6: "fastjson", 7: "nativejava", 8: "kryo", 9: "fst", 10: "native-hessian", 11: "avro",
	12: "protostuff", 16: "gson", 21: "protobuf-json", 22: "protobuf", 23: "fastjson2", 25: "kryo2", 27: "msgpack",
}

// statuses are those of a response (org.apache.dubbo.remoting.exchange.Response).
var statuses = [256]string{
	statusOK: "OK", 25: "SERIALIZATION_ERROR", 30: "CLIENT_TIMEOUT", 31: "SERVER_TIMEOUT", 35: "CHANNEL_INACTIVE", 40: "BAD_REQUEST", 50: "BAD_RESPONSE",
	60: "SERVICE_NOT_FOUND", 70: "SERVICE_ERROR", 80: "SERVER_ERROR", 90: "CLIENT_ERROR", 100: "SERVER_THREADPOOL_EXHAUSTED_ERROR",
}

// What a response of status OK begins with (DubboCodec): an exception, a value or null,
// the latter three with attachments behind it.
const (
	withException = 0
	withAttached  = 3
	lastResult    = 5
)
