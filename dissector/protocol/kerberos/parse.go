package kerberos

import (
	"encoding/binary"
	"hash/maphash"

	"shark/dissector"
)

// prefix is how many bytes say a message's length over TCP.
const prefix = 4

// parser reads one connection, or what two ports of UDP say to each other.
type parser struct {
	text    text
	line    text      // the summary
	awaited []awaited // requests of UDP without an answer, the oldest first
	last    uint64    // digest of the latest answer
	gen     uint64
}

// awaited is a request whose answer is awaited.
type awaited struct {
	tag     byte
	key     uint64 // of the exchange
	digest  uint64 // of its bytes
	server  uint64 // digest of the principal it asks for
	repeats int64
}

var seed = maphash.MakeSeed()

// stream reads a message behind its length.
func (p *parser) stream(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	if len(buf) < prefix {
		m.Need = prefix
		return 0, dissector.ErrShort
	}
	length := int64(binary.BigEndian.Uint32(buf))
	if length > maxMessage || length < maxEnvelope {
		return 0, errMalformed
	}
	if head := min(prefix+length, maxHead); int64(len(buf)) < head {
		m.Need = int(head)
		return 0, dissector.ErrShort
	}
	k, err := open(buf[prefix:min(prefix+length, maxHead)])
	if err != nil || k.total != length || asks(k.tag) != (from == dissector.Client) {
		return 0, errMalformed
	}
	if err := p.message(&k, m); err != nil {
		return 0, err
	}
	return prefix + length, nil
}

// datagram reads a message that is a datagram.
func (p *parser) datagram(from dissector.Side, buf []byte, m *dissector.Message) (int64, error) {
	k, err := open(buf)
	if err != nil {
		return 0, err
	}
	if asks(k.tag) != (from == dissector.Client) || k.total < int64(len(buf)) {
		return 0, errMalformed
	}
	digest := maphash.Bytes(seed, buf)
	if from == dissector.Client && p.again(digest) || from == dissector.Server && digest == p.last {
		m.Skip = true
		return k.total, nil
	}
	if err := p.message(&k, m); err != nil {
		return 0, err
	}
	if from == dissector.Client {
		p.await(k.tag, digest, m)
	} else {
		p.last = digest
		p.answer(k.tag, m)
	}
	if k.total > int64(len(buf)) {
		return 0, dissector.ErrShort
	}
	return k.total, nil
}

// message sets the fields of a message.
func (p *parser) message(k *message, m *dissector.Message) error {
	if k.tag == tagError {
		return p.failure(&k.body, m)
	}
	if asks(k.tag) {
		return p.request(k, m)
	}
	return p.reply(k, m)
}

// again tells whether a request waits for its answer already: it is sent again.
func (p *parser) again(digest uint64) bool {
	for i := range p.awaited {
		if p.awaited[i].digest == digest {
			p.awaited[i].repeats++
			return true
		}
	}
	return false
}

// await remembers a request; of too many it forgets the oldest, whose answer will pair
// with nothing.
func (p *parser) await(tag byte, digest uint64, m *dissector.Message) {
	if len(p.awaited) == maxAwaited {
		p.awaited = append(p.awaited[:0], p.awaited[1:]...)
	}
	p.gen++
	p.awaited = append(p.awaited, awaited{tag: tag, key: p.gen, digest: digest, server: server(m)})
	m.SetKey(p.gen)
}

// answer pairs a response with the request that it can be the answer to: with the only
// one of its type, or else with the only one of these that asks for the same server.
func (p *parser) answer(tag byte, m *dissector.Message) {
	found, same, n, k := -1, -1, 0, 0
	who := server(m)
	for i, a := range p.awaited {
		if !answers(a.tag, tag) {
			continue
		}
		found, n = i, n+1
		if a.server == who {
			same, k = i, k+1
		}
	}
	if n > 1 {
		found = same
		if k != 1 {
			found = -1
		}
	}
	if found < 0 {
		p.gen++
		m.SetKey(p.gen) // of no request
		return
	}
	a := p.awaited[found]
	p.awaited = append(p.awaited[:found], p.awaited[found+1:]...)
	m.SetKey(a.key)
	if a.repeats > 0 {
		Repeats.Set(&m.Values, a.repeats)
	}
}

func server(m *dissector.Message) uint64 { return maphash.Bytes(seed, ServerName.Get(&m.Values)) }
