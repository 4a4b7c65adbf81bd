package amqp

import (
	"strings"
)

// method is one kind of method.
type method struct {
	id      id
	name    string
	from    senders
	answers id   // of a response: the method it answers
	sync    bool // it asks for an answer
	content bool // a header frame and body frames come behind it
	args    []arg
}

// id is a class and a method of it.
type id uint32

func newID(class, method int) id { return id(class<<16 | method) }

// senders is who may send a method, as a set.
type senders uint8

const (
	client senders = 1 << iota
	server
)

// The methods that are treated in ways of their own.
const (
	protocolHeader    id = 0
	connectionStart   id = 10<<16 | 10
	connectionStartOk id = 10<<16 | 11
	connectionSecure  id = 10<<16 | 20
	connectionTune    id = 10<<16 | 30
	connectionClose   id = 10<<16 | 50
	connectionCloseOk id = 10<<16 | 51
	channelOpen       id = 20<<16 | 10
	channelClose      id = 20<<16 | 40
	channelCloseOk    id = 20<<16 | 41
	basicConsume      id = 60<<16 | 20
	basicConsumeOk    id = 60<<16 | 21
	basicCancelOk     id = 60<<16 | 31
	basicPublish      id = 60<<16 | 40
	basicDeliver      id = 60<<16 | 60
	basicGet          id = 60<<16 | 70
	basicAck          id = 60<<16 | 80
	basicReject       id = 60<<16 | 90
	basicRecoverAsync id = 60<<16 | 100
	basicRecover      id = 60<<16 | 110
	basicRecoverOk    id = 60<<16 | 111
	basicNack         id = 60<<16 | 120
	confirmSelect     id = 85<<16 | 10
)

const classBasic = 60

// The kinds of arguments (specification, 4.2.5).
const (
	octet = iota
	short
	long
	longlong
	shortstr
	longstr
	table
	bit
)

// arg is one argument: its kind and what it is, if anybody wants to know.
type arg struct {
	kind byte
	what byte
}

// What arguments are.
const (
	ignored = iota
	isQueue
	isExchange
	isKey
	isConsumer
	isTag
	isMultiple
	isNowait
	isCode
	isText
	isFailing // the class, and behind it the method, that a close is about
	isMethod
	isVhost
	isMechanism
	isProperties
	isKind
	isDestination
	isNoAck
	isRequeue
)

var kinds = map[string]byte{"octet": octet, "short": short, "long": long, "longlong": longlong, "str": shortstr, "longstr": longstr, "table": table, "bit": bit}

var whats = map[string]byte{
	"": ignored, "queue": isQueue, "exchange": isExchange, "key": isKey, "consumer": isConsumer, "tag": isTag, "multiple": isMultiple, "nowait": isNowait,
	"code": isCode, "text": isText, "class": isFailing, "method": isMethod, "vhost": isVhost, "mechanism": isMechanism, "properties": isProperties, "kind": isKind,
	"destination": isDestination, "noack": isNoAck, "requeue": isRequeue,
}

// What several methods have in common.
const (
	closing  = "short:code str:text short:class short:method"
	binding  = "short str:queue str:exchange str:key bit:nowait table"
	joining  = "short str:destination str:exchange str:key bit:nowait table"
	returned = "short:code str:text str:exchange str:key"
)

