package zookeeper

import (
	"bytes"
	"encoding/binary"
	"strings"
	"time"

	"shark/dissector"
	"shark/dissector/outline"
)

// The records (zookeeper.jute), as far as they are shown: names of the parts, with a letter
// for what they are. i and l are integers of 32 and 64 bits, b a truth value, s text, d data,
// x data that is a secret, t a time, h a number in hexadecimal, p permissions, k who has them, m
// the kind of a node, v and w what a watch tells, z and y what kinds of watches there are. What
// is in brackets comes as a list.
const (
	statParts = "czxid:h mzxid:h created:t modified:t version:i cversion:i aversion:i ephemeral_owner:h size:i children:i pzxid:h"
	aclParts  = "acl:[permissions:p scheme:s id:k]"
)

var shownRequests = map[int32]string{
	1: "path:s data:d " + aclParts + " mode:m", 2: "path:s version:i", opExists: "path:s watch:b", 4: "path:s watch:b", opSetData: "path:s data:d version:i",
	6: "path:s", 7: "path:s " + aclParts + " version:i", 8: "path:s watch:b", 9: "path:s", 12: "path:s watch:b", 13: "path:s version:i",
	15: "path:s data:d " + aclParts + " mode:m", 16: "joining:s leaving:s members:s config:l", 17: "path:s type:y", 18: "path:s type:y",
	19: "path:s data:d " + aclParts + " mode:m", 20: "path:s", 21: "path:s data:d " + aclParts + " mode:m ttl:l", opAuth: "type:i scheme:s auth:x",
	opSetWatches: "zxid:h data:[path:s] exists:[path:s] children:[path:s]", 102: "token:x", 103: "prefix:s", 104: "path:s",
	opSetWatches2: "zxid:h data:[path:s] exists:[path:s] children:[path:s] persistent:[path:s] recursive:[path:s]", 106: "path:s mode:z",
	opConnect: "protocol:i zxid:h timeout:i session:h password:x", opNotification: "event:v state:w path:s",
}

var shownResponses = map[int32]string{
	1: "path:s", opExists: statParts, 4: "data:d " + statParts, opSetData: statParts, 6: aclParts + " " + statParts, 7: statParts, 8: "children:[name:s]", 9: "path:s",
	12: "children:[name:s] " + statParts, 15: "path:s " + statParts, 16: "data:d " + statParts, 19: "path:s " + statParts, 21: "path:s " + statParts,
	102: "token:x", 103: "paths:[path:s]", 104: "children:i", 107: "identities:[scheme:s id:k]", opConnect: "protocol:i timeout:i session:h password:x",
}

// outlined shows a message: its header, and its record by the names of its parts.
func outlined(m, request *dissector.Message, limit int) []byte {
	b := m.Raw
	if len(b) < 8 || words[string(b[:4])] || m.Notes == known|opWord || request != nil && request.Notes == known|opWord {
		return nil
	}
	s := shower{Writer: outline.New(limit), j: jute{b: b[4:], size: max(len(b)-4, int(binary.BigEndian.Uint32(b)))}}
	first := int32(binary.BigEndian.Uint32(b[4:]))
	switch {
	case first == 0 && m.From == dissector.Client:
		s.Say("operation", "connect")
		s.record(shownRequests[opConnect])
	case first == 0:
		s.record(shownResponses[opConnect])
	case m.From == dissector.Client:
		s.asked()
	default:
		s.answered(request)
	}
	return s.Bytes()
}

// shower writes what it reads of records.
type shower struct {
	*outline.Writer
	j      jute
	scheme []byte // the latest text
}

func (s *shower) asked() {
	s.Number("xid", int64(s.j.i32()))
	code := s.j.i32()
	name := ""
	if o := opOf(code); o != nil {
		name = o.name
	}
	if s.Named("operation", int64(code), name); transactions[code] != nil {
		s.transaction(shownRequests)
		return
	}
	s.record(shownRequests[code])
}

func (s *shower) answered(request *dissector.Message) {
	xid, zxid, failure := s.j.i32(), s.j.i64(), s.j.i32()
	s.Number("xid", int64(xid))
	s.Hex("zxid", uint64(zxid), 1)
	s.Named("error", int64(failure), errorNames[failure])
	switch {
	case failure != 0:
	case xid == xidNotification:
		s.record(shownRequests[opNotification])
	case request != nil && request.Notes&known != 0:
		if code := int32(uint32(request.Notes)); transactions[code] != nil {
			s.transaction(shownResponses)
		} else {
			s.record(shownResponses[code])
		}
	}
}

