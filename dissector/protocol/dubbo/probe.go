package dubbo

import "shark/dissector"

// probe knows a message by its header and by what its body begins with. Either side sends
// events, so who sent one is told by the message behind it.
func probe(head []byte) dissector.Guess {
	guess := dissector.More
	for first := true; ; first = false {
		if len(head) < headerSize {
			if first && !magic(head) {
				return dissector.No
			}
			return guess
		}
		h, ok := readHeader(head)
		if !ok {
			return dissector.No
		}
		body := head[headerSize:min(int64(len(head)), headerSize+h.size)]
		whole := int64(len(body)) == h.size
		if !h.event {
			return probeBody(h, body, whole)
		}
		if !whole {
			return guess
		}
		guess = dissector.Either
		head = head[headerSize+h.size:]
	}
}

func magic(b []byte) bool {
	return (len(b) < 1 || b[0] == magicHigh) && (len(b) < 2 || b[1] == magicLow)
}

// probeBody looks at the beginning of a body: a call names its service and method, and an
// answer begins with what kind of result it is, or with the text of an error.
func probeBody(h header, body []byte, whole bool) dissector.Guess {
	r := hessian{b: body}
	switch {
	case h.format != hessian2 && h.request:
		return dissector.MaybeRequest
	case h.format != hessian2:
		return dissector.MaybeResponse
	case h.request:
		if c := readCall(&r); c.good {
			return dissector.Request
		}
	case h.status == statusOK:
		if kind := r.integer(); !r.bad && !r.cut && kind >= withException && kind <= lastResult {
			return dissector.Response
		}
	default:
		if r.text(); !r.bad && !r.cut {
			return dissector.Response
		}
	}
	if r.cut && !whole {
		return dissector.More
	}
	return dissector.No
}
