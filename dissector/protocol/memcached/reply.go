package memcached

import (
	"bytes"

	"shark/dissector"
	"shark/dissector/field"
)

// list is what a reply of several lines is made of.
type list uint8

// The kinds of list.
const (
	none  list = iota
	items      // VALUE lines with their data, up to END
	lines      // STAT and other lines, up to END
	dump       // lines of an mgdump, up to EN
)

// reply is what was seen of a reply of several pieces.
type reply struct {
	list list
	role dissector.Role
}

// answer takes the first line of a reply.
func (p *parser) answer(line []byte, end int, buf []byte, m *dissector.Message) (int64, error) {
	word, rest := firstWord(line)
	if len(word) == 0 {
		return 0, errMalformed
	}
	role, err := p.role(word, rest, m)
	if err != nil {
		return 0, err
	}
	m.Role = role
	v := &m.Values
	setStatus(v, word)
	if role == dissector.OneWay { // what it answers is not known
		dissector.Operation.Set(v, escape(word, maxName))
	}
	switch string(word) {
	case "VALUE":
		p.reply = reply{items, role}
		return p.item(line, end, buf, m)
	case "END":
		if asked(m) == retrieval {
			Hits.Set(v, 0)
		}
	case "EN":
		if asked(m) == metaGet {
			Hits.Set(v, 0)
		}
	case "VA":
		return value(rest, end, buf, m)
	case "STAT", "PREFIX", "ITEM", "KEY":
		p.reply = reply{lines, role}
		m.Open = true
	case "mg":
		p.reply = reply{dump, role}
		m.Open = true
	case "ERROR", "CLIENT_ERROR", "SERVER_ERROR":
		setError(v, line)
	case "OK":
		if asked(m) == watch {
			m.Next = dissector.Opaque
		}
	case "HD":
		if asked(m) == metaGet {
			Hits.Set(v, 1)
		}
	}
	return int64(end), nil
}

// asked returns the kind of the command that a reply answers.
func asked(m *dissector.Message) kind {
	if peer := m.Peer(); peer != nil {
		return kind(peer.Notes & kindMask)
	}
	return anything
}

// firstWord splits a line, and gives lines that begin with no word of their own one.
func firstWord(line []byte) (word, rest []byte) {
	word, rest, _ = bytes.Cut(line, []byte(" "))
	switch {
	case bytes.HasPrefix(word, []byte("key=")):
		return []byte("KEY"), rest
	case bytes.HasPrefix(word, []byte("ERROR:")):
		return []byte("ERROR"), rest
	}
	if _, ok := decimal(word); ok {
		return []byte(number), rest
	}
	return word, rest
}

func setStatus(v *field.Values, word []byte) {
	Status.Set(v, escape(word, maxName))
	dissector.Status.Set(v, escape(word, maxName))
}

func setError(v *field.Values, line []byte) {
	dissector.Failed.Set(v, true)
	Error.Set(v, escape(line, maxError))
}

// role tells what the reply is: an answer, or what the server has to say to a
// command that asked for silence. Where that is not certain, or where the reply does
// not fit the command, it is an error.
func (p *parser) role(word, rest []byte, m *dissector.Message) (dissector.Role, error) {
	peer := m.Peer()
	switch {
	case peer == nil && p.hush:
		return dissector.OneWay, nil
	case peer == nil || peer.Notes&known == 0 && peer.Notes&afterQ == 0:
		return dissector.BySide, nil
	}
	k := kind(peer.Notes & kindMask)
	fits, meta := k.mayAnswer(word), k >= metaGet && k <= metaNoop
	switch {
	case peer.Notes&afterQ == 0 && fits:
		return dissector.BySide, nil
	case peer.Notes&afterQ == 0:
		return 0, errMalformed
	case !fits:
		return dissector.OneWay, nil
	case isError(word):
		return 0, errMalformed
	case !meta || k == metaNoop:
		return dissector.BySide, nil
	}
	at := 0
	if string(word) == "VA" {
		at = 1
	}
	said, asked := hash(flag(rest, at, 'O')), peer.Notes>>32
	switch {
	case said == 0 && asked == 0:
		return 0, errMalformed
	case said != asked:
		return dissector.OneWay, nil
	}
	return dissector.BySide, nil
}

// item takes a VALUE line and its data: VALUE key flags bytes [cas].
func (p *parser) item(line []byte, end int, buf []byte, m *dissector.Message) (int64, error) {
	var w [5][]byte
	n := 0
	for word := range bytes.FieldsSeq(line) {
		if n == len(w) {
			return p.fail()
		}
		w[n] = word
		n++
	}
	if n < 4 {
		return p.fail()
	}
	size, ok := decimal(w[3])
	if !ok || size < 0 || size > maxValue {
		return p.fail()
	}
	span := int64(end) + size + 2
	if blockEnd(buf, span) != nil {
		return p.fail()
	}
	v := &m.Values
	if m.Role == dissector.OneWay || m.Peer() == nil {
		if !v.Has(Key) {
			Key.Set(v, escape(w[1], maxKey))
		}
	}
	Hits.Add(v, 1)
	ValueSize.Add(v, size)
	m.SetBody(end, size)
	m.Open = true
	return span, nil
}

func (p *parser) fail() (int64, error) {
	p.reply = reply{}
	return 0, errMalformed
}

// more takes the next line of a reply of several.
func (p *parser) more(buf []byte, m *dissector.Message) (int64, error) {
	line, end, err := readLine(buf, m)
	if err == dissector.ErrShort {
		return 0, err
	}
	if err != nil {
		return p.fail()
	}
	m.Role = p.reply.role
	word, _ := firstWord(line)
	switch string(word) {
	case "END", "EN":
		p.reply = reply{}
		return int64(end), nil
	case "ERROR", "CLIENT_ERROR", "SERVER_ERROR": // in place of the rest
		p.reply = reply{}
		setStatus(&m.Values, word)
		setError(&m.Values, line)
		return int64(end), nil
	case "VALUE":
		if p.reply.list == items {
			return p.item(line, end, buf, m)
		}
	case "STAT", "PREFIX", "ITEM", "KEY":
		if p.reply.list == lines {
			m.Open = true
			return int64(end), nil
		}
	case "mg":
		if p.reply.list == dump {
			m.Open = true
			return int64(end), nil
		}
	}
	return p.fail()
}

// value takes the data of a VA reply: VA size flags*.
func value(rest []byte, end int, buf []byte, m *dissector.Message) (int64, error) {
	word, flags, _ := bytes.Cut(rest, []byte(" "))
	size, ok := decimal(word)
	if !ok || size < 0 || size > maxValue {
		return 0, errMalformed
	}
	span := int64(end) + size + 2
	if blockEnd(buf, span) != nil {
		return 0, errMalformed
	}
	v := &m.Values
	if key := flag(flags, 0, 'k'); key != nil && (m.Role == dissector.OneWay || m.Peer() == nil) {
		Key.Set(v, escape(key, maxKey))
	}
	Hits.Set(v, 1)
	ValueSize.Set(v, size)
	m.SetBody(end, size)
	return span, nil
}
