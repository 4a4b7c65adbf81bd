package mqtt

import (
	"slices"

	"shark/dissector"
)

// The flags of a CONNECT (5.0, 3.1.2.3).
const (
	flagReserved = 1 << 0
	flagWill     = 1 << 2
	flagUser     = 1 << 7
)

// connect reads a CONNECT (5.0, 3.1). Its password is never looked at.
func (p *parser) connect(k *packet) bool {
	name, level := k.data(), k.Byte()
	flags := k.Byte()
	k.u16() // keep alive
	if k.Bad || !known(name, level) || flags&flagReserved != 0 {
		return false
	}
	p.begun, p.version, p.aliases, p.client = true, level, [2]map[int][]byte{}, nil
	k.SetKey(p.key(connect, 0))
	v := &k.Values
	Version.SetString(v, versions[level])
	if level == v5 {
		if _, ok := k.properties(); !ok {
			return k.rest > maxHead
		}
	}
	if id := k.data(); len(id) > 0 {
		p.client = append([]byte(nil), shown(id, maxName)...)
		ClientID.Set(v, p.client)
		dissector.Summary.Set(v, p.client)
	}
	if flags&flagWill != 0 {
		if level == v5 {
			k.properties()
		}
		k.data() // topic
		k.data() // message
	}
	if flags&flagUser != 0 {
		if user := k.data(); len(user) > 0 {
			User.Set(v, shown(user, maxName))
		}
	}
	return !k.Bad || k.rest > maxHead
}

// known tells whether a CONNECT is of a known protocol and version.
func known(name []byte, level byte) bool {
	return string(name) == "MQTT" && (level == v311 || level == v5) || string(name) == "MQIsdp" && level == v31
}

// connack reads a CONNACK (5.0, 3.2; 3.1.1, 3.2).
func (p *parser) connack(k *packet) bool {
	k.SetKey(p.key(connect, 0))
	flags, code := k.Byte(), k.Byte()
	if k.Bad || flags > 1 {
		return false
	}
	if k.rest == 2 && p.version != v5 || int(code) < len(returns) && code > 0 {
		if int(code) >= len(returns) {
			return false
		}
		v := &k.Values
		Reason.SetString(v, returns[code])
		dissector.StatusCode.Set(v, int64(code))
		k.status(returns[code])
		if code > 0 {
			dissector.Failed.Set(v, true)
		}
		return true
	}
	k.reason(code)
	if props, ok := k.properties(); ok && len(props.assigned) > 0 {
		p.client = append([]byte(nil), shown(props.assigned, maxName)...)
		ClientID.Set(&k.Values, p.client)
	}
	return true
}

// publish reads a PUBLISH (5.0, 3.3). One of the client with QoS 2 goes on with its
// PUBREL.
func (p *parser) publish(k *packet) bool {
	all := len(k.B)
	topic := k.data()
	qos := k.flags >> 1 & 3
	v := &k.Values
	QoS.Set(v, int64(qos))
	Retain.Set(v, k.flags&1 != 0)
	k.Role = dissector.OneWay
	if qos > 0 {
		id, ok := k.identifier()
		if !ok {
			return false
		}
		if k.from == dissector.Client {
			k.SetKey(p.key(publish, id))
			k.Role, k.Open = dissector.BySide, qos == 2
			if k.Open && p.losses > 0 && len(p.behind) < maxBehind {
				p.behind[id] = true
			}
		}
	}
	if k.Bad || !topicName(topic) {
		return false
	}
	alias := 0
	if p.version == v5 {
		props, ok := k.properties()
		if !ok && all < maxHead {
			return false
		}
		alias = props.alias
	}
	p.named(k, topic, alias)
	if p.version == 0 { // where the payload begins is not known
		k.Resumed = true
		return true
	}
	size := k.rest - int64(all-len(k.B))
	PayloadSize.Set(v, size)
	k.SetBody(k.head+all-len(k.B), size)
	return true
}

// named sets the topic, by its alias where only that is sent (5.0, 3.3.2.3.4).
func (p *parser) named(k *packet, topic []byte, alias int) {
	aliases := &p.aliases[k.from]
	switch {
	case len(topic) == 0:
		topic = (*aliases)[alias]
	case alias > 0 && alias <= maxAliases:
		if *aliases == nil {
			*aliases = make(map[int][]byte)
		}
		(*aliases)[alias] = append([]byte(nil), topic[:min(len(topic), maxTopic+1)]...)
	}
	if len(topic) == 0 { // the packet that gave it its alias was not seen
		k.Resumed = true
		return
	}
	Topic.Set(&k.Values, shown(topic, maxTopic))
	dissector.Summary.Set(&k.Values, shown(topic, maxSummary))
}

