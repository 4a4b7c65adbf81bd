package traffic

import (
	"encoding/binary"
	"hash/crc32"
)

// Keys and names of the Kafka APIs used, and the versions they are used in: the
// last ones before flexible encoding, https://kafka.apache.org/protocol.html.
const (
	apiProduce, produceVersion   = 0, 3
	apiFetch, fetchVersion       = 1, 4
	apiMetadata, metadataVersion = 3, 1
	apiVersions                  = 18
)

var kafkaNames = map[int]string{
	apiProduce: "PRODUCE", apiFetch: "FETCH", apiMetadata: "METADATA", apiVersions: "API_VERSIONS",
}

var kafkaErrors = map[int]string{0: "NONE", 6: "NOT_LEADER_OR_FOLLOWER", 7: "REQUEST_TIMED_OUT"}

// kafkaCall is a request and its response.
type kafkaCall struct {
	api       int
	topic     string
	partition uint32
	records   []byte // of a produce request or fetch response: a record batch
	code      int    // error code
	offset    uint64
	broker    string
	span
}

// kafkaConn is the state of a connection to a broker.
type kafkaConn struct {
	client      string
	correlation uint32
}

func short(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func sized(b []byte, f func([]byte) []byte) []byte {
	at := len(b)
	b = f(append(b, 0, 0, 0, 0))
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// request appends a request with header version 1.
func (h *kafkaConn) request(b []byte, k *kafkaCall, correlation uint32) []byte {
	version := map[int]uint16{apiProduce: produceVersion, apiFetch: fetchVersion, apiMetadata: metadataVersion}[k.api]
	return sized(b, func(b []byte) []byte {
		b = binary.BigEndian.AppendUint16(b, uint16(k.api))
		b = binary.BigEndian.AppendUint16(b, version)
		b = binary.BigEndian.AppendUint32(b, correlation)
		b = short(b, h.client)
		switch k.api {
		case apiProduce:
			b = append(b, 0xff, 0xff, 0xff, 0xff, 0, 0, 0x75, 0x30) // no transaction, all acks, 30 s
			b = k.place(b)
			b = binary.BigEndian.AppendUint32(b, uint32(len(k.records)))
			b = append(b, k.records...)
		case apiFetch:
			b = append(b, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0xf4, 0, 0, 0, 1) // consumer, 500 ms, at least a byte
			b = append(b, 0, 0x10, 0, 0, 0)                                  // at most a MiB, read uncommitted
			b = k.place(b)
			b = binary.BigEndian.AppendUint64(b, k.offset)
			b = append(b, 0, 0x10, 0, 0)
		case apiMetadata:
			b = short(append(b, 0, 0, 0, 1), k.topic)
		}
		return b
	})
}

// place appends one topic with one partition.
func (k *kafkaCall) place(b []byte) []byte {
	b = short(append(b, 0, 0, 0, 1), k.topic)
	b = append(b, 0, 0, 0, 1)
	return binary.BigEndian.AppendUint32(b, k.partition)
}

// response appends a response with header version 0.
func (k *kafkaCall) response(b []byte, correlation uint32) []byte {
	return sized(b, func(b []byte) []byte {
		b = binary.BigEndian.AppendUint32(b, correlation)
		code := uint16(k.code)
		switch k.api {
		case apiProduce:
			b = binary.BigEndian.AppendUint16(k.place(b), code)
			b = binary.BigEndian.AppendUint64(b, k.offset)
			b = binary.BigEndian.AppendUint64(b, ^uint64(0)) // no log append time
			b = append(b, 0, 0, 0, 0)
		case apiFetch:
			b = k.place(append(b, 0, 0, 0, 0))
			b = binary.BigEndian.AppendUint16(b, code)
			b = binary.BigEndian.AppendUint64(b, k.offset+1)
			b = binary.BigEndian.AppendUint64(b, k.offset+1)
			b = append(b, 0xff, 0xff, 0xff, 0xff) // no aborted transactions
			b = binary.BigEndian.AppendUint32(b, uint32(len(k.records)))
			b = append(b, k.records...)
		case apiMetadata:
			b = k.metadata(b, code)
		case apiVersions:
			b = append(binary.BigEndian.AppendUint16(b, code), 0, 0, 0, 4)
			for _, a := range []uint16{ // API, first and last version
				apiProduce, 0, 8, apiFetch, 0, 11, apiMetadata, 0, 8, apiVersions, 0, 2,
			} {
				b = binary.BigEndian.AppendUint16(b, a)
			}
		}
		return b
	})
}

// metadata appends the brokers, of which there is one, and the topic.
func (k *kafkaCall) metadata(b []byte, code uint16) []byte {
	b = append(b, 0, 0, 0, 1, 0, 0, 0, 0)
	b = short(b, k.broker)
	b = append(b, 0, 0, 0x23, 0x84, 0xff, 0xff) // port 9092, no rack
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 1)       // controller 0, one topic
	b = short(binary.BigEndian.AppendUint16(b, code), k.topic)
	b = append(b, 0, 0, 0, 0, 1) // not internal, one partition
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, k.partition)
	return append(b, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0) // leader, replicas, in sync: 0
}

