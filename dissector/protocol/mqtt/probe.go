package mqtt

import (
	"shark/dissector"
)

// probe knows a CONNECT by its protocol name. Other packets are believed in as a chain
// that ends where the bytes do or goes on with the beginning of one more. Who sends them is
// told by one of a kind that just one side sends: anybody may publish.
func probe(head []byte) dissector.Guess {
	guess, published, packets := dissector.No, false, 0
	for b := head; ; {
		kind, flags, rest, n, need, ok := header(b)
		if !ok {
			return dissector.No
		}
		if need > 0 {
			break
		}
		body := b[n:min(int64(len(b)), int64(n)+rest)]
		whole := int64(len(body)) == rest
		if !plausible(kind, flags, rest, body, whole) {
			return dissector.No
		}
		published = published || kind == publish && whole
		if whole {
			packets++
		}
		if g := judge(kind, body, whole); g != dissector.No {
			guess = g
		}
		if b = b[n+len(body):]; guess == dissector.Request || guess == dissector.Response || len(b) == 0 {
			break
		}
	}
	switch {
	case guess == dissector.No && (published || packets > 1):
		return dissector.MaybeEither
	case guess == dissector.No && len(head) < maxProbe:
		return dissector.More
	case guess == dissector.MaybeRequest && published:
		return dissector.Request
	case guess == dissector.MaybeResponse && published:
		return dissector.Response
	}
	return guess
}

// judge tells what a packet says of its sender.
func judge(kind byte, body []byte, whole bool) dissector.Guess {
	switch {
	case kind == connect && (whole || len(body) >= 10):
		return dissector.Request
	case !whole:
		return dissector.No
	case kind == subscribe || kind == unsubscribe:
		return dissector.Request
	case kind == connack && len(body) > 2:
		return dissector.Response
	case sender[kind] == client:
		return dissector.MaybeRequest
	case sender[kind] == server:
		return dissector.MaybeResponse
	}
	return dissector.No
}

// plausible tells whether body, or what is at hand of it, may be that of a packet.
func plausible(kind, flags byte, rest int64, body []byte, whole bool) bool {
	r := newReader(body)
	switch kind {
	case connect:
		name, level := r.data(), r.Byte()
		flags := r.Byte()
		return r.Bad && !whole && rest >= 12 && len(body) < 10 || !r.Bad && known(name, level) && flags&flagReserved == 0
	case connack:
		return rest >= 2 && rest < maxHead && (!whole || connackBody(body))
	case publish:
		length := r.u16()
		if r.Bad {
			return !whole
		}
		topic := r.Take(length)
		if int64(length)+2 > rest || r.Bad {
			return int64(length)+2 <= rest
		}
		return topicName(topic) && (flags&6 == 0 || len(r.B) < 2 && !whole || r.u16() != 0)
	case puback, pubrec, pubrel, pubcomp:
		if !whole {
			return rest >= 2 && rest <= 4
		}
		return rest >= 2 && r.u16() != 0 && (rest == 2 || reasons[r.Byte()] != "")
	case subscribe, unsubscribe:
		if !whole {
			return rest > 4 && rest < maxHead
		}
		if r.u16() == 0 {
			return false
		}
		v5 := newReader(r.B)
		_, ok := v5.properties()
		return filters(kind, r.B) || ok && filters(kind, v5.B)
	case suback, unsuback:
		if !whole {
			return rest >= 2 && rest < maxHead
		}
		return rest >= 2 && r.u16() != 0 && (kind == unsuback || rest > 2)
	case pingreq, pingresp:
		return rest == 0
	}
	return rest == 0 || whole && reasons[body[0]] != ""
}

// connackBody tells whether b is what a CONNACK of any version has.
func connackBody(b []byte) bool {
	if b[0] > 1 || len(b) == 2 {
		return b[0] <= 1 && int(b[1]) < len(returns)
	}
	r := newReader(b[2:])
	_, ok := r.properties()
	return ok && len(r.B) == 0
}