// acknowledge reads PUBACK, PUBREC, PUBREL and PUBCOMP (5.0, 3.4 to 3.7).
func (p *parser) acknowledge(k *packet) bool {
	id, ok := k.identifier()
	if !ok || k.rest > 2 && p.version != 0 && p.version != v5 {
		return false
	}
	code := byte(0)
	if k.rest > 2 {
		code = k.Byte()
	}
	ours := k.from == dissector.Server
	if k.kind == pubrel {
		ours = !ours
	}
	if !ours { // it is about what the server published
		k.Role = dissector.OneWay
		k.reason(code)
		return true
	}
	k.SetKey(p.key(publish, id))
	switch {
	case k.kind == pubrel: // it ends a PUBLISH, or is a call when that was on another connection
		k.Resumed = p.losses > 0 && !p.behind[id]
		delete(p.behind, id)
		return true
	case k.kind == pubrec && code < 0x80:
		k.Role = dissector.Interim
	case k.kind == pubrec: // nothing is to be released then (5.0, 4.3.3)
		k.Cancel = true
	}
	k.reason(code)
	return true
}

// subscribe reads SUBSCRIBE and UNSUBSCRIBE (5.0, 3.8 and 3.10).
func (p *parser) subscribe(k *packet) bool {
	id, ok := k.identifier()
	if !ok {
		return false
	}
	k.SetKey(p.key(k.kind, id))
	if p.version == 0 {
		p.version = guessVersion(k.kind, k.B)
	}
	if p.version == v5 {
		if _, ok := k.properties(); !ok {
			return k.rest > maxHead
		}
	}
	limit := maxSummary
	if k.Detail {
		limit = maxDetail
	}
	v := &k.Values
	var summary []byte
	qos, n := byte(0), 0
	for len(k.B) > 0 {
		filter, options := k.data(), byte(0)
		if k.kind == subscribe {
			options = k.Byte()
		}
		if k.Bad || len(filter) == 0 || !text(filter) || options&3 == 3 {
			return n > 0 && k.rest > maxHead
		}
		if n++; n == 1 {
			Topic.Set(v, shown(filter, maxTopic))
		} else if len(summary) < limit {
			summary = append(summary, ' ')
		}
		if len(summary) < limit {
			summary = append(summary, filter...)
		}
		qos = max(qos, options&3)
	}
	if k.kind == subscribe {
		QoS.Set(v, int64(qos))
	}
	dissector.Summary.Set(v, shown(summary, limit))
	return n > 0
}

// guessVersion tells from a whole SUBSCRIBE or UNSUBSCRIBE, without its identifier,
// whether it has properties; 0 when that is not sure.
func guessVersion(kind byte, b []byte) byte {
	old := filters(kind, b)
	r := newReader(b)
	_, ok := r.properties()
	switch recent := ok && filters(kind, r.B); {
	case old == recent:
		return 0
	case old:
		return v311
	}
	return v5
}

// filters tells whether b is a list of topic filters and nothing else.
func filters(kind byte, b []byte) bool {
	r := newReader(b)
	for len(r.B) > 0 {
		filter, options := r.data(), byte(0)
		if kind == subscribe {
			options = r.Byte()
		}
		if r.Bad || len(filter) == 0 || !text(filter) || options&3 == 3 || options&0xc0 != 0 {
			return false
		}
	}
	return len(b) > 0
}

// subscribed reads SUBACK and UNSUBACK (5.0, 3.9 and 3.11).
func (p *parser) subscribed(k *packet) bool {
	id, ok := k.identifier()
	if !ok {
		return false
	}
	k.SetKey(p.key(k.kind-1, id))
	if p.version == v5 {
		if _, ok := k.properties(); !ok {
			return k.rest > maxHead
		}
	}
	if len(k.B) == 0 || p.version == 0 { // of 3.1.1, or not known
		if k.kind == unsuback {
			k.status("UNSUBACK")
		} else {
			k.status("SUBACK")
		}
		return true
	}
	code := k.B[0]
	if i := slices.IndexFunc(k.B, func(c byte) bool { return c >= 0x80 }); i >= 0 {
		code = k.B[i]
	}
	k.reason(code)
	return true
}

// leave reads DISCONNECT and AUTH (5.0, 3.14 and 3.15).
func (p *parser) leave(k *packet) bool {
	k.Role = dissector.OneWay
	if k.rest > 0 && p.version != 0 && p.version != v5 || k.kind == auth && p.version != 0 && p.version != v5 {
		return false
	}
	code := byte(0)
	if k.rest > 0 {
		code = k.Byte()
	}
	k.reason(code)
	return true
}