// batch appends a record batch of version 2 with the values as records.
func batch(b []byte, at int64, values ...[]byte) []byte {
	start := len(b)
	b = append(b, make([]byte, 8+4)...)
	b = append(b, 0, 0, 0, 0, 2, 0, 0, 0, 0) // leader epoch, magic, checksum
	sum := len(b)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(values)-1))
	b = binary.BigEndian.AppendUint64(b, uint64(at/millisecond))
	b = binary.BigEndian.AppendUint64(b, uint64(at/millisecond))
	b = append(b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff) // no producer id
	b = append(b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)             // nor epoch, nor sequence
	b = binary.BigEndian.AppendUint32(b, uint32(len(values)))
	for i, v := range values {
		r := binary.AppendVarint([]byte{0, 0}, int64(i)) // attributes, time and offset delta
		r = append(r, 1)                                 // no key
		r = append(binary.AppendVarint(r, int64(len(v))), v...)
		r = append(r, 0) // no headers
		b = append(binary.AppendVarint(b, int64(len(r))), r...)
	}
	binary.BigEndian.PutUint32(b[start+8:], uint32(len(b)-start-12))
	binary.BigEndian.PutUint32(b[sum-4:], crc32.Checksum(b[sum:], castagnoli))
	return b
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// play sends a request and its response.
func (h *kafkaConn) play(c *conversation, k *kafkaCall, delay int64) {
	h.correlation++
	k.first = c.say(client, func(b []byte) []byte { return h.request(b, k, h.correlation) }).first
	c.wait(delay)
	k.last = c.say(server, func(b []byte) []byte { return k.response(b, h.correlation) }).last
	topic := k.topic
	if k.api == apiVersions {
		topic = h.client
	}
	c.report(Call{
		Protocol: "kafka", Method: kafkaNames[k.api], Status: kafkaErrors[k.code],
		Start: k.first, Elapsed: k.last - k.first,
	}, []byte(topic))
}

// kafkaScript is a producer's or consumer's connection at random.
type kafkaScript struct {
	kafkaConn
	left    int
	made    int
	library *library
}

func (s *kafkaScript) step(c *conversation) bool {
	if s.made == 0 {
		s.kafkaConn.client = "shop-" + pick(&c.random, []string{"producer", "consumer", "indexer"})
		c.open()
	} else {
		c.wait(c.skewed(200*microsecond, 30*millisecond))
	}
	k := kafkaCall{topic: pick(&c.random, collections), partition: uint32(c.below(12)), offset: uint64(c.below(1e6)), broker: "kafka-0.kafka"}
	switch n := c.below(10); {
	case s.made == 0:
		k.api = apiVersions
	case s.made == 1:
		k.api = apiMetadata
	case n < 6:
		k.api = apiProduce
	default:
		k.api = apiFetch
	}
	if k.api == apiProduce || k.api == apiFetch {
		k.records = c.build(func(b []byte) []byte {
			return batch(b, c.now, s.library.value(&c.random).plain, errorBody)
		})
		if c.chance(0.02) {
			k.code = pick(&c.random, []int{6, 7})
			if k.api == apiFetch {
				k.records = nil
			}
		}
	}
	s.play(c, &k, c.skewed(200*microsecond, 10*millisecond))
	s.made++
	if s.made < s.left && !c.world.full() {
		return true
	}
	c.close(client)
	return false
}
