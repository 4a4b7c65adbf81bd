package amqp1

// The descriptors (part 2, 2.7; part 3, 3.2 to 3.5; part 4, 4.5; part 5, 5.3.3).
const (
	open            = 0x10
	begin           = 0x11
	attach          = 0x12
	flow            = 0x13
	transfer        = 0x14
	disposition     = 0x15
	detach          = 0x16
	end             = 0x17
	closing         = 0x18
	errorDesc       = 0x1d
	received        = 0x23
	accepted        = 0x24
	rejected        = 0x25
	released        = 0x26
	modified        = 0x27
	source          = 0x28
	target          = 0x29
	coordinator     = 0x30
	declare         = 0x31
	discharge       = 0x32
	declared        = 0x33
	transactional   = 0x34
	saslMechanisms  = 0x40
	saslInit        = 0x41
	saslChallenge   = 0x42
	saslResponse    = 0x43
	saslOutcome     = 0x44
	header          = 0x70
	deliveryNotes   = 0x71
	messageNotes    = 0x72
	properties      = 0x73
	appProperties   = 0x74
	data            = 0x75
	sequence        = 0x76
	value           = 0x77
	footer          = 0x78
	maxFields       = 14 // of a list that is described by one of these
	protocolHeaders = 8  // bytes of a protocol header
)

// descriptors are the symbols that may stand for them.
var descriptors = map[string]uint64{
	"amqp:open:list": open, "amqp:begin:list": begin, "amqp:attach:list": attach, "amqp:flow:list": flow, "amqp:transfer:list": transfer,
	"amqp:disposition:list": disposition, "amqp:detach:list": detach, "amqp:end:list": end, "amqp:close:list": closing, "amqp:error:list": errorDesc,
	"amqp:received:list": received, "amqp:accepted:list": accepted, "amqp:rejected:list": rejected, "amqp:released:list": released,
	"amqp:modified:list": modified, "amqp:source:list": source, "amqp:target:list": target, "amqp:coordinator:list": coordinator,
	"amqp:declare:list": declare, "amqp:discharge:list": discharge, "amqp:declared:list": declared, "amqp:transactional-state:list": transactional,
	"amqp:sasl-mechanisms:list": saslMechanisms, "amqp:sasl-init:list": saslInit, "amqp:sasl-challenge:list": saslChallenge,
	"amqp:sasl-response:list": saslResponse, "amqp:sasl-outcome:list": saslOutcome, "amqp:header:list": header,
	"amqp:delivery-annotations:map": deliveryNotes, "amqp:message-annotations:map": messageNotes, "amqp:properties:list": properties,
	"amqp:application-properties:map": appProperties, "amqp:data:binary": data, "amqp:amqp-sequence:list": sequence, "amqp:amqp-value:*": value,
	"amqp:footer:map": footer,
}

// names are the words for performatives and outcomes.
var names = map[uint64]string{
	open: "open", begin: "begin", attach: "attach", flow: "flow", transfer: "transfer", disposition: "disposition", detach: "detach", end: "end",
	closing: "close", saslMechanisms: "sasl-mechanisms", saslInit: "sasl-init", saslChallenge: "sasl-challenge", saslResponse: "sasl-response",
	saslOutcome: "sasl-outcome", received: "received", accepted: "accepted", rejected: "rejected", released: "released", modified: "modified",
	declared: "declared", transactional: "transactional",
}

// layouts say of each performative what its fields are, a letter each, capital where
// the field must be there: t string or symbol, n unsigned integer, b boolean, x
// binary, m map, d described, y symbol or array of them. Integers of another size
// than the specification's are let pass: servers have sent them.
var layouts = map[uint64]string{
	open:           "Ttnnnyyyym",
	begin:          "nNNNnyym",
	attach:         "TNBnnddmbnnyym",
	flow:           "nNNNnnnnbbm",
	transfer:       "Nnxnbbndbbb",
	disposition:    "BNnbdb",
	detach:         "Nbd",
	end:            "d",
	closing:        "d",
	saslMechanisms: "Y",
	saslInit:       "Txt",
	saslChallenge:  "X",
	saslResponse:   "X",
	saslOutcome:    "Nx",
}

// performative is one that was read: what it is, and its fields.
type performative struct {
	kind   uint64
	fields [maxFields]item
}

// read takes what a described value holds. Its fields must be as the specification
// has them.
func (p *performative) read(it item) bool {
	p.kind = it.desc
	layout, ok := layouts[it.desc]
	if !ok || !it.list(p.fields[:len(layout)]) {
		return false
	}
	clear(p.fields[len(layout):])
	for i := range len(layout) {
		f, kind := p.fields[i], layout[i]
		must := kind < 'a'
		if f.isNull() {
			if must {
				return false
			}
			continue
		}
		if !fits(f, kind|0x20) {
			return false
		}
	}
	return true
}

// fits tells whether a value is of a kind.
func fits(f item, kind byte) bool {
	if kind == 'd' {
		return f.desc != 0
	}
	if f.desc != 0 {
		return false
	}
	switch kind {
	case 't':
		return f.text() != nil
	case 'n':
		_, ok := f.number()
		return ok
	case 'b':
		return f.code == isTrue || f.code == isFalse || f.code == boolean
	case 'x':
		return f.code == binary8 || f.code == binary32
	case 'm':
		return f.isMap()
	}
	_, ok := f.symbols(nil)
	return ok
}

// number returns a field that is an integer.
func (p *performative) number(i int) uint32 {
	n, _ := p.fields[i].number()
	return uint32(min(n, 1<<32-1))
}

// failure is an error (part 2, 2.8.14).
type failure struct {
	condition, description []byte
}

// readFailure reads the error that a field may hold.
func readFailure(it item) (f failure) {
	var fields [3]item
	if it.desc == errorDesc && it.list(fields[:]) {
		f.condition, f.description = fields[0].text(), fields[1].text()
	}
	return f
}

// outcome is what is said of a delivery (part 3, 3.4; part 4, 4.5.5 and 4.5.8).
type outcome struct {
	kind    uint64
	failure failure
	failed  bool // the attempt to deliver, of modified
}

// readOutcome reads a delivery state. One of a transaction is what it will be.
func readOutcome(it item) (o outcome) {
	var fields [3]item
	if it.desc == transactional && it.list(fields[:2]) && fields[1].desc != 0 {
		it = fields[1]
	}
	o.kind = it.desc
	if !it.list(fields[:]) {
		return o
	}
	switch it.desc {
	case rejected:
		o.failure = readFailure(fields[0])
	case modified:
		o.failed = fields[0].isTrue()
	}
	return o
}

// final tells whether it is an outcome, and not only how far a delivery has come.
func (o *outcome) final() bool {
	switch o.kind {
	case accepted, rejected, released, modified, declared, transactional:
		return true
	}
	return false
}

// address returns the address of a source or target, and whether there is one at all.
func address(it item) (text []byte, there bool) {
	var fields [maxFields]item
	switch it.desc {
	case coordinator:
		return []byte("$coordinator"), true
	case source, target:
		if it.list(fields[:11]) {
			text = fields[0].text()
		}
		return text, true
	}
	return nil, it.desc != 0
}