// methods are the methods by id: specification, part 2 (amqp0-9-1.xml), and for
// connection.blocked, connection.update-secret, exchange.bind, basic.nack and
// confirm RabbitMQ's extended definition of it.
var methods = index([]method{
	{id: connectionStart, name: "connection.start", from: server, answers: protocolHeader, args: layout("octet octet table:properties longstr:mechanism longstr")},
	ask(10, 11, "connection.start-ok", "table:properties str:mechanism longstr str"),
	{id: connectionSecure, name: "connection.secure", from: server, answers: connectionStartOk, args: layout("longstr")},
	ask(10, 21, "connection.secure-ok", "longstr"),
	{id: connectionTune, name: "connection.tune", from: server, answers: connectionStartOk, args: layout("short long short")},
	tell(10, 31, "connection.tune-ok", client, "short long short"),
	ask(10, 40, "connection.open", "str:vhost str bit"),
	answer(10, 41, "connection.open-ok", "str"),
	either(connectionClose, "connection.close", closing),
	either(connectionCloseOk, "connection.close-ok", ""),
	tell(10, 60, "connection.blocked", server, "str:text"),
	tell(10, 61, "connection.unblocked", server, ""),
	ask(10, 70, "connection.update-secret", "longstr str"),
	answer(10, 71, "connection.update-secret-ok", ""),

	ask(20, 10, "channel.open", "str"),
	answer(20, 11, "channel.open-ok", "longstr"),
	either(20<<16|20, "channel.flow", "bit"),
	either(20<<16|21, "channel.flow-ok", "bit"),
	either(channelClose, "channel.close", closing),
	either(channelCloseOk, "channel.close-ok", ""),

	ask(30, 10, "access.request", "str bit bit bit bit bit"), // 0-9; RabbitMQ answers it
	answer(30, 11, "access.request-ok", "short"),

	ask(40, 10, "exchange.declare", "short str:exchange str:kind bit bit bit bit bit:nowait table"),
	answer(40, 11, "exchange.declare-ok", ""),
	ask(40, 20, "exchange.delete", "short str:exchange bit bit:nowait"),
	answer(40, 21, "exchange.delete-ok", ""),
	ask(40, 30, "exchange.bind", joining),
	answer(40, 31, "exchange.bind-ok", ""),
	ask(40, 40, "exchange.unbind", joining),
	{id: 40<<16 | 51, name: "exchange.unbind-ok", from: server, answers: 40<<16 | 40},

	ask(50, 10, "queue.declare", "short str:queue bit bit bit bit bit:nowait table"),
	answer(50, 11, "queue.declare-ok", "str:queue long long"),
	ask(50, 20, "queue.bind", binding),
	answer(50, 21, "queue.bind-ok", ""),
	ask(50, 30, "queue.purge", "short str:queue bit:nowait"),
	answer(50, 31, "queue.purge-ok", "long"),
	ask(50, 40, "queue.delete", "short str:queue bit bit bit:nowait"),
	answer(50, 41, "queue.delete-ok", "long"),
	ask(50, 50, "queue.unbind", "short str:queue str:exchange str:key table"),
	answer(50, 51, "queue.unbind-ok", ""),

	ask(60, 10, "basic.qos", "long short bit"),
	answer(60, 11, "basic.qos-ok", ""),
	ask(60, 20, "basic.consume", "short str:queue str:consumer bit bit:noack bit bit:nowait table"),
	answer(60, 21, "basic.consume-ok", "str:consumer"),
	either(60<<16|30, "basic.cancel", "str:consumer bit:nowait"),
	either(60<<16|31, "basic.cancel-ok", "str:consumer"),
	{id: basicPublish, name: "basic.publish", from: client, content: true, args: layout("short str:exchange str:key bit bit")},
	{id: 60<<16 | 50, name: "basic.return", from: server, content: true, args: layout(returned)},
	{id: basicDeliver, name: "basic.deliver", from: server, content: true, args: layout("str:consumer longlong:tag bit str:exchange str:key")},
	ask(60, 70, "basic.get", "short str:queue bit"),
	{id: 60<<16 | 71, name: "basic.get-ok", from: server, answers: basicGet, content: true, args: layout("longlong:tag bit str:exchange str:key long")},
	{id: 60<<16 | 72, name: "basic.get-empty", from: server, answers: basicGet, args: layout("str")},
	{id: basicAck, name: "basic.ack", from: client | server, args: layout("longlong:tag bit:multiple")},
	tell(60, 90, "basic.reject", client, "longlong:tag bit:requeue"),
	tell(60, 100, "basic.recover-async", client, "bit"),
	ask(60, 110, "basic.recover", "bit"),
	answer(60, 111, "basic.recover-ok", ""),
	{id: basicNack, name: "basic.nack", from: client | server, args: layout("longlong:tag bit:multiple bit:requeue")},

	ask(85, 10, "confirm.select", "bit:nowait"),
	answer(85, 11, "confirm.select-ok", ""),

	ask(90, 10, "tx.select", ""),
	answer(90, 11, "tx.select-ok", ""),
	ask(90, 20, "tx.commit", ""),
	answer(90, 21, "tx.commit-ok", ""),
	ask(90, 30, "tx.rollback", ""),
	answer(90, 31, "tx.rollback-ok", ""),
})

func ask(class, number int, name, args string) method {
	return method{id: newID(class, number), name: name, from: client, sync: true, args: layout(args)}
}

func answer(class, number int, name, args string) method {
	return method{id: newID(class, number), name: name, from: server, answers: newID(class, number-1), args: layout(args)}
}

func tell(class, number int, name string, from senders, args string) method {
	return method{id: newID(class, number), name: name, from: from, args: layout(args)}
}

// either is a method that both sides ask for and answer. Only the client's asking
// and the server's answer make a call.
func either(n id, name, args string) method {
	m := method{id: n, name: name, from: client | server, args: layout(args)}
	if strings.HasSuffix(name, "-ok") {
		m.answers = n - 1
	} else {
		m.sync = true
	}
	return m
}

func layout(text string) []arg {
	var out []arg
	for _, word := range strings.Fields(text) {
		kind, what, _ := strings.Cut(word, ":")
		out = append(out, arg{kinds[kind], whats[what]})
	}
	return out
}

func index(list []method) map[id]*method {
	out := make(map[id]*method, len(list))
	for i := range list {
		out[list[i].id] = &list[i]
	}
	return out
}

// nameOf is the name of the method that a response answers.
func nameOf(n id) string {
	if n == protocolHeader {
		return "connection.start"
	}
	return methods[n].name
}

// codeNames are the reply codes: specification, 1.3 (amqp0-9-1.xml, constants).
var codeNames = map[int]string{
	200: "REPLY_SUCCESS", 311: "CONTENT_TOO_LARGE", 312: "NO_ROUTE", 313: "NO_CONSUMERS", 320: "CONNECTION_FORCED", 402: "INVALID_PATH",
	403: "ACCESS_REFUSED", 404: "NOT_FOUND", 405: "RESOURCE_LOCKED", 406: "PRECONDITION_FAILED", 501: "FRAME_ERROR", 502: "SYNTAX_ERROR",
	503: "COMMAND_INVALID", 504: "CHANNEL_ERROR", 505: "UNEXPECTED_FRAME", 506: "RESOURCE_ERROR", 530: "NOT_ALLOWED", 540: "NOT_IMPLEMENTED",
	541: "INTERNAL_ERROR",
}