// transaction writes the operations of one, or their results.
func (s *shower) transaction(parts map[int32]string) {
	for n := 0; n < maxRecords && !s.j.bad && !s.j.cut && !s.Full(); n++ {
		code, last := s.j.i32(), s.j.boolean()
		s.j.i32()
		if s.j.bad || s.j.cut || last {
			return
		}
		if code == opError {
			failure := s.j.i32()
			s.Named("error", int64(failure), errorNames[failure])
			continue
		}
		o := ops[code]
		if o == nil {
			return
		}
		s.Group(o.name, func() { s.record(parts[code]) })
	}
}

// record writes the parts of a record, up to where it is cut or is not as it should be.
func (s *shower) record(parts string) {
	for parts != "" {
		name, rest, _ := strings.Cut(parts, ":")
		if rest[0] == '[' {
			var inside string
			inside, parts, _ = strings.Cut(rest[1:], "]")
			s.Group(name, func() { s.list(inside) })
		} else {
			s.part(name, rest[0])
			parts = rest[1:]
		}
		parts = strings.TrimPrefix(parts, " ")
		if s.j.bad || s.j.cut || s.Full() {
			return
		}
	}
}

func (s *shower) list(parts string) {
	s.j.each(func() {
		if s.j.cut = s.j.cut || s.Full(); !s.j.cut {
			s.record(parts)
		}
	})
}

// part writes what stands next, by its letter.
func (s *shower) part(name string, letter byte) {
	j := &s.j
	switch letter {
	case 's':
		if b := j.text(); s.good() {
			s.scheme = b
			s.Text(name, b)
		}
	case 'k':
		if b := j.text(); s.good() {
			s.identity(name, b)
		}
	case 'b':
		if on := j.boolean(); s.good() {
			s.Flag(name, on)
		}
	case 'd', 'x':
		s.data(name, letter == 'x')
	case 'l', 'h', 't':
		if n := j.i64(); s.good() {
			s.long(name, n, letter)
		}
	default:
		if n := j.i32(); s.good() {
			s.integer(name, n, letter)
		}
	}
}

func (s *shower) good() bool { return !s.j.bad && !s.j.cut }

// identity writes who an ACL or a session is of. What digest has behind the name is made of
// the password.
func (s *shower) identity(name string, b []byte) {
	if user, _, found := bytes.Cut(b, []byte(":")); found && string(s.scheme) == "digest" {
		b = append(bytes.Clone(user[:min(len(user), outline.MaxValue)]), ":***"...)
	}
	s.Text(name, b)
}

func (s *shower) data(name string, secret bool) {
	j := &s.j
	if j.left(4) && int32(binary.BigEndian.Uint32(j.b[j.off:])) == -1 {
		j.i32()
		s.Say(name, "null")
		return
	}
	_, n := j.buffer()
	switch {
	case j.bad:
	case secret:
		s.Secret(name)
	default:
		s.Size(name, int64(n))
	}
}

func (s *shower) long(name string, n int64, letter byte) {
	switch letter {
	case 'h':
		s.Hex(name, uint64(n), 1)
	case 't':
		s.Say(name, time.UnixMilli(n).UTC().Format("2006-01-02T15:04:05.000Z"))
	default:
		s.Number(name, n)
	}
}

// What is allowed by an ACL (ZooDefs.Perms), what kinds of watches are removed (Watcher.WatcherType)
// and added (AddWatchMode).
var (
	permissions = [...]string{"read", "write", "create", "delete", "admin"}
	watchTypes  = map[int32]string{1: "children", 2: "data", 3: "any", 4: "persistent", 5: "persistent recursive"}
	watchModes  = map[int32]string{0: "persistent", 1: "persistent recursive"}
)

func (s *shower) integer(name string, n int32, letter byte) {
	switch letter {
	case 'm':
		s.Named(name, int64(n), modes[n])
	case 'v':
		s.Named(name, int64(n), events[n])
	case 'w':
		s.Named(name, int64(n), states[n])
	case 'y':
		s.Named(name, int64(n), watchTypes[n])
	case 'z':
		s.Named(name, int64(n), watchModes[n])
	case 'p':
		var list []string
		for i, word := range permissions {
			if n>>i&1 != 0 {
				list = append(list, word)
			}
		}
		s.Named(name, int64(n), strings.Join(list, ", "))
	default:
		s.Number(name, int64(n))
	}
}
