package zookeeper

import (
	"encoding/binary"

	"shark/dissector"
)

// maxWait is how many bytes of a message the probe asks for at most.
const maxWait = 4 << 10

// maxZxid is above any transaction that is believed: its upper half counts elections.
const maxZxid = 1 << 52

// probe knows a message by all of its record, or, of a long one, by what is at hand when
// there is a path or an exact length in it.
func probe(head []byte) dissector.Guess {
	if len(head) < 4 {
		return dissector.More
	}
	if words[string(head[:4])] && (len(head) == 4 || head[4] == '\n' || head[4] == '\r') && len(head) <= 6 {
		return dissector.MaybeRequest
	}
	size := binary.BigEndian.Uint32(head)
	if size < 8 || size > maxSize {
		return dissector.No
	}
	if len(head) < 12 {
		return dissector.More
	}
	record := func() *jute { return &jute{b: head[4:min(len(head), 4+int(size))], size: int(size)} }
	guess := probeRequest(record())
	if guess == dissector.No || guess == dissector.More {
		if other := probeReply(record()); other != dissector.No {
			guess = other
		}
	}
	if guess == dissector.More && len(head) >= min(4+int(size), maxWait) {
		return dissector.No
	}
	return guess
}

func probeRequest(j *jute) dissector.Guess {
	xid := int32(binary.BigEndian.Uint32(j.b))
	if xid == 0 {
		if j.size < 28 || j.size > 29+maxPassword {
			return dissector.No
		}
		readConnection(j, true)
		return whole(j, dissector.Request)
	}
	j.off = 4
	code := j.i32()
	o := opOf(code)
	if o == nil || !asks(xid, code) {
		return dissector.No
	}
	var r request
	r.reset()
	o.request(j, &r)
	if j.cut && !j.bad && (len(r.path) > 0 || len(r.ops) > 0) {
		return dissector.Request
	}
	return whole(j, dissector.Request)
}

// whole is the answer of a record that proves what it is by its end.
func whole(j *jute, proven dissector.Guess) dissector.Guess {
	switch {
	case j.bad:
		return dissector.No
	case j.cut:
		return dissector.More
	case j.off == j.size:
		return proven
	}
	return dissector.No
}

func probeReply(j *jute) dissector.Guess {
	xid := int32(binary.BigEndian.Uint32(j.b))
	switch {
	case xid == 0:
		if j.size < 20 || j.size > 21+maxPassword {
			return dissector.No
		}
		readConnection(j, false)
		return whole(j, dissector.Response)
	case xid == xidNotification:
		readEvent(j)
		return whole(j, dissector.Response)
	case !answers(xid) || j.size < replyHeader:
		return dissector.No
	}
	j.off = 4
	zxid, err := j.i64(), j.i32()
	switch {
	case j.cut:
		return dissector.More
	case zxid < 0 || zxid >= maxZxid || errorNames[err] == "":
		return dissector.No
	case err != 0 || xid < 0:
		return ifExact(j.size == replyHeader)
	case zxid == 0:
		return dissector.No
	case j.size == replyHeader: // nothing but zeros and counters
		return dissector.MaybeResponse
	}
	return probeRecord(j, zxid)
}

func ifExact(exact bool) dissector.Guess {
	if exact {
		return dissector.Response
	}
	return dissector.No
}

// statSize is the length of what is told of a node.
const statSize = 68

// probeRecord tries what replies hold: the first that fits to the end proves it.
func probeRecord(j *jute, zxid int64) dissector.Guess {
	begin, more := *j, false
	for _, read := range []func(*jute, *response){stat, created, createdAndStat, data, childrenAndStat, acls, results} {
		*j = begin
		var r response
		read(j, &r)
		switch guess := whole(j, dissector.Response); {
		case guess == dissector.Response && fresh(j, &r, zxid):
			return dissector.Response
		case guess == dissector.More && r.dataSize > 0 && j.size-begin.off == 4+r.dataSize+statSize:
			return dissector.Response // a value that leaves just the room for what follows it
		case guess == dissector.More:
			more = true
		}
	}
	if more {
		return dissector.More
	}
	return dissector.No
}

// fresh tells whether the node that a reply tells of is not newer than the reply.
func fresh(j *jute, r *response, zxid int64) bool {
	if !r.hasStat {
		return true
	}
	s := j.b[j.size-statSize:]
	for _, off := range []int{0, 8, statSize - 8} { // created, modified, children modified
		if int64(binary.BigEndian.Uint64(s[off:])) > zxid {
			return false
		}
	}
	return true
}
